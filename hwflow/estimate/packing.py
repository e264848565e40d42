"""Constant tables in look-up tables of six inputs, counted from what the tables hold.

A function of up to six bits is one LUT6, two functions of the same five bits are one with both
outputs (AMD UG474, 7 Series CLB, "Look-Up Table"; UG574 for UltraScale). A function of more bits is
one LUT6 for each choice of the bits above six; the multiplexers F7 and F8 join up to four of them,
further ones take a LUT6 for each four. Instead, equal choices can be made once, and be joined by
LUTs. The fewer of both counts: each is a circuit that computes the table, so that logic synthesis
need not take more. What depends on one bit is a wire, and what is constant is nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray

INPUTS = 6
"""Inputs of a look-up table."""

WIDE_MUX = 2
"""Levels of multiplexers beside the look-up tables: F7 and F8."""

CHUNK = 1 << 22
"""Bits of tables that are looked at together."""

Bits = npt.NDArray[np.bool_]


def packed_luts(tables: Iterable[RawArray]) -> int:
    """Return the LUT6 that some tables take, each alone.

    Args:
        tables: entries of each, as many as a power of two.
    """
    groups: dict[int, list[RawArray]] = {}
    for table in tables:
        groups.setdefault(len(table), []).append(table)
    return sum(_group(np.stack(group)) for group in groups.values())


def functions_of(entries: RawArray) -> Bits:
    """Return the bits of tables as functions, each inverted where its first value is 1.

    Args:
        entries: ``(tables, entries)``.

    Returns:
        ``(tables, bits, entries)``.
    """
    most = int(max(entries.max(initial=0), -1 - entries.min(initial=0)))
    width = most.bit_length() + 1
    bits = (entries[:, None, :] >> np.arange(width)[None, :, None]) & 1
    return np.asarray(bits != bits[..., :1])


def support(functions: Bits) -> Bits:
    """Return which bits of the index each function depends on, the last bit first."""
    size = functions.shape[-1]
    lead = functions.shape[:-1]
    found = []
    for bit in range(size.bit_length() - 1):
        halves = functions.reshape(*lead, size >> bit + 1, 2, 1 << bit)
        found.append((halves[..., 0, :] != halves[..., 1, :]).any(axis=(-1, -2)))
    return np.stack(found, axis=-1) if found else np.zeros((*lead, 0), bool)


def _group(entries: RawArray) -> int:
    step = max(1, CHUNK // (entries.shape[1] * 64))
    return sum(_chunk(entries[i : i + step]) for i in range(0, len(entries), step))


def _chunk(entries: RawArray) -> int:
    """Return the LUT6 of tables of one size."""
    functions = functions_of(entries)
    needed = support(functions)
    counted = (needed.sum(axis=-1) > 1) & ~_repeated(functions)
    wide = counted & (needed.sum(axis=-1) > INPUTS)
    total = sum(
        _wide(functions[place], needed[place]) for place in map(tuple, np.argwhere(wide).tolist())
    )
    narrow = counted & ~wide
    joint = (needed & narrow[..., None]).any(axis=1).sum(axis=-1)
    each = narrow.sum(axis=1)
    return total + int(np.where(joint < INPUTS, (each + 1) // 2, each).sum())


def _repeated(functions: Bits) -> Bits:
    """Return which functions of a table are equal to one before them."""
    packed = np.packbits(functions, axis=-1)
    found = np.zeros(functions.shape[:2], bool)
    for bit in range(1, functions.shape[1]):
        same = (packed[:, :bit] == packed[:, bit : bit + 1]).all(axis=-1)
        found[:, bit] = same.any(axis=1)
    return found


def _wide(function: Bits, needed: Bits) -> int:
    """Return the LUT6 of a function of more than six bits."""
    inner = essential(function, needed)
    choices = inner.reshape(-1, 1 << INPUTS)
    more = int(np.log2(len(choices)))
    all_made = len(choices) + _joined(len(choices) >> WIDE_MUX)
    folded = np.unique(choices != choices[:, :1], axis=0)
    distinct = int((support(folded).sum(axis=-1) > 1).sum())
    return min(all_made, distinct + _joined(1 << more))


def essential(function: Bits, needed: Bits) -> Bits:
    """Return a function of those bits alone that it depends on."""
    bits = len(needed)
    cube = function.reshape((2,) * bits)
    index = tuple(slice(None) if needed[bits - 1 - axis] else 0 for axis in range(bits))
    return np.asarray(cube[index]).ravel()


def _joined(ways: int) -> int:
    """Return the LUT6 that choose one of several; each chooses one of four."""
    return ceil((ways - 1) / 3) if ways > 1 else 0
