"""A change of type that differs from element to element: each has its own bits, as HGQ trains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from hwflow.estimate import fabric as fabric
from hwflow.estimate.spread import SIMPLE, make_cost, repeated
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, cast_raw, shift_round
from hwflow.ir.body.casts import cast
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.pieces import Pieces
from hwflow.ir.qonnx.fixed_quant import NAME, Formats
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.casts import cast_cells, cast_goals, cast_pieces, port_type_of

LUT_PER_CLAMP_BIT = 1.5
"""Two comparisons and a choice for a bit that saturates, as in ``fabric.lut_cast``."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedQuant(Op):
    """Assign every element to the type that its row has, as ap_fixed does.

    Attributes:
        types: the different types; None for no bits at all, which gives 0.
        rows: position in ``types`` for each channel or, in hardware's order, for each element.
        relu: negative numbers become 0 before.
    """

    onnx: ClassVar[tuple[str, ...]] = (NAME,)
    settings: ClassVar[tuple[str, ...]] = ()

    types: tuple[FixedType | None, ...]
    rows: RawArray
    relu: bool = False

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        from hwflow.ops.cast import Cast

        formats = hardware_formats(node)
        if formats.uniform is not None:
            return [Cast(result_t=formats.uniform)]
        return [cls(types=formats.types, rows=np.atleast_1d(formats.index).ravel())]

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        ends = self._ends(x)
        fractional = max((f for f, _, _, _ in ends), default=0)
        lo, hi = np.zeros(x.size, np.int64), np.zeros(x.size, np.int64)
        for f, where, least, most in ends:
            lo[where], hi[where] = least << (fractional - f), most << (fractional - f)
        least, most = (e.reshape(-1, x.channels) for e in (lo, hi))
        return TensorType.exactly(x.shape, least.min(axis=0), most.max(axis=0), fractional)

    def _ends(self, x: TensorType) -> list[tuple[int, RawArray, RawArray, RawArray]]:
        """Return for each type its grid, its elements, and their least and greatest mantissas.

        Nothing finer than the operand comes of it, but where it saturates at a finer bound.
        """
        found = []
        low, high = (np.maximum(e, 0) if self.relu else e for e in (x.lo, x.hi))
        channel = np.arange(x.size) % x.channels
        row = np.resize(self.rows, x.size)
        for place, dtype in enumerate(self.types):
            where = np.flatnonzero(row == place)
            if dtype is None or not where.size:
                continue
            lo, hi = low[channel[where]], high[channel[where]]
            kept = min(dtype.fractional, x.dtype.fractional)
            dropped = x.dtype.fractional - kept
            ends = np.stack([shift_round(end, dropped, dtype.rounding) for end in (lo, hi)])
            finer = dtype.fractional - kept
            out = (ends[0] < -(-dtype.raw_min >> finer)) | (ends[1] > dtype.raw_max >> finer)
            if out.any() and dtype.overflow is Overflow.WRAP:
                ends[0][out] = -(-dtype.raw_min >> finer)
                ends[1][out] = dtype.raw_max >> finer
            elif out.any():
                kept = dtype.fractional
                ends = np.stack([cast_raw(e, x.dtype.fractional, dtype) for e in (lo, hi)])
            found.append((kept, where, ends[0], ends[1]))
        return found

    def is_idle(self, x: TensorType) -> bool:
        """Return whether no value that can occur is changed."""
        if self.relu and x.lo.min() < 0:
            return False
        row, channel = np.resize(self.rows, x.size), np.arange(x.size) % x.channels
        for place, lo, hi in sorted(set(zip(row, x.lo[channel], x.hi[channel], strict=True))):
            dtype = self.types[place]
            if dtype is None:
                if lo or hi:
                    return False
            elif not dtype.holds(int(lo), int(hi), x.dtype.fractional):
                return False
        return True

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        raw = x.raw.reshape(len(x.raw), -1)
        raw = np.maximum(raw, 0) if self.relu else raw
        row = np.resize(self.rows, raw.shape[1])
        fractional = max((t.fractional for t in self.types if t is not None), default=0)
        found = np.zeros_like(raw)
        for place, dtype in enumerate(self.types):
            if dtype is not None:
                where = row == place
                cast = cast_raw(raw[:, where], x.dtype.fractional, dtype)
                found[:, where] = cast << (fractional - dtype.fractional)
        full = self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype  # finer bits are all 0
        return FixedArray(found.reshape(x.shape) >> (fractional - full.fractional), full)

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        fractional, row = x.dtype.fractional, np.resize(self.rows, x.size)
        channel = np.arange(x.size) % x.channels
        low, high = (np.maximum(e, 0) if self.relu else e for e in (x.lo, x.hi))
        live = [(p, t) for p, t in enumerate(self.types) if t is not None and (row == p).any()]
        goals = []
        for place, dtype in live:
            at = channel[row == place]
            goals.append(cast_goals(low[at], high[at], fractional, dtype))

        def cells(a: FixedArray) -> tuple[RawArray, ...]:
            raw = a.raw.reshape(len(a.raw), -1)
            raw = np.maximum(raw, 0) if self.relu else raw
            found = np.full(raw.shape, 6 * len(live))  # no bits: nothing happens to a value
            for number, (place, dtype) in enumerate(live):
                own = row == place
                found[:, own] = 6 * number + cast_cells(raw[:, own], fractional, dtype)
            return (found.reshape(a.shape),)

        wraps = [t.overflow is Overflow.WRAP for _, t in live]
        return cast_pieces(cells, [*goals, []], [*wraps, False])

    def port_type(self) -> FixedType | None:
        """Return the type of a port whose rounding leaves nothing to tell from real numbers.

        Rounding down to one bit more than a type has leaves its ``RND`` as it was, and so do a
        wrap and a saturation at a range that holds the type's own. None where no type does it.
        """
        return port_type_of([t for t in self.types if t is not None])

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        found = self.exact(x_t)
        if self.relu:
            x = body.positive(x)
            x_t = replace(x_t, lo=np.maximum(x_t.lo, 0), hi=np.maximum(x_t.hi, 0))
        row = np.resize(self.rows, x_t.size)
        row = row[: x_t.channels] if len(self.rows) == x_t.channels else row.reshape(x.shape)
        within = carrier(max(map(abs, found.bounds)), "a value")
        total = body.carried(x, max(x.carrier, within))
        total = body.apply("Mul", total, body.number(total, 0.0, "zero"))
        for place, dtype in enumerate(self.types):
            mask = (row == place).astype(np.float64)
            if dtype is None or not mask.any():
                continue
            y, _ = cast(body, x, Span.of(x_t), dtype)
            y = body.scaled(y, found.dtype.fractional - dtype.fractional)
            within = max(y.carrier, total.carrier)
            y, total = body.carried(y, within), body.carried(total, within)
            masked = body.apply("Mul", y, body.number(y, mask, "mask"))
            total = body.apply("Add", total, masked.name)
        return Result(total, Span.of(found))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        bits = max(len(self.types) - 1, 1).bit_length()
        index = FixedType(bits, bits, signed=False)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="fixed_quant",
            attributes={
                "output_shape": list(x.shape),
                "weight_names": ["format"],
                "relu": self.relu,
                "formats": [t and _cpp(t) for t in self.types],
            },
            weights={"format": FixedArray(self.rows, index)},
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        count = np.bincount(np.resize(self.rows, x.size), minlength=len(self.types))
        luts = sum(int(n) * self._luts(x, place) for place, n in enumerate(count))
        bits = self.infer(x).dtype.width
        if not target.streams:
            return make_cost(SIMPLE, lut=luts, ff=0.0, cycles=0.0)
        positions = x.size // x.channels
        per_channel = len(self.rows) <= x.channels
        share = luts / positions
        if not per_channel:  # one position's hardware has every type, and chooses
            share = x.channels * (max(self._luts(x, p) for p in range(len(self.types)))
                                  + bits * fabric.lut_select(len(self.types)))  # fmt: skip
        one = make_cost(SIMPLE, lut=share, ff=20.0 + bits * x.channels, cycles=0.0)
        return repeated(one, positions)

    def _luts(self, x: TensorType, place: int) -> float:
        """Return the LUTs of one element: dropped bits and wraps are wires."""
        dtype = self.types[place]
        if dtype is None:
            return 0.0
        luts = 0.0
        if dtype.rounding is not Rounding.TRN and dtype.fractional < x.dtype.fractional:
            luts += fabric.LUT_PER_ADDER_BIT * dtype.width
        if self.relu and dtype.overflow is Overflow.WRAP:
            luts += dtype.width
        if dtype.overflow is not Overflow.WRAP:
            luts += LUT_PER_CLAMP_BIT * min(x.dtype.width, dtype.width + 8)
        return luts

    def parameters(self) -> dict[str, Any]:
        shown = {"relu": True} if self.relu else {}
        return shown | {"types": f"{len(self.types)} types for {self.rows.size} rows: "
                + ", ".join(str(t or "none") for t in self.types[:4])
                + (", ..." if len(self.types) > 4 else "")}  # fmt: skip

    @classmethod
    def examples(cls) -> Iterable[Example]:
        yield from _examples()


def hardware_formats(node: OnnxNode) -> Formats:
    """Return the formats of a ``FixedQuant`` node, with an index of shape (), (channels,) or all.

    Raises:
        RefusedError: HW210, they are not constant; HW285, they are none.
    """
    x = node.inputs[0]
    constants = [node.constant(i) for i in range(1, 4)]
    if not isinstance(x, TensorType) or any(c is None for c in constants):
        raise node.refuse("formats computed at run time", supported="constant k, i and f")
    try:
        values = [c.values for c in constants if c is not None]
        formats = Formats.of_node(values, dict(node.attributes))
    except ValueError as error:
        raise node.refuse(
            "a fixed-point format that cannot be",
            code="HW285",
            found=str(error),
            supported="whole numbers of bits, 62 in all at most; WRAP, SAT or SAT_SYM",
        ) from None
    index = to_hardware(node, x, formats.index.astype(np.float64))
    return Formats(formats.types, index.astype(np.int64))


def _cpp(dtype: FixedType) -> tuple[str, int, int, str, str]:
    prefix = "ap_fixed" if dtype.signed else "ap_ufixed"
    return prefix, dtype.width, dtype.integer, str(dtype.rounding), str(dtype.overflow)


def _examples() -> Iterator[Example]:
    signed, unsigned = FixedType(9, 4), FixedType(8, 3, signed=False)
    rng = np.random.default_rng(0)
    for rounding in Rounding:
        overflow = (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)[len(rounding) % 3]
        parts = rng.integers(0, 2, 6), rng.integers(-2, 4, 6), rng.integers(-1, 7, 6)
        formats = Formats.of(parts, rounding, overflow)
        op = FixedQuant(types=formats.types, rows=formats.index)
        yield Example(f"elements_{rounding.lower()}", op, (TensorType.full((2, 3), signed),))
        yield Example(f"more_{rounding.lower()}", op, (TensorType.full((6,), unsigned),))
    for overflow in (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM):
        formats = Formats.of(([1, 0, 1], [1, 2, 3], [2, 7, -1]), Rounding.RND, overflow)
        op = FixedQuant(types=formats.types, rows=formats.index)
        yield Example(f"channels_{overflow.lower()}", op, (TensorType.full((4, 3), signed),))
        positive = FixedQuant(types=formats.types, rows=formats.index, relu=True)
        yield Example(f"relu_{overflow.lower()}", positive, (TensorType.full((4, 3), signed),))
    nothing = FixedQuant(types=(None,), rows=np.zeros(1, np.int64))
    yield Example("nothing", nothing, (TensorType.full((4,), signed),))
