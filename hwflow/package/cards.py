"""Cards that take a kernel of Vitis: how it is linked, and what its compute unit is called."""

from __future__ import annotations

from math import floor
from typing import Any, NamedTuple

from hwflow.package.description import Description
from hwflow.package.wrapper import rendered

CONNECTIVITY = "link/connectivity.cfg"
"""What ``v++ --link`` reads, in a block's folder."""


class Card(NamedTuple):
    """What is known of a card.

    Attributes:
        platform: name of its development platform, or nothing.
        bank: memory of a port, of which PORT is the number; nothing leaves it to ``v++``.
    """

    platform: str
    bank: str


CARDS = {
    "Alveo U50": Card("xilinx_u50_gen3x16_xdma_5_202210_1", "HBM[PORT]"),
    "Alveo U55C": Card("xilinx_u55c_gen3x16_xdma_3_202210_1", "HBM[PORT]"),
    "Alveo U200": Card("xilinx_u200_gen3x16_xdma_2_202110_1", "DDR[1]"),
    "Alveo U250": Card("xilinx_u250_gen3x16_xdma_4_1_202210_1", "DDR[0]"),
    "Alveo U280": Card("xilinx_u280_gen3x16_xdma_1_202211_1", "HBM[PORT]"),
}
"""Newest development platforms (AMD UG1120). Ports of HBM have a channel each; those of DDR share
one, that of the static region on the U200."""


def link_names(description: Description) -> dict[str, Any]:
    """Return what templates refer to that tell how a kernel is linked.

    The clock is rounded down to whole MHz, which ``v++`` takes.
    """
    card = CARDS.get(description.target.board, Card("", ""))
    return {
        "compute_unit": f"{description.top}_{description.design_id:08x}",
        "platform": card.platform,
        "bank": card.bank,
        "kernel_megahertz": floor(1000 / description.target.clock_period_ns),
    }


def link_files(description: Description) -> dict[str, bytes]:
    """Return what links a kernel, by path in the block's folder."""
    names = {"description": description, "top": description.top, **link_names(description)}
    return {CONNECTIVITY: rendered("link/connectivity.cfg.j2", names)}
