"""How much each option of each variable loses, as a map; and what the next bits are worth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from hwflow.verify.words import numbers

Plain = Mapping[str, Any]


@dataclass(frozen=True)
class Cell:
    """One option of one variable.

    Attributes:
        loss: in nats.
        text: the same in words.
        warmth: 0 for the least loss of the map, 1 for the greatest, by logarithm.
    """

    loss: float
    text: str
    warmth: float


@dataclass(frozen=True)
class HeatMap:
    """Losses of variables, one row each, by bits.

    Attributes:
        bits: options of any variable, ascending.
        rows: name of each variable with its cells; None where it does not have the option.
    """

    bits: tuple[int, ...]
    rows: tuple[tuple[str, tuple[Cell | None, ...]], ...]


SMALL = 1e-9
"""Nats that are shown as none: rounding of float64 in sums over samples."""


def heat_map(result: Plain) -> HeatMap | None:
    """Return the map of a result; None where it has no losses, or where all are 0."""
    losses = result.get("sensitivity", {}).get("losses", {})
    chosen = [v for v in result["variables"] if len(v["options"]) > 1 and v["name"] in losses]
    positive = [x for v in chosen for x in losses[v["name"]] if x > SMALL]
    if not positive:
        return None
    low, high = log(min(positive)), log(max(positive))

    def cell(loss: float) -> Cell:
        span = high - low
        warmth = (log(loss) - low) / span if loss > SMALL and span > 0 else float(span == 0)
        return Cell(loss, f"{loss:.2g}" if loss > SMALL else "0", warmth if loss > SMALL else 0.0)

    bits = tuple(sorted({b for v in chosen for b in v["options"]}))
    rows = []
    for variable in chosen:
        name = variable["name"]
        own = dict(zip(variable["options"], map(cell, losses[name]), strict=True))
        rows.append((name, tuple(own.get(b) for b in bits)))
    return HeatMap(bits, tuple(rows))


@dataclass(frozen=True, kw_only=True)
class Step:
    """One variable with its next more bits, in words.

    Attributes:
        variable: its name.
        bits: from and to.
        gain: nats.
        lut: post-synthesis LUT.
        worth: gain for 1,000 LUT; nothing where it takes none.
        share: the gain, 1 for the greatest of the table, for a bar; 0 where it loses.
    """

    variable: str
    bits: str
    gain: str
    lut: str
    worth: str
    share: float


def steps(front: Plain) -> tuple[Step, ...]:
    """Return the steps from the knee of a front, most gain per LUT first."""
    found = front.get("next_bits", [])
    most = max((step["gain"] for step in found), default=0.0)
    return tuple(
        Step(
            variable=step["variable"],
            bits=f"{step['from']} to {step['to']}",
            gain=_signed(f"{step['gain']:.3g}"),
            lut=_signed(f"{step['lut']:,.0f}"),
            worth=_signed(f"{1000 * step['gain'] / step['lut']:.2g}") if step["lut"] > 0 else "",
            share=max(0.0, step["gain"] / most) if most > 0 else 0.0,
        )
        for step in found
    )


def _signed(text: str) -> str:
    return text.replace("-", numbers.MINUS)
