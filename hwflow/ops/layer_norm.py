"""Normalisation by the statistics of the sample itself, over the last axis of the hardware."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import onnx

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.norm import norm_cost
from hwflow.fixed import MAX_TYPE_WIDTH, FixedArray, FixedType, RawArray
from hwflow.ir.body.values import Carrier, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, Inexact, OnnxNode, Op, Target
from hwflow.ir.scaled import OnIntegers, Operand, Scaled, Way
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.roots import ENTRY_BITS, Roots, roots_for
from hwflow.ops.shared.tables import looked_up, saturating
from hwflow.ops.transpose import Transpose

NAME = "hwflow::Normalize"
"""The ONNX name of a normalisation over the last axis, without factors and offsets."""

TABLE_SIZE = 2048
"""Table size unless told otherwise: its roots are off by 2**-11 of themselves at most."""

LEAST_TABLE, MOST_TABLE = 16, 65536
"""Smallest and largest table size."""

FRACTIONAL = 12
"""Bits right of the binary point that results are rounded to."""

ENTRY_T = FixedType(ENTRY_BITS, ENTRY_BITS, signed=False)
"""Type of the table's entries."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerNorm(Op):
    """``(x - mean) / sqrt(variance + epsilon)``, or ``x / sqrt(mean square + epsilon)``.

    Of ``n`` integers ``m`` with the sum ``S``, the deviations ``d = n m - S`` and the sum ``V`` of
    their squares are exact, and so is ``v = 2**g (V + n**3 epsilon)`` up to the rounding of its
    last term, which ``g`` makes small. The result is ``d sqrt(2**g n) / sqrt(v)``. The reciprocal
    of the root comes from a table of ``v / 4**h``, which is 1/4 or more and below 1; its product
    with ``d`` is exact, and rounded once, halves up, to ``FRACTIONAL`` bits. Without the mean,
    ``m`` stands for ``d``, and ``n epsilon`` for ``n**3 epsilon``.

    Attributes:
        epsilon: what is added to the variance, in squares of the operand's unit; 0 or more.
        centred: whether the mean is subtracted.
        table_size: the leading bits of ``v`` that address the table, as a number of places of
            which the upper three quarters are entries; a power of two.
    """

    onnx: ClassVar[tuple[str, ...]] = (
        NAME, "LayerNormalization", "RMSNormalization", "InstanceNormalization",
        "GroupNormalization",
    )  # fmt: skip
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        NAME: ("epsilon", "centred"),
        "LayerNormalization": ("axis", "epsilon", "stash_type"),
        "RMSNormalization": ("axis", "epsilon", "stash_type"),
        "InstanceNormalization": ("epsilon",),
        "GroupNormalization": ("epsilon", "num_groups", "stash_type"),
    }
    takes_integers: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("result_t", "table_size")
    approximate: ClassVar[str] = "a table of 1/sqrt(x), and a rounded result"

    epsilon: float = 1e-5
    centred: bool = True
    table_size: int = TABLE_SIZE

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if node.op_type != NAME.rpartition("::")[2]:  # others were written as these before
            raise node.refuse(
                "normalisation in a form that is not supported",
                found=f"{node.op_type} over the batch axis, with unknown shapes, or whose mean or "
                "deviation is read",
                supported="one result, normalised over any axes but the batch",
                help="normalise over the axes of a sample, and read the first result only",
            )
        return cls._chain(node, Fraction(node.attributes["epsilon"]))

    @classmethod
    def _chain(cls, node: OnnxNode, epsilon: Fraction) -> Sequence[Op]:
        """Return the operator, between two transpositions where the hardware has another order."""
        op = cls(epsilon=float(epsilon), centred=bool(node.attributes["centred"]))
        rank = len(node.axes)
        place = node.axes.index(rank)
        if place == rank - 1:
            return [op]
        perm = (*(i for i in range(rank) if i != place), place)
        back = tuple(perm.index(i) for i in range(rank))
        return [Transpose(perm=perm), op, Transpose(perm=back)]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the normalisation of the integers: a scale changes nothing but epsilon."""
        (x,) = operands
        grid = x.one_grid
        if grid is None or node.op_type != NAME.rpartition("::")[2]:
            return Way.ROUNDED
        if grid.offset[0] != 0 and not node.attributes["centred"]:
            return Way.ROUNDED
        epsilon = Fraction(node.attributes["epsilon"]) / Fraction(grid.scale[0]) ** 2
        return OnIntegers(cls._chain(node, epsilon))

    def roots(self, x: FixedType, channels: int) -> Roots:
        """Return the table and the constants for operands of a type."""
        return roots_for(
            channels, Fraction(self.epsilon) * Fraction(4) ** x.fractional,
            centred=self.centred, table_size=self.table_size, fractional=FRACTIONAL,
        )  # fmt: skip

    def exact(self, *inputs: TensorType) -> TensorType:
        """Return type and range of the rounded results.

        Raises:
            OverflowError: a sum of squares, or a product, could pass 62 bits.
        """
        (x,) = inputs
        roots = self.roots(x.dtype, x.channels)
        if max(f(*x.bounds) for f in (roots.squares, roots.product)) >> MAX_TYPE_WIDTH:
            raise OverflowError("a sum of squares could pass 62 bits")
        low = -roots.largest if self.centred or x.bounds[0] < 0 else 0
        high = roots.largest if self.centred or x.bounds[1] > 0 else 0
        return TensorType.exactly(x.shape, np.array(low), np.array(high), FRACTIONAL)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        channels = x.shape[-1]
        roots, gaps = self.roots(x.dtype, channels), x.raw
        if self.centred:
            gaps = channels * x.raw - x.raw.sum(axis=-1, keepdims=True)
        squares = ((gaps * gaps).sum(axis=-1, keepdims=True) << roots.guard) + roots.epsilon
        halves, index = roots.place(squares)
        shift = halves + roots.shift
        product = (gaps * roots.entries[index]) << roots.lift
        y = (product + (np.int64(1) << (shift - 1))) >> shift
        return FixedArray(y, self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype)

    def inexact(self, *inputs: TensorType) -> Inexact:
        """Return the proven distance: of the table, of epsilon's rounding, and of the result's."""
        (x,) = inputs
        bound = self.roots(x.dtype, x.channels).error
        if (to := self.result_t) is None:
            return Inexact(self.approximate, bound)
        held = to.holds(*self.exact(x).bounds, FRACTIONAL)
        return Inexact(self.approximate, bound + to.step if held else None)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x_t,) = types
        x, roots = body.channels_last(operands[0]), self.roots(x_t.dtype, x_t.channels)
        axes = body.constant([-1], np.int64, "axes")
        reach = max(roots.deviation(*x_t.bounds), x_t.channels * Span.of(x_t).largest)
        gaps = body.carried(x, max(x.carrier, carrier(reach, "a deviation")))
        if self.centred:
            total = body.node("ReduceSum", gaps.name, axes)
            times = body.apply("Mul", gaps, body.number(gaps, x_t.channels, "count"))
            gaps = body.apply("Sub", times, total)
        most = roots.squares(*x_t.bounds)
        wide = body.carried(gaps, max(gaps.carrier, carrier(most, "a sum of squares")))
        each = body.apply("Mul", wide, wide.name)
        squares = replace(each, name=body.node("ReduceSum", each.name, axes))
        squares = body.scaled(squares, roots.guard)
        squares = body.apply("Add", squares, body.number(squares, roots.epsilon, "epsilon"))
        y = _quotient(body, gaps, squares, roots, x_t)
        return Result(y, Span(-roots.largest, roots.largest, FRACTIONAL))

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        levels = 2 * (inputs[0].channels - 1).bit_length()  # of both sums
        return Pattern.elementwise(counts[0], depth=24 + levels)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        yield from super().check(target, *inputs)
        size = self.table_size
        if size & (size - 1) or not LEAST_TABLE <= size <= MOST_TABLE:
            yield Diagnostic(
                code="HW112", title="illegal table size", found=f"table_size = {size}",
                supported=f"powers of two from {LEAST_TABLE} to {MOST_TABLE}",
                help="remove table_size from this layer",
            )  # fmt: skip

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        roots = self.roots(x.dtype, x.channels)
        reach = max(roots.deviation(*x.bounds), x.channels * Span.of(x).largest)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="layer_norm",
            attributes={
                "output_shape": list(x.shape),
                "weight_names": ["table"],
                "channels": x.channels,
                "centred": self.centred,
                "signed": x.dtype.signed,
                "deviation_width": reach.bit_length() + 1,
                "squares_width": max(2 * roots.halves(*x.bounds), roots.bits),
                "product_width": roots.product(*x.bounds).bit_length() + 1,
                "result_width": roots.largest.bit_length() + 1,
                "fractional": FRACTIONAL,
                "bits": roots.bits,
                "guard": roots.guard,
                "epsilon": roots.epsilon,
                "lift": roots.lift,
                "shift": roots.shift,
            },
            weights={"table": FixedArray(roots.entries, ENTRY_T)},
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        roots = self.roots(x.dtype, x.channels)
        deviation = roots.deviation(*x.bounds).bit_length() + 1
        squares = roots.squares(*x.bounds).bit_length()
        table = len(roots.entries), ENTRY_BITS
        return norm_cost(
            x, self.infer(x).dtype, deviation, squares, table, centred=self.centred, target=target
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(8, 4), FixedType(6, 2, signed=False)
        coarse = saturating(8, 3, signed=True)
        full = TensorType.full
        ranges = TensorType((2, 3), signed, np.array([-7, 0, 3]), np.array([9, 1, 30]))
        for name, op, x in (
            ("rows", cls(), full((3, 8), signed)),
            ("one_row", cls(result_t=coarse), full((5,), unsigned)),
            ("image", cls(epsilon=0.0), full((2, 2, 3), FixedType(5, 7))),
            ("two", cls(table_size=64), full((4, 2), signed)),
            ("wide", cls(), full((2, 16), FixedType(16, 6))),
            ("ranges", cls(epsilon=1.0), ranges),
            ("squares", cls(centred=False), full((3, 8), signed)),
            ("squares_unsigned", cls(centred=False, result_t=coarse), full((2, 5), unsigned)),
            ("squares_no_epsilon", cls(centred=False, epsilon=0.0), full((3, 4), signed)),
            ("squares_wide", cls(centred=False, table_size=65536), full((1, 70), FixedType(16, 2))),
        ):
            yield Example(name, op, (x,))


def _quotient(body: Body, gaps: Tensor, squares: Tensor, roots: Roots, x: TensorType) -> Tensor:
    """Write the look-up, the product and its rounding."""
    steps = np.arange(roots.halves(*x.bounds) + 1)
    powers = body.number(squares, [4 ** int(k) for k in steps[:-1]], "powers")
    above = body.node("GreaterOrEqual", squares.name, powers)
    above = body.node("Cast", above, to=onnx.TensorProto.INT32)
    halves = body.node("ReduceSum", above, body.constant([-1], np.int64, "axes"))
    index = _shifted(body, squares, halves, roots.bits - 2 * steps)
    index = body.apply("Sub", index, body.number(index, 2 ** (roots.bits - 2), "first"))
    root = looked_up(body, index, roots.entries, "roots")
    within = max(gaps.carrier, root.carrier, carrier(roots.product(*x.bounds), "a product"))
    gaps, root = body.carried(gaps, within), body.carried(root, within)
    product = body.scaled(body.apply("Mul", gaps, root.name), roots.lift)
    shift = np.maximum(steps + roots.shift, 1)  # no sum of squares is 0
    half = body.constant(1 << (shift - 1), within.dtype, "halves")
    product = body.apply("Add", product, body.node("Gather", half, halves))
    return _shifted(body, product, halves, -shift)


def _shifted(body: Body, x: Tensor, halves: str, by: RawArray) -> Tensor:
    """Return ``x * 2**by[halves]``, rounded down."""
    if x.carrier is not Carrier.INT64:
        factors = body.constant(np.ldexp(1.0, by), x.carrier.dtype, "factors")
        return body.apply("Floor", body.apply("Mul", x, body.node("Gather", factors, halves)))
    up, down = (
        body.node("Gather", body.constant(1 << np.maximum(e, 0), np.int64, name), halves)
        for e, name in ((by, "up"), (-by, "down"))
    )
    lifted = body.apply("Mul", x, up)
    whole = body.apply("Sub", lifted, body.node("Mod", lifted.name, down))
    return body.apply("Div", whole, down)
