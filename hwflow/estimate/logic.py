"""What an estimate for AMD's logic would take on other devices: ratios with wide intervals.

The relations of the estimator are fitted on devices with LUTs of 6 inputs and DSP48 blocks. On
others no design was synthesized, so what stands here is *extrapolated* from what one block can
hold.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hwflow.core.board import Board
from hwflow.ir.cost import Estimate

SAME = Estimate(1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Logic:
    """A kind of logic, against AMD's.

    Attributes:
        cell: what a board's ``lut`` counts.
        ratios: blocks for one of AMD's, by resource; those that are not named are the same.
        why: what the ratios rest on; empty for AMD's own.
    """

    cell: str
    ratios: dict[str, Estimate] = field(default_factory=dict)
    why: str = ""

    def converted(self, resource: str, used: Estimate) -> Estimate:
        """Return how many blocks of this kind stand for an estimate in AMD's."""
        ratio = self.ratios.get(resource, SAME)
        value, low, high = (getattr(used, e) * getattr(ratio, e) for e in ("value", "low", "high"))
        return Estimate(value, low, high, used.basis)


LUT4 = Estimate(1.6, 1.0, 6.0)
"""LUTs of 4 inputs for one of 6: 1.6 logic cells (UG474, "Device Resources"); 1 where 4 inputs are
used, 6 for the worst function (4 cofactors, and 2 that choose of 4)."""

ALM = Estimate(0.6, 0.5, 1.0)
"""ALMs for one LUT of 6 inputs: 1.6 logic cells over 2.65 an ALM (Cyclone V device overview:
110,000 logic elements in 41,509 ALMs); half where two functions of 4 inputs share one, never more
than 1."""

KINDS = {
    "lut6_dsp48": Logic("LUT6"),
    "lut4_mult18": Logic(
        "LUT4",
        {"lut": LUT4, "dsp": Estimate(1.0, 1.0, 2.0)},
        "a LUT6 as 1.6 (1 to 6) LUT4; a DSP48 as 1 multiplier of 18x18, 2 where an operand is "
        "wider",
    ),
    "lut4_mult16": Logic(
        "LUT4",
        {"lut": LUT4, "dsp": Estimate(1.0, 1.0, 4.0)},
        "a LUT6 as 1.6 (1 to 6) LUT4; a DSP48 as 1 multiplier of 16x16, 4 where both operands are "
        "wider",
    ),
    "alm_mult27": Logic(
        "ALM",
        {"lut": ALM, "dsp": Estimate(1.0, 0.5, 1.0)},
        "a LUT6 as 0.6 (0.5 to 1) ALM; a DSP48 as 1 block, half where two products of 18x19 share "
        "one",
    ),
}
"""The kinds by the names in profiles."""


def logic_of(board: Board) -> Logic:
    """Return the kind of logic of a board."""
    return KINDS[board.logic_kind]
