"""The parts of a report that say what data reached, and what it clipped.

A report holds coverage and saturation themselves; its JSON holds the forms below, with the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import InstanceOf, PlainSerializer

from hwflow.ir.pieces import Kind
from hwflow.report.parts import Range
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.coverage.record import Coverage, LayerCoverage
from hwflow.simulate.coverage.words import Saturation, coverage_text


@dataclass(frozen=True)
class EnteredData:
    """What of the data was beyond the ends of an input port.

    Attributes:
        elements: numbers that entered.
        low: how many of them are below what the port holds.
        high: how many are above it.
        observed: smallest and largest number that entered.
    """

    elements: int
    low: int
    high: int
    observed: Range


@dataclass(frozen=True, kw_only=True)
class CountersData:
    """What happened to a layer's values over the data.

    Attributes:
        elements: values that the layer gave.
        saturated: values out of range and clipped, on either side.
        saturated_low: how many of these are below the range.
        saturated_high: how many are above it.
        wrapped: values out of range and wrapped around.
        near_ties: values within 1/64 of a step of a rounding boundary.
        observed: smallest and largest result.
    """

    elements: int
    saturated: int
    saturated_low: int
    saturated_high: int
    wrapped: int
    near_ties: int
    observed: Range


@dataclass(frozen=True)
class ReachedData:
    """How much of one kind the data reached in a layer, or in all of them.

    Attributes:
        kind: ``range``, ``steps``, ``entries``, ``rounding``, ``low`` or ``high``.
        reached: how many goals were.
        possible: how many there are.
    """

    kind: str
    reached: int
    possible: int


@dataclass(frozen=True)
class CoverageData:
    """What the data reached of a layer, or of all of them.

    Attributes:
        share: mean of the shares of the kinds.
        text: the figures in words.
        kinds: those that have goals.
    """

    share: float
    text: str
    kinds: tuple[ReachedData, ...]


@dataclass(frozen=True)
class SaturationData:
    """The layer that clipped the largest share of its values.

    Attributes:
        layer: its name; empty where no layer clipped any.
        share: share of its values that it clipped.
        text: the figures in words.
    """

    layer: str
    share: float
    text: str


def reached(found: Coverage | LayerCoverage) -> tuple[ReachedData, ...]:
    """Return what was reached of each kind that has goals."""
    parts = [(kind.value, found.of(kind)) for kind in Kind]
    return tuple(ReachedData(name, p.reached, p.possible) for name, p in parts if p.possible)


def _coverage_data(found: Coverage | LayerCoverage) -> CoverageData:
    return CoverageData(round(float(found.share), 6), coverage_text(found), reached(found))


def _saturation_data(found: Saturation) -> SaturationData:
    share = round(found.counters.saturated_share, 6)
    return SaturationData(found.layer, share, str(found))


def counters_data(counters: Counters | None) -> CountersData | None:
    """Return what a report says about the values of a layer, or None where there are none."""
    if counters is None or counters.elements == 0:
        return None
    return CountersData(
        elements=counters.elements,
        saturated=counters.saturated,
        saturated_low=counters.saturated_low,
        saturated_high=counters.saturated_high,
        wrapped=counters.wrapped,
        near_ties=counters.near_ties,
        observed=Range(*counters.observed),
    )


def entered_data(found: PortCounts | None) -> EnteredData | None:
    """Return what a report says about the numbers that entered a port."""
    if found is None or found.elements == 0:
        return None
    return EnteredData(found.elements, found.low, found.high, Range(*found.observed))


ReportedCoverage = Annotated[
    InstanceOf[Coverage], PlainSerializer(_coverage_data, return_type=CoverageData)
]  # fmt: skip
"""What the data reached of all layers, of which JSON has ``CoverageData``."""

ReportedLayerCoverage = Annotated[
    InstanceOf[LayerCoverage], PlainSerializer(_coverage_data, return_type=CoverageData)
]  # fmt: skip
"""The same of one layer."""

ReportedSaturation = Annotated[
    InstanceOf[Saturation], PlainSerializer(_saturation_data, return_type=SaturationData)
]  # fmt: skip
"""The layer that clips most, of which JSON has ``SaturationData``."""
