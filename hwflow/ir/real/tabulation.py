"""Turns a real function that ends in a rounding into the exact integer function on a range.

The range is cut where functions turn between rising and falling, so that every piece is monotone.
On a piece the first input that reaches each level is found by bisection; all pieces, rows and
levels at once. Where that would take more work than looking at every input, every input is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.grid import Rationals
from hwflow.ir.real.expression import Expression, Points, UndefinedError, contents
from hwflow.ir.real.functions import FUNCTIONS
from hwflow.ir.real.nodes import Function, Linear, Product, Rounded, Slopes, Total
from hwflow.ir.real.table import Tabulated
from hwflow.ir.step_function import StepFunction

MAX_INPUTS = 2**26
"""Most inputs, over all rows, that are looked at one by one: a few seconds of work."""

MAX_LEVELS = 2**21
"""Most results, over all rows, whose first input is looked for."""

CHUNK = 2**20
"""Points evaluated at once: bounds the memory."""

MOST_KNOWN = 1024
"""Functions that are kept, since compilations ask for the same ones, on parts of the range."""

MOST_WIDENED = 2
"""How many times the inputs that are asked for are tabulated to keep what was known: the ends of
some functions are far from zero, where they take long."""

_tabulated: dict[Hashable, StepFunction] = {}


class TooManyStepsError(Exception):
    """The function has more steps, or a wider range, than can be tabulated."""


@dataclass(frozen=True, eq=False)
class _Pieces:
    """Monotone pieces: row, first and last input of each, in order of rows and inputs."""

    row: npt.NDArray[np.int64]
    lo: RawArray
    hi: RawArray


def tabulate(tree: Expression, lo: RawArray, hi: RawArray) -> StepFunction:
    """Return the function that a tree computes on ``lo .. hi``.

    Args:
        tree: its value is whole everywhere; its constants have shape ``(1,)``, or as many elements
            as there are rows.
        lo: first input of each row, shape ``(rows,)``.
        hi: last input of each row.

    Raises:
        TooManyStepsError: neither the inputs nor the levels are few enough.
        UndefinedError: the function is not defined on the whole range.
    """
    key = (contents(tree), len(lo))
    known = _tabulated.get(key)
    if known is None or (lo < known.lo).any() or (hi > known.hi).any():
        known = _tabulated[key] = _on_wide_range(tree, known, lo, hi)
        while len(_tabulated) > MOST_KNOWN:
            del _tabulated[next(iter(_tabulated))]
    return known.between(lo, hi)


def _on_wide_range(
    tree: Expression, known: StepFunction | None, lo: RawArray, hi: RawArray
) -> StepFunction:
    """Return a function on ``lo .. hi`` and, if that costs little, where it is known already.

    What is asked for twice is asked for again, on a still wider range: so it is found on one.
    """
    if known is not None:
        low, high = np.minimum(lo, known.lo), np.maximum(hi, known.hi)
        further = (high - low) // 4
        for wide in ((low - further, high + further), (low, high)):
            if _inputs(*wide) > MOST_WIDENED * _inputs(lo, hi):
                continue
            try:
                return _on_whole_range(tree, *wide)
            except (TooManyStepsError, UndefinedError):
                pass
    return _on_whole_range(tree, lo, hi)


def _inputs(lo: RawArray, hi: RawArray) -> int:
    """Return the number of inputs in all rows."""
    return int((hi.astype(np.int64) - lo.astype(np.int64) + 1).sum())


def _on_whole_range(tree: Expression, lo: RawArray, hi: RawArray) -> StepFunction:
    """Return a function on all of ``lo .. hi``."""
    table = _Table(tree, len(lo))
    pieces = _pieces(table, lo.astype(np.int64), hi.astype(np.int64))
    spans = _inputs(lo, hi)
    if pieces is None:
        return _enumerated(table, lo, hi, spans)
    first, last = table(pieces.lo, pieces.row), table(pieces.hi, pieces.row)
    levels = int(np.abs(last - first).astype(object).sum())
    depth = int((pieces.hi - pieces.lo).max()).bit_length() + 1
    if levels * depth > spans or levels > MAX_LEVELS:
        return _enumerated(table, lo, hi, spans)
    return _bisected(table, pieces, first, last)


class _Table:
    """Evaluates a tree at integers."""

    def __init__(self, tree: Expression, rows: int) -> None:
        self.tree = tree.map(lambda c: _per_row(c, rows))
        self._constants: dict[int, npt.NDArray[np.float64]] = {}

    def real(self, tree: Expression, raw: RawArray, row: RawArray) -> npt.NDArray[np.float64]:
        """Return the values of a part of the tree, in float64."""
        return tree.evaluate(Points(raw, row, self._constants))[0]

    def __call__(self, raw: RawArray, row: RawArray) -> RawArray:
        """Return the whole numbers that the tree gives."""
        parts = [
            self.real(self.tree, raw[i : i + CHUNK], row[i : i + CHUNK])
            for i in range(0, max(len(raw), 1), CHUNK)
        ]
        return np.concatenate(parts).astype(np.int64)


def _per_row(constant: Rationals, rows: int) -> Rationals:
    if constant.size not in (1, rows):
        raise ValueError(f"a constant of {constant.size} elements for {rows} rows")
    return constant.reshape(-1)


def _enumerated(table: _Table, lo: RawArray, hi: RawArray, spans: int) -> StepFunction:
    """Return the function by looking at every input."""
    if spans > MAX_INPUTS:
        raise TooManyStepsError(f"{spans} inputs to look at, at most {MAX_INPUTS} are")
    lengths = hi - lo + 1
    row = np.repeat(np.arange(len(lo)), lengths)
    ends = np.cumsum(lengths)
    raw = np.arange(spans) - np.repeat(ends - lengths, lengths) + np.repeat(lo, lengths)
    results = table(raw, row)
    return StepFunction.of(lo, np.split(results, ends[:-1]))


def _bisected(table: _Table, pieces: _Pieces, first: RawArray, last: RawArray) -> StepFunction:
    """Return the function by looking for the first input of each level on each piece."""
    counts = np.abs(last - first)
    piece = np.repeat(np.arange(len(counts)), counts)
    number = np.arange(len(piece)) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    rises = np.where(last >= first, 1, -1)[piece]
    wanted = (number * rises) + first[piece]
    below, reached, row = pieces.lo[piece], pieces.hi[piece], pieces.row[piece]
    while len(piece) and int((reached - below).max()) > 1:
        middle = below + (reached - below) // 2
        there = (table(middle, row) - wanted) * rises >= 0
        below, reached = np.where(there, below, middle), np.where(there, middle, reached)
    starts, rows = np.concatenate([pieces.lo, reached]), np.concatenate([pieces.row, row])
    return _from_runs(table, starts, rows, int(pieces.row.max()) + 1, pieces)


def _from_runs(
    table: _Table, starts: RawArray, rows: RawArray, count: int, pieces: _Pieces
) -> StepFunction:
    """Return the function whose runs start at these inputs, or merge with the run before."""
    order = np.lexsort((starts, rows))
    starts, rows = starts[order], rows[order]
    levels = table(starts, rows)
    new = np.ones(len(starts), bool)
    new[1:] = (np.diff(rows) != 0) | (np.diff(levels) != 0)
    starts, rows, levels = starts[new], rows[new], levels[new]
    cuts = np.searchsorted(rows, np.arange(1, count))
    hi = pieces.hi[np.searchsorted(pieces.row, np.arange(count), side="right") - 1]
    return StepFunction(tuple(np.split(starts, cuts)), tuple(np.split(levels, cuts)), hi)


def _pieces(table: _Table, lo: RawArray, hi: RawArray) -> _Pieces | None:
    """Return the range cut into monotone pieces, or None where that is not known."""
    row = np.arange(len(lo))
    bounds = [lo, hi + 1]
    for function in _functions(table.tree):
        for turn in FUNCTIONS[function.name].turns(function.parameters):
            if any(_turning(f) for f in _functions(function.x)) or _mixes(function.x):
                return None
            near = _crossing(table, function.x, level=turn, lo=lo, hi=hi, row=row)
            # float64 may be off by an input or two: those become pieces of their own
            bounds += [np.clip(near + k, lo, hi + 1) for k in (-1, 0, 1, 2)]
    if _mixes(table.tree):
        return None
    cuts = np.sort(np.stack(bounds), axis=0)
    keep = cuts[:-1] < cuts[1:]
    rows = np.broadcast_to(row, keep.shape)
    order = np.lexsort((cuts[:-1][keep], rows[keep]))
    return _Pieces(rows[keep][order], cuts[:-1][keep][order], (cuts[1:] - 1)[keep][order])


def _crossing(
    table: _Table, tree: Expression, *, level: float, lo: RawArray, hi: RawArray, row: RawArray
) -> RawArray:
    """Return about where a monotone tree passes a level, for each row."""
    rises = table.real(tree, hi, row) >= table.real(tree, lo, row)
    below, above = lo, hi
    while int((above - below).max()) > 1:
        middle = below + (above - below) // 2
        passed = (table.real(tree, middle, row) >= level) == rises
        below, above = np.where(passed, below, middle), np.where(passed, middle, above)
    return above


def _functions(tree: Expression) -> Iterator[Function]:
    if isinstance(tree, Function):
        yield tree
    for operand in tree.operands:
        yield from _functions(operand)


def _turning(function: Function) -> bool:
    return bool(FUNCTIONS[function.name].turns(function.parameters))


def _mixes(tree: Expression) -> bool:
    """Return whether a tree may turn where no function of it says so."""
    if isinstance(tree, (Product, Tabulated, Total)):
        return True
    if isinstance(tree, Slopes) and any(s < 0 for s in tree.slope.ravel()):
        return True
    return any(_mixes(operand) for operand in tree.operands)


def rises(tree: Expression) -> bool:
    """Return whether a tree provably never falls, whatever its integer and row."""
    match tree:
        case Product() | Tabulated() | Total():
            return False
        case Linear() if any(s < 0 for s in tree.scale.ravel()):
            return False
        case Function() if _turning(tree):
            return False
        case Slopes() if any(s < 0 for s in tree.slope.ravel()):
            return False
        case Rounded():
            return rises(tree.x)
    return all(rises(operand) for operand in tree.operands)
