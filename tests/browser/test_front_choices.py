"""The page of an exploration as people use it: mouse, keyboard, budgets, commands."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hwflow.exploration.pictures.page import to_html
from hwflow.exploration.run import explore
from hwflow.exploration.saving import PAGE
from tests.browser.conftest import Opened
from tests.browser.pages import chosen, command, names_outside, point
from tests.exploration.pictured import result
from tests.exploration.spaces import request

pytestmark = pytest.mark.browser


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
