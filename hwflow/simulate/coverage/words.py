"""What was reached and clipped, in words and as plain data: the same everywhere it is shown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from hwflow.ir.pieces import Kind
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.coverage.record import Coverage, LayerCoverage

NAMES = {
    Kind.RANGE: "range",
    Kind.STEPS: "steps",
    Kind.ENTRIES: "table entries",
    Kind.ROUNDING: "rounding",
    Kind.LOW: "low saturation",
    Kind.HIGH: "high saturation",
}
"""Names of the kinds of goals."""


def percent(share: Fraction | float) -> str:
    """Return a share in per cent with one decimal; only nothing is 0, and only all is 100."""
    text = f"{float(100 * share):.1f}"
    if share > 0 and text == "0.0":
        return "<0.1 %"
    if share < 1 and text == "100.0":
        return ">99.9 %"
    return f"{text.removesuffix('.0')} %"


def coverage_text(found: Coverage | LayerCoverage) -> str:
    """Return e.g. ``92.6 %: range 670 of 954, steps 4 of 4``."""
    kinds = kinds_text(found)
    return f"{percent(found.share)}: {kinds}" if kinds else "nothing to reach"


def kinds_text(found: Coverage | LayerCoverage, *, missed: bool = False) -> str:
    """Return what was reached of each kind, e.g. ``range 63 of 64, steps 124 of 128``.

    Args:
        found: coverage of a layer, or of all.
        missed: leave out the kinds of which all was reached.
    """
    parts = [(NAMES[kind], found.of(kind)) for kind in Kind]
    shown = [(name, part) for name, part in parts if (part.missed if missed else part.possible)]
    return ", ".join(f"{name} {part.reached:,} of {part.possible:,}" for name, part in shown)


def coverage_dict(found: Coverage) -> dict[str, Any]:
    """Return coverage as plain data, for JSON."""
    layers = [
        {"name": layer.name, "origin": layer.origin, **_goals(layer)} for layer in found.layers
    ]
    return {**_goals(found), "layers": layers}


def _goals(found: Coverage | LayerCoverage) -> dict[str, Any]:
    parts = {kind.value: found.of(kind) for kind in Kind}
    return {
        "share": float(found.share),
        "kinds": {name: asdict(part) for name, part in parts.items() if part.possible},
    }


@dataclass(frozen=True)
class Saturation:
    """The layer that clipped the largest share of its values.

    Attributes:
        layer: its name; empty where no layer clipped any.
        counters: counters of this layer.
    """

    layer: str
    counters: Counters

    def __str__(self) -> str:
        """Return e.g. ``at most 1.3 % in fc2 (731 of 57,504 values: 0 low, 731 high)``."""
        if not self.layer:
            return "no value of any layer"
        share = percent(self.counters.saturated_share)
        return f"at most {share} in {self.layer} ({self.counted})"

    @property
    def counted(self) -> str:
        """How many values, and on which sides."""
        found = self.counters
        return (
            f"{found.saturated:,} of {found.elements:,} values: {found.saturated_low:,} low, "
            f"{found.saturated_high:,} high"
        )


def worst_saturation(counters: Mapping[str, Counters]) -> Saturation:
    """Return the layer that clipped the largest share of its values, the first of equal ones."""
    name = max(counters, key=lambda n: counters[n].saturated_share, default="")
    if not name or not counters[name].saturated:
        return Saturation("", Counters())
    return Saturation(name, counters[name])


def counters_dict(counters: Mapping[str, Counters]) -> list[dict[str, Any]]:
    """Return counters by layer as plain data, for JSON."""
    return [
        {
            "name": name,
            "elements": found.elements,
            "saturated": found.saturated,
            "saturated_low": found.saturated_low,
            "saturated_high": found.saturated_high,
            "wrapped": found.wrapped,
            "near_ties": found.near_ties,
            "observed": list(found.observed),
        }
        for name, found in counters.items()
    ]


def ports_dict(counts: Mapping[str, PortCounts]) -> dict[str, Any]:
    """Return what data was beyond the ends of ports as plain data, for JSON."""
    return {
        name: {**asdict(found), "observed": list(found.observed)} for name, found in counts.items()
    }


def ports_text(counts: Mapping[str, PortCounts]) -> str:
    """Return what data was beyond the ends of ports, e.g. ``x clips 3 of 600 numbers``."""
    texts = [
        f"{name}: {found.low:,} of {found.elements:,} numbers below and {found.high:,} above"
        for name, found in counts.items()
        if found.outside
    ]
    return "; ".join(texts) or "hold all numbers"
