"""What a device cannot hold: Vivado builds what exceeds its blocks of look-up tables.

A board is compared with what a design asks for; reports of logic synthesis say no more than the
device has.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from hwflow.estimate.device import device_of
from hwflow.ir.cost import Cost, Estimate

LUT_PER_MISSING_DSP = (40.0, 160.0)
"""LUTs of a multiplier for which the device has no DSP block: 74 where it multiplies by a constant,
159 where it does not (two designs of one repository)."""

BLOCKS = {"dsp": "dsp_synth", "bram_18k": "bram_18k_synth"}
"""Figures of logic synthesis that a device limits, by the resource."""


@lru_cache(maxsize=1)
def _devices() -> Mapping[str, Mapping[str, int]]:
    """Return the blocks of the devices on shipped boards of AMD."""
    from hwflow.core.board import list_boards  # pydantic: only where a whole design is estimated

    return {
        device_of(board.part): {name: board.resources.count(name) for name in BLOCKS}
        for board in list_boards()
        if board.vendor == "amd"
    }


def blocks_of(part: str) -> Mapping[str, int] | None:
    """Return the DSP blocks and 18 kbit RAMs of a part; None where no board has its device."""
    return _devices().get(device_of(part))


def dsp_blocks_of(part: str) -> int | None:
    """Return the DSP blocks that a part has; None where no board has its device."""
    device = blocks_of(part)
    return None if device is None else device["dsp"]


def beyond_device(dsp: Estimate, part: str) -> Estimate:
    """Return the LUTs of which Vivado builds the multipliers that exceed the part's DSP blocks."""
    available = dsp_blocks_of(part)
    missing = max(dsp.value - available, 0.0) if available is not None else 0.0
    if not missing:
        return Estimate.exact(0)
    low, high = LUT_PER_MISSING_DSP
    return Estimate(missing * (low * high) ** 0.5, missing * low, missing * high)


def as_reported(total: Cost, part: str) -> Cost:
    """Return the cost of a design as logic synthesis would report it: no more than there is."""
    device = blocks_of(part)
    if device is None:
        return total
    limited: dict[str, Any] = {}
    notes = []
    for resource, figure in BLOCKS.items():
        used, available = getattr(total, figure), float(device[resource])
        value, low, high = (min(end, available) for end in (used.value, used.low, used.high))
        limited[figure] = Estimate(value, low, high, used.basis)
        if used.value > available:
            notes.append(
                f"{used.value:,.0f} {resource} are asked for and {available:,.0f} are on the "
                "device: logic synthesis builds the rest of look-up tables"
            )
    return replace(
        total,
        dsp_synth=limited["dsp_synth"],
        bram_18k_synth=limited["bram_18k_synth"],
        notes=(*total.notes, *notes),
    )
