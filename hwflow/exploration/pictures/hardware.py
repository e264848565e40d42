"""The fronts of an exploration of hardware, time against cost: as SVG, as PNG, and as a page."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from jinja2 import Environment
from markupsafe import Markup

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.exploration.pictures.drawing import COLORS, INK, saved, shown
from hwflow.exploration.pictures.page import printable, stem
from hwflow.verify.words import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Plain = Mapping[str, Any]

TIMES = {"latency_ns": "Latency, ns, estimated", "ii": "Time between inferences, ns, estimated"}
"""What points are fast in."""

COSTS = {
    "share": "Fullest resource of the board, %, estimated", "lut": "LUT, post-synthesis, estimated",
    "ff": "FF, post-synthesis, estimated", "dsp": "DSP, estimated",
    "bram_18k": "BRAM 18k, post-synthesis, estimated", "uram": "URAM, estimated",
}  # fmt: skip
"""What they take."""

MARKS = {"io_parallel": "o", "io_stream": "s"}
"""Marks of io types."""


def to_svg(result: Plain) -> bytes:
    """Return the picture as SVG, whose text is outlines."""
    return saved(
        partial(_figure, result), "svg", {"Date": None, "Creator": "hwflow", "Title": "front"}
    )


def to_png(result: Plain) -> bytes:
    """Return the picture as PNG, 200 dots per inch."""
    return saved(partial(_figure, result), "png", {"Software": "hwflow"})


def certainty(result: Plain) -> str:
    """Return how sure the fronts are, in words."""
    if not result["finished"]:
        return f"not finished: of {result['solved']} of {result['cases']} io types and clocks"
    if all(front["certified"] for front in result["fronts"]):
        return "proven: nothing as fast as a point is cheaper"
    return "not all proven"


def _figure(result: Plain) -> Figure:
    from matplotlib.figure import Figure as MatplotlibFigure

    fronts = result["fronts"]
    columns = min(2, len(fronts))
    rows = -(-len(fronts) // columns)
    figure = MatplotlibFigure(figsize=(5.2 * columns + 0.6, 3.4 * rows + 0.5), layout="constrained")
    grid = figure.add_gridspec(rows, columns)
    for i, front in enumerate(fronts):
        _draw(figure.add_subplot(grid[divmod(i, columns)]), result, front, COLORS[i % 6])
    figure.suptitle(f"{shown(result['model'], 60)}: {certainty(result)}", fontsize=10)
    return figure


def _draw(axes: Axes, result: Plain, front: Plain, color: str) -> None:
    """Draw the points of a board over the staircase of what is as cheap for each time."""
    axes.set_title(shown(front["board"]))
    axes.set_xlabel(TIMES[result["time"]])
    axes.set_ylabel(COSTS[result["cost"]])
    points = front["points"]
    x, y = ([point[name] for point in points] for name in ("time_ns", "least"))
    axes.set_xscale("log")
    axes.step(x, y, where="post", color=color, alpha=0.5, linewidth=1.2)
    for io_type, mark in MARKS.items():
        own = [i for i, point in enumerate(points) if point["io_type"] == io_type]
        for proven, face in ((True, color), (False, "white")):
            some = [i for i in own if points[i]["proven"] == proven]
            if some:
                label = f"{io_type}{'' if proven else ', not proven'}"
                places = [x[i] for i in some], [y[i] for i in some]
                axes.scatter(*places, marker=mark, color=face, edgecolor=color, linewidth=1.2,
                             s=26, zorder=3, label=label)  # fmt: skip
    at = next(i for i, point in enumerate(points) if point["id"] == front["knee"])
    axes.scatter(x[at], y[at], s=120, facecolor="none", edgecolor=color, linewidth=1.4)
    axes.annotate(f"knee, {front['knee']}", (x[at], y[at]), (7, 7), color=INK,
                  textcoords="offset points", weight="bold")  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper right", fontsize=7.5, frameon=False)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A point in the table of its front, in words.

    Attributes:
        id: the point's id.
        knee: it is the knee.
        cells: clock, io type, time and costs.
        settings: the settings of layers that have any, by name.
        command: what builds it.
    """

    id: int
    knee: bool
    cells: tuple[str, ...]
    settings: tuple[tuple[str, str], ...]
    command: str


HEADS = (
    "io type", "clock, ns", "latency, ns", "II", "share", "LUT", "FF", "DSP", "BRAM 18k", "fits",
    "proven",
)  # fmt: skip
"""Heads of the table."""

COLUMNS = ("lut_synth", "ff_synth", "dsp", "bram_18k_synth")


def to_html(result: Plain, run: str | None = None) -> str:
    """Return the page: one file with its picture, and no script.

    Args:
        result: what ``hardware.json`` holds.
        run: the folder of the run as users write it; None for a word in its place.
    """
    seen = printable(result)
    text = to_svg(result).decode()
    return _environment().get_template("hardware.html.j2").render(
        result=seen, certainty=certainty(result), heads=HEADS,
        tables=[(front, list(_rows(seen, front, run or "RUN"))) for front in seen["fronts"]],
        picture=Markup(text[text.index("<svg") :]),
    )  # fmt: skip


def _rows(result: Plain, front: Plain, run: str) -> Iterator[Row]:
    for point in front["points"]:
        cost = point["cost"]
        board = stem(f"{front['board']}.x")
        out = f"build/{stem(str(result['model']))}-{board}-{point['id']}"
        words = ["hwflow", "pick", "--run", run, "--board", front["board"], "--id",
                 str(point["id"]), "-o", out]  # fmt: skip
        yield Row(
            id=point["id"],
            knee=point["id"] == front["knee"],
            cells=(
                point["io_type"], f"{point['clock_period_ns']:g}",
                numbers.count(cost["latency_ns"][0]), numbers.count(cost["ii"][0]),
                f"{100 * point['share']:.1f} %", *(_ends(cost[name]) for name in COLUMNS),
                str(point["fits"] or "not known"), "yes" if point["proven"] else "no",
            ),
            settings=tuple(
                (name, ", ".join(f"{key} {value}" for key, value in chosen.items()))
                for name, chosen in point["layers"].items()
            ),
            command=shlex.join(words),
        )  # fmt: skip


def _ends(interval: list[float]) -> str:
    value, low, high = map(numbers.count, interval)
    return value if low == high else f"{value} ({low} to {high})"


@cache
def _environment() -> Environment:
    folders = templates_dir() / "explore", templates_dir() / "report"
    return template_environment(*folders, html=True)
