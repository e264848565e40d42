"""Stages computed on mantissas in floating point, where that is proven to be exact.

Sums of products whose every partial sum stays below 2^24 are exact in float32, below 2^53 in
float64; requantisations are the lines that ``line_of`` proves. Whatever has no such kernel is
computed by the operator itself.

Arrays have the channels first and the samples last, (channels, positions..., samples): products
are then products of matrices as they lie, and all else runs along the samples.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.rounders import (
    EXACT_FLOAT32,
    EXACT_FLOAT64,
    Rounder,
    along,
    cast_of,
    requantizer_of,
)
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Node
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.requantize import Requantize
from hwflow.ops.reshape import Reshape
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.conv import _Convolution
from hwflow.ops.shared.merge import _SignedSum, on_common_grid
from hwflow.ops.shared.products import _Products

Mantissas = npt.NDArray[Any]
"""Whole numbers in float32 or float64, channels first, samples last."""

Kernel = Callable[..., Mantissas]


def samples_last(x: npt.NDArray[Any]) -> Mantissas:
    """Return values, samples first and channels last, with the channels first."""
    return np.ascontiguousarray(np.swapaxes(x, 0, -1)) if x.ndim > 1 else x


def samples_first(x: Mantissas) -> npt.NDArray[Any]:
    """Return values, channels first and samples last, as operators take them."""
    return np.ascontiguousarray(np.swapaxes(x, 0, -1)) if x.ndim > 1 else x


@dataclass(frozen=True, eq=False, kw_only=True)
class Product:
    """A product with a matrix: ``matrix @ columns(x) + bias``.

    Attributes:
        gather: takes the operand to columns of what each output is a sum of.
        geometry: what tells ``gather`` from others.
        matrix: (outputs, inputs), in the arithmetic in which all sums are exact.
        bias: (outputs,) in the same.
        shape: shape of the result, channels first, samples aside.
        largest: no partial sum is larger.
    """

    gather: Callable[[Mantissas], Mantissas]
    geometry: Hashable
    matrix: Mantissas
    bias: Mantissas
    shape: tuple[int, ...]
    largest: float

    def __call__(self, x: Mantissas) -> Mantissas:
        """Return the sums of one operand."""
        columns = self.gather(x).astype(self.matrix.dtype, copy=False)
        sums: Mantissas = self.matrix @ columns + self.bias[:, None]
        return sums.reshape(*self.shape, x.shape[-1])


def product_of(op: Op, x: TensorType) -> Product | None:
    """Return the product that a layer with weights is, or None where it is not exact as one."""
    if not isinstance(op, _Products) or op.accum_t is not None or "Depthwise" in op.kind:
        return None
    matrix, total = op.matrix, op.exact(x)
    weight_up = total.dtype.fractional - x.dtype.fractional - op.weight.dtype.fractional
    bias_up = total.dtype.fractional - op.bias.dtype.fractional
    if min(weight_up, bias_up) < 0 or max(weight_up, bias_up) > 52:
        return None
    if isinstance(op, _Convolution):
        window = op.window(x.shape)
        gather: Callable[[Mantissas], Mantissas] = lambda v: _windows(window, v)  # noqa: E731
        geometry: Hashable = window
    elif op.kind == "Dense":
        gather, geometry = lambda v: v.reshape(len(v), -1), "rows"
    else:
        return None
    factors = np.ldexp(matrix.astype(np.float64), weight_up)
    bias = np.ldexp(op.bias.raw.astype(np.float64), bias_up)
    largest = max(map(abs, x.bounds)) * np.abs(factors).sum(axis=0) + np.abs(bias)
    most = float(largest.max(initial=0.0))
    to = exact_type(most)
    if to is None:
        return None
    shape = (total.shape[-1], *total.shape[:-1])
    rows = np.ascontiguousarray(factors.T.astype(to))
    return Product(
        gather=gather, geometry=geometry, matrix=rows, bias=bias.astype(to), shape=shape,
        largest=most,
    )  # fmt: skip


def exact_type(largest: float) -> type[np.floating[Any]] | None:
    """Return the arithmetic in which whole numbers up to some are exact, if there is one."""
    if largest <= EXACT_FLOAT32:
        return np.float32
    return np.float64 if largest <= EXACT_FLOAT64 else None


def _windows(window: Any, x: Mantissas) -> Mantissas:
    """Return what each window of a convolution sees, (taps * channels, positions * samples)."""
    padded, taps = window.pad(x), list(window.taps())
    seen = np.empty((len(taps), len(x), *window.out, x.shape[-1]), x.dtype)
    for i, tap in enumerate(taps):
        seen[i] = window.at(padded, tap)
    return seen.reshape(len(taps) * len(x), -1)


@dataclass(frozen=True, eq=False)
class Move:
    """What only moves values, or selects the greatest: a function that rises goes through it.

    Attributes:
        key: what tells it from others.
        run: moves an array.
        selects: it takes the greatest of several positions.
    """

    key: Hashable
    run: Kernel
    selects: bool
    _behind: dict[Rounder, Rounder | None] = field(default_factory=dict)

    def __call__(self, x: Mantissas) -> Mantissas:
        """Return moved values."""
        return self.run(x)

    def behind(self, rounder: Rounder, shape: tuple[int, ...]) -> Rounder | None:
        """Return what a rounder of values before this is behind it, or None.

        Args:
            rounder: the rounder.
            shape: shape of what it takes, samples aside.
        """
        if rounder not in self._behind:
            self._behind[rounder] = self._moved(rounder, shape)
        return self._behind[rounder]

    def _moved(self, rounder: Rounder, shape: tuple[int, ...]) -> Rounder | None:
        whole = (*shape, 1)
        if self.selects and not (rounder.rises and rounder.by_channel):
            return None
        return rounder.changed(
            lambda v: (
                v if v.size == 1 else self.run(np.ascontiguousarray(np.broadcast_to(v, whole)))
            )
        )


def _spread(v: Mantissas, shape: tuple[int, ...]) -> Mantissas:
    return np.ascontiguousarray(np.broadcast_to(v, shape))


def move_of(op: Op, x: TensorType) -> Move | None:
    """Return the move that an operator is, or None."""
    if not isinstance(op, (MaxPool, Reshape)) or op.result_t is not None or not x.shape:
        return None
    key, shape = (op.kind, repr(op.parameters()), x.shape), op.exact(x).shape
    if isinstance(op, MaxPool):
        return Move(key, _pool(op, x), True)
    return Move(key, lambda v: _reshaped(v, shape), False) if shape else None


def _reshaped(x: Mantissas, shape: tuple[int, ...]) -> Mantissas:
    """Return values in another shape, channels last."""
    flat = np.moveaxis(x, 0, -2).reshape(*shape, x.shape[-1])
    return np.ascontiguousarray(np.moveaxis(flat, -2, 0))


def _pool(op: MaxPool, x: TensorType) -> Kernel:
    window, lowest = op.window(x.shape), -EXACT_FLOAT64
    """Padding is below every sum, and wins in no window: each has elements of its own."""

    def run(values: Mantissas) -> Mantissas:
        padded = window.pad(values, lowest)
        taps = window.taps()
        best = window.at(padded, next(taps)).copy()
        for tap in taps:
            np.maximum(best, window.at(padded, tap), out=best)
        return _reshaped(best, (x.shape[-1],)) if op.squeeze else best

    return run


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
    kernel: Kernel | None
    if isinstance(op, Requantize):
        kernel = requantizer_of(op, inputs)
    elif isinstance(op, _SignedSum):
        kernel = _sum(op, inputs)
    elif isinstance(op, ScaleBias):
        kernel = _line(op, inputs[0])
    else:
        kernel = product_of(op, inputs[0]) or move_of(op, inputs[0])
    return None if kernel is None else (kernel, op.exact(*inputs))


def _sum(op: _SignedSum, inputs: Sequence[TensorType]) -> Kernel | None:
    """Return the sum of two operands of one shape, on their common grid."""
    a, b = inputs
    if a.shape != b.shape:
        return None
    _, fractional = on_common_grid(a, b)
    first, second = (2.0 ** (fractional - t.dtype.fractional) for t in inputs)
    second *= op.factor
    most = sum(max(map(abs, t.bounds)) * abs(f) for t, f in ((a, first), (b, second)))
    to = exact_type(most)
    if to is None:
        return None

    def run(x: Mantissas, y: Mantissas) -> Mantissas:
        total: Mantissas = x.astype(to, copy=False) * to(first)
        total += y.astype(to, copy=False) * to(second)
        return total

    return run


def _line(op: ScaleBias, x: TensorType) -> Kernel | None:
    """Return a factor and an offset for each channel or element."""
    try:
        factor, offset = op.on_result_grid(x.dtype.fractional)
    except OverflowError:
        return None
    most = max(map(abs, x.bounds)) * float(np.abs(factor).max()) + float(np.abs(offset).max())
    to = exact_type(most)
    if to is None:
        return None
    a, b = (along(v.ravel(), x.shape, v.size).astype(to) for v in (factor, offset))

    def run(values: Mantissas) -> Mantissas:
        found: Mantissas = values.astype(to, copy=False) * a
        found += b
        return found

    return run


def _by_operator(op: Op, inputs: Sequence[TensorType], to: FixedType) -> Kernel:
    """Return the operator's own computation in integers."""
    types = [x.dtype for x in inputs]
    narrow = np.float32 if to.width <= 24 else np.float64

    def run(*operands: Mantissas) -> Mantissas:
        pairs = zip(operands, types, strict=True)
        raw = [FixedArray(samples_first(x).astype(np.int64), t) for x, t in pairs]
        return samples_last(op.compute(*raw).cast(to).raw.astype(narrow))

    return run
