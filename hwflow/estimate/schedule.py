"""How an HLS tool cuts a chain of operators into pipeline stages.

Operators are chained while they fit into what the clock leaves; a register stands wherever they
do not. Cycles are the cuts, and flip-flops are the bits that are alive at each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, log2

from hwflow.estimate.device import MULTIPLIER_STAGES, Fabric


@dataclass(frozen=True)
class Cut:
    """A register between two stages.

    Attributes:
        levels: adder levels that are done before it.
        inside: whether it is inside the multiplier, before any adder.
    """

    levels: int
    inside: bool = False


def adder_levels(terms: int) -> int:
    """Return the depth of a balanced tree that adds ``terms`` terms."""
    return ceil(log2(terms)) if terms > 1 else 0


def stages_of(delays: Sequence[float], usable_ns: float) -> int:
    """Return the registers in a chain of operators: those between them, and inside of slow ones."""
    cuts, used = 0, 0.0
    for delay in delays:
        if used and used + delay > usable_ns:
            cuts += 1
            used = 0.0
        used += delay
        if used > usable_ns:
            cuts += ceil(used / usable_ns) - 1
            used = usable_ns
    return cuts


def cuts_of(fabric: Fabric, multiplies: bool, levels: int) -> Sequence[Cut]:
    """Return where registers stand in a product (or none) and the adder levels behind it.

    A multiplier that does not fit into one cycle is pipelined over ``MULTIPLIER_STAGES``.
    """
    cuts: list[Cut] = []
    used = 0.0
    if multiplies:
        used = fabric.multiplier_ns
        if used > fabric.usable_ns:
            cuts += [Cut(0, inside=True)] * (MULTIPLIER_STAGES - 1) + [Cut(0)]
            used = 0.0
    for done in range(levels):
        if used and used + fabric.adder_ns > fabric.usable_ns:
            cuts.append(Cut(done))
            used = 0.0
        used += fabric.adder_ns
    return cuts


def absorbed(cuts: Sequence[Cut], product_bits: float) -> float:
    """Return the bits in registers that logic synthesis moves into the DSP blocks beside them."""
    return product_bits * sum(cut.inside or cut.levels == 0 for cut in cuts)


def registers(
    cuts: Sequence[Cut], shifted: int, *, input_bits: float, product_bits: float,
    term_bits: float, result_bits: float,
) -> float:  # fmt: skip
    """Return the bits that the cuts hold.

    Args:
        cuts: registers, as ``cuts_of`` gives them.
        shifted: adder levels inside the constants, before the first sum; a cut among them holds the
            inputs, which are narrower than the products.
        input_bits: bits of all inputs.
        product_bits: bits of the distinct products that multipliers make.
        term_bits: bits of all terms of all sums; each adder level halves them.
        result_bits: bits of the results, which are the least that is alive.
    """
    total = 0.0
    for cut in cuts:
        levels = cut.levels - shifted
        if cut.inside or cut.levels == 0:
            total += input_bits + product_bits
        elif levels <= 0:
            total += input_bits
        else:
            total += max(term_bits / 2.0**levels, result_bits)
    return total
