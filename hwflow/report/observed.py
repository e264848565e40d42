"""The parts of a report that say what data reached, and what it clipped."""

from __future__ import annotations

from hwflow.ir.pieces import Kind
from hwflow.report.parts import (
    CountersData,
    CoverageData,
    EnteredData,
    Range,
    ReachedData,
    SaturationData,
)
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.coverage.record import Coverage, LayerCoverage
from hwflow.simulate.coverage.words import Saturation, coverage_text


def coverage_data(found: Coverage | LayerCoverage | None) -> CoverageData | None:
    """Return what a report says about what was reached, or None where nobody found out."""
    if found is None:
        return None
    parts = [(kind.value, found.of(kind)) for kind in Kind]
    kinds = tuple(ReachedData(name, p.reached, p.possible) for name, p in parts if p.possible)
    return CoverageData(round(float(found.share), 6), coverage_text(found), kinds)


def saturation_data(found: Saturation | None) -> SaturationData | None:
    """Return what a report says about the layer that clips most."""
    if found is None:
        return None
    share = round(found.counters.saturated_share, 6)
    return SaturationData(found.layer, share, str(found))


def counters_data(counters: Counters | None) -> CountersData | None:
    """Return what a report says about the values of a layer, or None where there are none."""
    if counters is None or counters.elements == 0:
        return None
    return CountersData(
        counters.elements,
        counters.saturated,
        counters.saturated_low,
        counters.saturated_high,
        counters.wrapped,
        counters.near_ties,
        Range(*counters.observed),
    )


def entered_data(found: PortCounts | None) -> EnteredData | None:
    """Return what a report says about the numbers that entered a port."""
    if found is None or found.elements == 0:
        return None
    return EnteredData(found.elements, found.low, found.high, Range(*found.observed))
