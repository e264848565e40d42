"""Bounds of tensors: in float64 for all elements at once, in rationals for one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from hwflow.verify.references.exact.values import (
    Apply,
    Bounds,
    Enclosure,
    Leaf,
    Raw,
    Tensor,
    aligned,
    floats,
    largest,
    nearest,
)

_ROUNDOFF = 5 * 2.0**-53
"""Error of ``a * s + o``, relative to ``|a * s| + |o|``: five roundings to nearest."""
_TINY = 1e-300
"""More than what is lost where results are too small to be normal numbers."""


def leaves(tensor: Tensor) -> Iterator[Leaf]:
    """Yield the leaves of a tensor, each once."""
    pending: list[Tensor] = [tensor]
    seen: set[int] = set()
    while pending:
        current = pending.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, Leaf):
            yield current
        else:
            pending.extend(current.operands)


def bounds(tensor: Tensor, rank: int, known: dict[int, Bounds] | None = None) -> Bounds:
    """Return float64 numbers that the tensor is between; both are equal where it is one of them.

    Args:
        tensor: any.
        rank: rank of the result without the axis of the samples.
        known: bounds of parts, by ``id``.
    """
    known = {} if known is None else known
    if id(tensor) not in known:
        if isinstance(tensor, Leaf):
            low, high = _leaf_bounds(tensor)
            known[id(tensor)] = aligned(low, rank, lead=1), aligned(high, rank, lead=1)
        else:
            parts = [bounds(o, rank, known) for o in tensor.operands]
            with np.errstate(all="ignore"):
                known[id(tensor)] = tensor.function.bounds(*parts)
    return known[id(tensor)]


def _leaf_bounds(tensor: Leaf) -> Bounds:
    """Return the bounds of integers times scale plus offset."""
    scale, offset = floats(tensor.scale), floats(tensor.offset)
    if tensor.raw.dtype == object and largest(tensor.raw).bit_length() > 1000:
        product = np.frompyfunc(lambda r, s: nearest(r * s), 2, 1)(tensor.raw, tensor.scale)
        product = np.asarray(product, np.float64)
    else:
        product = tensor.raw.astype(np.float64) * scale
    value = product + offset
    if is_float_exact(tensor):
        return value, value
    error = _ROUNDOFF * (np.abs(product) + np.abs(offset)) + _TINY
    return value - error, value + error


def is_float_exact(tensor: Leaf) -> bool:
    """Return whether float64 computes ``raw * scale + offset`` without any rounding."""
    if tensor.raw.dtype == np.float64:
        return bool(np.all(tensor.scale == 1) and not np.any(tensor.offset))
    parts = [*tensor.scale.ravel(), *tensor.offset.ravel()]
    if any(p.denominator & (p.denominator - 1) for p in parts):
        return False
    finest = max(p.denominator for p in parts)
    scale = max(abs(s) for s in tensor.scale.ravel())
    offset = max(abs(o) for o in tensor.offset.ravel())
    return bool((max(largest(tensor.raw), 1) * scale + offset) * finest < 2**53)


def enclosure(tensor: Tensor, at: dict[int, Fraction], bits: int) -> Enclosure:
    """Return rationals that one element is between.

    Args:
        tensor: any.
        at: the element's value in each leaf, by ``id``; exact values of other parts are added.
        bits: the more, the narrower.
    """
    if id(tensor) in at:
        return at[id(tensor)], at[id(tensor)]
    assert isinstance(tensor, Apply)
    low, high = tensor.function.enclose(bits, *(enclosure(o, at, bits) for o in tensor.operands))
    if low == high:
        at[id(tensor)] = low
    return low, high


@dataclass(frozen=True, eq=False)
class Points:
    """The different elements among some of a tensor.

    Attributes:
        at: for each different element, its value in each leaf, by ``id``.
        inverse: for each element asked for, the number of its entry in ``at``.
    """

    at: Sequence[dict[int, Fraction]]
    inverse: npt.NDArray[np.int64]


def points(tensor: Tensor, samples: int, mask: npt.NDArray[np.bool_]) -> Points:
    r"""Return the different elements among those that a mask selects.

    Args:
        tensor: any.
        samples: how many there are.
        mask: (samples, \*shape of the tensor).
    """
    whole = (samples, *tensor.shape)
    rank = len(whole) - 1
    codes = np.zeros(int(mask.sum()), np.int64)
    columns: list[tuple[Leaf, Raw, Raw, list[tuple[Fraction, Fraction]]]] = []
    for part in leaves(tensor):
        raw = np.broadcast_to(aligned(part.raw, rank, lead=1), whole)[mask]
        grids, number = _grids(part)
        place = np.broadcast_to(aligned(number, rank), whole)[mask]
        for column in (raw, place):
            codes = _combined(codes, column)
        columns.append((part, raw, place, grids))
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    found: list[dict[int, Fraction]] = [{} for _ in first]
    for part, raw, place, grids in columns:
        values = zip(raw[first].tolist(), place[first].tolist(), strict=True)
        for entry, (r, p) in zip(found, values, strict=True):
            scale, offset = grids[p]
            entry[id(part)] = Fraction(r) * scale + offset
    return Points(found, inverse.ravel())


def _grids(part: Leaf) -> tuple[list[tuple[Fraction, Fraction]], npt.NDArray[np.int64]]:
    """Return the different pairs of scale and offset, and the number of the pair at each place."""
    spread = np.broadcast_shapes(part.scale.shape, part.offset.shape)
    scale = np.broadcast_to(part.scale, spread).ravel()
    offset = np.broadcast_to(part.offset, spread).ravel()
    known: dict[tuple[Fraction, Fraction], int] = {}
    numbers = [known.setdefault(pair, len(known)) for pair in zip(scale, offset, strict=True)]
    return list(known), np.array(numbers, np.int64).reshape(spread)


def _combined(codes: Raw, column: Raw) -> Raw:
    """Return small numbers that differ where either of two columns does."""
    if column.size == 0 or bool(np.all(column == column[0])):
        return codes
    values, inverse = np.unique(column, return_inverse=True)
    both = codes * len(values) + inverse.ravel()
    return np.unique(both, return_inverse=True)[1].ravel()
