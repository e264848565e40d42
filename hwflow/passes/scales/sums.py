"""Sums and products of two activations, each with its own scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals
from hwflow.ir.op import Op
from hwflow.ir.qonnx import origin
from hwflow.ops import by_onnx
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.fuse_elementwise import deferred_of, extend
from hwflow.passes.scales.common import is_power_of_two, lone_line, on_line
from hwflow.passes.scales.moves import same_grid
from hwflow.passes.tails import Tail, tail
from hwflow.passes.walk import (
    Deferred,
    Walk,
    defer,
    emit,
    operand_axes,
    view_of,
)
from hwflow.passes.weighted_sum import whole_weights
from hwflow.real.expression import Linear, Source


def of_two(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Sums and products of two activations; a constant operand keeps a line a line."""
    values = [v for v in node.inputs if v is not None and v.name in walk.values]
    if len(values) == 1:
        return affine(walk, node, cls)
    if node.op_type in ("Mul", "Div"):
        return node.op_type == "Mul" and _times(walk, node, cls)
    return _plus(walk, node, cls)


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
    """The mean of values of one scale is their sum on a finer one."""
    if not same_grid(walk, node, by_onnx()["Sum"]):
        return False
    name, count = node.outputs[0].name or "", len(node.inputs)
    grid = walk.grid(name)
    assert grid is not None
    on_line(walk, node, walk.values[name][0], Grid(grid.scale / count, grid.offset))
    return True


def _plus(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    values = [v for v in node.inputs if v is not None]
    a, b = (lone_line(walk, v) for v in values)
    axes = operand_axes(walk, node, cls.layout)
    if a is not None and b is not None:
        wide = [g.scale.size > 1 or g.offset.size > 1 for g in (a, b)]
        turned = [walk.values[v.name or ""][1] != axes for v in values]
        if any(w and t for w, t in zip(wide, turned, strict=True)):
            return False
        ratios = set((b.scale / a.scale).ravel()) if np.all(a.scale) else set()
        if len(ratios) == 1 and is_power_of_two(*ratios):
            _aligned(walk, node, cls, a, b)
            return True
    return tail(node.outputs[0]) is not Tail.OPEN and _sum_deferred(walk, node, values, axes)


def _aligned(walk: Walk, node: onnx_ir.Node, cls: type[Op], a: Grid, b: Grid) -> None:
    """Add integers whose scales differ by a power of two, which moves the binary point of one."""
    view, inputs = view_of(walk, node, cls, {})
    ratio = (b.scale / a.scale).ravel()[0]
    if ratio != 1:
        factor = FixedArray.exactly(np.array(float(ratio)))
        shift = ScaleBias(scale=factor, bias=FixedArray.exactly(np.array(0.0)))
        label = walk.namer.label(origin(node), "Align")
        inputs = (inputs[0], walk.add(shift, inputs[1:], label, ""))
        view = replace(view, inputs=(view.inputs[0], walk.types[inputs[1]]))
    held = emit(walk, node, cls, view, inputs)
    sign = -1 if node.op_type == "Sub" else 1
    on_line(walk, node, held, Grid(a.scale, a.offset + sign * b.offset))


def _sum_deferred(
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
    for term, sign in zip(terms, (1, -1 if node.op_type == "Sub" else 1), strict=True):
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
