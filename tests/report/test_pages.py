"""HTML and Markdown: golden pages, both verdicts, hostile names, nothing fetched from elsewhere."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from hwflow.estimate.graph import RESOURCES
from hwflow.report import words
from hwflow.report.html import to_html
from hwflow.report.markdown import to_markdown
from hwflow.report.markup import plain
from hwflow.report.parts import Interval, Range
from hwflow.report.schema import UtilisationData
from hwflow.report.svg import histogram, range_bar, use_bar
from hwflow.verify.words import numbers
from tests.report.samples import HOSTILE, report

FAILING = {"faithful": {"fc2": 3}, "lossless": {"fc1": 8, "fc2": 20}, "fits": "no"}
VOID = {"meta", "wbr", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Collects tags, attributes and identifiers, and checks that every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert not self.stack

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def values(self, attribute: str) -> list[str]:
        return [value for name, value in self.attributes if name == attribute]


def test_html_is_as_before(golden: Callable[[str, str], None]) -> None:
    golden("report.html", to_html(report(lossless={"head": 1})))


def test_markdown_is_as_before(golden: Callable[[str, str], None]) -> None:
    golden("report.md", to_markdown(report()))
    golden("report_failing.md", to_markdown(report(**FAILING)))  # type: ignore[arg-type]


def test_a_golden_model_that_differs_is_not_faithful() -> None:
    text = to_markdown(report(golden={"fc2": 3}))
    assert (
        "| Faithful | **No** | 3 of 300 values (1.00 %) differ between simulation and golden"
        in text
    )
    assert "**Simulation and golden model first differ** in block.fc2" in text
    assert "The golden model differs from the simulation" in to_html(report(golden={"fc2": 3}))


def test_the_reason_for_no_golden_model_is_given() -> None:
    made = replace(report(), golden=None, no_golden="HW565, y: Dense: 63 bits")
    assert "There is no golden model: HW565, y: Dense: 63 bits." in to_markdown(made)


@pytest.mark.parametrize("settings", [{}, FAILING, {"data": False}], ids=["good", "bad", "no data"])
def test_html_is_whole_and_self_contained(settings: dict[str, object]) -> None:
    text = to_html(report(**settings))  # type: ignore[arg-type]
    page = Page(text)
    assert not page.tags & {"script", "link", "img", "iframe", "object", "embed", "form", "base"}
    assert not re.search(r"https?:|//[a-z]|url\(|@import|javascript:|\son\w+=", text)
    identifiers = page.values("id")
    assert len(identifiers) == len(set(identifiers))
    for link in page.values("href"):
        assert link.removeprefix("#") in identifiers


def test_both_verdicts_are_said_apart() -> None:
    good = words.headlines(report())
    assert [(v.title, v.answer, v.tone) for v in good] == [
        ("Faithful", "Yes", "good"), ("Lossless", "Yes", "good"), ("Fits PYNQ-Z2", "Yes", "good")
    ]  # fmt: skip
    bad = words.headlines(report(**FAILING))  # type: ignore[arg-type]
    assert [(v.answer, v.tone) for v in bad] == [("No", "bad"), ("No", "warn"), ("No", "bad")]
    assert "3 of 300 values (1.00 %)" in bad[0].detail
    assert "28 of 300 values" in bad[1].detail
    nothing = words.headlines(report(data=False))
    assert [v.tone for v in nothing] == ["unknown"] * 3
    assert words.headlines(report(fits="borderline"))[2].answer == "Borderline"


def test_a_failing_page_shows_the_first_difference() -> None:
    text = to_html(report(**FAILING))  # type: ignore[arg-type]
    assert "The C++ differs from the simulation" in text
    assert "element [3, 1]: simulation 0.25, C++ 0.5, off by 2 steps of the type" in text
    assert "The C++ differs" not in to_html(report())


def test_hostile_names_stay_text() -> None:
    made = report(origin=HOSTILE, faithful={"fc2": 1})
    text = to_html(made)
    assert "script" not in Page(text).tags
    assert "<script" not in text.lower()
    assert "\u202e" not in text
    summary = to_markdown(made)
    assert not re.search(r"(?<!\\)<script", summary)
    rows = [line for line in summary.splitlines() if line.startswith("|")]
    for row in rows:
        assert row.count("|") - row.count("\\|") in (4, 6, 7, 8, 10)
    assert "\n\n\u202e" not in summary


@pytest.mark.parametrize("text", ["<b>", "a|b", "`x`", "https://evil", "[a](b)", "![i](u)"])
def test_markdown_escapes_everything_with_a_meaning(text: str) -> None:
    escaped = plain(text)
    assert not re.search(r"(?<!\\)[<>|`\[\]!*]|://", escaped)


def test_every_resource_has_a_name() -> None:
    assert set(words.RESOURCE_NAMES) == set(RESOURCES)


def test_a_resource_the_device_lacks_is_said_so() -> None:
    absent = Interval(999.0, 999.0, 999.0)
    use = UtilisationData("uram", Interval(4.0, 3.0, 5.0), 0, absent, "no")
    assert words.use(use) == ("none available", "4 needed")


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0.0 %"), (1.0, "100.0 %"), (0.99999, ">99.9 %"), (1e-9, "<0.1 %"), (0.5, "50.0 %")],
)
def test_only_all_is_100_percent(share: float, text: str) -> None:
    assert numbers.percent(share) == text


def widths(svg: str) -> list[tuple[str, float, float]]:
    found = re.findall(r'<rect x="([-\d.]+)" y="[\d.]+" width="([\d.]+)"[^>]*class="([^"]+)"', svg)
    return [(name, float(x), float(width)) for x, width, name in found]


def test_range_bar_is_to_scale() -> None:
    svg = range_bar(Range(-8.0, 8.0), Range(-4.0, 4.0), Range(0.0, 2.0), "a")
    assert widths(svg) == [
        ("range-type", 0.0, 168.0),
        ("range-proven", 42.0, 84.0),
        ("range-observed", 84.0, 21.0),
    ]


def test_use_bar_is_to_scale_and_keeps_the_limit_inside() -> None:
    inside = widths(use_bar(Interval(50.0, 25.0, 75.0), "yes", "a"))
    assert inside == [("use-track", 0.0, 560.0), ("use-bar yes", 0.0, 280.0)]
    assert widths(use_bar(Interval(0.0, 0.0, 0.0), "yes", "a")) == [("use-track", 0.0, 560.0)]
    (_, _, limit), (_, _, bar) = widths(use_bar(Interval(400.0, 200.0, 1000.0), "no", "a"))
    assert bar == pytest.approx(4 * limit, abs=0.3)
    assert limit < 560.0


def test_histogram_draws_every_filled_bin() -> None:
    svg = histogram([1000, 0, 1], [0.0, 0.5, 1.0, 1.5], "a")
    assert svg.count('class="bin"') == 2


def test_numbers_are_put_into_words() -> None:
    assert [words.duration(ns) for ns in (5, 1500, 2.5e6, 3e9)] == [
        "5 ns",
        "1.5 µs",
        "2.5 ms",
        "3 s",
    ]
    assert [words.rate(r) for r in (10, 2000, 5e6, 2e9)] == ["10 /s", "2 k/s", "5 M/s", "2 G/s"]
    assert numbers.real(-59692.4) == f"{numbers.MINUS}59,692"
    assert words.ends(Interval(3.0, 3.0, 3.0)) == ""
