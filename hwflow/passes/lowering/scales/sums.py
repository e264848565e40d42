"""Sums of activations, each with its own scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray
from hwflow.ir.grid import ONE, ZERO, Grid, Rationals, is_power_of_two
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.qonnx.model import origin
from hwflow.ir.real.nodes import Linear, Source
from hwflow.ir.scaled import Total, on_grid
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.emission import emit
from hwflow.passes.lowering.view import inputs_of
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.lowering.weighted_sum import common_unit, whole_weights
from hwflow.passes.model.tails import Tail, tail

MAX_FACTOR_BITS = 32
"""Widest factor that brings an operand of a sum to a common unit without a quantiser behind it."""


def add_up(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], view: OnnxNode, total: Total
) -> Made | None:
    """Add integers on a common scale: by shifts, in the quantiser behind, or by whole factors.

    Returns:
        What the sum became; None where it takes quantisers before it.
    """
    values, waits = walk.activations(node), tail(node.outputs[0]) is not Tail.OPEN
    grids = [g for v in values if (g := walk.line_of(v)) is not None]
    if len(grids) < len(values):
        return _left_to_quantizer(walk, node, view, total) if waits else None
    unit = common_unit([g.scale for g in grids])
    factors = [f for g in grids for f in np.ravel(g.scale / unit)]
    if waits and not all(is_power_of_two(abs(f)) for f in factors):
        return _left_to_quantizer(walk, node, view, total)
    wide = [g.scale.size > 1 or g.offset.size > 1 for g in grids]
    turned = [walk.values[v.name or ""][1] != view.axes for v in values]
    if any(w and t for w, t in zip(wide, turned, strict=True)):
        return None
    if max(abs(f) for f in factors) >= 2**MAX_FACTOR_BITS:
        return None
    inputs = _aligned(walk, node, inputs_of(walk, node, view.axes), grids, unit)
    made = emit(walk, node, cls, view, inputs=inputs, chain=total.chain)
    offset = sum((sign * g.offset for sign, g in zip(total.signs, grids, strict=True)), ZERO)
    line = on_grid(Grid(unit * total.share, offset * total.share), walk.types[made.held])
    return Made(made.result, made.held, made.axes, Deferred((made.held,), line))


def _aligned(
    walk: Walk, node: onnx_ir.Node, inputs: Sequence[str], grids: Sequence[Grid], unit: Rationals
) -> tuple[str, ...]:
    """Return integers, each times the whole factor that brings it to a common unit."""
    operands = []
    for name, grid in zip(inputs, grids, strict=True):
        exact = grid.scale / unit
        factor = np.array([int(f) for f in exact.ravel()], np.int64).reshape(exact.shape)
        operands.append(name)
        if np.any(factor != 1):
            scale = FixedArray.narrowest(factor if factor.size > 1 else factor[0:1].reshape(()), 0)
            shift = ScaleBias(scale=scale, bias=FixedArray.exactly(np.array(0.0)))
            label = walk.namer.label(origin(node), "Align")
            operands[-1] = walk.add(shift, (name,), label, origin(node))
    return tuple(operands)


def _left_to_quantizer(walk: Walk, node: onnx_ir.Node, view: OnnxNode, total: Total) -> Made | None:
    """Return a sum of values with different scales that the quantiser behind it computes."""
    values = walk.activations(node)
    terms = [walk.function_of(v) for v in values]
    same = len({walk.types[s].shape for t in terms for s in t.sources}) == 1
    if not same or any(walk.values[v.name or ""][1] != view.axes for v in values):
        return None
    scales: list[Rationals] = []
    offset = ZERO
    for sign, term in zip(total.signs, terms, strict=True):
        if not (isinstance(term.tree, Linear) and isinstance(term.tree.x, Source)):
            return None
        weights = term.exact or [w.astype(object) for w in term.weights] or [ONE]
        scales += [sign * term.tree.scale * w for w in weights]
        offset = offset + sign * term.tree.offset
    sources = tuple(s for t in terms for s in t.sources)
    unit, whole, exact = whole_weights(scales, [walk.types[s] for s in sources])
    line = Linear(Source(), unit * total.share, offset * total.share)
    kept = Deferred(sources, line, whole, exact)
    return Made(node.outputs[0], sources[0], view.axes, kept, own=False)
