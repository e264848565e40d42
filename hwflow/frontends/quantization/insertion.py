"""Puts quantisers into a model."""

from __future__ import annotations

from collections.abc import Iterable, Set

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.layers import new_constant
from hwflow.frontends.quantization.ranges import Format
from hwflow.ir.qonnx.model import QONNX_DOMAIN, QonnxModel


def insert_quantizer(
    model: QonnxModel,
    value: ir.Value,
    uses: Iterable[tuple[ir.Node, int]],
    form: Format,
    scale: npt.ArrayLike,
    *,
    outward: bool = False,
) -> ir.Node:
    """Quantise a value for some of the operands that take it.

    Args:
        model: changed in place.
        value: any value of its graph.
        uses: nodes and positions of the operands.
        form: the integers.
        scale: broadcasts against the value.
        outward: the value is an output; the quantised one takes its place, and its name.

    Returns:
        The ``Quant`` node: rounded half to even, saturating (QONNX's rounding mode ``ROUND``).
    """
    graph = model.ir.graph
    node = _quant(model, value, form, scale)
    producer = value.producer()
    uses = list(uses)
    if producer is None:
        graph.insert_before(graph[0] if value.const_value is None else uses[0][0], node)
    else:
        graph.insert_after(producer, node)
    for user, index in uses:
        user.replace_input_with(index, node.outputs[0])
    if outward:
        _publish(graph, value, node.outputs[0])
    return node


def _publish(graph: ir.Graph, value: ir.Value, quantized: ir.Value) -> None:
    """Make a quantised value the output that the real one was."""
    name, other = value.name, quantized.name
    outputs = [quantized if output is value else output for output in graph.outputs]
    graph.outputs.clear()
    value.name, quantized.name = other, name
    graph.outputs.extend(outputs)


def _quant(model: QonnxModel, value: ir.Value, form: Format, scale: npt.ArrayLike) -> ir.Node:
    """Return the node that quantises a value, its parameters in the graph, its result named."""
    graph = model.ir.graph
    name = value.name or ""
    numbers = {"scale": scale, "zero_point": form.zero_point, "bits": form.bits}
    node = ir.node(
        "Quant",
        [value, *(new_constant(model, f"{name}_{k}", np.asarray(v)) for k, v in numbers.items())],
        {"signed": int(form.signed), "narrow": 0, "rounding_mode": "ROUND"},
        domain=QONNX_DOMAIN,
        name=_unused(f"{name}_Quant", {n.name for n in graph}),
    )
    taken = {v.name for n in graph for v in n.outputs} | set(graph.initializers)
    node.outputs[0].name = _unused(f"{name}_quantized", taken)
    node.outputs[0].shape, node.outputs[0].type = value.shape, value.type
    return node


def _unused(name: str, taken: Set[str | None]) -> str:
    while name in taken:
        name += "_"
    return name
