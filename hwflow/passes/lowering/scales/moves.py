"""What moves, compares or averages values passes their scales on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.grid import Grid, Rationals
from hwflow.ir.op import Layout, OnnxNode, Op
from hwflow.ir.real.expression import Expression, all_constants, substituted
from hwflow.ir.real.nodes import Linear, Source
from hwflow.ir.real.tabulation import rises
from hwflow.ir.tensor import TensorType
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.pad import Pad
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.fuse_elementwise import deferred_of
from hwflow.passes.lowering.scales.common import attribute, lone_line, on_line
from hwflow.passes.lowering.walk import Walk, defer, emit, view_of

MOST_STEPS = 2**16
"""What a padding may be at most, in steps of the scale, and in how many parts of one."""


def moved(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Reshape, transpose, slice: the constants of the function move with their elements."""
    value = node.inputs[0]
    assert value is not None
    before = deferred_of(walk, value)
    if before.lone_source is None:
        return False
    view, inputs = view_of(walk, node, cls, {})
    chain = cls.from_onnx(view)
    tree, shape = before.tree, walk.types[before.sources[0]].shape
    pads = [op for op in chain if isinstance(op, Pad) and op.mode == "constant"]
    if pads:
        filled = _filled(lone_line(walk, value), pads)
        if filled is None:
            return False
        chain = [filled if op in pads else op for op in chain]
    if cls.layout is not Layout.VIEW:
        added = [] if inputs[0] == before.sources[0] else [walk.op(inputs[0])]
        # what stands around takes the scale of its neighbour
        near = [replace(op, mode="edge") if isinstance(op, Pad) and pads else op for op in chain]
        tree = tree.map(lambda c: _moved_constant(c, [*added, *near], shape))
    held = emit(walk, node, cls, view, inputs, chain)
    axes = walk.values[node.outputs[0].name or ""][1]
    defer(walk, node.outputs[0], Deferred((held,), tree), axes)
    return True


def _filled(grid: Grid | None, pads: Sequence[Pad]) -> Pad | None:
    """Return the padding with the integer that stands for its value, where there is one.

    Zero is zero on any scale; another value asks for one scale, of which it is a multiple.
    """
    (pad,) = pads
    if grid is None or (not pad.value and not np.any(grid.offset)):
        return None if grid is None else pad
    if grid.scale.size > 1 or grid.offset.size > 1:
        return None
    offset, scale = (Fraction(part.ravel()[0]) for part in (grid.offset, grid.scale))
    steps = (Fraction(pad.value) - offset) / scale
    if steps.denominator & (steps.denominator - 1) or abs(steps) >= MOST_STEPS:
        return None
    fits = steps.denominator <= MOST_STEPS
    return replace(pad, value=float(steps)) if fits else None


def _moved_constant(c: Rationals, chain: Sequence[Op], shape: tuple[int, ...]) -> Rationals:
    if c.size == 1:
        return c
    full = np.broadcast_to(c, shape).ravel()
    places = FixedArray(np.arange(full.size).reshape(1, *shape), FixedType(32, 32, False))
    for op in chain:
        places = op.compute(places)
    moved = full[np.asarray(places.raw[0])]
    flat = moved.reshape(-1, moved.shape[-1])
    if np.all(flat == flat[0]):
        return np.asarray(flat[0] if np.any(flat[0] != flat[0, 0]) else flat[0, :1])
    return np.asarray(moved)


def pooled(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """The greatest of a rising function is the function of the greatest."""
    value = node.inputs[0]
    assert value is not None
    before = deferred_of(walk, value)
    if before.lone_source is None:
        return False
    tree = before.tree
    view, inputs = view_of(walk, node, cls, {})
    if any(c.size > 1 for c in all_constants(tree)) and not _by_channel(walk, cls, view, before):
        return False
    if not rises(tree):
        turned = _turned_up(walk, inputs[0], tree)
        if turned is None:
            return False
        inputs, tree = (turned[0],), turned[1]
    held = emit(walk, node, cls, view, inputs)
    axes = walk.values[node.outputs[0].name or ""][1]
    defer(walk, node.outputs[0], Deferred((held,), tree), axes)
    return True


def _by_channel(walk: Walk, cls: type[Op], view: OnnxNode, before: Deferred) -> bool:
    """Return whether a node never mixes elements with different constants."""
    x, constants = walk.types[before.sources[0]], all_constants(before.tree)
    in_place = view.activations[0] is x and len(cls.from_onnx(view)) == 1
    return in_place and all(c.size in (1, x.channels) for c in constants)


def _turned_up(walk: Walk, held: str, tree: Expression) -> tuple[str, Expression] | None:
    """Return the value with its falling channels negated, and the function that then rises."""
    first = _first_line(tree)
    if first is None or first.scale.size not in (1, walk.types[held].channels):
        return None
    signs = np.where(first.scale > 0, 1, -1).astype(np.int64)
    line = Linear(Source(), abs(first.scale), first.offset)
    upright = substituted(tree, lambda part: line if part is first else None)
    if not rises(upright):
        return None
    op = ScaleBias(
        scale=FixedArray(signs if signs.size > 1 else signs.reshape(()), FixedType(2, 2)),
        bias=FixedArray.exactly(0.0),
    )
    return walk.add(op, (held,), walk.namer.label(held, "Sign"), ""), upright


def _first_line(tree: Expression) -> Linear | None:
    while tree.operands:
        if isinstance(tree, Linear) and isinstance(tree.x, Source):
            return tree
        if len(tree.operands) > 1:
            return None
        (tree,) = tree.operands
    return None


def averaged(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """The sum of values on a line is on a line; their mean is that, divided by their number."""
    value = node.inputs[0]
    assert value is not None
    before, grid = deferred_of(walk, value), lone_line(walk, value)
    if grid is None:
        return False
    view, inputs = view_of(walk, node, cls, {})
    several = grid.scale.size > 1 or grid.offset.size > 1
    if several and not _by_channel(walk, cls, view, before):
        return False
    chain, x, count, terms = list(cls.from_onnx(view)), walk.types[inputs[0]], 1, 1
    for place, op in enumerate(chain):
        if isinstance(op, AveragePool):
            counts, present = op.divisors(x.shape), op.window(x.shape).counts()
            terms = int(present.flat[0])
            even = np.all(present == (terms if op.total else counts))
            if len(np.unique(counts)) > 1 or (np.any(grid.offset) and not even):
                return False
            chain[place], count = replace(op, total=True), int(counts.flat[0])
        x = chain[place].infer(x)
    held = emit(walk, node, cls, view, inputs, chain)
    on_line(walk, node, held, Grid(grid.scale / count, grid.offset * Fraction(terms, count)))
    return True


def homogeneous(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """``f(s x)`` is ``s f(x)`` for positive ``s``."""
    value = node.inputs[0]
    assert value is not None
    grid = lone_line(walk, value)
    if grid is None or np.any(grid.offset) or np.any(grid.scale <= 0):
        return False
    view, inputs = view_of(walk, node, cls, {})
    held = emit(walk, node, cls, view, inputs)
    on_line(walk, node, held, grid)
    return True


def same_grid(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """What only compares, selects or joins values of one scale keeps it."""
    grids = [lone_line(walk, v) for v in node.inputs if v is not None and v.name in walk.values]
    first = grids[0]
    if first is None or first.scale.size > 1 or first.offset.size > 1 or first.scale[0] <= 0:
        return False
    for grid in grids:
        if grid is None or grid.scale.size > 1 or grid.offset.size > 1:
            return False
        if grid.scale[0] != first.scale[0] or grid.offset[0] != first.offset[0]:
            return False
    view, inputs = view_of(walk, node, cls, {})
    if any(not isinstance(o, TensorType) and o is not None for o in view.inputs):
        return False  # a constant operand has no scale of its own
    held = emit(walk, node, cls, view, inputs)
    on_line(walk, node, held, first)
    return True


def concatenated(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Values of several scales side by side have a scale for each channel."""
    if same_grid(walk, node, cls):
        return True
    values = [v for v in node.inputs if v is not None]
    grids = [lone_line(walk, v) if v.name in walk.values else None for v in values]
    view, inputs = view_of(walk, node, cls, {})
    known = [g for g in grids if g is not None]
    axis = int(attribute(node, "axis", 1)) % len(view.output_shape)
    if len(known) < len(values) or not view.axes or view.axes[-1] != axis:
        return False
    sizes = [walk.types[name].channels for name in inputs]
    for v, name, g, n in zip(values, inputs, known, sizes, strict=True):
        own = max(g.scale.size, g.offset.size)
        if own > 1 and (own != n or walk.values[v.name or ""][0] != name):
            return False
    scale, offset = (
        np.concatenate(
            [np.broadcast_to(getattr(g, part), n) for g, n in zip(known, sizes, strict=True)]
        )
        for part in ("scale", "offset")
    )
    held = emit(walk, node, cls, view, inputs)
    on_line(walk, node, held, Grid(scale, offset))
    return True
