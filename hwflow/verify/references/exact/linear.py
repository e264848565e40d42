"""Matrix products, convolutions and sums over axes, on integers."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from hwflow.ir.grid import Rationals
from hwflow.verify.references.exact.arithmetic import add, multiply, number, table
from hwflow.verify.references.exact.decision import on_one_grid, settled, without_offset
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.sums import batches, matmul, offset_leaf, weight_integers
from hwflow.verify.references.exact.values import (
    F64,
    LIMIT,
    Leaf,
    Raw,
    Tensor,
    largest,
    leaf,
    rational_array,
)
from hwflow.verify.references.exact.windows import Windows, windows

Sum = Callable[[Raw], Raw]
r"""Sums of integers, weighted or not: a function of (samples, \*shape) to (samples, \*result)."""


def whole(tensor: Tensor, samples: int) -> Leaf:
    """Return a tensor as integers that fill its whole shape."""
    found = settled(tensor, samples)
    raw = np.broadcast_to(found.raw, (samples, *found.shape))
    return Leaf(raw, found.scale, found.offset)


def summed(tensor: Leaf, sum_of: Sum, scale: Rationals, factor: Rationals) -> Leaf:
    """Return weighted sums of ``raw * scale + offset``.

    Args:
        tensor: a tensor with one scale for all that is added.
        sum_of: what is computed of the integers.
        scale: scale of the operand, as it broadcasts to the result.
        factor: factor of the weights, as it broadcasts to the result.
    """
    raw = sum_of(tensor.raw)
    offset = rational_array(factor * Fraction(0))
    if tensor.offset.any():
        apart = offset_leaf(tensor)
        offset = rational_array(sum_of(apart.raw)[0].astype(object) * apart.scale.flat[0] * factor)
    return Leaf(raw, rational_array(scale * factor), offset)


def every_axis(tensor: Leaf) -> tuple[int, ...]:
    """Return the numbers of all axes of one sample."""
    return tuple(range(tensor.scale.ndim))


def matrix_product(view: View, weights: F64, *, first: bool = False) -> Step:
    """Return ``x @ weights``, or ``weights @ x``, for constant weights of two axes."""
    matrix = weights.T if first else weights
    integers, scales = weight_integers(matrix, 1)

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, int(first)), samples)
        if first:
            x = Leaf(*(np.swapaxes(part, -1, -2) for part in (x.raw, x.scale, x.offset)))
        x = on_one_grid(x, (x.scale.ndim - 1,))
        rank = x.scale.ndim
        factor = scales.reshape((1,) * (rank - 1) + (-1,))
        y = summed(x, lambda raw: matmul(raw, integers), x.scale, factor)
        if first:
            y = Leaf(*(np.swapaxes(part, -1, -2) for part in (y.raw, y.scale, y.offset)))
        return (y,)

    return step


def mat_mul(view: View) -> Step:
    """Return the evaluation of ``MatMul``."""
    left, right = view.constants
    for weights, first in ((right, False), (left, True)):
        if weights is not None:
            if weights.ndim != 2:
                raise view.refused(f"with weights of shape {weights.shape}")
            return matrix_product(view, weights, first=first)
    return lambda operands, samples: (_product(view, operands, samples),)


def _product(view: View, operands: Operands, samples: int) -> Leaf:
    """Return the product of two matrices that both depend on the input."""
    a, b = (whole(view.tensor(operands, i), samples) for i in (0, 1))
    a, b = (without_offset(x, every_axis(x)) for x in (a, b))
    if a.raw.ndim != b.raw.ndim or a.raw.ndim < 3:
        raise view.refused("of operands that differ in rank")
    return leaf(matmul(a.raw, b.raw), rational_array(a.scale * b.scale))


def einsum(view: View) -> Step:
    """Return the evaluation of ``Einsum``; the samples take the place of the batch of 1."""
    equation = str(view.attributes["equation"]).replace(" ", "")

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        factors: list[Raw] = []
        scale, bound = Fraction(1), 1
        for i, known in enumerate(view.constants):
            x = whole(view.tensor(operands, i), samples)
            x = without_offset(x, every_axis(x))
            factors.append(x.raw[:, 0] if known is None else x.raw[0])
            unit: Fraction = x.scale.ravel().tolist()[0]
            scale *= unit
            bound *= max(largest(x.raw), 1) * x.raw[0].size
        kind = np.int64 if bound < LIMIT else object
        total = np.einsum(equation, *(f.astype(kind) for f in factors))
        return (leaf(total[:, None], rational_array(scale)),)

    return step


def gemm(view: View) -> Step:
    """Return the evaluation of ``Gemm``."""
    weights = view.constant(1)
    if weights is None or view.constants[0] is not None or view.attributes.get("transA"):
        raise view.refused("with a transposed or constant first operand")
    product = matrix_product(view, weights.T if view.attributes.get("transB") else weights)
    alpha, beta = number(view.number("alpha", 1.0)), number(view.number("beta", 1.0))

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        y = multiply(product(operands, samples)[0], alpha)
        bias = view.optional(operands, 2)
        return (y if bias is None else add(y, multiply(bias, beta)),)

    return step


def conv(view: View) -> Step:
    """Return the evaluation of ``Conv``, with any number of axes and groups."""
    weights = view.constant(1)
    if weights is None or view.constants[0] is not None:
        raise view.refused("with constant data")
    integers, scales = weight_integers(weights, 0)
    groups = int(view.attributes.get("group", 1))
    # (groups, terms, results in a group)
    grouped = integers.reshape(groups, len(integers) // groups, -1).swapaxes(1, 2)
    kernel = weights.shape[2:]
    factor = scales.reshape(1, -1, *(1,) * len(kernel))

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        apart = groups == x.shape[1]  # each channel has its own sum, and may have its own scale
        x = on_one_grid(x, tuple(a for a in every_axis(x) if a != 1 or not apart))
        scale = x.scale
        if scale.shape[1] > 1:
            scale = np.repeat(scale, len(weights) // groups, axis=1)
        over = windows(x.shape[2:], kernel, view.attributes)
        y: Tensor = summed(x, lambda raw: convolved(raw, grouped, over), scale, factor)
        bias = view.constant(2)
        if bias is not None:
            y = add(y, table(bias.reshape(1, -1, *(1,) * len(kernel))))
        return (y,)

    return step


def convolved(raw: Raw, grouped: Raw, over: Windows) -> Raw:
    r"""Return the sums of a convolution: (samples, 1, channels, \*positions)."""
    samples, channels = len(raw), raw.shape[2]
    groups, _, each = grouped.shape
    size = batches(samples, channels * over.places.size)
    parts = []
    for start in range(0, samples, size):
        read = gathered(raw[start : start + size, 0], over, 0)  # samples, channels, positions, taps
        n, positions = len(read), read.shape[2]
        terms = read.reshape(n, groups, channels // groups, positions, -1).swapaxes(2, 3)
        sums = matmul(terms.reshape(n, groups, positions, -1), grouped[None])
        parts.append(sums.swapaxes(2, 3).reshape(n, 1, groups * each, *over.shape))
    return np.concatenate(parts)


def gathered(raw: Raw, over: Windows, padding: int) -> Raw:
    """Return what each window reads: (samples, channels, positions, size of the window)."""
    flat = raw.reshape(*raw.shape[:2], -1)
    if (over.places < 0).any():
        border = np.full((*flat.shape[:2], 1), padding, flat.dtype)
        flat = np.concatenate([flat, border], axis=2)
    return flat[:, :, over.places]


def exact_sum(raw: Raw, axes: int | tuple[int, ...], terms: int, *, keepdims: bool = False) -> Raw:
    """Return sums of integers along axes."""
    if raw.dtype == np.int64 and largest(raw) * max(terms, 1) >= LIMIT:
        raw = raw.astype(object)
    return np.asarray(raw.sum(axis=axes, keepdims=keepdims), raw.dtype)
