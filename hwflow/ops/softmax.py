"""Softmax over the last axis of the hardware, by hls4ml's max-normalised tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.layer import softmax_cost
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.body.casts import cast
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.casts import kept
from hwflow.ops.shared.tables import exponentials_at, looked_up, met_by, reciprocals_at, saturating
from hwflow.ops.shared.turns import _InTurns
from hwflow.ops.transpose import Transpose

EXP_SIZE = 1024
"""Entries of the table of exponentials unless told otherwise."""

INV_SIZE = 2048
"""Entries of the table of reciprocals unless told otherwise."""

DEFAULT_TABLE = saturating(18, 1, signed=False)
"""Type of the tables: it holds exp(0) = 1 exactly, in the width of a block RAM."""

EXP_SPAN_BITS = 4
"""Differences to the maximum saturate at 2**4: exp(-16) is below half a step of 18-bit tables."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Softmax(_InTurns):
    """``exp(x - max) / sum(exp(x - max))``, as hls4ml's "stable" implementation computes it.

    The difference to the maximum is taken in a type that cannot wrap (hls4ml's default type does,
    https://github.com/fastmachinelearning/hls4ml/issues/1512), and all of its bits address the
    table of exponentials. The sum is exact; its rounded leading bits address the table of
    reciprocals (nnet_activation.h, ``softmax_stable``).

    Attributes:
        table_size: entries of the table of exponentials, a power of two.
        inv_table_size: entries of the table of reciprocals, a power of two.
        table_t: type of the entries of both tables.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Softmax",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Softmax": ("axis",)}
    takes_integers: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = (
        "result_t", "table_size", "inv_table_size", "table_t", "reuse_factor",
    )  # fmt: skip
    approximate: ClassVar[str] = "tables of exp(-x) and of 1/x"

    table_size: int = EXP_SIZE
    inv_table_size: int = INV_SIZE
    table_t: FixedType = DEFAULT_TABLE

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        rank = len(node.axes) + 1
        axis = int(node.attributes.get("axis", -1 if node.opset >= 13 else 1)) % rank
        several = node.opset < 13 and axis != rank - 1  # flattened from that axis on
        if axis == 0 or several:
            raise node.refuse(
                "softmax over the batch axis" if axis == 0 else "softmax over several axes at once",
                code="HW222",
                found=f"axis = {axis} of {rank}" + (f", opset {node.opset}" if several else ""),
                supported="one axis, and not the batch",
                help="softmax over another axis"
                if axis == 0
                else "reshape before the softmax, so that the axes from this one on are one axis",
            )
        place = node.axes.index(axis)
        if place == len(node.axes) - 1:
            return [cls()]
        perm = (*(i for i in range(len(node.axes)) if i != place), place)
        back = tuple(perm.index(i) for i in range(len(perm)))
        return [Transpose(perm=perm), cls(), Transpose(perm=back)]

    def difference_t(self, x: FixedType) -> FixedType:
        """Return the type of the difference to the maximum: unsigned, saturating."""
        integer = min(x.integer, EXP_SPAN_BITS)
        width = min(integer + x.fractional, self.table_size.bit_length() - 1)
        return FixedType(max(width, 1), integer, False, Rounding.RND, Overflow.SAT)

    def sum_t(self, channels: int) -> FixedType:
        """Return the type of the sum of exponentials, exact."""
        more = max(channels - 1, 1).bit_length()
        table_t = self.table_t
        return FixedType(table_t.width + more, table_t.integer + more, table_t.signed)

    def inverse_input_t(self, channels: int) -> FixedType:
        """Return the type that addresses the reciprocals: from 0 to the number of channels."""
        width = self.inv_table_size.bit_length() - 1
        return FixedType(width, channels.bit_length(), False, Rounding.RND, Overflow.SAT)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        exponentials, inverses = self._tables(x.dtype, x.channels)
        hi = int(exponentials.raw.max()) * int(inverses.raw[self._reachable(x.channels) :].max())
        lo = min(0, -hi if self.table_t.signed else 0)
        full = TensorType.exactly(x.shape, np.array(lo), np.array(hi), 2 * self.table_t.fractional)
        return full if self.result_t is not None else full.cast(self.table_t)

    def _reachable(self, channels: int) -> int:
        """Return the least address of the reciprocals: the maximum itself contributes exp(0)."""
        top = quantize_values(np.ones(1), self.table_t)
        return int(FixedArray(top, self.table_t).cast(self.inverse_input_t(channels)).raw[0])

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        channels = x.shape[-1]
        exponentials, inverses = self._tables(x.dtype, channels)
        gap = FixedArray(x.raw.max(axis=-1, keepdims=True) - x.raw, x.dtype)
        each = exponentials.raw[gap.cast(self.difference_t(x.dtype)).raw]
        inverse = inverses.raw[self._address(each)]
        product_t = FixedType.covering(
            int((each * inverse).min()), int((each * inverse).max()), 2 * self.table_t.fractional
        )
        product = FixedArray(each * inverse, product_t)
        return product if self.result_t is not None else product.cast(self.table_t)

    def _address(self, each: RawArray) -> RawArray:
        """Return where the reciprocal of the sum of exponentials lies in its table."""
        total = FixedArray(each.sum(axis=-1, keepdims=True), self.sum_t(each.shape[-1]))
        return total.cast(self.inverse_input_t(each.shape[-1])).raw

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        exponentials, inverses = self._tables(x.dtype, x.channels)
        to, size = self.difference_t(x.dtype), exponentials.shape[0]
        _, farthest = kept(x.dtype.fractional, to)

        def cells(a: FixedArray) -> tuple[RawArray, ...]:
            gap = FixedArray(a.raw.max(axis=-1, keepdims=True) - a.raw, a.dtype)
            index = gap.cast(to).raw
            address = self._address(exponentials.raw[index])
            return np.where(gap.raw > farthest, size, index), size + 1 + address

        gaps = met_by(TensorType(x.shape, x.dtype, np.zeros(1, int), self._gaps(x)))
        piece = np.full(size + 1 + inverses.shape[0], -1)
        if gaps is None:
            piece[:size] = np.arange(size)
        else:
            index = FixedArray(gaps, x.dtype).cast(to).raw
            piece[index] = index
        if self._gaps(x)[0] > farthest:
            piece[size] = size - 1
        addresses = self._addresses(exponentials, np.unique(piece[:size][piece[:size] >= 0]), x)
        piece[size + 1 + addresses] = size + addresses
        return Pieces.of(cells, Kind.ENTRIES, piece, low=np.arange(len(piece)) == size)

    def _gaps(self, x: TensorType) -> RawArray:
        """Return the greatest difference to the maximum, shape ``(1,)``."""
        others = np.where(np.eye(x.channels, dtype=bool), x.dtype.raw_min, x.hi)
        return np.asarray(np.maximum(others.max(axis=1) - x.lo, 0).max(keepdims=True))

    def _addresses(self, exponentials: FixedArray, met: RawArray, x: TensorType) -> RawArray:
        """Return the reciprocals that sums of the largest and other exponentials can meet."""
        each, others = exponentials.raw[met], x.channels - 1
        top = exponentials.raw[0]
        if others == 1:
            return np.unique(self._address(np.stack([np.full_like(each, top), each], axis=-1)))
        ends = np.full((2, x.channels), top)
        ends[0, 1:] = each.min()
        least, greatest = self._address(ends).ravel()
        return np.arange(least, greatest + 1)

    def _tables(self, x: FixedType, channels: int) -> tuple[FixedArray, FixedArray]:
        return (
            exponentials_at(self.difference_t(x), self.table_t),
            reciprocals_at(self.inverse_input_t(channels), self.table_t),
        )

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x_t,) = types
        x = body.channels_last(operands[0])
        channels, span = x.shape[-1], Span.of(x_t)
        exponentials, inverses = self._tables(x_t.dtype, channels)
        axes = body.constant([-1], np.int64, "axes")
        x = body.carried(x, max(x.carrier, carrier(span.hi - span.lo, "a difference")))
        gap = body.apply("Sub", replace(x, name=body.node("ReduceMax", x.name, axes)), x.name)
        wide = Span(0, span.hi - span.lo, span.fractional)
        place, _ = cast(body, gap, wide, self.difference_t(x_t.dtype))
        each = looked_up(body, place, exponentials.raw, "exponentials")
        top = int(exponentials.raw.max()) * channels
        each = body.carried(each, carrier(top, "a sum of exponentials"))
        total = replace(each, name=body.node("ReduceSum", each.name, axes))
        sums = Span(0, top, self.sum_t(channels).fractional)
        at, _ = cast(body, total, sums, self.inverse_input_t(channels))
        inverse = looked_up(body, at, inverses.raw, "reciprocals")
        reach = int(exponentials.raw.max()) * int(np.abs(inverses.raw).max())
        both = carrier(reach, "a product")
        each, inverse = body.carried(each, both), body.carried(inverse, both)
        y = body.apply("Mul", each, inverse.name)
        found = Span(-reach, reach, 2 * self.table_t.fractional)
        return Result(y, found) if self.result_t else Result(*cast(body, y, found, self.table_t))

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        levels = 2 * (inputs[0].channels - 1).bit_length()  # of a maximum and of a sum
        return Pattern.elementwise(counts[0], depth=16 + levels)

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return what hls4ml's streamed kernel divides its products by; the other shares none."""
        return super().reuse_factors(target, *inputs) if target.streams else (1,)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        yield from super().check(target, x)
        if x.channels < 2:
            yield Diagnostic(
                code="HW222", title="softmax over a single value", found=f"shape {x.shape}",
                help="remove the softmax: its result is 1",
            )  # fmt: skip
        if not self.table_t.holds(0, 1, 0):
            yield Diagnostic(
                code="HW112",
                title="table type of softmax cannot hold exp(0)",
                found=f"table_t = {self.table_t}",
                supported="types that hold 0 and 1, such as ufixed<18,1,RND_CONV,SAT>",
                help="add an integer bit",
            )
        least = 1 << (2 * x.channels - 1).bit_length()
        for name in ("table_size", "inv_table_size"):
            size = getattr(self, name)
            if size & (size - 1) or not least <= size <= 2**16:
                yield Diagnostic(
                    code="HW112",
                    title="illegal table size",
                    found=f"{name} = {size}",
                    supported=f"powers of two from {least} to 65536",
                    help=f"remove {name} from this layer",
                )

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        exponentials, inverses = self._tables(x.dtype, x.channels)
        return HlsLayer(
            class_name="Softmax",
            attributes={
                "n_in": x.size,
                "activation": "softmax",
                "implementation": "stable",
                "axis": -1,
                "n_outer": prod(x.shape[:-1]),
                "n_inner": 1,
                "parallelization_factor": prod(x.shape[:-1]),
                "exp_table_size": exponentials.shape[0],
                "inv_table_size": inverses.shape[0],
                "table_size": exponentials.shape[0],
            },
            types={
                "exp_table": self.table_t,
                "inv_table": self.table_t,
                "accum": self.sum_t(x.channels),
                "inv_inp": self.inverse_input_t(x.channels),
                "inp_norm": self.difference_t(x.dtype),
            },
            reuse_factor=self.reuse_factor,
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        size = max(t.shape[0] for t in self._tables(x.dtype, x.channels))
        width, turns = self.table_t.width, self.reuse_factor
        return softmax_cost(x, size, width, target=target, turns=turns)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        coarse = saturating(8, 0, signed=False)
        rounded = saturating(12, 1, signed=False)
        kinds: list[tuple[str, tuple[int, ...], FixedType, dict[str, object]]] = [
            ("five", (5,), FixedType(6, 3), {"result_t": coarse}),
            ("ten_wide", (10,), FixedType(16, 6), {"result_t": rounded}),
            ("unsigned", (3,), FixedType(12, 3, signed=False), {}),
            ("integers", (4,), FixedType(5, 7), {"result_t": rounded}),
            ("rows", (3, 4), FixedType(8, 3), {"result_t": coarse}),
            ("image", (2, 2, 3), FixedType(9, 4), {}),
            ("small_tables", (4,), FixedType(10, 4),
             {"table_size": 64, "inv_table_size": 128, "table_t": FixedType(12, 3)}),
        ]  # fmt: skip
        for name, shape, dtype, fields in kinds:
            yield Example(name, cls(**fields), (TensorType.full(shape, dtype),))  # type: ignore[arg-type]
