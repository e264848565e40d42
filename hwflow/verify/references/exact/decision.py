"""Where real numbers become definite: quantisers' levels, float64 results, integers for sums.

Float64 bounds decide almost everything. What lies within them of a boundary is decided in rational
arithmetic, with growing precision for what is irrational.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from hwflow.verify.references.exact.enclosure import bounds, enclosure, is_float_exact, points
from hwflow.verify.references.exact.values import (
    F64,
    Leaf,
    Raw,
    Tensor,
    common_step,
    compact,
    constant,
    floats,
    largest,
    leaf,
    multiples,
    nearest,
    plus,
    rational_array,
    times,
)

_BITS = (64, 256, 1024, 4096)
"""Precisions tried in turn."""

_SETTLED_BITS = 256
"""Precision of what is irrational and enters a sum or a product without a quantiser before it."""


def decided(
    tensor: Tensor,
    samples: int,
    step: Callable[[F64], F64],
    exact: Callable[[Fraction], float],
) -> F64:
    r"""Return a function with steps of every element.

    Args:
        tensor: any.
        samples: how many there are.
        step: never falling, on float64 numbers, without any rounding of its own.
        exact: the same on rationals.

    Returns:
        float64, (samples, \*shape of the tensor).
    """
    whole = (samples, *tensor.shape)
    low, high = (step(b) for b in bounds(tensor, len(tensor.shape)))
    result = np.array(np.broadcast_to(low, whole))
    unsure = np.broadcast_to(low != high, whole)
    if unsure.any():
        found = points(tensor, samples, unsure)
        values = [_at(tensor, at, exact) for at in found.at]
        result[unsure] = np.array(values, np.float64)[found.inverse]
    return result


def _at(tensor: Tensor, at: dict[int, Fraction], exact: Callable[[Fraction], float]) -> float:
    """Return a function with steps of one element.

    An enclosure that still holds a step after the last precision means that the value is the
    boundary itself, the simplest rational in it.
    """
    for bits in _BITS:
        low, high = enclosure(tensor, at, bits)
        if low == high or (result := exact(low)) == exact(high):
            return exact(low) if low == high else result
    return exact(((low + high) / 2).limit_denominator(2**64))


def rounded(tensor: Tensor, samples: int) -> F64:
    r"""Return every element as the float64 nearest to it, (samples, \*shape of the tensor)."""
    if isinstance(tensor, Leaf) and _rounds_once(tensor):
        value = tensor.raw.astype(np.float64) * floats(tensor.scale) + floats(tensor.offset)
        return np.array(np.broadcast_to(value, (samples, *tensor.shape)))
    return decided(tensor, samples, lambda x: x, nearest)


def _rounds_once(tensor: Leaf) -> bool:
    """Return whether float64 rounds at most once in ``raw * scale + offset``."""
    if is_float_exact(tensor):
        return True
    single = not tensor.offset.any() and all(_is_float(s) for s in tensor.scale.ravel())
    whole = tensor.raw.dtype != np.float64 and largest(tensor.raw) < 2**53
    return single and whole


def _is_float(value: Fraction) -> bool:
    return Fraction(nearest(value)) == value


def settled(tensor: Tensor, samples: int) -> Leaf:
    """Return the tensor as integers with one scale, without an offset if it is not a leaf yet.

    Results that are irrational are taken to 256 bits behind the point.
    """
    if isinstance(tensor, Leaf) and tensor.raw.dtype != np.float64:
        return tensor
    whole = (samples, *tensor.shape)
    found = points(tensor, samples, np.ones(whole, bool))
    exact = np.empty(len(found.at), object)
    exact[:] = [_settled_at(tensor, at) for at in found.at]
    step = common_step(exact)
    raw: Raw = multiples(exact, step)[found.inverse].reshape(whole)
    return leaf(raw, step)


def _settled_at(tensor: Tensor, at: dict[int, Fraction]) -> Fraction:
    low, high = enclosure(tensor, at, _SETTLED_BITS + 64)
    if low == high:
        return low
    return Fraction(round((low + high) / 2 * 2**_SETTLED_BITS), 2**_SETTLED_BITS)


def on_one_grid(tensor: Leaf, axes: tuple[int, ...]) -> Leaf:
    """Return integers with the same scale along some axes; the offset stays apart.

    Args:
        tensor: integers.
        axes: axes of one sample.
    """
    scale = tensor.scale
    along = [a for a in axes if scale.shape[a] != 1]
    if not along:
        return tensor
    if len({*scale.ravel()}) == 1:
        return leaf(
            tensor.raw, rational_array(scale.ravel()[:1]).reshape((1,) * scale.ndim), tensor.offset
        )
    kept = tuple(1 if a in along else n for a, n in enumerate(scale.shape))
    steps = np.empty(kept, object)
    factors = np.empty(scale.shape, object)
    for index in np.ndindex(kept):
        part = tuple(slice(None) if a in along else i for a, i in enumerate(index))
        step = steps[index] = common_step(rational_array(scale[part]))
        factors[part] = multiples(rational_array(scale[part]), step)
    return Leaf(times(tensor.raw, compact(factors)[None]), steps, tensor.offset)


def without_offset(tensor: Leaf, axes: tuple[int, ...]) -> Leaf:
    """Return integers with one scale along some axes and no offset."""
    if not tensor.offset.any():
        return on_one_grid(tensor, axes)
    shape = np.broadcast_shapes(tensor.scale.shape, tensor.offset.shape)
    scale = np.broadcast_to(tensor.scale, shape)
    offset = np.broadcast_to(tensor.offset, shape)
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    steps = np.empty(kept, object)
    factors, shifts = np.empty(shape, object), np.empty(shape, object)
    for index in np.ndindex(kept):
        part = tuple(slice(None) if a in axes else i for a, i in enumerate(index))
        both = np.stack([rational_array(scale[part]), rational_array(offset[part])])
        step = steps[index] = common_step(both)
        factors[part], shifts[part] = multiples(both, step)
    raw = plus(times(tensor.raw, compact(factors)[None]), compact(shifts)[None])
    return Leaf(raw, steps, constant(rational_array(steps * 0)).offset)
