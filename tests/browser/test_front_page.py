"""The page of an exploration as people use it: mouse, keyboard, any width, light and dark."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from hwflow.exploration.pictures.page import to_html
from hwflow.exploration.run import explore
from hwflow.exploration.saving import PAGE
from tests.browser.conftest import Opened, barriers
from tests.exploration.pictured import HOSTILE, result
from tests.exploration.spaces import request

pytestmark = pytest.mark.browser

WIDTHS = (420, 768, 1280, 1920)
LONG = "block." * 30 + "very_long_name_without_any_break" * 3


def point(page: Page, key: str) -> Locator:
    return page.locator(f'.point[data-key="{key}"]')


def chosen(page: Page) -> str:
    (key,) = page.locator(".point[aria-pressed=true]").evaluate_all(
        "marks => marks.map(mark => mark.dataset.key)"
    )
    return str(key)


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


def command(page: Page) -> list[str]:
    return shlex.split(page.locator("#command").inner_text())


def names_outside(page: Page) -> set[str]:
    keys = page.locator(".point.out").evaluate_all("marks => marks.map(m => m.dataset.key)")
    return set(keys)


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


def test_the_knee_is_chosen_first_and_a_click_chooses(opened: Opened) -> None:
    made = result()
    page = opened(to_html(made, "runs/a"))
    assert chosen(page) == "0:2"
    expect(page.locator("#details h3")).to_have_text("Point 2 on pynq-z2")
    point(page, "0:4").click()
    assert chosen(page) == "0:4"
    expect(page.locator("#details h3")).to_have_text("Point 4 on pynq-z2")
    found = made["fronts"][0]["points"][4]
    text = page.locator("#facts").inner_text()
    assert f"{100 * found['held_out']['accuracy']:.1f} %" in text
    assert f"{found['cost']['lut_synth'][0]:,.0f}" in text
    expect(page.locator("#details")).to_contain_text("in 63 % of 1,000 draws")
    bits = page.locator(".bits-table tr").evaluate_all(
        "rows => rows.map(r => r.cells[1].innerText)"
    )
    assert bits == [str(b) for b in found["bits"].values()]
    assert command(page) == [
        "hwflow", "pick", "--run", "runs/a", "--board", "pynq-z2", "--id", "4", "-o",
        "build/digits-mlp-pynq-z2-4",
    ]  # fmt: skip
    expect(page.locator("tr.chosen")).to_have_attribute("data-row", "0:4")


def test_hover_tells_about_a_point(opened: Opened) -> None:
    page = opened(to_html(result()))
    expect(page.locator("#tip")).to_be_hidden()
    point(page, "0:3").hover()
    expect(page.locator("#tip")).to_contain_text("3 on pynq-z2")
    expect(page.locator("#tip")).to_contain_text("91.0 % (83.8 to 95.2)")
    page.mouse.move(5, 5)
    expect(page.locator("#tip")).to_be_hidden()


def test_points_are_reached_by_keyboard(opened: Opened) -> None:
    page = opened(to_html(result()))
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.key || ''"):
            break
    assert page.evaluate("document.activeElement.dataset.key") == "0:2"
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("Point 2 on pynq-z2, knee, accuracy 95.0 %")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") == "0:1"
    expect(page.locator("#tip")).to_contain_text("1 on pynq-z2")
    page.keyboard.press("Enter")
    assert chosen(page) == "0:1"
    assert page.evaluate("document.activeElement.dataset.key") == "0:1", "focus stays"
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    assert chosen(page) == "0:5"
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.dataset.key") == "0:0"


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


@pytest.mark.parametrize("width", [420, 1280])
def test_a_range_drawn_across_the_picture_is_a_budget(opened: Opened, width: int) -> None:
    page = opened(to_html(result()), width=width)
    page.locator("svg.chart").scroll_into_view_if_needed()
    box = page.locator("svg.chart").bounding_box()
    cheap, dear = (point(page, f"0:{i}").bounding_box() for i in (4, 2))
    assert box
    assert cheap
    assert dear
    left = cheap["x"] + cheap["width"] / 2 - 8
    right = dear["x"] + dear["width"] / 2 + 8
    y = box["y"] + 40
    page.mouse.move(left, y)
    page.mouse.down()
    page.mouse.move(right, y, steps=5)
    page.mouse.up()
    assert names_outside(page) == {"0:0", "0:1", "0:5"}
    expect(page.locator("#best")).to_contain_text("Best inside: point 2")
    expect(page.locator("#best")).to_contain_text("3 of 6 points inside")
    assert page.locator("tr.out:visible").count() == 3
    page.locator("#clear").click()
    assert names_outside(page) == set()
    expect(page.locator("#clear")).to_be_hidden()


def test_sliders_set_budgets_and_the_best_inside_is_named(opened: Opened) -> None:
    page = opened(to_html(result()))
    lut = page.get_by_label("LUT, post-synthesis")
    lut.focus()
    page.keyboard.press("Home")
    assert names_outside(page) == {f"0:{i}" for i in range(5)}
    expect(page.locator("#best")).to_contain_text("Best inside: point 5")
    page.get_by_label("accuracy at least").focus()
    page.keyboard.press("End")
    expect(page.locator("#best")).to_contain_text("No point is inside this budget.")
    page.get_by_label("LUT, post-synthesis").focus()
    page.keyboard.press("End")
    expect(page.locator("#best")).to_contain_text("Best inside: point 0")
    page.locator("#best button").click()
    assert chosen(page) == "0:0"


def test_boards_are_shown_alone_or_together(opened: Opened) -> None:
    page = opened(to_html(result(), "runs/a"))
    assert page.locator(".point:visible").count() == 6
    page.get_by_role("radio", name="boards/my board.toml").check()
    assert page.locator(".point:visible").count() == 5
    assert chosen(page) == "1:2", "the same configuration"
    words = command(page)
    assert words[words.index("--board") + 1] == "boards/my board.toml"
    assert words[-1] == "build/digits-mlp-my-board-toml-2"
    assert page.locator("[data-front='0']:visible").count() == 0
    page.get_by_role("radio", name="all boards").check()
    assert page.locator(".point:visible").count() == 11
    shapes = page.locator(".point path").evaluate_all("p => p.map(x => x.getAttribute('d'))")
    assert len(set(shapes)) == 2, "boards differ in more than colour"
    expect(page.locator("#best")).to_contain_text("Best inside on boards/my board.toml: point 0")


def test_axes_can_be_chosen(opened: Opened) -> None:
    page = opened(to_html(result()))
    names = page.locator("#x-figure option").evaluate_all("o => o.map(x => x.value)")
    assert names[:2] == ["share", "lut_synth"]
    page.get_by_label("cost intervals").check()
    for name in names:
        page.select_option("#x-figure", name)
        assert page.locator(".interval").count() == 12
        assert page.locator(".point:visible").count() == 6
    page.select_option("#x-figure", "lut_synth")
    before = point(page, "0:3").bounding_box()
    page.get_by_label("logarithmic").check()
    assert point(page, "0:3").bounding_box() != before
    page.select_option("#x-figure", "dsp")
    expect(page.get_by_label("logarithmic")).to_be_disabled()
    page.get_by_label("cost intervals").uncheck()
    page.select_option("#y-figure", "search")
    assert page.locator(".interval").count() == 0


def test_a_figure_that_one_board_lacks_is_left_out_there(opened: Opened) -> None:
    made = result()
    for found in made["fronts"][1]["points"]:
        found["cost"]["energy_uj"] = [2.0 + found["id"], 1.0, 9.0]
    page = opened(to_html(made))
    page.select_option("#x-figure", "energy_uj")
    assert page.locator(".point:visible").count() == 0
    page.get_by_role("radio", name="all boards").check()
    assert page.locator(".point:visible").count() == 5
    page.get_by_role("slider", name="Energy of one inference").focus()
    page.keyboard.press("Home")
    assert names_outside(page) == {f"1:{i}" for i in range(1, 5)}


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


@pytest.mark.parametrize(
    "folder", ["runs/a b", "it's", "$(touch x)", "a;b", "`x`", "é", "-r", 'a"b', "a\\b", "*"]
)
def test_commands_are_quoted(opened: Opened, folder: str) -> None:
    page = opened(to_html(result(), folder))
    words = command(page)
    assert words[:3] == ["hwflow", "pick", "--run"]
    assert words[3] in (folder, f"./{folder}")
    assert (words[3] == f"./{folder}") == folder.startswith("-")
    assert len(words) == 10
    page.get_by_label("Folder of the run").fill("other one")
    assert command(page)[3] == "other one"


def test_a_page_in_a_run_knows_its_folder(opened: Opened, tmp_path: Path) -> None:
    page = opened(to_html(result()), name="my runs/é #1/front.html")
    assert command(page)[3] == str(tmp_path / "my runs" / "é #1")


def test_the_command_is_copied(opened: Opened) -> None:
    page = opened(to_html(result(), "runs/a"), permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text == page.locator("#command").inner_text()


def test_strange_names_are_inert(opened: Opened) -> None:
    page = opened(to_html(result(name=HOSTILE)))
    shown = page.locator(".bits-table th").first.evaluate("e => e.firstChild.data")
    assert shown == "".join(c if c.isprintable() else "?" for c in f"{HOSTILE}.w")
    assert page.locator("script").count() == 2
    held = json.loads(page.locator("#run").text_content() or "")
    assert held["result"] == result(name=HOSTILE)


def test_tables_choose_points(opened: Opened) -> None:
    page = opened(to_html(result()))
    page.locator(".points-table").first.get_by_role("button", name="3", exact=True).click()
    assert chosen(page) == "0:3"


def test_a_point_that_is_not_told_apart_leads_to_the_other(opened: Opened) -> None:
    page = opened(to_html(result()))
    assert page.locator(".point.alike:visible").count() == 2
    expect(page.locator("line.like")).to_have_count(1)
    page.locator(".alike-note button").click()
    assert chosen(page) == "0:4"
    expect(page.locator("line.like")).to_have_count(0)
    expect(page.locator("#details")).to_contain_text("Told apart from every cheaper point")


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


def test_the_command_of_a_run_builds_the_point(opened: Opened, tmp_path: Path) -> None:
    folder = tmp_path / "it's a run"
    run = explore(request(tmp_path, bits="w=2,4 a=4", samples=60), folder)
    page = opened((folder / PAGE).read_text("utf-8"), name="it's a run/front.html")
    (front,) = run.result["fronts"]
    last = front["points"][-1]["id"]
    point(page, f"0:{last}").click()
    words = page.locator("#command").inner_text()
    shell = f"cd {shlex.quote(str(tmp_path))} && {shlex.quote(sys.executable)} -m {words} --no-cpp"
    subprocess.run(["sh", "-c", shell], check=True, capture_output=True)
    assert (tmp_path / "build" / f"mlp-pynq-z2-{last}" / "manifest.json").is_file()
