"""What operators share that only move elements: each result is an input or a constant."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.layer import free_cost, move_cost
from hwflow.fixed import FixedArray, FixedType, RawArray, needed_fractional, shift_left
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import Rationals
from hwflow.ir.op import HlsLayer, OnnxNode, Op, Target
from hwflow.ir.real.expression import Expression
from hwflow.ir.scaled import OnIntegers, Operand, Scaled
from hwflow.ir.tensor import TensorType

FILL = -1
"""Source of an element that is the constant."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Move(Op):
    """Moves elements; a cast to ``result_t`` happens on the way.

    hls4ml keeps an array flat with the last axis fastest, so a move is a table of source indices.
    """

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        chain, x = cls.from_onnx(node), operands[0]
        return OnIntegers(chain, moved(x.meaning, chain, x.type.shape)) if x.meaning else None

    @property
    def fill(self) -> float:
        """The constant that stands where no input element goes."""
        return 0.0

    @abstractmethod
    def sources(self, shape: tuple[int, ...]) -> RawArray:
        """Return for each result element the flat index of its input element, or ``FILL``."""

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        sources = self.sources(x.shape)
        dtype, value = self._common(x.dtype, filled=bool((sources == FILL).any()))
        up = dtype.fractional - x.dtype.fractional
        ends = []
        for bound in (shift_left(x.lo, up), shift_left(x.hi, up)):
            every = np.broadcast_to(bound, x.shape or (1,)).ravel()
            moved = np.where(sources == FILL, value, every[sources])
            ends.append(moved.reshape(-1, sources.shape[-1]))
        return TensorType(sources.shape, dtype, ends[0].min(axis=0), ends[1].max(axis=0))

    def _common(self, dtype: FixedType, *, filled: bool) -> tuple[FixedType, int]:
        """Return a type that holds the input and the constant, and the constant's mantissa."""
        if not filled:
            return dtype, 0
        fractional = max(dtype.fractional, needed_fractional(np.array([self.fill])))
        value = int(np.ldexp(self.fill, fractional))
        if dtype.holds(value, value, fractional):
            return dtype, value
        up = fractional - dtype.fractional
        lo, hi = min(dtype.raw_min << up, value), max(dtype.raw_max << up, value)
        return FixedType.covering(lo, hi, fractional), value

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        sources = self.sources(x.shape[1:])
        empty = sources == FILL
        dtype, value = self._common(x.dtype, filled=bool(empty.any()))
        raw = shift_left(x.raw, dtype.fractional - x.dtype.fractional).reshape(len(x.raw), -1)
        return FixedArray(np.where(empty, value, raw[:, sources]), dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        sources = self.sources(x.shape)
        filled = bool((sources == FILL).any())
        dtype, fill = self._common(x_t.dtype, filled=filled)
        up = dtype.fractional - x_t.dtype.fractional
        lo, hi = (end << up for end in x_t.bounds)
        span = Span(lo, hi, dtype.fractional)
        if filled:
            span = Span(min(lo, fill), max(hi, fill), dtype.fractional)
            x = body.carried(x, max(x.carrier, carrier(span.largest, "padding")))
        y = self._write_moved(body, body.channels_last(body.scaled(x, up)), sources, fill)
        return Result(y, span)

    def _write_moved(self, body: Body, x: Tensor, sources: RawArray, fill: int) -> Tensor:
        """Write the move of a value with the channels last.

        Args:
            body: the body that is written.
            x: the value, on the grid of the result.
            sources: for each result element its input element, or ``FILL``.
            fill: mantissa of the constant.
        """
        if np.array_equal(sources.ravel(), np.arange(prod(x.shape))):
            return body.reshaped(x, sources.shape)
        flat = body.reshaped(x, (prod(x.shape),))
        chosen = sources.ravel()
        if (chosen == FILL).any():
            pads = body.constant([0, 0, 0, 1], np.int64, "pads")
            flat = body.apply("Pad", flat, pads, body.number(x, fill, "fill"))
            chosen = np.where(chosen == FILL, prod(x.shape), chosen)
        index = body.constant(chosen, np.int64, "sources")
        y = replace(body.apply("Gather", flat, index, axis=1), shape=(len(chosen),))
        return body.reshaped(y, sources.shape)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        sources = self.sources(x.shape)
        if np.array_equal(sources.ravel(), np.arange(x.size)):
            if self.infer(x).dtype == x.dtype:
                return view_layer(sources.shape)
            return copy_layer(sources.shape)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="gather",
            attributes={
                "output_shape": list(sources.shape),
                "sources": sources.ravel().tolist(),
                "fill": self.fill,
            },
        )

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        (x,) = inputs
        sources = self.sources(x.shape)
        in_order = np.array_equal(sources.ravel(), np.arange(x.size))
        return gathered(counts[0], prod(sources.shape[:-1]), in_order=in_order)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        if np.array_equal(self.sources(x.shape).ravel(), np.arange(x.size)):
            return free_cost()
        return move_cost(self.infer(x), target=target)


def gathered(tokens: int, written: int, *, in_order: bool) -> Pattern:
    """Return what ``gather.h`` does with its streams.

    Args:
        tokens: tokens that it reads.
        written: tokens that it writes.
        in_order: whether the elements keep their order.
    """
    if in_order and (tokens % written == 0 or written % tokens == 0):
        return Pattern.packing(tokens, written)
    return Pattern.buffered([tokens], written)


def view_layer(shape: tuple[int, ...]) -> HlsLayer:
    """Return the hls4ml layer that gives the same elements another shape, without hardware."""
    return HlsLayer(class_name="Reshape", attributes={"target_shape": list(shape)})


def copy_layer(shape: tuple[int, ...]) -> HlsLayer:
    """Return the layer that copies (and casts) elements in order into another shape."""
    attributes = {"output_shape": list(shape), "sources": None, "fill": 0.0}
    return HlsLayer(class_name="HwflowKernel", kernel="gather", attributes=attributes)


def flat_index(shape: tuple[int, ...]) -> RawArray:
    """Return the flat index of every element of an array of a shape."""
    return np.arange(prod(shape), dtype=np.int64).reshape(shape)


def moved(tree: Expression, chain: Sequence[Op], shape: tuple[int, ...]) -> Expression:
    """Return a function of elements behind operators that move these: its constants go along.

    Args:
        tree: the function, of a value of a shape.
        chain: operators that move elements, one after the other.
        shape: shape of the value.
    """
    return tree.map(lambda c: _moved_constant(c, chain, shape))


def _moved_constant(c: Rationals, chain: Sequence[Op], shape: tuple[int, ...]) -> Rationals:
    if c.size == 1:
        return c
    full = np.broadcast_to(c, shape).ravel()
    places = FixedArray(np.arange(full.size).reshape(1, *shape), FixedType(32, 32, False))
    for op in chain:
        places = op.compute(places)
    there = full[np.asarray(places.raw[0])]
    flat = there.reshape(-1, there.shape[-1])
    if np.all(flat == flat[0]):
        return np.asarray(flat[0] if np.any(flat[0] != flat[0, 0]) else flat[0, :1])
    return np.asarray(there)
