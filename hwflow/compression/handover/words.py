"""The table of before and after in words: one row for each figure, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from hwflow.compression.handover.sides import BeforeAfter, Side
from hwflow.report.power import joules
from hwflow.report.words import duration
from hwflow.verify.words import numbers

NONE = "-"
"""What stands where a network has no such figure."""


@dataclass(frozen=True)
class Row:
    """A figure of all networks.

    Attributes:
        name: the figure.
        cells: in words, one for each network.
        basis: ``measured`` on samples, ``estimated``, or ``timed`` on this machine.
    """

    name: str
    cells: tuple[str, ...]
    basis: str


RESOURCES = (
    ("LUT, C synthesis", "lut"), ("LUT, after synthesis", "lut_synth"),
    ("FF, after synthesis", "ff_synth"), ("DSP, after synthesis", "dsp_synth"),
    ("BRAM 18k, after synthesis", "bram_18k_synth"),
)  # fmt: skip

TIMES = (("float32", "ONNX Runtime, float32"), ("int8", "ONNX Runtime, int8"))


def rows_of(found: BeforeAfter) -> tuple[Row, ...]:
    """Return the rows of the table; those in which no network has a figure are left out."""
    rows = [
        Row(name, tuple(cell(side) for side in found.sides), basis)
        for name, basis, cell in _cells()
    ]
    return tuple(row for row in rows if any(cell != NONE for cell in row.cells))


def _cells() -> Iterator[tuple[str, str, Callable[[Side], str]]]:
    yield "accuracy, held out", "measured", partial(_share, kind="accuracy")
    yield "agreement with the original, held out", "measured", partial(_share, kind="agreement")
    yield "mean squared error, held out", "measured", _error
    for name, figure in RESOURCES:
        yield name, "estimated", partial(_count, figure=figure)
    yield "latency", "estimated", partial(_of, figure="latency_ns", said=duration)
    yield "II, cycles", "estimated", partial(_count, figure="ii")
    yield "energy of one inference", "estimated", partial(_of, figure="energy_uj", said=joules)
    yield "fits", "estimated", lambda side: side.fits or NONE
    for key, name in TIMES:
        yield name, "timed", partial(_time, network=key)


def _share(side: Side, kind: str) -> str:
    if kind not in side.quality:
        return NONE
    low, high = side.quality[f"{kind}_interval"]
    return f"{100 * side.quality[kind]:.2f} % ({100 * low:.1f} to {100 * high:.1f})"


def _error(side: Side) -> str:
    error = side.quality.get("mean_squared_error")
    return NONE if error is None else f"{error:.4g}"


def _of(side: Side, figure: str, said: Callable[[float], str]) -> str:
    return said(side.cost[figure][0]) if figure in side.cost else NONE


def _count(side: Side, figure: str) -> str:
    if figure not in side.cost:
        return NONE
    value, low, high = map(numbers.count, side.cost[figure])
    return value if low == high else f"{value} ({low} to {high})"


def _time(side: Side, network: str) -> str:
    found = side.cpu_us.get(network)
    return NONE if found is None else duration(found * 1e3)


def heading(found: BeforeAfter) -> str:
    """Return what the figures are of, in one line."""
    samples = found.sides[0].quality.get("samples", 0)
    return (
        f"{numbers.plural(samples, 'held-out sample')}; hardware estimated for {found.board}, "
        f"{found.io_type}, {found.clock_period_ns:g} ns; ONNX Runtime timed on {found.cpu}"
    )


def to_markdown(found: BeforeAfter) -> str:
    """Return the table as Markdown."""
    names = [side.name for side in found.sides]
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [f"| {row.name} | {' | '.join(row.cells)} |" for row in rows_of(found)]
    reasons = [f"{side.name}: {side.reason}" for side in found.sides if side.reason]
    return "\n".join([heading(found), "", *lines, *([""] if reasons else []), *reasons]) + "\n"
