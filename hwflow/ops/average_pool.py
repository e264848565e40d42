"""Mean over windows, and over whole axes, rounded once; and sums, which are exact."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, overflow_raw
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import Grid
from hwflow.ir.op import Example, HlsLayer, Inexact, OnnxNode, Op, Target
from hwflow.ir.pieces import Pieces
from hwflow.ir.scaled import OnIntegers, Operand, Scaled, scale_refused
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.casts import quotient_cells, quotient_pieces
from hwflow.ops.shared.division import (
    check_width,
    divide_to,
    division_carrier,
    mean_type,
    quotient_parameters,
    quotient_too_wide,
    write_division,
)
from hwflow.ops.shared.pool import REDUCTION_ATTRIBUTES, _Pool, example_maps, pool_window, reduction
from hwflow.ops.shared.sliding import window_sums
from hwflow.ops.shared.window import WINDOW_ATTRIBUTES


@dataclass(frozen=True, kw_only=True, eq=False)
class AveragePool(_Pool):
    """Mean of each window.

    A mean over a power of two of elements is exact. Any other is a fraction without end, which is
    computed as an integer division and rounded **once**, to ``result_t``: the result is that of a
    quantiser of this type right behind the exact mean. Without ``result_t`` it is rounded to the
    nearest multiple of a step ``2**-EXTRA_BITS`` of that of a mean over the next power of two.

    Attributes:
        counted: how many positions before and after each axis count as elements (zeros).
        total: the sum of each window instead of its mean.
    """

    onnx: ClassVar[tuple[str, ...]] = (
        "AveragePool",
        "GlobalAveragePool",
        "ReduceMean",
        "ReduceSum",
        "hwflow.tflite::WindowSum",
    )
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "AveragePool": (*WINDOW_ATTRIBUTES, "ceil_mode", "count_include_pad"),
        "ReduceMean": REDUCTION_ATTRIBUTES,
        "ReduceSum": REDUCTION_ATTRIBUTES,
    }
    pools: ClassVar[tuple[str, ...]] = ("AveragePool", "GlobalAveragePool")
    takes_integers: ClassVar[bool] = True
    approximate: ClassVar[str] = "the mean over other than a power of two of elements is rounded"

    counted: tuple[tuple[int, int], ...] | None = None
    total: bool = False

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if node.op_type not in ("AveragePool", "WindowSum"):
            chain, sums = reduction(node, cls), node.op_type == "ReduceSum"
            return [replace(op, total=sums) if isinstance(op, cls) else op for op in chain]
        window, pads = pool_window(node)
        counted = pads if node.attributes.get("count_include_pad", 0) else None
        spread = tuple(zip(window.begin, window.end, strict=True))
        total = node.op_type == "WindowSum"
        return [
            cls(
                kernel=window.kernel,
                strides=window.strides,
                pads=spread,
                counted=counted,
                total=total,
            )
        ]

    @classmethod
    def onnx_shape(cls, attributes: Mapping[str, Any], *shapes: tuple[int, ...]) -> tuple[int, ...]:
        kernel, strides, pads = (attributes[n] for n in ("kernel_shape", "strides", "pads"))
        around = [a + b for a, b in zip(pads, pads[len(kernel) :], strict=False)]
        sides = zip(shapes[0][2:], around, kernel, strides, strict=True)
        return (*shapes[0][:2], *((n + p - k) // s + 1 for n, p, k, s in sides))

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the rule of sums and means: those of values on a line are on a line."""
        chain, x = list(cls.from_onnx(node)), operands[0]
        grid = x.grid
        if grid is None or not (x.one_for_all or (len(chain) == 1 and x.by_channel)):
            return None
        held, count, terms = x.type, 1, 1
        for place, op in enumerate(chain):
            if isinstance(op, AveragePool):
                counts, present = op.divisors(held.shape), op.window(held.shape).counts()
                terms = int(present.flat[0])
                even = np.all(present == (terms if op.total else counts))
                uneven = len(np.unique(counts)) > 1
                if np.any(grid.offset) and (uneven or not even):
                    return None
                if uneven and not x.one_for_all:
                    return None
                if uneven:
                    raise scale_refused(
                        node,
                        found="means over different numbers of elements, at the border",
                        supported="means over windows of one size",
                        help="set count_include_pad=True, ceil_mode=False",
                    )
                chain[place], count = replace(op, total=True), int(counts.flat[0])
            held = chain[place].infer(held)
        return OnIntegers(chain, Grid(grid.scale / count, grid.offset * Fraction(terms, count)))

    def divisors(self, shape: tuple[int, ...]) -> RawArray:
        """Return the number of elements that each window's mean is over, shape ``out``."""
        if self.total:
            return np.ones(self.window(shape).out, np.int64)
        return self.window(shape).counts(include=self.counted)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        dtype, (lo, hi) = self._dtype(x), self._mean_ends(x)
        if dtype is None:
            fractional = self._fractional(x, self.divisors(x.shape))
            return TensorType.exactly(self.out_shape(x), lo, hi, fractional)
        return TensorType.exactly(self.out_shape(x), lo, hi, dtype.fractional).cast(dtype)

    def _mean_ends(self, x: TensorType) -> RawArray:
        """Return the least and greatest mean of each channel, before the overflow of the type."""
        divisors, present = self.divisors(x.shape), self.window(x.shape).counts()
        sums = np.stack([x.lo, x.hi])[:, None] * present.reshape(1, -1, 1)
        spread = divisors.reshape(1, -1, 1)
        means = self._mean(sums, x.dtype.fractional, self._dtype(x), spread)
        return np.stack([means[0].min(axis=0), means[1].max(axis=0)])

    def _dtype(self, x: TensorType) -> FixedType | None:
        """Return the type that means are rounded to, or None where they are exact."""
        divisors = self.divisors(x.shape)
        if not (divisors & (divisors - 1)).any():
            return None
        if self.result_t is not None:
            return self.result_t
        return mean_type([x.dtype], self._fractional(x, divisors) - x.dtype.fractional)

    def _fractional(self, x: TensorType, divisors: RawArray) -> int:
        """Return the fractional bits of a mean over the next power of two of elements."""
        return x.dtype.fractional + int(divisors.max() - 1).bit_length()

    def _mean(
        self, sums: RawArray, fractional: int, dtype: FixedType | None, divisors: RawArray
    ) -> RawArray:
        """Return the mantissas of the means, before the overflow of ``dtype``."""
        if dtype is None:
            largest = int(divisors.max())
            check_width(sums, largest.bit_length())
            return sums * (largest // divisors)
        return divide_to(sums, fractional, dtype, divisors)

    def inexact(self, *inputs: TensorType) -> Inexact | None:
        (x,) = inputs
        dtype = self._dtype(x)
        if dtype is None or self.result_t is not None:
            return None
        return Inexact(self.approximate, dtype.step / 2)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = TensorType.full(x.shape[1:], x.dtype)
        divisors, dtype = self.divisors(full.shape), self._dtype(full)
        total = self._sums(x, divisors)
        raw = self._mean(total, x.dtype.fractional, dtype, divisors[..., None])
        if self.squeeze:
            raw = raw.reshape(len(raw), -1)
        if dtype is not None:
            return FixedArray(overflow_raw(raw, dtype), dtype)
        lo, hi = full.dtype.raw_min, full.dtype.raw_max
        scale = int(divisors.max())
        fractional = self._fractional(full, divisors)
        return FixedArray(raw, FixedType.covering(lo * scale, hi * scale, fractional))

    def _sums(self, x: FixedArray, divisors: RawArray) -> RawArray:
        window = self.window(x.shape[1:])
        check_width(x.raw, int(divisors.max()).bit_length())
        padded = window.pad(x.raw)
        total = np.zeros((len(x.raw), *window.out, x.shape[-1]), np.int64)
        for tap in window.taps():
            total += window.at(padded, tap)
        return total

    def pieces(self, *inputs: TensorType) -> Pieces | None:
        (x,) = inputs
        dtype, divisors = self._dtype(x), self.divisors(x.shape)
        if dtype is None:
            return None

        def cells(a: FixedArray) -> RawArray:
            sums = self._sums(a, divisors)
            found = quotient_cells(sums, a.dtype.fractional, dtype, divisors[..., None])
            return found.reshape(len(found), -1) if self.squeeze else found

        return quotient_pieces(cells, self._mean_ends(x), dtype, rectified=self.rectified)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        try:
            self._division(x, self.infer(x).dtype)
        except OverflowError as problem:
            yield quotient_too_wide(problem)
        else:
            yield from super().check(target, x)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        window, divisors = self.window(x.shape), self.divisors(x.shape)
        count = int(np.prod(window.kernel))
        lo, hi = min(x_t.bounds[0] * count, 0), max(x_t.bounds[1] * count, 0)
        sums = Span(lo, hi, x_t.dtype.fractional)
        dtype = self._dtype(x_t)
        largest = int(divisors.max())
        if dtype is None:
            reach = sums.largest * largest
            total = window_sums(body, body.carried(x, carrier(reach, "a mean")), window)
            factors = np.broadcast_to((largest // divisors)[..., None], total.shape)
            if not (factors == 1).all():
                total = body.apply("Mul", total, body.number(total, factors, "factors"))
            span = Span(lo * largest, hi * largest, self._fractional(x_t, divisors))
            return Result(self.squeezed(body, total), span)
        total = window_sums(body, body.carried(x, division_carrier(sums, dtype)), window)
        full = np.broadcast_to(divisors[..., None], total.shape)
        by = full if (full != full.flat[0]).any() else largest
        y, span = write_division(body, total, sums, dtype, by)
        return Result(self.squeezed(body, y), span)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        layer = super().lower(x)
        to = self.infer(x).dtype
        return replace(layer, attributes={**layer.attributes, "mean": self._division(x, to)})

    def _division(self, x: TensorType, to: FixedType) -> dict[str, Any]:
        """Return the constants of the kernel's division."""
        lo, hi = x.bounds
        elements = int(self.window(x.shape).counts().max())
        lo, hi = min(lo * elements, -1), hi * elements  # the kernel's sum is signed
        sums = FixedType.covering(lo, hi, x.dtype.fractional)
        divisors = np.unique(self.divisors(x.shape))
        if len(divisors) > 1:
            divisors = self.divisors(x.shape).ravel()
        return quotient_parameters(sums, divisors, to)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        return self._cost(target, inputs[0], average=True)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned, line = example_maps()
        none = ((0, 0), (0, 0))
        one = ((1, 1), (1, 1))
        yield Example("exact", cls(kernel=(2, 2), strides=(2, 2), pads=none), (signed,))
        yield Example("sum", cls(kernel=(3, 2), strides=(1, 2), pads=one, total=True), (unsigned,))
        small = FixedType(4, 2, True, Rounding.RND_CONV, Overflow.SAT)
        square = cls(kernel=(2, 2), strides=(1, 2), pads=none, result_t=small)
        yield Example("exact_cast", square, (signed,))
        nine = cls(kernel=(3, 3), strides=(2, 2), pads=one)
        yield Example("unknown_type", nine, (unsigned,))
        for rounding in Rounding:
            to = FixedType(4, 2, True, rounding, Overflow.SAT)
            op = replace(nine, result_t=to, counted=one if rounding == "RND" else None)
            yield Example(f"{rounding.lower()}", op, (signed,))
        fine = FixedType(9, 1, False, Rounding.RND_CONV, Overflow.SAT)
        yield Example(
            "global", replace(cls.over_all((6, 5), squeeze=True), result_t=fine), (unsigned,)
        )
        coarse = FixedType(3, 3, True, Rounding.RND_CONV)
        six = cls(kernel=(6,), strides=(3,), pads=((0, 0),), result_t=coarse)
        yield Example("line", six, (line,))
        yield Example("global_line", cls.over_all((9,), squeeze=False), (line,))
