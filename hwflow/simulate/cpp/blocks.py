"""Generated C++ as a list of its outermost declarations, and which of them a piece of code needs.

Just enough of C++ for the files that hls4ml and hwflow's templates write: types, objects and
functions, one after another, without macros. What is not understood is needed by everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'|^[ \t]*#[^\n]*|[{};]",
    re.S | re.M,
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_TEMPLATE = r"(?:template\s*<[^{;]*?>\s*)?"
_TYPE = re.compile(rf"{_TEMPLATE}(?:struct|class|union|enum(?:\s+class)?)\s+(\w+)\s*[:{{;<]")
_ALIAS = re.compile(
    rf"typedef\b.*?(\w+)\s*(?:\[[^\]]*\]\s*)*;\s*$|{_TEMPLATE}using\s+(\w+)\s*=", re.S
)
_DIRECTIVE = re.compile(r"^[ \t]*#[^\n]*", re.M)
_MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.M)
_NAMESPACE = re.compile(r"\bnamespace\s*\w*\s*\{")


def names_in(code: str) -> frozenset[str]:
    """Return every name and keyword in a piece of C++, comments left out."""
    return frozenset(_NAME.findall(_COMMENT.sub(" ", code)))


@dataclass(frozen=True, eq=False)
class Block:
    """One outermost declaration.

    Attributes:
        text: the C++ as it was found.
        section: number of the part of a translation unit where it belongs.
        place: number that orders it among all others.
    """

    text: str
    section: int
    place: int

    @cached_property
    def uses(self) -> frozenset[str]:
        """Every name in it."""
        return names_in(self.text)

    @cached_property
    def declares(self) -> str:
        """The name that it declares, or an empty string if that is not understood."""
        code = _COMMENT.sub(" ", self.text).strip()
        if found := _TYPE.match(code):
            return found[1]
        if found := _ALIAS.match(code):
            return found[1] or found[2]
        head = re.split(r"[({=\[;]", _without_arguments(code), maxsplit=1)[0]
        declared = re.search(r"(\w+)(?:\s*::\s*\w+)*\s*$", head)
        return declared[1] if declared else ""


def _without_arguments(code: str) -> str:
    """Return a declaration without its template arguments: ``ap_uint x``."""
    head = code.split("{", 1)[0]
    while (shorter := re.sub(r"<[^<>]*>", " ", head)) != head:
        head = shorter
    return head


def split_blocks(code: str) -> list[str]:
    """Return the outermost declarations of a piece of C++, in order.

    One with preprocessor directives between the declarations stays whole.
    """
    texts, at, depth = [], 0, 0
    for token in _TOKEN.finditer(code):
        mark = token[0]
        if mark.lstrip().startswith("#") and depth == 0:
            return [code]
        depth = max(0, depth + (mark == "{") - (mark == "}"))
        closes = mark == "}" and not re.match(r"\s*;", code[token.end() : token.end() + 80])
        if depth == 0 and (mark == ";" or closes):
            texts.append(code[at : token.end()].strip())
            at = token.end()
    if _COMMENT.sub(" ", code[at:]).strip():
        return [code]
    return texts


class Blocks:
    """Declarations that can be looked up by name."""

    def __init__(self, blocks: Sequence[Block]) -> None:
        """Take all declarations of a project."""
        self._by_name: dict[str, list[Block]] = {}
        for block in blocks:
            self._by_name.setdefault(block.declares, []).append(block)

    def needed_by(self, code: str) -> list[Block]:
        """Return what a piece of code refers to, directly or through others, in order."""
        found: set[Block] = set()
        waiting = [*names_in(code), ""]
        seen = set(waiting)
        while waiting:
            for block in self._by_name.get(waiting.pop(), ()):
                found.add(block)
                waiting += block.uses - seen
                seen |= block.uses
        return sorted(found, key=lambda block: block.place)


def declared_in(header: str) -> frozenset[str]:
    """Return every name that a header declares; an empty one if not all is understood."""
    code = _COMMENT.sub(" ", header)
    macros = frozenset(_MACRO.findall(code))
    code = _NAMESPACE.sub(" ", _DIRECTIVE.sub("", code))
    blocks = [Block(text, 0, 0) for text in split_blocks(code)]
    return macros.union(b.declares for b in blocks if b.text.strip("} \n"))


def joined(blocks: Iterable[Block]) -> str:
    """Return declarations one after another."""
    return "\n\n".join(block.text for block in blocks)
