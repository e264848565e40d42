"""TFLite's integer arithmetic as step functions: what becomes of nodes of ``hwflow.tflite``.

``hwflow/frontends/tflite/functions.py`` defines the same operators as ONNX functions. Operands are
whole numbers, and so are results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.grid import ONE, ZERO, Rationals, rationals
from hwflow.ir.op import OnnxNode
from hwflow.ir.real.expression import Expression, all_constants
from hwflow.ir.real.nodes import Clamp, Linear, Rounded, Source
from hwflow.ir.real.tabulation import tabulate
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware

HALF = rationals(0.5)

KINDS = ("Requantize", "Rescale", "Mean", "Add", "Table", "Tables", "Whole")
"""Operators of the domain that become one function."""

MOST_PAIRS = 2**20
"""Pairs of operands of a sum that are looked at, at most: all of them for two of 8 or 9 bits."""

SPAN = 30
"""Finest weights tried for the smaller operand of a sum: the larger one's is ``2**SPAN``."""


def function_of_node(node: OnnxNode) -> dict[str, Any] | None:
    """Return the fields of the ``Requantize`` that computes a node, None where nothing is to do.

    Raises:
        RefusedError: a result of TFLite's would not fit its 32 bits, or a sum has no weights.
    """
    match node.op_type:
        case "Add":
            return _sum(node)
        case "Table":
            return _table(node)
        case "Tables":
            return _tables(node)
        case "Whole" if node.activations[0].dtype.fractional <= 0:
            return None
        case "Whole":
            raise node.refuse("a value that is no whole number")
        case "Mean":
            return _tree(node, _mean(node))
        case "Rescale":
            return _rescaled(node)
    return _tree(node, _requantized(node))


def _parameter(node: OnnxNode, index: int) -> Rationals:
    constant = node.constant(index)
    if constant is None:
        raise node.refuse("TFLite arithmetic with a parameter that is not constant")
    return np.atleast_1d(rationals(to_hardware(node, node.activations[0], constant.values)))


def _tree(node: OnnxNode, rounded: Expression) -> dict[str, Any]:
    """Return the function of one operand, moved and limited as the node's attributes say."""
    (x,) = node.activations
    moved = Linear(rounded, ONE, rationals(node.attributes["zero_point"]))
    limits = (rationals(node.attributes[name]) for name in ("minimum", "maximum"))
    tree: Expression = Clamp(moved, *limits)
    size = max(c.size for c in all_constants(tree))
    lo, hi = (np.broadcast_to(end, x.shape).ravel() for end in (x.lo, x.hi))
    if size == 1:
        lo, hi = lo.min(keepdims=True), hi.max(keepdims=True)
    elif size == x.channels:
        lo, hi = x.lo, x.hi
    flat = tree.map(lambda c: c.reshape(-1))
    function = tabulate(flat, np.asarray(lo, np.int64), np.asarray(hi, np.int64))
    return {"function": function, "tree": flat, "points": (x.dtype.fractional,)}


def _requantized(node: OnnxNode) -> Expression:
    """Return ``MultiplyByQuantizedMultiplier`` of a sum and its bias: rounded twice."""
    (x,) = node.activations
    bias, multiplier, shift = (_parameter(node, i) for i in (1, 2, 3))
    up, down = np.maximum(shift, 0), np.maximum(-shift, 0)
    _require_int32(node, bias, up)
    scale = multiplier * _power(up) / Fraction(2) ** 31
    unit = Fraction(2) ** -x.dtype.fractional
    high = Rounded(Linear(Source(), scale * unit, bias * scale + HALF), "FLOOR")
    return Rounded(Linear(high, _power(-down), ZERO), "HALF_UP")


def _rescaled(node: OnnxNode) -> dict[str, Any]:
    """Return a sum and its bias times a float64, rounded half away from zero in float64.

    The product itself is rounded, which puts some next to a tie onto it: there is no tree of real
    functions for that, so that the function covers all of the operand's type.
    """
    (x,) = node.activations
    bias, factor = (_parameter(node, i) for i in (1, 2))
    _require_int32(node, bias, rationals([0]))
    zero, least, greatest = (node.attributes[n] for n in ("zero_point", "minimum", "maximum"))
    unit = 2.0**-x.dtype.fractional
    starts, levels, sides = [], [], []
    for row in range(max(bias.size, factor.size)):
        shift, slope = (float(c[row if c.size > 1 else 0]) for c in (bias, factor))

        def moved(raw: RawArray, shift: float = shift, slope: float = slope) -> RawArray:
            product = (raw * unit + shift) * slope
            whole = np.floor(np.abs(product))
            nearest = np.copysign(whole + (np.abs(product) - whole >= 0.5), product)
            return np.asarray(nearest + zero, np.int64)

        ends = x.dtype.raw_min, x.dtype.raw_max
        found = _runs(lambda raw: np.clip(moved(raw), least, greatest), *ends)
        starts.append(found[0])
        levels.append(found[1])
        sides.append(_runs(lambda raw: _side(moved(raw), least, greatest), *ends))
    hi = np.full(len(starts), x.dtype.raw_max, np.int64)
    function = StepFunction(tuple(starts), tuple(levels), hi)
    limits = StepFunction(tuple(s for s, _ in sides), tuple(n for _, n in sides), hi)
    return {"function": function, "points": (x.dtype.fractional,), "limits": limits}


def _side(moved: RawArray, least: int, greatest: int) -> RawArray:
    """Return -1 below and 1 above the limits, else 0; what is below 0 as the least is a relu's."""
    below = (moved < least) & (least != 0)
    return (moved > greatest).astype(np.int64) - below


def _runs(function: Callable[[RawArray], RawArray], lo: int, hi: int) -> tuple[RawArray, RawArray]:
    """Return the first input and the result of each run of a function that never falls."""
    first, last = (int(v) for v in function(np.array([lo, hi])))
    wanted = np.arange(first + 1, last + 1)
    below, reached = np.full(len(wanted), lo), np.full(len(wanted), hi)
    while len(wanted) and int((reached - below).max()) > 1:
        middle = below + (reached - below) // 2
        there = function(middle) >= wanted
        below, reached = np.where(there, below, middle), np.where(there, middle, reached)
    starts = np.unique(np.concatenate([[lo], reached]))
    return starts, function(starts)


def _power(exponent: Rationals) -> Rationals:
    return np.asarray(np.frompyfunc(lambda e: Fraction(2) ** int(e), 1, 1)(exponent), object)


def _require_int32(node: OnnxNode, bias: Rationals, up: Rationals) -> None:
    """Refuse sums that TFLite's 32-bit integers cannot hold on their whole range."""
    (x,) = node.activations
    unit = Fraction(2) ** -x.dtype.fractional
    ends = [abs(int(end) * unit) for end in x.bounds]
    largest = max(ends) + max(abs(b) for b in bias.ravel())
    if largest * 2 ** int(max(up.ravel())) >= 2**31:
        raise node.refuse(
            "a sum that could overflow TFLite's 32-bit integers",
            code="HW296",
            found=f"up to {int(largest)}, times 2**{int(max(up.ravel()))}",
            supported="below 2**31",
            help="use fewer inputs or smaller weights in this layer",
        )


def _mean(node: OnnxNode) -> Expression:
    """Return a sum over a count, rounded half away from zero with its zero point."""
    (x,) = node.activations
    count = _parameter(node, 1)
    unit, offset = Fraction(2) ** -x.dtype.fractional, rationals(node.attributes["offset"])
    return Rounded(Linear(Source(), unit / count, offset), "HALF_UP")


def _table(node: OnnxNode) -> dict[str, Any]:
    """Return a function that is given as a table."""
    constant = node.constant(1)
    first = int(node.attributes["first"])
    if constant is None or node.activations[0].dtype.fractional:
        raise node.refuse("TFLite arithmetic with a parameter that is not constant")
    _require_inside(node, node.activations[0], first, constant.values.size)
    results = constant.values.ravel().astype(np.int64)
    return {"function": StepFunction.of(np.array([first]), [results]), "points": (0,)}


def _tables(node: OnnxNode) -> dict[str, Any]:
    """Return functions given as parts of one table, each with the input that index 0 stands for."""
    (x, *_), table = node.activations, node.constant(1)
    if table is None or x.dtype.fractional:
        raise node.refuse("TFLite arithmetic with a parameter that is not constant")
    values = table.values.ravel().astype(np.int64)
    lo, hi = x.bounds
    rows = [lo - int(first) for first in _parameter(node, 2).ravel()]
    if min(rows) < 0 or max(rows) + hi - lo >= values.size:
        raise node.refuse("an operand that leaves the range of its table", found=f"{lo} to {hi}")
    results = [values[at : at + hi - lo + 1] for at in rows]
    function = StepFunction.of(np.full(len(rows), lo, np.int64), results)
    return {"function": function, "points": (0,)}


def _require_inside(node: OnnxNode, x: TensorType, first: int, size: int) -> None:
    if not first <= x.bounds[0] <= x.bounds[1] < first + size:
        raise node.refuse(
            "an operand that leaves the range of its table",
            found=f"{x.bounds[0]} to {x.bounds[1]}, for a table from {first} to {first + size - 1}",
        )


def _sum(node: OnnxNode) -> dict[str, Any]:
    """Return the function of a weighted sum that equals TFLite's sum for every pair of operands."""
    a, b = node.activations
    fine = []
    for index, x in ((2, a), (3, b)):
        constant = node.constant(index)
        first = int(node.attributes["first_a" if index == 2 else "first_b"])
        if constant is None or x.dtype.fractional:
            raise node.refuse("TFLite arithmetic with a parameter that is not constant")
        _require_inside(node, x, first, constant.values.size)
        lo, hi = x.bounds
        fine.append(constant.values.ravel()[lo - first : hi + 1 - first].astype(np.int64))
    if len(fine[0]) * len(fine[1]) > MOST_PAIRS:
        raise node.refuse(
            "a sum of operands too wide", code="HW295",
            found=f"{len(fine[0])} and {len(fine[1])} levels", supported="8-bit operands",
        )  # fmt: skip
    total = fine[0][:, None] + fine[1][None, :]
    moved, least, greatest = _results(node, total)
    results = np.clip(moved, least, greatest)
    values = [np.arange(x.bounds[0], x.bounds[1] + 1) for x in (a, b)]
    slopes = [Fraction(int(f[-1] - f[0]), max(len(f) - 1, 1)) for f in fine]
    for weights in _candidates(slopes):
        sums = weights[0] * values[0][:, None] + weights[1] * values[1][None, :]
        function = _monotone(sums.ravel(), results.ravel())
        if function is not None:
            factors = tuple(np.array(w) for w in weights)
            limits = _risen(sums.ravel(), _side(moved, least, greatest).ravel())
            points = (0, 0)
            return {"function": function, "weights": factors, "points": points, "limits": limits}
    raise node.refuse(
        "a sum that is no function of one weighted sum of its operands", code="HW295",
        found="tables of its operands that are not lines, rounded",
        help="convert the .tflite file again: the tables of two scales are lines",
    )  # fmt: skip


def _results(node: OnnxNode, total: RawArray) -> tuple[RawArray, int, int]:
    """Return what TFLite makes of fine sums, and the least and greatest result it limits it to."""
    multiplier, shift = (int(_parameter(node, i).ravel()[0]) for i in (4, 5))
    high = ((total << max(shift, 0)) * multiplier + (1 << 30)) >> 31
    down = max(-shift, 0)
    rounded = np.sign(high) * ((np.abs(high) + ((1 << down) >> 1)) >> down)
    moved = rounded + int(node.attributes["zero_point"])
    least, greatest = (int(node.attributes[name]) for name in ("minimum", "maximum"))
    return np.asarray(moved, np.int64), least, greatest


def _candidates(slopes: list[Fraction]) -> Iterator[tuple[int, int]]:
    """Yield whole weights in about the ratio of two slopes, the smallest first."""
    large = 0 if abs(slopes[0]) >= abs(slopes[1]) else 1
    ratio = slopes[1 - large] / slopes[large] if slopes[large] else Fraction(0)
    sign = 1 if slopes[large] >= 0 else -1
    for bits in range(SPAN + 1):
        for wide in {1 << bits, 3 << bits >> 1}:
            near = round(ratio * wide)
            for narrow in (near, near - 1, near + 1):
                pair = (sign * wide, sign * narrow)
                yield pair if large == 0 else (pair[1], pair[0])


def _risen(sums: RawArray, sides: RawArray) -> StepFunction:
    """Return sides as a function of sums; next to a limit, all beyond the first that is limited."""
    order = np.argsort(sums, kind="stable")
    above = np.maximum.accumulate(sides[order] > 0)
    below = np.maximum.accumulate((sides[order] < 0)[::-1])[::-1]
    at, first = np.unique(sums[order], return_index=True)
    side = np.logical_or.reduceat(above, first).astype(np.int64)
    side -= np.logical_or.reduceat(below, first) & (side == 0)
    new = np.concatenate([[True], np.diff(side) != 0])
    return StepFunction((at[new],), (side[new],), at[-1:])


def _monotone(sums: npt.NDArray[np.int64], results: npt.NDArray[np.int64]) -> StepFunction | None:
    """Return the rising function through all points, or None where there is none."""
    order = np.argsort(sums, kind="stable")
    ordered, levels = sums[order], results[order]
    steps = np.diff(levels)
    if (steps < 0).any() or steps[np.diff(ordered) == 0].any():
        return None
    new = np.concatenate([[True], steps != 0])
    return StepFunction((ordered[new],), (levels[new],), ordered[-1:])
