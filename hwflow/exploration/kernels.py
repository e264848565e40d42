"""Stages computed on mantissas in floating point, where that is proven to be exact.

Sums of products whose every partial sum stays below 2^24 are exact in float32, below 2^53 in
float64; requantisations are the lines that ``line_of`` proves. Whatever has no such kernel is
computed by the operator itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Node
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.requantization.floating_lines import Line, line_of
from hwflow.ops.requantization.problem import rows_of
from hwflow.ops.requantize import Requantize
from hwflow.ops.reshape import Reshape
from hwflow.ops.shared.conv import _Convolution
from hwflow.ops.shared.products import _Products

Mantissas = npt.NDArray[Any]
"""Whole numbers in float32 or float64, batch first, channels last."""

Kernel = Callable[..., Mantissas]

EXACT_FLOAT32, EXACT_FLOAT64 = 2**24, 2**53
"""Whole numbers up to these are exact (IEEE 754, 24 and 53 bits of significand)."""


@dataclass(frozen=True, eq=False)
class Product:
    """A product with a matrix: ``rows(x) @ matrix + bias``.

    Attributes:
        gather: takes the operand to rows of what each output is a sum of.
        geometry: what tells ``gather`` from others.
        matrix: (inputs, outputs), in the arithmetic in which all sums are exact.
        bias: (outputs,) in the same.
        shape: shape of the result, batch aside.
    """

    gather: Callable[[Mantissas], Mantissas]
    geometry: Hashable
    matrix: Mantissas
    bias: Mantissas
    shape: tuple[int, ...]

    def __call__(self, x: Mantissas) -> Mantissas:
        """Return the sums of one operand."""
        return self.finished(self.gather(x).astype(self.matrix.dtype, copy=False) @ self.matrix, x)

    def finished(self, sums: Mantissas, x: Mantissas) -> Mantissas:
        """Return the result from the products."""
        if self.bias.any():
            sums = sums + self.bias
        return sums.reshape(len(x), *self.shape)


def product_of(op: Op, x: TensorType) -> Product | None:
    """Return the product that a layer with weights is, or None where it is not exact as one."""
    if not isinstance(op, _Products) or op.accum_t is not None or "Depthwise" in op.kind:
        return None
    matrix, total = op.matrix, op.exact(x)
    weight_up = total.dtype.fractional - x.dtype.fractional - op.weight.dtype.fractional
    bias_up = total.dtype.fractional - op.bias.dtype.fractional
    if min(weight_up, bias_up) < 0 or max(weight_up, bias_up) > 52:
        return None
    shape = total.shape
    if isinstance(op, _Convolution):
        window = op.window(x.shape)
        gather: Callable[[Mantissas], Mantissas] = lambda v: _windows(window, v)  # noqa: E731
        geometry: Hashable = window
    elif op.kind == "Dense":
        gather, geometry = lambda v: v.reshape(-1, v.shape[-1]), "rows"
    else:
        return None
    factors = np.ldexp(matrix.astype(np.float64), weight_up)
    bias = np.ldexp(op.bias.raw.astype(np.float64), bias_up)
    largest = max(map(abs, x.bounds)) * np.abs(factors).sum(axis=0) + np.abs(bias)
    to = _exact_type(float(largest.max(initial=0.0)))
    if to is None:
        return None
    return Product(gather, geometry, factors.astype(to), bias.astype(to), shape)


def _exact_type(largest: float) -> type[np.floating[Any]] | None:
    if largest <= EXACT_FLOAT32:
        return np.float32
    return np.float64 if largest <= EXACT_FLOAT64 else None


def _windows(window: Any, x: Mantissas) -> Mantissas:
    """Return what each window of a convolution sees, (batch * positions, taps * channels)."""
    padded = window.pad(x)
    seen = np.stack([window.at(padded, tap) for tap in window.taps()], axis=-2)
    return seen.reshape(-1, seen.shape[-2] * seen.shape[-1])


def kernel_of(node: Node, inputs: Sequence[TensorType], result: TensorType) -> Kernel:
    """Return what computes a node on mantissas, its cast included."""
    op = node.op
    made = _fast(op, inputs)
    if made is None:
        return _by_operator(op, inputs, result.dtype)
    kernel, exact = made
    if op.result_t is None:
        return kernel
    cast = cast_of(exact, result.dtype)
    if cast is None:
        return _by_operator(op, inputs, result.dtype)
    return lambda *x: cast(kernel(*x))


def _fast(op: Op, inputs: Sequence[TensorType]) -> tuple[Kernel, TensorType] | None:
    """Return a kernel and the exact type of what it gives, where there is one."""
    if isinstance(op, Requantize) and op.weights is None and len(inputs) == 1:
        kernel = _requantizer(op, inputs[0])
        return None if kernel is None else (kernel, op.exact(*inputs))
    if isinstance(op, MaxPool):
        return _pool(op, inputs[0]), op.exact(*inputs)
    if isinstance(op, Reshape):
        shape = op.exact(*inputs).shape
        return (lambda x: x.reshape(len(x), *shape)), op.exact(*inputs)
    product = product_of(op, inputs[0])
    return None if product is None else (product, op.exact(*inputs))


def _by_operator(op: Op, inputs: Sequence[TensorType], to: FixedType) -> Kernel:
    """Return the operator's own computation in integers."""
    types = [x.dtype for x in inputs]

    def run(*operands: Mantissas) -> Mantissas:
        pairs = zip(operands, types, strict=True)
        raw = [FixedArray(x.astype(np.int64), t) for x, t in pairs]
        found: Mantissas = op.compute(*raw).cast(to).raw.astype(np.float64)
        return found

    return run


def _pool(op: MaxPool, x: TensorType) -> Kernel:
    window, lowest = op.window(x.shape), x.dtype.raw_min

    def run(values: Mantissas) -> Mantissas:
        padded = window.pad(values, lowest)
        taps = window.taps()
        best = window.at(padded, next(taps)).copy()
        for tap in taps:
            np.maximum(best, window.at(padded, tap), out=best)
        found: Mantissas = best.reshape(len(best), -1) if op.squeeze else best
        return found

    return run


def _requantizer(op: Requantize, x: TensorType) -> Kernel | None:
    problem = op.problem(x)
    line = line_of(problem)
    if line is None:
        return None
    rows = problem.rows
    if rows not in (1, x.channels):
        rows_of(rows, x)
    shape = (1,) if rows == 1 else (rows,) if rows == x.channels else x.shape
    return _line(line, shape)


def _line(line: Line, shape: tuple[int, ...]) -> Kernel:
    """Return a proven line as a kernel; its rows lie along the last axis, or along all."""
    to = line.carrier.dtype
    factor, offset = line.factor.reshape(shape).astype(to), line.offset.reshape(shape).astype(to)
    ends = [v.reshape(shape) if v.size > 1 else v for v in (line.least, line.most)]
    least, most = (np.asarray(v, to) for v in ends)

    def run(x: Mantissas) -> Mantissas:
        x = x.astype(to, copy=False)
        total = x / factor if line.divides else x * factor
        total += offset
        (np.rint if line.divides else np.floor)(total, out=total)
        np.maximum(total, least, out=total)
        found: Mantissas = np.minimum(total, most, out=total)
        return found

    return run


def cast_of(exact: TensorType, to: FixedType) -> Kernel | None:
    """Return the cast of exact results to a type, or None where floating point does not do it."""
    shift = exact.dtype.fractional - to.fractional
    rounding = {Rounding.TRN: np.floor, Rounding.RND_CONV: np.rint}.get(to.rounding)
    factor = 2.0**-shift
    lo, hi = exact.bounds
    fits = lo * factor >= to.raw_min and hi * factor <= to.raw_max - 1
    if rounding is None or (to.overflow is not Overflow.SAT and not fits):
        return None
    if max(-lo, hi) * max(factor, 1.0) > EXACT_FLOAT64:
        return None

    def run(x: Mantissas) -> Mantissas:
        total = rounding(x.astype(np.float64) * factor)
        found: Mantissas = np.clip(total, to.raw_min, to.raw_max)
        return found

    return run
