"""Pools, reductions and choices of the largest: sums and comparisons of integers."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from hwflow.ir.grid import Rationals
from hwflow.verify.references.exact.decision import on_one_grid, without_offset
from hwflow.verify.references.exact.functions import MAXIMUM, MINIMUM
from hwflow.verify.references.exact.linear import every_axis, exact_sum, gathered, summed, whole
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.sums import batches
from hwflow.verify.references.exact.values import (
    LIMIT,
    Apply,
    Leaf,
    Raw,
    Tensor,
    largest,
    leaf,
    rational_array,
)
from hwflow.verify.references.exact.windows import Windows, windows


def average_pool(view: View) -> Step:
    """Return the evaluation of ``AveragePool``."""
    kernel = tuple(view.attributes["kernel_shape"])
    with_padding = bool(view.attributes.get("count_include_pad"))

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        x = on_one_grid(x, every_axis(x)[2:])
        over = windows(x.shape[2:], kernel, view.attributes)
        counts = over.padded if with_padding else (over.places >= 0).sum(axis=1)
        shares = rational_array([Fraction(1, c) for c in counts.tolist()])
        shares = shares.reshape(1, 1, *over.shape)
        return (summed(x, lambda raw: _pooled(raw, over), x.scale, _simple(shares)),)

    return step


def _simple(values: Rationals) -> Rationals:
    """Return one number where all are the same, with the same rank."""
    same = len(set(values.ravel().tolist())) == 1
    return values.ravel()[:1].reshape((1,) * values.ndim) if same else values


def _pooled(raw: Raw, over: Windows) -> Raw:
    r"""Return the sum of each window: (samples, 1, channels, \*positions)."""
    size = batches(len(raw), raw.shape[2] * over.places.size)
    parts = [
        exact_sum(gathered(raw[i : i + size, 0], over, 0), 3, over.places.shape[1])
        for i in range(0, len(raw), size)
    ]
    sums = np.concatenate(parts)
    return sums.reshape(len(raw), 1, sums.shape[1], *over.shape)


def max_pool(view: View) -> Step:
    """Return the evaluation of ``MaxPool``."""
    kernel = tuple(view.attributes["kernel_shape"])

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        over = windows(x.shape[2:], kernel, view.attributes)
        return (_before_rising(x, lambda inner: _largest(whole(inner, samples), over)),)

    return step


def _before_rising(x: Tensor, pool: Callable[[Tensor], Tensor]) -> Tensor:
    """Return a maximum over positions, taken before functions that keep the order of numbers.

    The largest of ``relu(x)`` is ``relu`` of the largest ``x``, and that is of integers.
    """
    if isinstance(x, Leaf):
        return pool(x)
    if x.function.rising:
        return Apply(x.function, (_before_rising(x.operands[0], pool),))
    if x.function in (MAXIMUM, MINIMUM):
        for inner, limit in (x.operands, x.operands[::-1]):
            is_limit = isinstance(limit, Leaf) and limit.constant
            if is_limit and set(limit.shape[2:]) <= {1} and inner.shape == x.shape:
                return Apply(x.function, (_before_rising(inner, pool), limit))
    return pool(x)


def _largest(x: Leaf, over: Windows) -> Leaf:
    """Return the largest of each window."""
    x = comparable(x, every_axis(x)[2:])
    samples = len(x.raw)
    lowest = -LIMIT if x.raw.dtype == np.int64 else -largest(x.raw) - 1
    size = batches(samples, math.prod(x.shape[:2]) * over.places.size)
    parts = [
        gathered(x.raw[i : i + size, 0], over, lowest).max(axis=3) for i in range(0, samples, size)
    ]
    raw = np.concatenate(parts).reshape(samples, *x.shape[:2], *over.shape)
    return Leaf(raw, x.scale, x.offset)


def comparable(tensor: Leaf, axes: tuple[int, ...]) -> Leaf:
    """Return integers that are in the order of the real numbers along some axes."""
    if any(part.shape[a] != 1 for part in (tensor.scale, tensor.offset) for a in axes):
        tensor = without_offset(tensor, axes)
    signs = np.array([-1 if s < 0 else 1 for s in tensor.scale.ravel()], np.int64)
    signs = signs.reshape(tensor.scale.shape)
    if (signs > 0).all():
        return tensor
    scale = rational_array(tensor.scale * signs.astype(object))
    return Leaf(tensor.raw * signs[None], scale, tensor.offset)


def reduced(view: View) -> Step:
    """Return the evaluation of ``ReduceSum``, ``ReduceMean``, ``ReduceMax``, ``ReduceMin``."""
    given = view.attributes.get("axes")
    if given is None and (listed := view.constant(1)) is not None:
        given = listed.ravel().astype(int).tolist()
    if not given and view.attributes.get("noop_with_empty_axes"):
        raise view.refused("that reduces nothing")
    keep = bool(view.attributes.get("keepdims", 1))
    return _reduction(view, view.node.op_type, given, keep=keep)


def over_positions(view: View) -> Step:
    """Return the evaluation of ``GlobalAveragePool`` and ``GlobalMaxPool``."""
    kind = {"GlobalAveragePool": "ReduceMean", "GlobalMaxPool": "ReduceMax"}[view.node.op_type]
    return _reduction(view, kind, None, keep=True, first=2)


def _reduction(view: View, kind: str, given: object, *, keep: bool, first: int = 0) -> Step:
    """Return a reduction over axes; over all from ``first`` on where none are given."""

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        rank = x.raw.ndim - 1
        listed = tuple(given) if isinstance(given, (list, tuple)) else ()
        axes = tuple(sorted(a % rank for a in listed)) or tuple(range(first, rank))
        inner = tuple(1 + a for a in axes)
        if kind in ("ReduceMax", "ReduceMin"):
            x = comparable(x, axes)
            pick = np.max if kind == "ReduceMax" else np.min
            y = Leaf(np.asarray(pick(x.raw, axis=inner, keepdims=True)), x.scale, x.offset)
        else:
            y = _added(on_one_grid(x, axes), axes, mean=kind == "ReduceMean")
        return (y if keep else _without_axes(y, axes),)

    return step


def _added(x: Leaf, axes: tuple[int, ...], *, mean: bool) -> Leaf:
    """Return the sum or the mean along axes, which are kept as 1."""
    terms = math.prod(x.shape[a] for a in axes)
    share = rational_array([Fraction(1, terms if mean else 1)]).reshape((1,) * x.scale.ndim)
    inner = tuple(1 + a for a in axes)
    return summed(x, lambda raw: exact_sum(raw, inner, terms, keepdims=True), x.scale, share)


def _without_axes(y: Leaf, axes: tuple[int, ...]) -> Leaf:
    parts = (rational_array(np.squeeze(part, axes)) for part in (y.scale, y.offset))
    return Leaf(np.squeeze(y.raw, tuple(1 + a for a in axes)), *parts)


def arg_extreme(view: View) -> Step:
    """Return the evaluation of ``ArgMax`` and ``ArgMin``: the first, or last, of equal ones."""
    last = bool(view.attributes.get("select_last_index"))
    pick = np.argmax if view.node.op_type == "ArgMax" else np.argmin

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        axis = int(view.attributes.get("axis", 0)) % (x.raw.ndim - 1)
        raw = comparable(x, (axis,)).raw
        found = pick(np.flip(raw, 1 + axis) if last else raw, axis=1 + axis, keepdims=True)
        if last:
            found = raw.shape[1 + axis] - 1 - found
        y = leaf(np.asarray(found, np.int64))
        return (y if view.attributes.get("keepdims", 1) else _without_axes(y, (axis,)),)

    return step


def top_k(view: View) -> Step:
    """Return the evaluation of ``TopK``: of equal ones, those with the lower index come first."""
    listed = view.constant(1) if len(view.node.inputs) > 1 else None
    count = int(view.attributes["k"] if listed is None else listed.ravel()[0])
    sign = 1 if view.attributes.get("largest", 1) else -1
    if not view.attributes.get("sorted", 1):
        raise view.refused("without an order of the results")

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = whole(view.tensor(operands, 0), samples)
        axis = int(view.attributes.get("axis", -1)) % (x.raw.ndim - 1)
        x = comparable(x, (axis,))
        order = np.argsort(-sign * x.raw, axis=1 + axis, kind="stable")
        order = np.take(order, range(count), axis=1 + axis)
        raw = np.take_along_axis(x.raw, order, axis=1 + axis)
        return Leaf(raw, x.scale, x.offset), leaf(order)

    return step
