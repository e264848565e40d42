"""Makes an input on which two computations differ as small as can be: fewer and smaller numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.tensor import TensorType

Differs = Callable[[list[RawArray]], npt.NDArray[np.bool_]]
"""Takes operands, batch first; says for each sample whether the computations differ."""


def shrink(
    sample: Sequence[RawArray], types: Sequence[TensorType], differs: Differs
) -> list[RawArray] | None:
    """Return a small sample on which the computations still differ, or None if this one does not.

    1. All elements but one are 0 (or what their type has next to it), if any such sample differs.
    2. Otherwise blocks of elements become 0, the larger ones first, as long as the samples differ.
    3. What is left becomes as small as it can, one element after the other.

    Args:
        sample: mantissas of each operand, without a batch axis.
        types: types of the operands.
        differs: compares the computations on a batch; called about twenty times.
    """
    zeros = [np.zeros(x.size, np.int64) for x in types]
    rest = np.concatenate([np.clip(0, *_bounds(x)) + z for x, z in zip(types, zeros, strict=True)])
    start = np.concatenate([s.ravel() for s in sample])

    def failing(candidates: Sequence[RawArray]) -> list[RawArray]:
        if not candidates:
            return []
        ends = np.cumsum([x.size for x in types])[:-1]
        parts = np.split(np.stack(candidates), ends, axis=1)
        shaped = [p.reshape(-1, *x.shape) for p, x in zip(parts, types, strict=True)]
        return [c for c, wrong in zip(candidates, differs(shaped), strict=True) if wrong]

    if not failing([start]):
        return None
    places = [int(i) for i in np.flatnonzero(start != rest)]
    alone = failing([_only(start, rest, [i]) for i in places])
    if alone:
        found = min(alone, key=lambda c: int(np.abs(c - rest).sum()))
    else:
        found = _without_blocks(start, rest, failing)
    for i in (int(i) for i in np.flatnonzero(found != rest)):
        found = next(iter(failing(list(_smaller(found, int(rest[i]), i)))), found)
    ends = np.cumsum([x.size for x in types])[:-1]
    parts = np.split(found, ends)
    return [p.reshape(x.shape) for p, x in zip(parts, types, strict=True)]


def _bounds(x: TensorType) -> tuple[RawArray, RawArray]:
    """Return the bounds of every element, flat."""
    return tuple(np.broadcast_to(b, x.shape).ravel() for b in (x.lo, x.hi))  # type: ignore[return-value]


def _only(start: RawArray, rest: RawArray, places: list[int]) -> RawArray:
    """Return ``rest`` with some places taken from ``start``."""
    kept = rest.copy()
    kept[places] = start[places]
    return kept


def _without_blocks(
    start: RawArray, rest: RawArray, failing: Callable[[Sequence[RawArray]], list[RawArray]]
) -> RawArray:
    """Return ``start`` with as many blocks put to rest as possible."""
    found = start
    size = max(1, int((start != rest).sum()) // 2)
    while True:
        places = [int(i) for i in np.flatnonzero(found != rest)]
        blocks = [places[i : i + size] for i in range(0, len(places), size)]
        kept = [[p for p in places if p not in set(block)] for block in blocks]
        smaller = failing([_only(found, rest, k) for k in kept if k])
        if smaller:
            found = smaller[0]
        elif size == 1:
            return found
        else:
            size //= 2


def _smaller(found: RawArray, rest: int, place: int) -> Iterator[RawArray]:
    """Yield the sample with smaller and smaller steps from rest at one place, smallest first."""
    distance = int(found[place]) - rest
    sign = 1 if distance > 0 else -1
    sizes = {abs(distance) >> k for k in range(abs(distance).bit_length())}
    sizes |= set(range(1, min(abs(distance), 64)))
    for size in sorted(sizes - {0}):
        candidate = found.copy()
        candidate[place] = rest + sign * size
        yield candidate
