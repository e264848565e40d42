"""What operators on two activations share: common grid, ranges, broadcasting, the kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Loop, Pattern, none, ones, only
from hwflow.estimate.layer import elementwise_cost
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, shift_left
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Target
from hwflow.ir.scaled import Operand, Scaled, Total, Way
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.turns import _InTurns, turns_layer

KERNEL_AXES = 4
"""Axes that the broadcasting kernel loops over."""


def require_two(node: OnnxNode) -> tuple[TensorType, TensorType]:
    """Return both activations of a node, after checking that ONNX broadcasts them.

    Raises:
        RefusedError: there are not two, or their axes do not match.
    """
    if len(node.activations) != 2 or len(node.inputs) != 2:
        raise node.refuse(
            f"{node.op_type} of {len(node.inputs)} operands",
            supported="two activations, or an activation and a constant",
            help="add them in pairs",
        )
    a, b = node.activations
    sizes = [{1, *pair} for pair in zip(a.shape, b.shape, strict=False)]
    if len(a.shape) != len(b.shape) or any(len(s) > 2 for s in sizes):
        raise node.refuse(
            f"{node.op_type} of shapes that do not match",
            code="HW223",
            found=f"{a.shape} and {b.shape} beside the batch, in the hardware's order of axes",
            supported="as many axes on both sides, of equal size or 1",
            help="reshape one operand, so that both have a batch axis and equally many others",
        )
    return a, b


def common_shape(a: TensorType, b: TensorType) -> tuple[int, ...]:
    """Return the shape that both broadcast to."""
    return np.broadcast_shapes(a.shape, b.shape)


def on_common_grid(*inputs: TensorType) -> tuple[list[tuple[RawArray, RawArray]], int]:
    """Return every input's bounds on the finest of their grids, and its fractional bits.

    Raises:
        OverflowError: an input does not fit 62 bits on that grid.
    """
    fractional = max(t.dtype.fractional for t in inputs)
    bounds = []
    for t in inputs:
        low, high = shift_left(np.stack([t.lo, t.hi]), fractional - t.dtype.fractional)
        bounds.append((low, high))
    return bounds, fractional


def raw_on_common_grid(a: FixedArray, b: FixedArray) -> tuple[RawArray, RawArray]:
    """Return the mantissas of both on the finer of their grids."""
    fractional = max(a.dtype.fractional, b.dtype.fractional)
    return a.raw << (fractional - a.dtype.fractional), b.raw << (fractional - b.dtype.fractional)


def written_on_common_grid(
    body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[list[Tensor], list[Span]]:
    """Return operands on the finest of their grids, in one arithmetic and one order of axes."""
    fractional = max(t.dtype.fractional for t in types)
    spans = []
    for t in types:
        up = fractional - t.dtype.fractional
        spans.append(Span(t.bounds[0] << up, t.bounds[1] << up, fractional))
    within = carrier(sum(s.largest for s in spans), "a sum")
    first = all(x.first for x in operands)
    found = []
    for x, t in zip(operands, types, strict=True):
        x = x if first else body.channels_last(x)
        found.append(body.scaled(body.carried(x, within), fractional - t.dtype.fractional))
    return found, spans


def broadcast(body: Body, op_type: str, a: Tensor, b: Tensor) -> Tensor:
    """Return the result of an elementwise operator on two values that broadcast."""
    return replace(body.apply(op_type, a, b.name), shape=np.broadcast_shapes(a.shape, b.shape))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Merge(_InTurns):
    """An elementwise function of two activations that broadcast.

    Class attributes:
        kernel: hls4ml's name of the operation.
        sign: C++ operator.
    """

    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")
    kernel: ClassVar[str]
    sign: ClassVar[str]

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        a, b = inputs
        yield from super().check(target, a, b)
        if a.shape != b.shape and len(a.shape) > KERNEL_AXES:
            yield Diagnostic(
                code="HW223",
                title="broadcasting over too many axes",
                found=f"{a.shape} and {b.shape}",
                supported=f"{KERNEL_AXES} axes beside the batch",
            )

    def lower(self, *inputs: TensorType) -> HlsLayer:
        a, b = inputs
        return merge_layer(self.kernel, self.sign, a, b, self.reuse_factor)

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return one step for each token of the result; what repeats is read before all others."""
        a, b = inputs
        if a.shape == b.shape:
            return super().tokens(counts, a, b)
        out = common_shape(a, b)[:-1]
        repeats = [t.shape[:-1] != out for t in inputs]
        first = [Loop(only(2, k, counts[k]), none(counts[k])) for k in (0, 1) if repeats[k]]
        reads = np.repeat(np.array([[0 if r else 1] for r in repeats]), prod(out), axis=1)
        return Pattern.of([*first, Loop(reads, ones(prod(out))).in_turns(self.reuse_factor)])

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, result_t, inputs in example_types():
            yield Example(name, cls(result_t=result_t), tuple(inputs))


@dataclass(frozen=True, kw_only=True, eq=False)
class _SignedSum(_Merge):
    """``a + factor * b``, exactly.

    Class attributes:
        factor: 1 or -1.
    """

    aligned: ClassVar[bool] = True
    wraps: ClassVar[bool] = True
    factor: ClassVar[int]

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if len(operands) == 1:
            return Way.FUNCTION
        return Total(cls.from_onnx(node), (1, cls.factor))

    def exact(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        ((a_lo, a_hi), (b_lo, b_hi)), fractional = on_common_grid(a, b)
        low, high = np.sort(self.factor * np.stack([b_lo, b_hi]), axis=0)
        return TensorType.exactly(common_shape(a, b), a_lo + low, a_hi + high, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        full = (TensorType.full(t.shape[1:], t.dtype) for t in inputs)
        left, right = raw_on_common_grid(*inputs)
        return FixedArray(left + self.factor * right, self.exact(*full).dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (a, b), (left, right) = written_on_common_grid(body, operands, types)
        y = broadcast(body, "Add" if self.factor > 0 else "Sub", a, b)
        low, high = sorted((self.factor * right.lo, self.factor * right.hi))
        return Result(y, Span(left.lo + low, left.hi + high, left.fractional))

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        wide = max(inputs, key=lambda t: t.dtype.width)
        operand = TensorType.full(common_shape(*inputs), wide.dtype)
        some, out = one_turn(operand, self.reuse_factor, target), self.infer(*inputs)
        bits = sum(t.dtype.width for t in inputs)
        cost = elementwise_cost(some, out.dtype, target=target)
        return in_turns(cost, self.reuse_factor, out, bits, target=target)


def merge_layer(op: str, sign: str, a: TensorType, b: TensorType, turns: int = 1) -> HlsLayer:
    """Return hls4ml's merge layer for equal shapes, else the broadcasting kernel.

    hls4ml's own broadcasting repeats the smaller operand modulo its size, which is ONNX's only
    where the leading axes are missing (nnet_merge.h), and its streams do not broadcast.

    Args:
        op: hls4ml's name of the operation.
        sign: C++ operator.
        a: left operand.
        b: right operand.
        turns: values that each lane computes.
    """
    if a.shape == b.shape:
        plain = HlsLayer(class_name="Merge", attributes={"op": op})
        return plain if turns == 1 else turns_layer(op, a.shape, turns, merges=True)
    shape = common_shape(a, b)
    sizes = (1,) * (KERNEL_AXES - len(shape)) + shape
    return HlsLayer(
        class_name="HwflowKernel",
        kernel="broadcast",
        attributes={
            "output_shape": list(shape),
            "sign": sign,
            "sizes": sizes,
            "strides": [_strides(t.shape) for t in (a, b)],
            "repeats": [t.shape[:-1] != shape[:-1] for t in (a, b)],
        },
        reuse_factor=turns,
    )


def _strides(shape: tuple[int, ...]) -> list[int]:
    """Return the step in memory along each axis of the kernel; 0 where values repeat."""
    padded = (1,) * (KERNEL_AXES - len(shape)) + shape
    steps = np.cumprod((1, *padded[:0:-1]))[::-1]
    return [int(step) if size > 1 else 0 for size, step in zip(padded, steps, strict=True)]


def example_types() -> Iterable[tuple[str, FixedType | None, Sequence[TensorType]]]:
    """Yield name, result type and inputs of examples that suit every merge."""
    signed, unsigned, coarse = FixedType(6, 2), FixedType(5, 3, signed=False), FixedType(4, 6)
    rounded = FixedType(5, 3, True, Rounding.RND_CONV, Overflow.SAT)
    full = TensorType.full
    yield "vector", None, (full((5,), signed), full((5,), unsigned))
    yield "image", None, (full((2, 3, 4), coarse), full((2, 3, 4), signed))
    yield "rounded", rounded, (full((2, 3), signed), full((2, 3), unsigned))
    yield "per_channel", None, (full((3, 4), signed), full((1, 4), unsigned))
    yield "per_position", None, (full((2, 1), signed), full((2, 4), signed))
    yield "outer", None, (full((3, 1, 2), signed), full((1, 4, 1), unsigned))
    yield "one", rounded, (full((1,), signed), full((6,), signed))


def product_bounds(a: TensorType, b: TensorType) -> tuple[RawArray, RawArray]:
    """Return the least and greatest product of two values, per channel.

    Raises:
        OverflowError: a product could pass 62 bits.
    """
    largest = max(map(abs, a.bounds)) * max(map(abs, b.bounds))
    if largest.bit_length() > 62:
        raise OverflowError("a product could pass 62 bits")
    ends = np.stack([x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)])
    return ends.min(axis=0), ends.max(axis=0)
