"""Sums and products of two activations, each with its own scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals, rationals
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import origin
from hwflow.ir.real.nodes import Linear, Source
from hwflow.ops import by_onnx
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.fuse_elementwise import deferred_of, extend
from hwflow.passes.lowering.scales.common import is_power_of_two, lone_line, on_line
from hwflow.passes.lowering.walk import Walk, defer, emit, operand_axes, view_of
from hwflow.passes.lowering.weighted_sum import common_unit, whole_weights
from hwflow.passes.model.tails import Tail, tail

MAX_FACTOR_BITS = 32
"""Widest factor that brings an operand of a sum to a common unit without a quantiser behind it."""


def of_two(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Sums and products of two activations; a constant operand keeps a line a line."""
    values = [v for v in node.inputs if v is not None and v.name in walk.values]
    if len(values) == 1:
        return affine(walk, node, cls)
    if node.op_type in ("Mul", "Div"):
        return node.op_type == "Mul" and _times(walk, node, cls)
    return total(walk, node, cls)


def affine(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """What scales and shifts a line gives another line."""
    extend(walk, node, cls)
    return True


def _times(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    grids = [lone_line(walk, v) for v in node.inputs if v is not None]
    if any(g is None or g.scale.size > 1 or np.any(g.offset) for g in grids):
        return False
    view, inputs = view_of(walk, node, cls, {})
    held = emit(walk, node, cls, view, inputs)
    scale = [g.scale for g in grids if g is not None]
    on_line(walk, node, held, Grid(scale[0] * scale[1], ZERO))
    return True


def mean(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """The mean of values is their sum on a finer scale."""
    if not total(walk, node, by_onnx()["Sum"]):
        return False
    name = node.outputs[0].name or ""
    found, axes, share = walk.deferred[name], walk.values[name][1], rationals(len(node.inputs))
    tree = found.tree
    assert isinstance(tree, Linear)
    finer = replace(tree, scale=tree.scale / share, offset=tree.offset / share)
    defer(walk, node.outputs[0], replace(found, tree=finer), axes)
    return True


def total(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Add integers on a common scale: by shifts, in the quantiser behind, or by whole factors."""
    values = [v for v in node.inputs if v is not None]
    if any(v.name not in walk.values for v in values):
        return False
    axes = operand_axes(walk, node, cls.layout)
    grids = [g for v in values if (g := lone_line(walk, v)) is not None]
    if len(grids) < len(values):
        return tail(node.outputs[0]) is not Tail.OPEN and _deferred(walk, node, values, axes)
    unit = common_unit([g.scale for g in grids])
    factors = [g.scale / unit for g in grids]
    shifts = all(is_power_of_two(abs(f)) for part in factors for f in part.ravel())
    if not shifts and tail(node.outputs[0]) is not Tail.OPEN:
        return _deferred(walk, node, values, axes)
    wide = [g.scale.size > 1 or g.offset.size > 1 for g in grids]
    turned = [walk.values[v.name or ""][1] != axes for v in values]
    if any(w and t for w, t in zip(wide, turned, strict=True)):
        return False
    if max(abs(f) for part in factors for f in part.ravel()) >= 2**MAX_FACTOR_BITS:
        return False
    _aligned(walk, node, cls, grids, unit)
    return True


def _aligned(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], grids: list[Grid], unit: Rationals
) -> None:
    """Add integers, each times a whole factor that brings it to a common unit."""
    view, inputs = view_of(walk, node, cls, {})
    operands, offset = [], ZERO
    for position, (name, grid) in enumerate(zip(inputs, grids, strict=True)):
        exact = grid.scale / unit
        factor = np.array([int(f) for f in exact.ravel()], np.int64).reshape(exact.shape)
        offset = offset + (-grid.offset if position and node.op_type == "Sub" else grid.offset)
        operands.append(name)
        if np.any(factor != 1):
            scale = FixedArray.narrowest(factor if factor.size > 1 else factor[0:1].reshape(()), 0)
            shift = ScaleBias(scale=scale, bias=FixedArray.exactly(np.array(0.0)))
            label = walk.namer.label(origin(node), "Align")
            operands[-1] = walk.add(shift, (name,), label, origin(node))
    view = replace(view, inputs=tuple(walk.types[name] for name in operands))
    held = emit(walk, node, cls, view, tuple(operands))
    on_line(walk, node, held, Grid(unit, offset))


def _deferred(
    walk: Walk, node: onnx_ir.Node, values: list[onnx_ir.Value], axes: tuple[int, ...]
) -> bool:
    """Remember a sum of values with different scales for the quantiser behind it."""
    terms = [deferred_of(walk, v) for v in values]
    same = len({walk.types[s].shape for t in terms for s in t.sources}) == 1
    in_place = all(walk.values[v.name or ""][1] == axes for v in values)
    if not same or not in_place:
        return False
    scales: list[Rationals] = []
    offset = ZERO
    for position, term in enumerate(terms):
        sign = -1 if position and node.op_type == "Sub" else 1
        if not (isinstance(term.tree, Linear) and isinstance(term.tree.x, Source)):
            return False
        weights = term.exact or [w.astype(object) for w in term.weights] or [ONE]
        scales += [sign * term.tree.scale * w for w in weights]
        offset = offset + sign * term.tree.offset
    sources = tuple(s for t in terms for s in t.sources)
    types = [walk.types[s] for s in sources]
    unit, whole, exact = whole_weights(scales, types)
    kept = Deferred(sources, Linear(Source(), unit, offset), whole, exact)
    defer(walk, node.outputs[0], kept, axes)
    return True
