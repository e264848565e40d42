"""A front as a plot of characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10
from typing import Any

from rich.text import Text

from hwflow.exploration.pictures import figures

Plain = Mapping[str, Any]
Cells = dict[tuple[int, int], tuple[str, str]]

HEIGHT = 15
"""Rows of a plot without its axes."""

WIDEST = 88
"""Columns that a plot takes at most; a pipe has no width of its own."""

NARROWEST = 24
"""Columns of points below which there is no plot."""

GUTTER = 8
"""Columns of figures and axis to the left."""


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Characters of a plot: of points, and of lines and their ticks."""

    apart: str
    alike: str
    knee: str
    upright: str
    upright_tick: str
    corner: str
    level: str
    level_tick: str


UNICODE = Marks(apart="●", alike="○", knee="◆", upright="│", upright_tick="┤", corner="└",
                level="─", level_tick="┬")  # fmt: skip
ASCII = Marks(apart="*", alike="o", knee="#", upright="|", upright_tick="+", corner="+",
              level="-", level_tick="+")  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A range of figures on a number of cells.

    Attributes:
        low: figure at the first cell.
        high: figure at the last.
        cells: how many.
    """

    low: float
    high: float
    cells: int

    def at(self, value: float) -> int:
        """Return the cell of a figure; the middle of an axis without a range."""
        span = self.high - self.low
        return round((value - self.low) / span * (self.cells - 1)) if span else self.cells // 2

    def ticks(self, most: int) -> list[float]:
        """Return up to about ``most`` round figures within the range."""
        if self.high == self.low:
            return [self.low]
        rough = (self.high - self.low) / most
        power = 10.0 ** floor(log10(rough))
        step = next(f * power for f in (1, 2, 5, 10) if f * power >= rough)
        return [i * step for i in range(ceil(self.low / step), floor(self.high / step) + 1)]


def plot(result: Plain, front: Plain, *, width: int, ascii_only: bool) -> list[Text]:
    """Return the lines of a plot: held-out accuracy with intervals against the main cost.

    Args:
        result: what ``front.json`` holds.
        front: one of its fronts.
        width: columns that there are.
        ascii_only: the terminal has no other characters.

    Returns:
        No lines where the terminal is too narrow, or no point has the figure.
    """
    kind, figure = figures.kind_of(result), figures.main_figure(front)
    points = [p for p in front["points"] if isfinite(figures.ends(p, figure)[0])]
    columns = min(width, WIDEST) - GUTTER
    if columns < NARROWEST or not points:
        return []
    costs = [figures.ends(p, figure)[0] for p in points]
    held = [p["held_out"] for p in points]
    ends = [100 * end for part in held for end in part[f"{kind}_interval"]]
    x, y = Axis(min(costs), max(costs), columns), Axis(min(ends), max(ends), HEIGHT)
    marks = ASCII if ascii_only else UNICODE
    cells = _cells([x.at(c) for c in costs], held, kind, y, marks)
    for point, cost in sorted(zip(points, costs, strict=True), key=lambda p: _rank(p[0], front)):
        cells[y.at(100 * point["held_out"][kind]), x.at(cost)] = _mark(point, front, marks)
    return [
        Text(f"{kind} %, held out, with 95 % intervals", style="dim"),
        *_rows(cells, x, y, marks),
        *_foot(x, marks),
        Text(" " * GUTTER + figure.axis.center(columns).rstrip(), style="dim"),
        Text(f"{marks.apart} told apart from every cheaper point   {marks.alike} not   "
             f"{marks.knee} knee", style="dim"),
    ]  # fmt: skip


def _cells(
    columns: Sequence[int], held: Sequence[Plain], kind: str, y: Axis, marks: Marks
) -> Cells:
    """Return the cells of the intervals."""
    found: Cells = {}
    for column, part in zip(columns, held, strict=True):
        low, high = (y.at(100 * end) for end in part[f"{kind}_interval"])
        for row in range(low, high + 1):
            found[row, column] = (marks.upright, "dim")
    return found


def _rank(point: Plain, front: Plain) -> tuple[bool, bool]:
    """Return what sorts points that fall on one cell: the last is seen."""
    return point["id"] == front["knee"], point["like"] is None


def _mark(point: Plain, front: Plain, marks: Marks) -> tuple[str, str]:
    if point["id"] == front["knee"]:
        return marks.knee, "bold magenta"
    return marks.apart if point["like"] is None else marks.alike, "cyan"


def _rows(cells: Cells, x: Axis, y: Axis, marks: Marks) -> Iterator[Text]:
    """Yield the rows of points from the top, with figures of the ticks."""
    names = {y.at(tick): f"{tick:.1f}" for tick in y.ticks(4)}
    for row in reversed(range(y.cells)):
        edge = marks.upright_tick if row in names else marks.upright
        text = Text(f"{names.get(row, ''):>{GUTTER - 2}} {edge}", style="dim")
        line = Text.assemble(text, *(cells.get((row, i), " ") for i in range(x.cells)))
        line.rstrip()
        yield line


def _foot(x: Axis, marks: Marks) -> Iterator[Text]:
    """Yield the lower axis, and the figures below it."""
    line, names = [marks.level] * x.cells, [" "] * (x.cells + GUTTER)
    ticks = x.ticks(max(2, x.cells // 12))
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    digits = max(0, ceil(-log10(step) - 1e-9))
    free = 0
    for tick in ticks:
        text, at = f"{tick:,.{digits}f}", x.at(tick)
        start = min(max(GUTTER + at - len(text) // 2, 0), len(names) - len(text))
        if start < free:
            continue
        line[at] = marks.level_tick
        names[start : start + len(text)] = text
        free = start + len(text) + 1
    yield Text(" " * (GUTTER - 1) + marks.corner + "".join(line), style="dim")
    yield Text("".join(names).rstrip(), style="dim")
