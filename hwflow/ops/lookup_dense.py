"""Sums of tables of quantised inputs: layers whose sub-functions were trained as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np

from hwflow.dataflow.pattern import Pattern
from hwflow.estimate import fabric
from hwflow.estimate.lookup import DISTRIBUTED, Terms, lookup_cost
from hwflow.estimate.spread import per_position
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, shift_left
from hwflow.ir.body.values import Carrier, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, Layout, OnnxNode, Op, Target
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.qonnx.lookup_dense import NAME
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.addends import Addends
from hwflow.ops.shared.addends_onnx import addends_of, read_given
from hwflow.ops.shared.matvec import sum_depth

STORED = ((8, "signed char"), (16, "short"), (32, "int"), (64, "long long"))
"""Types that C++ keeps entries in, by their bits."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LookupDense(Op):
    """Every output is a sum of tables, each of one input or of a few, and a constant.

    Attributes:
        addends: the tables; none of them is constant.
        bias: constant of each output, ``(outputs,)``.
    """

    onnx: ClassVar[tuple[str, ...]] = (NAME,)
    layout: ClassVar[Layout] = Layout.ONNX
    takes_integers: ClassVar[bool] = True

    addends: Addends
    bias: FixedArray

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if not node.inputs or not isinstance(node.inputs[0], TensorType):
            raise node.refuse("tables of a constant", code="HW372")
        (x,) = node.activations
        addends, bias = addends_of(node, read_given(node, x.channels), x)
        return [cls(addends=addends, bias=bias)]

    @classmethod
    def onnx_shape(cls, attributes: Mapping[str, Any], *shapes: tuple[int, ...]) -> tuple[int, ...]:
        return (*shapes[0][:-1], shapes[4][0])

    @property
    def fractional(self) -> int:
        """Bits right of the binary point of the sums."""
        return max(self.addends.entries.dtype.fractional, self.bias.dtype.fractional)

    @property
    def entries(self) -> RawArray:
        """All entries on the grid of the sums."""
        held = self.addends.entries
        return shift_left(held.raw, self.fractional - held.dtype.fractional)

    @property
    def constants(self) -> RawArray:
        """The bias on the grid of the sums."""
        return shift_left(self.bias.raw, self.fractional - self.bias.dtype.fractional)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        up = self.fractional - self.addends.entries.dtype.fractional
        low, high = self.constants.copy(), self.constants.copy()
        for total, ends in zip((low, high), self.addends.ends(x), strict=True):
            np.add.at(total, self.addends.target, ends << up)
        return TensorType.exactly((*x.shape[:-1], len(low)), low, high, self.fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        grid = self.addends.grid(len(self.bias.raw))
        padded = np.append(self.entries, 0)
        index = self.addends.indices(x.raw, x.dtype)
        missing = np.full((*index.shape[:-1], 1), len(padded) - 1)
        index = np.concatenate([index, missing], axis=-1)
        total = np.broadcast_to(self.constants, (*x.shape[:-1], len(self.bias.raw)))
        for column in grid.T:
            total = total + padded[index[..., column]]
        full = TensorType.full(x.shape[1:], x.dtype)
        return FixedArray(np.asarray(total), self.exact(full).dtype)

    def pieces(self, *inputs: TensorType) -> Pieces | None:
        """Return the entries of all tables, each a goal."""
        (x,) = inputs
        addends, size = self.addends, len(self.entries)
        if not size:
            return None
        grid = addends.grid(len(self.bias.raw))
        grid = np.where(grid < 0, np.maximum(grid[:, :1], 0), grid)  # no table counts as the first

        def cells(value: FixedArray) -> tuple[RawArray, ...]:
            index = addends.indices(value.raw, value.dtype)
            return tuple(index[..., column] for column in grid.T)

        return Pieces.of(cells, Kind.ENTRIES, np.where(addends.reached(x), np.arange(size), -1))

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        shape = (*x.shape[:-1], len(self.bias.raw))
        exact = self.exact(x_t)
        place = self._write_places(body, body.channels_last(x), x_t)
        grid = self.addends.grid(shape[-1])
        live, at = (grid >= 0)[..., None], np.maximum(grid, 0)
        source, scale = (np.zeros((*grid.shape, 1), np.int64) for _ in range(2))
        start = np.full(grid.shape, len(self.entries))
        if len(self.entries):
            source = np.where(live, self.addends.source[at], 0)
            scale = np.where(live, 1 << self.addends.shifts[at], 0)
            start = np.where(grid >= 0, self.addends.starts[at], start)
        read = body.node("Gather", place.name, body.constant(source, np.int64, "source"), axis=-1)
        moved = body.node("Mul", read, body.constant(scale, np.int64, "stride"))
        last = body.constant([-1], np.int64, "last")
        index = body.node("ReduceSum", moved, last, keepdims=0)
        index = body.node("Add", index, body.constant(start, np.int64, "start"))
        reach = int(np.abs(self.entries).max(initial=0)) * grid.shape[1]
        within = carrier(reach + int(np.abs(self.constants).max()), "a sum of tables")
        table = body.constant(np.append(self.entries, 0), within.dtype, "table")
        terms = body.node("Gather", table, index)
        y = replace(x, name=body.node("ReduceSum", terms, last, keepdims=0), shape=shape,
                    carrier=within, first=False, inner=())  # fmt: skip
        y = body.apply("Add", y, body.number(y, self.constants, "bias"))
        return Result(y, Span(*exact.bounds, self.fractional))

    def _write_places(self, body: Body, x: Tensor, x_t: TensorType) -> Tensor:
        """Write the bits that are read of each channel, as int64."""
        drop = x_t.dtype.fractional - self.addends.fractional
        largest = Span.of(x_t).largest << int(max(-drop.min(), 0))
        held = max(carrier(largest, "an index"), Carrier.FLOAT32)
        if held is Carrier.INT64:
            return self._write_wide_places(body, body.carried(x, held), drop)
        x = body.carried(x, held)
        scaled = body.apply("Mul", x, body.number(x, np.exp2(-drop.astype(np.float64)), "scale"))
        whole = body.apply("Floor", scaled)
        span = np.exp2(self.addends.bits.astype(np.float64))
        turns = body.apply("Floor", body.apply("Mul", whole, body.number(x, 1 / span, "part")))
        rest = body.apply("Sub", whole, body.apply("Mul", turns, body.number(x, span, "span")).name)
        return body.carried(rest, Carrier.INT64)

    def _write_wide_places(self, body: Body, x: Tensor, drop: RawArray) -> Tensor:
        """Write the bits that are read of each channel, of integers that no double holds."""
        up, down = (1 << np.maximum(side, 0) for side in (-drop, drop))
        x = body.apply("Mul", x, body.number(x, up, "up"))
        divisor = body.number(x, down, "down")
        below = body.apply("Mod", x, divisor)
        whole = body.apply("Div", body.apply("Sub", x, below.name), divisor)
        return body.apply("Mod", whole, body.number(x, 1 << self.addends.bits, "span"))

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        low, high = self.addends.ends(x)
        outputs = len(self.bias.raw)
        terms = Terms(
            self.addends.tables(), self.addends.grid(outputs), low, high,
            narrowing=outputs * fabric.lut_narrowing(self.infer(x).dtype),
        )  # fmt: skip
        bits = int(self.addends.bits[self.addends.used].sum())
        return per_position(lookup_cost(terms, bits, target), self.exact(x), target)

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return the steps at each position; a vector is read whole."""
        (x,) = inputs
        depth = sum_depth(self.addends.grid(len(self.bias.raw)).shape[1])
        if prod(x.shape[:-1]) > 1:
            return Pattern.elementwise(counts[0], depth=depth)
        return Pattern.buffered(counts, 1, depth)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        addends, exact = self.addends, self.exact(x).dtype
        width = exact.width + (not exact.signed)
        drop = x.dtype.fractional - addends.fractional
        places = [
            {"channel": c, "bits": int(addends.bits[c]), "drop": int(drop[c])}
            for c in addends.used.tolist() if addends.bits[c]
        ]  # fmt: skip
        held = np.split(self.entries, addends.starts[1:]) if len(self.entries) else []
        tables = [_stored(entries) for entries in held]
        terms = [
            f"ap_int<{t['bits']}>(t{i}[{self._index(i)}])" for i, t in enumerate(tables)
        ]  # fmt: skip
        sums = []
        rows = addends.grid(len(self.bias.raw)).tolist()
        for row, constant in zip(rows, self.constants.tolist(), strict=True):
            own = [terms[t] for t in row if t >= 0]
            more = [f"ap_int<{width}>({constant})"] if constant or not own else []
            sums.append(own + more)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="lookup_dense",
            attributes={
                "output_shape": [*x.shape[:-1], len(self.bias.raw)],
                "n_in": x.channels, "n_out": len(self.bias.raw), "positions": prod(x.shape[:-1]),
                "places": places, "tables": tables, "sums": sums,
                "width": width, "integer": width - exact.fractional,
                "signed": "true" if x.dtype.signed else "false",
            },
        )  # fmt: skip

    def _index(self, table: int) -> str:
        """Return the C++ that is the index of a table."""
        members = [c for c in self.addends.source[table].tolist() if self.addends.bits[c]]
        if len(members) == 1:
            return f"p{members[0]}.to_uint()"
        bits = int(self.addends.bits[members].sum())
        joined = f"p{members[0]}"
        for c in members[1:]:
            joined = f"({joined}, p{c})"
        return f"ap_uint<{bits}>({joined}).to_uint()"

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(0)
        signed, unsigned = FixedType(4, 2), FixedType(5, 2, signed=False)
        yield Example("one", example_of(rng, 1, [3, 4, 2]), (TensorType.full((3,), signed),))
        yield Example("positions", example_of(rng, 1, [5, 2]), (TensorType.full((3, 2), unsigned),))
        few = example_of(rng, 2, [2, 1, 3, 2], terms=2)
        yield Example("several", few, (TensorType.full((2, 2, 4), signed),))
        rounded = FixedType(3, 2, True, Rounding.RND_CONV, Overflow.SAT)
        op = replace(example_of(rng, 3, [2, 2, 3, 1, 2], terms=3), result_t=rounded)
        yield Example("rounded", op, (TensorType.full((5,), unsigned),))


def _stored(entries: RawArray) -> dict[str, Any]:
    most = int(max(entries.max(), -1 - entries.min()))
    bits = most.bit_length() + 1
    stored = next(name for width, name in STORED if bits <= width)
    return {
        "entries": entries.tolist(), "bits": bits, "stored": stored,
        "logic": len(entries) <= DISTRIBUTED,
    }  # fmt: skip


def example_of(
    rng: np.random.Generator, members: int, bits: Sequence[int], *, terms: int = 0, outputs: int = 3
) -> LookupDense:
    """Return a random layer, with an output that is constant.

    Args:
        rng: draws it.
        members: channels that each table reads.
        bits: how many bits of each channel are read.
        terms: tables of each output; one for each channel unless given.
        outputs: how many there are.
    """
    count, channels = terms or len(bits), len(bits)
    target = np.repeat(np.arange(outputs - 1), count)
    if terms:
        source = np.stack([rng.permutation(channels)[:members] for _ in target])
    else:
        source = np.tile(np.arange(channels), outputs - 1)[:, None]
    widths = np.asarray(bits, np.int64)
    size = int((1 << widths[source].sum(axis=1)).sum())
    addends = Addends(
        source=source, target=target, fractional=rng.integers(-1, 4, channels), bits=widths,
        entries=FixedArray(rng.integers(-16, 16, size), FixedType(5, 2)),
    )  # fmt: skip
    return LookupDense(
        addends=addends, bias=FixedArray(rng.integers(-8, 8, outputs), FixedType(4, 2))
    )
