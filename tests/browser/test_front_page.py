"""How the page of an exploration looks: any width, light and dark, names, print, no barriers."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from hwflow.exploration.pictures.page import to_html
from tests.browser.conftest import Opened, barriers
from tests.browser.pages import overflow
from tests.exploration.pictured import HOSTILE, result

pytestmark = pytest.mark.browser

WIDTHS = (420, 768, 1280, 1920)
LONG = "block." * 30 + "very_long_name_without_any_break" * 3

CONTRAST = """element => {
  const pixels = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const light = (color, under) => {
    pixels.fillStyle = under; pixels.fillRect(0, 0, 1, 1);
    pixels.fillStyle = color; pixels.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...pixels.getImageData(0, 0, 1, 1).data].slice(0, 3).map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const clear = (e) => getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)";
  let back = element;
  while (back.parentElement && clear(back)) back = back.parentElement;
  const under = getComputedStyle(back).backgroundColor;
  const [a, b] = [light(under, "white"), light(getComputedStyle(element).color, under)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}"""
"""Contrast of a text with what is behind it (WCAG 2.1, 1.4.3), which asks for 4.5."""


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["fc1", HOSTILE, LONG], ids=["plain", "hostile", "long"])
def test_page_fits_any_width(opened: Opened, width: int, scheme: str, name: str) -> None:
    page = opened(to_html(result(name=name)), width=width, color_scheme=scheme)
    assert overflow(page) <= 0
    page.get_by_text("Other figures").click()
    page.get_by_label("cost intervals").check()
    assert overflow(page) <= 0
    texts = page.locator("svg.chart text").evaluate_all(
        "texts => texts.map(t => t.getBoundingClientRect()).map(r => [r.left, r.right])"
    )
    assert texts
    left, right = page.evaluate(
        "(() => { const r = document.querySelector('.drawing').getBoundingClientRect();"
        " return [r.left, r.right]; })()"
    )
    assert all(left <= a and b <= right for a, b in texts)


@pytest.mark.parametrize("width", WIDTHS)
def test_labels_of_axes_do_not_overlap(opened: Opened, width: int) -> None:
    page = opened(to_html(result()), width=width)
    for figure in page.locator("#x-figure option").evaluate_all("o => o.map(x => x.value)"):
        page.select_option("#x-figure", figure)
        boxes = page.locator("svg.chart .tick").evaluate_all(
            "ticks => ticks.map(t => t.getBoundingClientRect()).map(r => [r.x, r.y, r.right,"
            " r.bottom])"
        )
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] + 3 or b[3] <= a[1] + 3
                assert apart, (figure, a, b)


def test_light_and_dark_differ_and_are_legible(opened: Opened) -> None:
    seen = []
    for scheme in ("light", "dark"):
        page = opened(to_html(result()), color_scheme=scheme)
        for place in ("body", "#command", ".cell", "#tip", ".steps td", "select"):
            ratio = page.locator(place).first.evaluate(CONTRAST)
            assert ratio >= 4.5, (scheme, place, ratio)
        seen.append(page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor"))
    assert seen[0] != seen[1]


@pytest.mark.parametrize("width", [420, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_no_barriers(opened: Opened, width: int, scheme: str) -> None:
    page = opened(to_html(result()), bypass_csp=True, width=width, color_scheme=scheme)
    assert barriers(page) == []
    page.get_by_text("Other figures").click()
    page.get_by_role("radio", name="all boards").check()
    page.get_by_role("slider", name="LUT, post-synthesis").focus()
    page.keyboard.press("PageDown")
    assert barriers(page) == []


def test_every_control_has_a_name(opened: Opened) -> None:
    page = opened(to_html(result()))
    unnamed = page.evaluate("""() => [...document.querySelectorAll("button, select, input")]
      .filter((e) => !(e.innerText || "").trim() && !(e.labels && e.labels.length)
        && !e.getAttribute("aria-label")).map((e) => e.outerHTML)""")
    assert unnamed == []
    identifiers = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(identifiers) == len(set(identifiers))


def test_points_stand_where_their_figures_are(opened: Opened) -> None:
    made = result()
    page = opened(to_html(made))
    page.select_option("#y-figure", "search")
    spots = page.locator(".point:visible").evaluate_all(
        "marks => marks.map(m => m.getAttribute('transform').match(/[-\\d.]+/g).map(Number))"
    )
    points = made["fronts"][0]["points"]
    for axis, wanted in ((0, [p["share"] for p in points]),
                         (1, [-p["search"]["accuracy"] for p in points])):  # fmt: skip
        at = [spot[axis] for spot in spots]
        span = (at[0] - at[-1]) / (wanted[0] - wanted[-1])
        for pixel, figure in zip(at, wanted, strict=True):
            assert pixel == pytest.approx(at[-1] + span * (figure - wanted[-1]), abs=0.2)


def test_strange_names_are_inert(opened: Opened) -> None:
    page = opened(to_html(result(name=HOSTILE)))
    shown = page.locator(".bits-table th").first.evaluate("e => e.firstChild.data")
    assert shown == "".join(c if c.isprintable() else "?" for c in f"{HOSTILE}.w")
    assert page.locator("script").count() == 2
    held = json.loads(page.locator("#run").text_content() or "")
    assert held["result"] == result(name=HOSTILE)


@pytest.mark.parametrize("labelled", [True, False])
def test_one_point_and_no_labels(opened: Opened, labelled: bool) -> None:
    made: dict[str, Any] = result(labelled=labelled, certified=False)
    made["fronts"] = made["fronts"][:1]
    made["fronts"][0]["points"] = made["fronts"][0]["points"][2:3]
    made["fronts"][0]["points"][0]["like"] = None
    page = opened(to_html(made))
    assert page.locator(".point:visible").count() == 1
    expect(page.locator(".certainty")).to_contain_text("Heuristic")
    kind = "accuracy" if labelled else "agreement"
    expect(page.locator("svg.chart")).to_contain_text(f"{kind} %, held out")


def test_page_without_scripts_has_the_tables(opened: Opened) -> None:
    page = opened(to_html(result()), java_script_enabled=False)
    expect(page.get_by_text("The picture needs scripts.")).to_be_visible()
    assert page.locator(".points-table tbody tr:visible").count() == 11


def test_page_prints(opened: Opened) -> None:
    page = opened(to_html(result()), color_scheme="dark")
    page.emulate_media(media="print")
    assert page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor") == (
        "rgb(255, 255, 255)"
    )
    for hidden in ("#x-figure", "#budget", "#copy"):
        expect(page.locator(hidden)).to_be_hidden()
    for seen in ("svg.chart", "#command", ".points-table", ".heat"):
        expect(page.locator(seen).first).to_be_visible()
    assert page.pdf(format="A4").startswith(b"%PDF")
