"""Chains of elementwise operations between two integer tensors become one exact function.

Nothing is computed while such a chain is walked: the value is remembered as a real function of the
integers that the hardware holds (``Deferred``). The quantiser at its end turns it into a function
from integers to integers on the range that the integers provably stay in, tabulated exactly, and
that becomes one ``Requantize``. Its scale rides on the result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir

from hwflow.fixed import RawArray
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals, is_power_of_two, rationals
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.qonnx.model import origin
from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.real.expression import Expression, all_constants
from hwflow.ir.real.nodes import Clamp, Rounded
from hwflow.ir.real.tabulation import TooManyStepsError, tabulate
from hwflow.ir.scaled import on_grid
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantize import Requantize
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.functions import line
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.emission import made_of
from hwflow.passes.lowering.view import view_of
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.lowering.weighted_sum import UnprovenError, prove_weights


def extend(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made:
    """Return the result of an elementwise node as a function, without any hardware for it.

    Raises:
        RefusedError: its constants do not fit the activation.
    """
    view, values = view_of(walk, node, cls), walk.activations(node)
    operands = [walk.function_of(v) for v in values]
    axes = walk.values[values[0].name or ""][1]
    first = operands[0]
    x = walk.types[first.sources[0]]
    tree = cls.real_function(replace(view, axes=axes), x, *(o.tree for o in operands))
    return Made(node.outputs[0], first.sources[0], axes, replace(first, tree=tree), own=False)


def close(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made:
    """Add what computes a quantiser and everything that was deferred before it.

    Raises:
        RefusedError: the function has too many steps, or is not defined on the whole range.
    """
    view = view_of(walk, node, cls)
    value = node.inputs[0]
    assert value is not None
    before = walk.function_of(value)
    axes = walk.values[value.name or ""][1]
    parameters = [c.values for c in (view.constant(i) for i in range(1, len(view.inputs))) if c]
    quantizer = quantizer_of(node.op_type, parameters, view.attributes)
    x = walk.types[before.sources[0]]
    levels, scale, offset = _levels(replace(view, axes=axes), x, before.tree, quantizer)
    return close_levels(walk, node, cls, levels, scale=scale, offset=offset)


def close_levels(
    walk: Walk,
    node: onnx_ir.Node,
    cls: type[Op],
    levels: Expression,
    *,
    scale: Rationals,
    offset: Rationals,
) -> Made:
    """Add what computes whole numbers from what was deferred; return what the result became.

    Args:
        walk: what is known so far.
        node: the quantiser.
        cls: the operator that claims it.
        levels: the whole numbers, as a function of the sources of the node's operand.
        scale: scale of the line from them to the node's results.
        offset: offset of that line.

    Raises:
        RefusedError: the function has too many steps, or is not defined on the whole range.
    """
    view = view_of(walk, node, cls)
    value = node.inputs[0]
    assert value is not None
    before = walk.function_of(value)
    axes = walk.values[value.name or ""][1]
    x = walk.types[before.sources[0]]
    levels, function = _tabulated(view, walk, before, levels)
    fractional, scale = _binary_point(scale)
    op = Requantize(
        function=function,
        weights=tuple(_rows(w, x, function.rows) for w in before.weights) or None,
        fractional=fractional,
        tree=levels,
        points=tuple(walk.types[name].dtype.fractional for name in before.sources),
    )
    name = origin(node)
    made = Made(node.outputs[0], before.sources[0], axes, own=False)
    if not (before.lone_source and x.dtype.fractional == fractional and _is_identity(function)):
        held = walk.add(op, before.sources, walk.namer.label(name, op.kind), name)
        made = made_of(walk, node.outputs[0], held, cls.layout, axes)
    tree = on_grid(Grid(scale, offset), walk.types[made.held])
    return replace(made, axes=axes, deferred=Deferred((made.held,), tree))


def _levels(
    node: OnnxNode, x: TensorType, tree: Expression, quantizer: Quantizer
) -> tuple[Expression, Rationals, Rationals]:
    """Return the whole numbers that a quantiser gives, and the line from them to its results."""
    scale, zero = (
        rationals(to_hardware(node, x, v)) for v in (quantizer.scale, quantizer.zero_point)
    )
    scaled = line(tree, 1 / scale, zero)
    if quantizer.bipolar:
        return Rounded(scaled, "SIGN"), scale, -zero * scale
    if quantizer.kind == "Trunc":
        assert quantizer.output_scale is not None
        dropped = Fraction(2) ** quantizer.truncated_bits
        scaled = line(Rounded(scaled, "ROUND"), ONE / dropped, ZERO)
        scale = rationals(to_hardware(node, x, quantizer.output_scale))
        # version 1 takes the zero point off unscaled, version 2 scales it with the value
        zero = np.asarray(zero / dropped) if quantizer.clamps else zero
    if quantizer.clamps:
        scaled = Clamp(scaled, rationals(quantizer.raw_min), rationals(quantizer.raw_max))
    rounded: Expression = Rounded(scaled, quantizer.rounding)
    if all(z.denominator == 1 for z in zero.ravel()):
        return (line(rounded, ONE, -zero), scale, ZERO) if np.any(zero) else (rounded, scale, ZERO)
    return rounded, scale, -zero * scale


def _tabulated(
    node: OnnxNode, walk: Walk, before: Deferred, levels: Expression
) -> tuple[Expression, StepFunction]:
    types = [walk.types[name] for name in before.sources]
    constants = [*all_constants(levels), *before.weights]
    shape = np.broadcast_shapes(*(c.shape for c in constants))
    lo, hi = _range(types, before.weights)
    if shape == (1,):
        ends = lo.min(keepdims=True), hi.max(keepdims=True)
    else:
        ends = (np.broadcast_to(lo, shape).ravel(), np.broadcast_to(hi, shape).ravel())
    spread = levels.map(lambda c: c if c.size == 1 else np.broadcast_to(c, shape))
    try:
        function = tabulate(spread, *ends)
        if before.exact:
            _prove(function, before, types, spread)
        return spread, function
    except TooManyStepsError as problem:
        raise node.refuse(
            "quantiser with more steps than can be tabulated",
            code="HW226",
            found=str(problem),
            supported="results of at most 16 bits or so; fewer where channels differ",
            help="quantise to fewer bits here, or quantise the value before this chain",
        ) from None
    except UnprovenError as problem:
        raise node.refuse(
            "sum of values whose scales have no common unit",
            code="HW228",
            found=str(problem),
            help="put a quantiser before this sum, at least at one of its operands",
        ) from None
    except ArithmeticError as problem:
        raise node.refuse(
            "a function in the chain before this quantiser cannot be evaluated on its whole range",
            code="HW221",
            found=str(problem),
            help="keep the input within the function's domain by a quantiser or Clip",
        ) from None


def _prove(
    function: StepFunction, before: Deferred, types: Sequence[TensorType], tree: Expression
) -> None:
    rows = function.rows
    weights, exact = (
        [np.broadcast_to(_rows(w, types[0], rows), rows) for w in part]
        for part in (before.weights, before.exact)
    )
    prove_weights(function, weights, exact, types, tree.map(lambda c: c.reshape(-1)))


def _range(types: Sequence[TensorType], weights: Sequence[RawArray]) -> tuple[RawArray, RawArray]:
    """Return the range of the weighted sum of sources, per channel or element.

    Raises:
        OverflowError: it could pass 62 bits.
    """
    if not weights:
        return types[0].lo, types[0].hi
    lo, hi = np.zeros((), object), np.zeros((), object)
    for x, weight in zip(types, weights, strict=True):
        ends = np.stack([x.lo.astype(object) * weight, x.hi.astype(object) * weight])
        lo, hi = lo + ends.min(axis=0), hi + ends.max(axis=0)
    if max(abs(int(v)) for v in (*lo.ravel(), *hi.ravel())).bit_length() > 61:
        raise OverflowError("a sum of values with different scales could pass 62 bits")
    return lo.astype(np.int64), hi.astype(np.int64)


def _rows(weight: npt.NDArray[Any], x: TensorType, rows: int) -> npt.NDArray[Any]:
    """Return a weight for each row of a function."""
    if weight.size == 1:
        return weight.reshape(())
    return np.broadcast_to(weight, x.shape if rows > x.channels else x.shape[-1:]).ravel()


def _binary_point(scale: Rationals) -> tuple[int, Rationals]:
    """Return the fractional bits and the rest of a scale: all of it where it is a power of two."""
    if scale.size == 1:
        value = scale.ravel()[0]
        if is_power_of_two(value):
            return value.denominator.bit_length() - value.numerator.bit_length(), ONE
    return 0, scale


def _is_identity(function: StepFunction) -> bool:
    return all(
        len(levels) == hi - starts[0] + 1 and np.array_equal(levels, starts)
        for starts, levels, hi in zip(function.starts, function.levels, function.hi, strict=True)
    )
