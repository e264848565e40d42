"""Quantisers: made by the host at a port, as a cast, or at the end of a deferred chain."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import onnx_ir

from hwflow.fixed import FixedArray
from hwflow.ir.graph import Port
from hwflow.ir.grid import ZERO, Grid, is_power_of_two, rationals
from hwflow.ir.op import Constant, OnnxNode, Op
from hwflow.ir.qonnx.model import attributes
from hwflow.ir.qonnx.nodes import quantizer_of, same_quantizer
from hwflow.ops.cast import Cast
from hwflow.ops.input import Input
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.passes.lowering.emission import emit
from hwflow.passes.lowering.fuse_elementwise import close
from hwflow.passes.lowering.scales.rules import meaning
from hwflow.passes.lowering.view import inputs_of, shape_of, view_of
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.model.tails import Tail, closes


def lower_quantizer(walk: Walk, node: onnx_ir.Node, cls: type[Op], *, scaled: bool) -> Made | None:
    """Lower a quantiser that needs more than a cast; return None where it does not."""
    plain = not scaled and closes(node) is not Tail.HARD
    if node.inputs[0] is None or node.inputs[0].name in walk.constants:
        return None  # an output of constants, which is refused
    if plain and not _is_shifted(walk, node):  # a port rounds to a type, but takes no zero point
        return _scaled_back(walk, node, cls)
    made = _at_port(walk, node)
    if made is not None or plain:
        return made
    return _as_cast(walk, node, cls) or close(walk, node, cls)


def _is_shifted(walk: Walk, node: onnx_ir.Node) -> bool:
    """Return whether a quantiser has a zero point other than 0."""
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    return zero is not None and bool(np.any(walk.constants[zero.name or ""].values))


def _at_port(walk: Walk, node: onnx_ir.Node) -> Made | None:
    """Let the host quantise an input that nothing but this quantiser reads, where it is one."""
    held = _port_of(walk, node)
    if held is None:
        return None
    grid = _quantized(walk, node, held)
    axes = walk.values[node.inputs[0].name or ""][1]  # type: ignore[union-attr]
    return meaning(walk, Made(node.outputs[0], held, axes), grid)


def _scaled_back(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made | None:
    """Let the host quantise an input where scales are powers of two but no port's type does it.

    Its roundings are CEIL or UP, it has two values, or scales differ between channels. The
    integers times their scales are plain values again.
    """
    held = _port_of(walk, node)
    if held is None:
        return None
    view = view_of(walk, node, cls)
    chain = cls.from_onnx(view)
    if len(chain) == 1 and isinstance(chain[0], Cast):
        return None
    grid = _quantized(walk, node, held)
    result = node.outputs[0].name or ""
    walk.replace_node(held, source=Port(held, result, view.axes, grid))
    scale = FixedArray.exactly(grid.scale.astype(np.float64))
    back = ScaleBias(scale=scale, bias=FixedArray.exactly(np.zeros(())))
    inputs = inputs_of(walk, node, view.axes)
    return emit(walk, node, cls, view, inputs=inputs, chain=[] if grid.plain else [back])


def _port_of(walk: Walk, node: onnx_ir.Node) -> str | None:
    """Return the input that nothing but this quantiser reads and the host may quantise."""
    value = node.inputs[0]
    if value is None or value.producer() is not None or value.is_graph_output():
        return None
    held, _ = walk.values[value.name or ""]
    port = walk.op(held)
    if not isinstance(port, Input) or node.op_type == "Trunc":
        return None
    if not all(same_quantizer(node, user) for user in value.consumers()):
        return None
    return held if port.assumed or port.quantizer is not None else None


def _quantized(walk: Walk, node: onnx_ir.Node, held: str) -> Grid:
    """Let the host quantise an input, once; return what the integers at the port mean."""
    constants = [walk.constants[v.name or ""].values for v in node.inputs[1:] if v is not None]
    quantizer = quantizer_of(node.op_type, constants, attributes(node))
    port = walk.op(held)
    if isinstance(port, Input) and port.quantizer is None:
        walk.types[held] = walk.quantize_port(held, quantizer)
    axes = walk.values[node.inputs[0].name or ""][1]  # type: ignore[union-attr]
    view = OnnxNode(
        op_type=node.op_type,
        attributes={},
        inputs=(),
        axes=axes,
        output_shape=shape_of(node.outputs[0]),
    )
    scale = rationals(to_hardware(view, walk.types[held], quantizer.scale))
    walk.port_grids[held] = Grid(scale, ZERO)
    return walk.port_grids[held]


def _as_cast(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made | None:
    """Lower a quantiser whose scale is the value's own, but for a power of two, as a cast."""
    value, scale_value = node.inputs[0], node.inputs[1]
    if value is None or scale_value is None or node.op_type == "Trunc":
        return None
    grid = walk.line_of(value)
    scale = rationals(walk.constants[scale_value.name or ""].values)
    if grid is None or grid.scale.size != 1 or scale.size != 1 or np.any(grid.offset):
        return None
    own = grid.scale.ravel()[0]
    zero = node.inputs[2] if len(node.inputs) > 2 else None
    shifted = zero is not None and np.any(walk.constants[zero.name or ""].values)
    if own <= 0 or shifted:
        return None
    ratio = scale.ravel()[0] / own
    if node.op_type == "BipolarQuant":
        own, ratio = scale.ravel()[0], Fraction(1)
    if not is_power_of_two(ratio):
        return None
    view = view_of(walk, node, cls)
    step = Constant(np.array(float(ratio)), False)
    view = replace(view, inputs=(view.inputs[0], step, *view.inputs[2:]))
    made = emit(
        walk, node, cls, view, inputs=inputs_of(walk, node, view.axes), chain=cls.from_onnx(view)
    )
    return meaning(walk, made, Grid(rationals(own), ZERO))
