"""What the figures of a front are called in pictures, and what points have of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from hwflow.exploration import points
from hwflow.verify.words import numbers

Plain = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure that points are compared in.

    Attributes:
        name: as in ``front.json``.
        label: in words.
        short: the same, where there is little room.
        axis: the same with what it rests on, for an axis.
        main: a budget is likely to be in it.
        percent: it is a share, shown in per cent.
    """

    name: str
    label: str
    short: str
    axis: str
    main: bool = False
    percent: bool = False


def _figure(name: str, label: str, short: str, *, main: bool = False) -> Figure:
    return Figure(name=name, label=label, short=short, axis=f"{label}, estimated", main=main)


FIGURES = (
    Figure(name="share", label="Fullest resource", short="share",
           axis="Fullest resource of the board, %, estimated", main=True, percent=True),
    _figure("lut_synth", "LUT, post-synthesis", "LUT", main=True),
    _figure("ff_synth", "FF, post-synthesis", "FF", main=True),
    _figure("dsp_synth", "DSP, post-synthesis", "DSP", main=True),
    _figure("bram_18k_synth", "BRAM 18k, post-synthesis", "BRAM 18k", main=True),
    _figure("latency_ns", "Latency, ns", "latency, ns", main=True),
    _figure("energy_uj", "Energy of one inference, µJ", "energy, µJ", main=True),
    _figure("latency_cycles", "Latency, cycles", "latency, cycles"),
    _figure("ii", "II, cycles", "II", main=True),
    _figure("lut", "LUT, C synthesis", "LUT, csynth"),
    _figure("ff", "FF, C synthesis", "FF, csynth"),
    _figure("dsp", "DSP, C synthesis", "DSP, csynth"),
    _figure("bram_18k", "BRAM 18k, C synthesis", "BRAM 18k, csynth"),
)  # fmt: skip
"""Known figures, in the order in which they are offered."""


def figures_of(result: Plain) -> list[Figure]:
    """Return the figures that points of a result have; energy is not known of all boards."""
    costs = [point["cost"] for front in result["fronts"] for point in front["points"]]
    had: set[str] = {"share"}.union(*costs)
    known = [figure for figure in FIGURES if figure.name in had]
    others = sorted(had - {figure.name for figure in FIGURES})
    return known + [_figure(name, name, name) for name in others]


def main_figure(front: Plain) -> Figure:
    """Return the figure that a front was searched for, the first of several."""
    name = front["cost"][0]
    return next((figure for figure in FIGURES if figure.name == name), _figure(name, name, name))


def ends(point: Plain, figure: Figure) -> tuple[float, float, float]:
    """Return value, low and high end of a figure, shares in per cent; no numbers if not known."""
    if figure.name not in point["cost"] and figure.name != "share":
        return nan, nan, nan
    unit = 100.0 if figure.percent else 1.0
    value, low, high = (unit * end for end in points.cost_of(point, figure.name))
    return value, low, high


def staircase(front: Sequence[Plain], figure: Figure, kind: str) -> list[tuple[float, float]]:
    """Return where more cost buys a better result on the search samples: cost and per cent."""
    found: list[tuple[float, float]] = []
    pairs = sorted((ends(p, figure)[0], -p["search"][kind]) for p in front)
    for cost, negated in pairs:
        if not found or -100 * negated > found[-1][1]:
            found.append((cost, -100 * negated))
    return found


def kind_of(result: Plain) -> str:
    """Return what points are judged by: ``accuracy``, or ``agreement`` without labels."""
    return points.kind_of(result["fronts"][0]["points"][0])


def reference_of(result: Plain) -> str:
    """Return what agreements and losses are against: the float model, or the trained one."""
    return f"{result['reference']} model"


def certainty(result: Plain) -> str:
    """Return how sure a front is, in words."""
    size, done = result["configurations"], result["evaluated"]
    if not result.get("finished", True):
        return f"not finished: the best of the first {done:,} of {size:,} configurations"
    part = result.get("certified_part")
    if result["certified"] and part is not None and done < size:
        limits = ", ".join(part["limits"])
        return f"certified optimal over all {done:,} of {size:,} configurations within {limits}"
    if result["certified"]:
        samples = result["search_samples"]
        said = f"certified optimal over {size:,} configurations, on {samples:,} samples"
        return f"{said}, each with fitted settings" if fitted_of(result) else said
    said = f"heuristic: {done:,} of {size:,} configurations evaluated"
    if part is not None:
        known = f"{points.up_to(part)} over {part['configurations']:,} configurations"
        said = f"certified optimal up to {known}, heuristic above: {done:,} of {size:,} evaluated"
    tried = fitted_of(result)
    return f"{said}, settings fitted for {' and '.join(tried)} of them" if tried else said


def fitted_of(result: Plain) -> list[str]:
    """Return for how many configurations settings were fitted, each number of a board once."""
    fits = [front["fitted"]["candidates"] for front in result["fronts"] if "fitted" in front]
    return [f"{count:,}" for count in dict.fromkeys(fits)]


def chosen_bits(result: Plain, point: Plain) -> str:
    """Return the bits that were chosen, in the order of the variables."""
    names = (v["name"] for v in result["variables"] if len(v["options"]) > 1)
    return " ".join(str(point["bits"][name]) for name in names)


def with_ends(interval: Sequence[float]) -> str:
    """Return a value with its interval, where it has one."""
    value, low, high = interval
    if not isfinite(value):
        return "not known"
    text = numbers.count(value)
    return text if low == high else f"{text} ({numbers.count(low)} to {numbers.count(high)})"
