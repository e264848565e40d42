"""What a normalisation by the statistics of each position costs."""

from __future__ import annotations

from hwflow.estimate import fabric
from hwflow.estimate.device import MULTIPLIER_STAGES, fabric_of
from hwflow.estimate.memories import bram_blocks
from hwflow.estimate.products import dsp_per_multiplier
from hwflow.estimate.schedule import adder_levels, stages_of
from hwflow.estimate.spread import SOFTMAX, make_cost, per_position
from hwflow.fixed import FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def norm_cost(
    x: TensorType, out_t: FixedType, deviation: int, squares: int, table: tuple[int, int],
    *, centred: bool, target: Target,
) -> Cost:  # fmt: skip
    """Return the cost of a normalisation over the last axis, of all positions.

    One after the other: a sum, differences, squares, their sum, a leading one with its shift, a
    table, products and their shifts. No reports exist of it: the relations are those of products,
    trees of adders and tables, and the intervals those of softmax, the widest.

    Args:
        x: what is normalised, ``(..., channels)``.
        out_t: result type.
        deviation: bits of a deviation.
        squares: bits of the sum of squares.
        table: entries of the table of roots, and their width in bits.
        centred: whether the mean is subtracted.
        target: backend, io type, part and clock.
    """
    n, parts = x.channels, fabric_of(target)
    size, width = table
    square = dsp_per_multiplier(deviation, deviation, parts.ports)
    product = dsp_per_multiplier(deviation, width, parts.ports)
    in_lut = sum(
        0 if blocks else deviation * bits
        for blocks, bits in ((square, deviation), (product, width))
    )
    shifts = squares * squares.bit_length() / 2 + n * (deviation + width) * squares.bit_length() / 2
    adders = (n - 1) * squares + (2 * n * deviation if centred else 0)
    luts = fabric.LUT_PER_PRODUCT_BIT * in_lut * n + shifts + fabric.LUT_PER_ADDER_BIT * adders
    slow = parts.multiplier_ns > parts.usable_ns
    multiplied = [parts.usable_ns] * MULTIPLIER_STAGES if slow else [parts.multiplier_ns]
    tree = [parts.adder_ns] * adder_levels(n)
    mean = [*tree, parts.adder_ns] if centred else []
    chain = [*mean, *multiplied, *tree, parts.adder_ns, parts.table_ns, *multiplied]
    cycles = stages_of([*chain, parts.adder_ns, parts.adder_ns], parts.usable_ns)
    cost = make_cost(
        SOFTMAX, lut=luts + n * fabric.lut_narrowing(out_t), ff=n * deviation * cycles / 2,
        dsp=float(n * (square + product)), bram=float(bram_blocks(width, size)), cycles=cycles,
    )  # fmt: skip
    return per_position(cost, x, target)
