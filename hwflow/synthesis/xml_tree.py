"""XML of strangers: no document types, so no entities, neither outside nor nested ones."""

from __future__ import annotations

from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

from hwflow.synthesis.records import UnreadableReportError


class _Plain(TreeBuilder):
    """Builds a tree of a document without a document type."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        """Refuse a document type: entities are declared in it, and reports have none."""
        raise UnreadableReportError("has a document type, which no report has")


def read_xml(content: bytes) -> Element:
    """Return the root of a document.

    Raises:
        UnreadableReportError: it is damaged, or has a document type.
    """
    parser = XMLParser(target=_Plain())
    try:
        parser.feed(content)
        root: Element = parser.close()
    except (ParseError, ValueError, LookupError) as error:
        raise UnreadableReportError(f"is no XML: {error}") from error
    return root
