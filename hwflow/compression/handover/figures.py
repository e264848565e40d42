"""Curves and fronts of a training as inline SVG, for its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

from markupsafe import Markup

from hwflow.report.svg import element, line, picture, text

WIDTH, HEIGHT = 440.0, 250.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 14.0, 14.0, 40.0
"""Size of a figure and its margins, in pixels."""

DRAWN = 400
"""Most points of a line: more than there are pixels show nothing."""

SPREAD = 30.0
"""Greatest over least value, from which on an axis is logarithmic."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values over the epochs of a training.

    Attributes:
        title: what they are.
        lines: values by name; None where an epoch has none.
        goal: a value that is to be reached, or None.
    """

    title: str
    lines: dict[str, list[float | None]]
    goal: float | None = None


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A point of a front.

    Attributes:
        cost: where it stands.
        value: how good it is, per cent.
        ends: its 95 % interval, per cent; None where it has none.
        chosen: it was chosen.
        name: what it is.
    """

    cost: float
    value: float
    ends: tuple[float, float] | None
    chosen: bool
    name: str


@dataclass(frozen=True)
class _Axis:
    """Where values stand on an axis."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        low, high = min(values), max(values)
        logarithmic = low > 0 and high / low > SPREAD
        if logarithmic:
            return cls(log10(low), max(log10(high), log10(low) + 1e-9), start, end, True)
        room = 0.04 * (high - low) or 0.5 * abs(high) or 0.5
        return cls(low - room, high + room, start, end, False)

    def at(self, value: float) -> float:
        place = log10(value) if self.logarithmic else value
        return self.start + (place - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        if self.logarithmic:
            whole = range(ceil(self.low), floor(self.high) + 1)
            found = [10.0**e for e in whole]
            return found if len(found) > 1 else [10.0**self.low, 10.0**self.high]
        step = 10.0 ** floor(log10((self.high - self.low) / 2))
        step = next(
            m * step for m in (0.5, 1, 2, 5, 10, 20) if (self.high - self.low) / (m * step) <= 5
        )
        first = ceil(self.low / step)
        return [n * step for n in range(first, floor(self.high / step) + 1)]


def draw_curve(curve: Curve) -> Markup:
    """Return lines over epochs."""
    values = [v for points in curve.lines.values() for v in points if v is not None and isfinite(v)]
    if not values:
        return Markup("")
    epochs = max(len(points) for points in curve.lines.values())
    inside = [v for v in (curve.goal,) if v is not None]
    y = _Axis.of([*values, *inside], HEIGHT - BOTTOM, TOP)
    x = _Axis(1.0, float(max(epochs, 2)), LEFT, WIDTH - RIGHT, False)
    parts = [*_grid(x, y, "epoch")]
    for i, (name, points) in enumerate(curve.lines.items()):
        every = max(1, len(points) // DRAWN)
        places = [
            f"{x.at(n + 1):.1f},{y.at(v):.1f}"
            for n, v in enumerate(points)
            if v is not None and isfinite(v) and (n % every == 0 or n == len(points) - 1)
            if not y.logarithmic or v > 0
        ]
        hint = element("title", name)
        parts.append(element("polyline", hint, points=" ".join(places), class_=f"line line-{i}"))
    if curve.goal is not None:
        parts.append(line(LEFT, y.at(curve.goal), WIDTH - RIGHT, y.at(curve.goal), "goal-line"))
    return picture(WIDTH, HEIGHT, curve.title, *parts, class_="curve")


def draw_front(marks: Sequence[Mark], cost: str, title: str, goal: float | None) -> Markup:
    """Return points with their intervals, cost to the right.

    Args:
        marks: the points.
        cost: name of the cost.
        title: what the picture shows, in words.
        goal: greatest cost that is wanted, or None.
    """
    if not marks:
        return Markup("")
    heights = [v for m in marks for v in (m.value, *(m.ends or ()))]
    y = _Axis.of(heights, HEIGHT - BOTTOM, TOP)
    widths = [m.cost for m in marks] + ([goal] if goal is not None else [])
    x = _Axis.of(widths, LEFT + 8.0, WIDTH - RIGHT - 8.0)
    parts = [*_grid(x, y, cost)]
    if goal is not None:
        parts.append(line(x.at(goal), TOP, x.at(goal), HEIGHT - BOTTOM, "goal-line"))
    for mark in marks:
        at = x.at(mark.cost)
        if mark.ends is not None:
            parts.append(line(at, y.at(mark.ends[0]), at, y.at(mark.ends[1]), "mark-interval"))
        hint = element("title", f"{mark.name}: {mark.value:.2f} %, {mark.cost:,.0f} {cost}")
        kind = "mark chosen" if mark.chosen else "mark"
        size = 6.0 if mark.chosen else 4.0
        parts.append(element("circle", hint, cx=at, cy=y.at(mark.value), r=size, class_=kind))
    return picture(WIDTH, HEIGHT, title, *parts, class_="curve")


def _grid(x: _Axis, y: _Axis, name: str) -> list[Markup]:
    parts = []
    for tick in y.ticks():
        parts.append(line(LEFT, y.at(tick), WIDTH - RIGHT, y.at(tick), "grid"))
        parts.append(text(LEFT - 7.0, y.at(tick) + 4.0, _short(tick), "tick end"))
    last = -1e9
    for tick in x.ticks():
        label, at = _short(tick), x.at(tick)
        half = 3.5 * len(label)
        at_most = min(at, WIDTH - half)
        if at_most - half > last + 6.0:
            parts.append(text(at_most, HEIGHT - BOTTOM + 16.0, label, "tick middle"))
            last = at_most + half
    parts.append(line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6.0, name, "tick middle"))
    return parts


def _short(value: float) -> str:
    if abs(value) >= 1e6:
        return f"{value / 1e6:g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:g}k"
    return f"{value:.4g}"
