"""Names and texts of models in reports: shown as they are, never obeyed."""

import dataclasses
import io
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from markdown_it import MarkdownIt
from rich.console import Console

from hwflow.cli.terminal.text import escape
from hwflow.core.errors import Diagnostic
from hwflow.report.gate import errors_markdown
from hwflow.report.html import to_html
from hwflow.report.markdown import to_markdown
from hwflow.report.markup import plain
from hwflow.report.schema import ReportData
from hwflow.verify.checks import Check
from hwflow.verify.junit import errors_junit, to_junit
from tests.report.samples import HOSTILE, report

HOSTILES = (
    HOSTILE, "![i](http://evil/i.png)", "<img src=x onerror=alert(1)>", "a | b | c", "`code`",
    "``` x", "[t](javascript:x)", "www.evil.example", "http://evil.example", "a@evil.example",
    "@octocat", "&#64;octocat", "&lt;b&gt;", "#12", "GH-12", "org/repo#12", "$\\sqrt{x}$",
    "- item", "1. item",
    "12) item", "+ item", "=====", "---", "# head", "> quote", "\n\n# head", "    code", "~~x~~",
    "*x*", "__x__", "\\", "a\\|b", "<!-- x", "-->", "\x1b[2J\x1b]0;x\x07", "\u202eevil",
    "[red]x[/red]", "]]>", "{{ 7 * 7 }}", "\r\nSet: x", "\0", "<![CDATA[", '" onload="x',
    "xmpp:a@b.c",
)  # fmt: skip
GFM = MarkdownIt("gfm-like", {"linkify": False, "html": True})
BLOCKS = {"paragraph_open", "paragraph_close", "inline"}


def plain_text(token: Any) -> str:
    return "".join(t.content for t in token.children or () if t.type != "html_inline")


@pytest.mark.parametrize("text", HOSTILES)
def test_markdown_shows_text_as_it_is(text: str) -> None:
    tokens = GFM.parse(f"{plain(text)}\n")
    assert {t.type for t in tokens} <= BLOCKS, "one paragraph, whatever it starts with"
    kinds = {c.type for t in tokens for c in t.children or ()}
    assert kinds <= {"text", "text_special", "html_inline"}
    html = [c.content for t in tokens for c in t.children or () if c.type == "html_inline"]
    assert set(html) <= {"<!-- -->"}
    shown = "".join(plain_text(t) for t in tokens if t.type == "inline")
    wanted = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
    assert shown == wanted


@pytest.mark.parametrize(
    "text", ["@octocat", "x@octocat", "#12", "org/repo#12", "GH-12", "a&#64;b"]
)
def test_no_text_node_holds_a_mention_or_a_reference(text: str) -> None:
    """GitHub looks for them in the text between tags and comments, entities resolved."""
    pieces = plain(f"a {text} b").split("<!-- -->")
    rendered = [plain_text(t) for piece in pieces for t in GFM.parse(piece) if t.type == "inline"]
    for piece in rendered:
        assert not piece.rstrip(" b").endswith("octocat") or "@" not in piece
        assert "#12" not in piece
        assert "GH-12" not in piece


LINKS = {"name", "layer", "backend", "io_type", "strategy", "resource", "fits", "answer",
         "severity", "code", "state", "schema", "implementation", "basis"}  # fmt: skip
"""Fields by which parts of a report find each other, and words of hwflow's own."""


def spoiled(value: Any, text: str) -> Any:
    """Return a report's data with a text in the place of every other text."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [f.name for f in dataclasses.fields(value) if f.name not in LINKS]
        changed = {name: spoiled(getattr(value, name), text) for name in fields}
        return dataclasses.replace(value, **changed)
    if isinstance(value, (list, tuple)):
        return type(value)(v if isinstance(v, str) else spoiled(v, text) for v in value)
    return text if isinstance(value, str) else value


@pytest.mark.parametrize("text", HOSTILES)
def test_a_markdown_report_keeps_its_form(text: str) -> None:
    def shape(data: ReportData) -> list[tuple[str, str]]:
        found = [(t.type, t.tag) for t in GFM.parse(to_markdown(data))]
        return [pair for pair in found if pair[0] != "inline"]

    spoilt = to_markdown(spoiled(report(), text))
    assert shape(spoiled(report(), text)) == shape(spoiled(report(), "x"))
    kinds = {c.type for t in GFM.parse(spoilt) for c in t.children or ()}
    assert not kinds & {"link_open", "image", "code_inline", "s_open", "em_open"}


class Tags(HTMLParser):
    """Collects tags with the names of their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(name for name, _ in attrs)))


def test_an_html_report_keeps_its_form() -> None:
    def tags(data: ReportData) -> set[tuple[str, tuple[str, ...]]]:
        parser = Tags()
        parser.feed(to_html(data))
        return set(parser.found)

    known = tags(spoiled(report(), "x")) | {("wbr", ())}
    assert tags(spoiled(report(), HOSTILE)) <= known
    assert tags(spoiled(report(), " ".join(HOSTILES))) <= known
    assert tags(spoiled(report(), '" onload="x')) <= known


def junit_of_checks(text: str) -> str:
    check = Check(name=text, about=text, value=text, limit=text, passed=False, detail=text)
    return to_junit(text, [check], 1.0, {"design": text})


def junit_of_errors(text: str) -> str:
    return errors_junit(text, [Diagnostic(code="HW001", title=text, found=text)], {"design": text})


@pytest.mark.parametrize("make", [junit_of_checks, junit_of_errors])
@pytest.mark.parametrize("text", HOSTILES)
def test_junit_keeps_its_form(text: str, make: Callable[[str], str]) -> None:
    def tags(content: str) -> list[str]:
        return [element.tag for element in ET.fromstring(content).iter()]

    assert tags(make(text)) == tags(make("x"))


@pytest.mark.parametrize("text", HOSTILES)
def test_errors_in_markdown_keep_their_form(text: str) -> None:
    def shape(content: str) -> list[str]:
        return [t.type for t in GFM.parse(content)]

    findings = [Diagnostic(code="HW001", title=text, where=text, found=text, help=text)]
    wanted = [Diagnostic(code="HW001", title="x", where="x", found="x", help="x")]
    assert shape(errors_markdown(text, findings)) == shape(errors_markdown("x", wanted))


@pytest.mark.parametrize("text", HOSTILES)
def test_a_terminal_obeys_nothing(text: str) -> None:
    out = io.StringIO()
    Console(file=out, force_terminal=True, color_system=None, highlight=False, width=10_000).print(
        f"[bold]{escape(text)}[/] end"
    )
    shown = out.getvalue()
    assert not {c for c in shown if not c.isprintable()} - {"\n", "\t"}
    wanted = "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
    assert wanted in shown
