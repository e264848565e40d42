"""Quantisers: made by the host at a port, as a cast, or at the end of a deferred chain."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import onnx_ir

from hwflow.ir.graph import Port
from hwflow.ir.grid import ZERO, Grid, rationals
from hwflow.ir.op import Constant, OnnxNode, Op
from hwflow.ir.qonnx import attributes
from hwflow.ir.quantizer_nodes import quantizer_of
from hwflow.ops._broadcast import to_hardware
from hwflow.ops.input import Input
from hwflow.passes.deferred import Deferred, on_grid
from hwflow.passes.fuse_elementwise import close
from hwflow.passes.scales.common import is_power_of_two, lone_line, on_line
from hwflow.passes.tails import Tail, closes
from hwflow.passes.walk import Walk, defer, emit, shape_of, view_of


def lower_quantizer(walk: Walk, node: onnx_ir.Node, cls: type[Op], *, scaled: bool) -> bool:
    """Lower a quantiser that needs more than a cast, or say that it does not."""
    plain = not scaled and closes(node) is not Tail.HARD
    if node.inputs[0] is None or node.inputs[0].name in walk.constants:
        return False  # an output of constants, which is refused
    if plain and not _is_shifted(walk, node):  # a port rounds to a type, but takes no zero point
        return False
    if _at_port(walk, node):
        return True
    if plain:
        return False
    if not _as_cast(walk, node, cls):
        close(walk, node, cls)
    return True


def _is_shifted(walk: Walk, node: onnx_ir.Node) -> bool:
    """Return whether a quantiser has a zero point other than 0."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    return zero is not None and bool(np.any(walk.constants[zero.name or ""].values))


def _at_port(walk: Walk, node: onnx_ir.Node) -> bool:
    """Let the host quantise an input that nothing but this quantiser reads, where it is one."""
    value = node.inputs[0]
    if value is None or value.producer() is not None or value.is_graph_output():
        return False
    held, axes = walk.values[value.name or ""]
    port = walk.op(held)
    users = value.consumers()
    if not isinstance(port, Input) or node.op_type == "Trunc":
        return False
    if any(not _same_quantizer(walk, node, user) for user in users):
        return False
    constants = [walk.constants[v.name or ""].values for v in node.inputs[1:] if v is not None]
    quantizer = quantizer_of(node.op_type, constants, attributes(node))
    if port.assumed:
        walk.types[held] = walk.quantize_port(held, quantizer)
    elif port.quantizer is None:
        return False
    view = OnnxNode(node.op_type, {}, (), axes, shape_of(node.outputs[0]))
    scale = rationals(to_hardware(view, walk.types[held], quantizer.scale))
    defer(
        walk,
        node.outputs[0],
        Deferred((held,), on_grid(Grid(scale, ZERO), walk.types[held])),
        axes,
    )
    walk.replace_node(held, source=Port(held, node.outputs[0].name or "", axes, Grid(scale, ZERO)))
    walk.port_grids[held] = Grid(scale, ZERO)
    return True


def _same_quantizer(walk: Walk, a: onnx_ir.Node, b: onnx_ir.Node) -> bool:
    if a.op_type != b.op_type or attributes(a) != attributes(b) or len(a.inputs) != len(b.inputs):
        return False
    pairs = zip(a.inputs[1:], b.inputs[1:], strict=True)
    return all(
        np.array_equal(walk.constants[u.name or ""].values, walk.constants[v.name or ""].values)
        for u, v in pairs
        if u is not None and v is not None
    )


def _as_cast(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> bool:
    """Lower a quantiser whose scale is the value's own, but for a power of two, as a cast."""
    value, scale_value = node.inputs[0], node.inputs[1]
    if value is None or scale_value is None or node.op_type == "Trunc":
        return False
    grid = lone_line(walk, value)
    scale = rationals(walk.constants[scale_value.name or ""].values)
    if grid is None or grid.scale.size != 1 or scale.size != 1 or np.any(grid.offset):
        return False
    own = grid.scale.ravel()[0]
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    shifted = zero is not None and np.any(walk.constants[zero.name or ""].values)
    if own <= 0 or shifted:
        return False
    ratio = scale.ravel()[0] / own
    if node.op_type == "BipolarQuant":
        own, ratio = scale.ravel()[0], Fraction(1)
    if not is_power_of_two(ratio):
        return False
    view, inputs = view_of(walk, node, cls, {1: Constant(np.array(float(ratio)), False)})
    held = emit(walk, node, cls, view, inputs)
    on_line(walk, node, held, Grid(rationals(own), ZERO))
    return True
