"""Pages, figures and plots of a front: whole, inert whatever names say, and the same each time."""

import base64
import hashlib
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree as ET

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread
from rich.console import Console

from hwflow.cli.show.plot import GUTTER, HEIGHT, Axis, plot
from hwflow.exploration.pictures import figures
from hwflow.exploration.pictures.drawing import shown, to_png, to_svg
from hwflow.exploration.pictures.heat import heat_map, steps
from hwflow.exploration.pictures.page import stem, to_html
from tests.exploration.pictured import HOSTILE, result
from tests.report.test_hostile_text import Tags
from tests.report.test_pages import Page

SVG = "{http://www.w3.org/2000/svg}"


class Scripts(HTMLParser):
    """Collects the contents of scripts by their types, and the policy of the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.contents: dict[str, list[str]] = {}
        self.policy = ""
        self._type: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "script":
            assert "src" not in given
            self._type = given.get("type") or ""
            self.contents.setdefault(self._type, []).append("")
        elif given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"] or ""

    def handle_endtag(self, tag: str) -> None:
        self._type = None

    def handle_data(self, data: str) -> None:
        if self._type is not None:
            self.contents[self._type][-1] += data


def island(text: str) -> dict[str, Any]:
    (content,) = Scripts(text).contents["application/json"]
    found: dict[str, Any] = json.loads(content)
    return found


def test_page_is_as_before(golden: Callable[[str, str], None]) -> None:
    text = re.sub(r"(<style>|<script>).*?(</)", r"\1\2", to_html(result()), flags=re.S)
    golden("explore/front.html", re.sub(r"sha256-[^']*", "sha256-", text))


@pytest.mark.parametrize(
    "made", [result(), result(labelled=False, certified=False), result(name=HOSTILE)],
    ids=["certified", "heuristic without labels", "hostile"],
)  # fmt: skip
def test_page_is_whole_and_self_contained(made: dict[str, Any]) -> None:
    text = to_html(made)
    page = Page(text)
    assert not page.tags & {"link", "img", "iframe", "object", "embed", "form", "base"}
    markup = re.sub(r"<script.*?</script>", "", text, flags=re.S)
    assert not re.search(r"https?:|url\(|@import|javascript:|\son\w+=", markup)
    assert "\u202e" not in markup
    identifiers = page.values("id")
    assert len(identifiers) == len(set(identifiers))
    for attribute in ("for", "aria-labelledby"):
        assert set(page.values(attribute)) <= set(identifiers)
    for link in page.values("href"):
        assert link.removeprefix("#") in identifiers


def test_only_the_script_of_the_page_may_run() -> None:
    found = Scripts(to_html(result(name=HOSTILE)))
    assert {kind: len(texts) for kind, texts in found.contents.items()} == {
        "": 1, "application/json": 1
    }  # fmt: skip
    digest = base64.b64encode(hashlib.sha256(found.contents[""][0].encode()).digest()).decode()
    assert found.policy == (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|fetch\(",
                         found.contents[""][0])  # fmt: skip


@pytest.mark.parametrize("name", ["fc1", HOSTILE, "\\", "]]>", "<!-- <script>", "é\n日本"])
def test_island_is_the_front(name: str) -> None:
    made = result(name=name)
    assert island(to_html(made))["result"] == made
    assert island(to_html(made, "runs/a b"))["run"] == "runs/a b"


def test_names_change_no_tag() -> None:
    def tags(name: str) -> list[tuple[str, tuple[str, ...]]]:
        parser = Tags()
        parser.feed(to_html(result(name=name)))
        return parser.found

    for name in (HOSTILE, '" onload="x', "<img src=x onerror=alert(1)>", "{{ 7 * 7 }}"):
        assert tags(name) == tags("fc1")


def test_what_is_no_number_is_null() -> None:
    made = result()
    made["fronts"][0]["points"][0]["share"] = math.inf
    assert island(to_html(made))["result"]["fronts"][0]["points"][0]["share"] is None
    assert "not on this board" in to_html(made)
    assert plot(made, made["fronts"][0], width=80, ascii_only=True)
    assert to_svg(made).startswith(b"<?xml")


def test_page_says_how_sure_it_is() -> None:
    assert "Certified optimal over 6 configurations, on 200 samples." in to_html(result())
    assert "what was not evaluated may" in to_html(result(certified=False))


def test_tables_have_every_point() -> None:
    made = result()
    rows = re.findall(r'<tr data-row="(\d+):(\d+)">(.*?)</tr>', to_html(made))
    wanted = [(i, p) for i, f in enumerate(made["fronts"]) for p in f["points"]]
    for (board, number, row), (front, point) in zip(rows, wanted, strict=True):
        assert (int(board), int(number)) == (front, point["id"])
        assert ("knee" in row) == (point["id"] == 2)
        for part in ("search", "held_out"):
            assert f">{100 * point[part]['accuracy']:.1f}<" in row
        assert row.endswith(f"<td>{'' if point['like'] is None else point['like']}</td>")


def test_energy_is_not_known_of_all_boards() -> None:
    made = result()
    for point in made["fronts"][1]["points"]:
        point["cost"]["energy_uj"] = [2.0, 1.0, 3.0]
    found = figures.figures_of(made)
    (energy,) = (f for f in found if f.name == "energy_uj")
    assert [math.isnan(figures.ends(f["points"][0], energy)[0]) for f in made["fronts"]] == [
        True, False
    ]  # fmt: skip
    assert figures.with_ends(figures.ends(made["fronts"][0]["points"][0], energy)) == "not known"
    made["fronts"][0]["cost"] = ["energy_uj"]
    assert plot(made, made["fronts"][0], width=80, ascii_only=True) == []
    assert to_svg(made).startswith(b"<?xml")


def test_shares_have_the_ends_of_the_fullest_resource() -> None:
    front = result()["fronts"][0]
    low, high = (end / 53200.0 * 100 for end in (0.4 * 60000, 3 * 60000))
    assert figures.ends(front["points"][0], figures.FIGURES[0])[1:] == pytest.approx((low, high))


def test_older_runs_have_a_page_without_sensitivities() -> None:
    made = result()
    del made["sensitivity"]
    for front in made["fronts"]:
        del front["next_bits"]
    assert Page(to_html(made)).values("href") == ["#main", "#front", "#points"]
    assert to_svg(made).startswith(b"<?xml")


def test_losses_are_warm_by_logarithm() -> None:
    made = heat_map(result())
    assert made is not None
    assert made.bits == (2, 4, 6)
    (name, cells), (other, two) = made.rows
    assert (name, other) == ("fc1.w", "fc2.w"), "x.a has one option"
    assert two[2] is None
    warmth = [cell.warmth for cell in cells if cell is not None]
    assert warmth == pytest.approx([1.0, math.log(20) / math.log(500), 0.0])
    lossless = result()
    lossless["sensitivity"]["losses"] = {"fc1.w": [0.0] * 3, "fc2.w": [0.0] * 2}
    assert heat_map(lossless) is None


def test_steps_are_put_into_words() -> None:
    first, second = steps(result()["fronts"][0])
    assert (first.variable, first.bits, first.gain, first.lut) == ("fc2.w", "2 to 4", "0.02", "100")
    assert (first.worth, first.share, second.share) == ("0.2", 1.0, 0.0)
    assert second.gain == "\N{MINUS SIGN}0.001"


def test_folders_of_designs_are_named_after_the_model() -> None:
    assert stem("nets/digits mlp.onnx") == "digits-mlp"
    assert stem("../$(x)") == "x"
    assert stem("</script>.onnx") == "script"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["fc1", HOSTILE, "$x^2$ _a_ \\frac", "日本"])
def test_figure_is_inert_and_the_same_each_time(name: str) -> None:
    made = result(name=name)
    svg = to_svg(made)
    assert svg == to_svg(made)
    root = ET.fromstring(svg)
    tags = {element.tag for element in root.iter() if isinstance(element.tag, str)}
    assert f"{SVG}script" not in tags
    assert not re.search(rb"202\d-", svg), "no date"
    assert root.find(f".//{SVG}image") is None


def test_another_process_draws_the_same() -> None:
    code = (
        "import hashlib; from tests.exploration.pictured import result\n"
        "from hwflow.exploration.pictures.drawing import to_png, to_svg\n"
        "print(*(hashlib.sha256(f(result())).hexdigest() for f in (to_svg, to_png)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    made = result()
    assert done.stdout.split() == [
        hashlib.sha256(draw(made)).hexdigest() for draw in (to_svg, to_png)
    ]


def test_settings_of_users_change_no_picture_and_are_kept() -> None:
    wanted = to_svg(result())
    with matplotlib.rc_context({"font.size": 40.0, "svg.fonttype": "none", "axes.grid": False}):
        matplotlib.rcParams["backend"] = "svg"
        before = dict(matplotlib.rcParams)
        assert to_svg(result()) == wanted
        assert dict(matplotlib.rcParams) == before


def test_figure_has_a_mark_for_every_point_and_a_part_for_every_board() -> None:
    made = result()
    root = ET.fromstring(to_svg(made))
    parts = [g for g in root.iter(f"{SVG}g") if g.get("id", "").startswith("axes_")]
    assert len(parts) == 3
    for part, front in zip(parts, made["fronts"], strict=False):
        groups = [g for g in part.iter(f"{SVG}g") if "PathCollection" in g.get("id", "")]
        legend = [g for g in part.iter(f"{SVG}g") if g.get("id", "").startswith("legend")]
        inside = {id(g) for box in legend for g in box.iter()}
        marks = sum(len(list(g.iter(f"{SVG}use"))) for g in groups if id(g) not in inside)
        assert marks == len(front["points"])
    image = imread(io.BytesIO(to_png(made)))
    assert image.shape[1] == 2200
    assert float(np.std(image[..., :3])) > 0.05


def test_long_names_are_cut_in_figures() -> None:
    assert shown("a" * 40) == "a" * 13 + "…" + "a" * 13
    assert shown("a\nb\u202e") == "a?b?"


def texts(made: dict[str, Any], width: int, *, ascii_only: bool = False) -> list[str]:
    return [t.plain for t in plot(made, made["fronts"][0], width=width, ascii_only=ascii_only)]


def test_plot_is_as_before(golden: Callable[[str, str], None]) -> None:
    made = result()
    golden("explore/plot.txt", "\n".join([*texts(made, 72), *texts(made, 40, ascii_only=True), ""]))


@pytest.mark.parametrize("width", [32, 60, 80, 100_000])
def test_plot_is_to_scale(width: int) -> None:
    made = result()
    lines = texts(made, width, ascii_only=True)
    assert all(line.isascii() for line in lines)
    assert all(len(line) <= min(width, 88) for line in lines[1 : 3 + HEIGHT])
    rows = lines[1 : 1 + HEIGHT]
    points = made["fronts"][0]["points"]
    spots = {
        (r, c - GUTTER) for r, line in enumerate(rows) for c, ch in enumerate(line)
        if c >= GUTTER and ch in "*o#"
    }  # fmt: skip
    shares = np.array([p["share"] for p in points])
    columns = (shares - shares.min()) / np.ptp(shares) * (min(width, 88) - GUTTER - 1)
    assert sorted(c for _, c in spots) == sorted(np.round(columns).astype(int).tolist())
    ordered = [c for _, c in sorted(spots)]
    assert ordered[-1] == 0, "the cheapest is the worst of this front"
    assert sum(line.count("#") for line in rows) == 1


def test_plot_needs_room_and_points() -> None:
    assert texts(result(), 31) == []
    one = result()
    one["fronts"][0]["points"] = one["fronts"][0]["points"][2:3]
    assert any("◆" in line for line in texts(one, 60))


def test_plot_has_colours_on_terminals_only() -> None:
    made = result()
    for terminal in (True, False):
        out = io.StringIO()
        console = Console(file=out, force_terminal=terminal, width=80)
        for line in plot(made, made["fronts"][0], width=80, ascii_only=False):
            console.print(line)
        assert ("\x1b[" in out.getvalue()) == terminal


def test_ticks_are_round() -> None:
    assert Axis(83.0, 100.0, 10).ticks(4) == [85.0, 90.0, 95.0, 100.0]
    assert Axis(5.0, 5.0, 10).ticks(4) == [5.0]
    assert Axis(5.0, 5.0, 10).at(5.0) == 5


def test_figures_that_are_not_known_keep_their_name() -> None:
    made = result()
    for front in made["fronts"]:
        front["cost"] = ["carbon_g"]
        for point in front["points"]:
            point["cost"]["carbon_g"] = [1.0, 0.5, 2.0]
    assert figures.main_figure(made["fronts"][0]).label == "carbon_g"
    assert "carbon_g" in [f["name"] for f in island(to_html(made))["figures"]]
    assert to_svg(made).startswith(b"<?xml")
