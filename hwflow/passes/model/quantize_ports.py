"""Model pass: a quantiser behind what only moves the values of an input is put before it.

``quantise(flatten(x))`` is ``flatten(quantise(x))``, since one scale serves all elements. Then the
port takes the quantiser's integers, and nothing has to be known of the real numbers.
"""

from __future__ import annotations

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of, is_quantizer
from hwflow.ops import facts_of

_REAL = frozenset({ir.DataType.FLOAT, ir.DataType.DOUBLE})


def quantize_ports(model: QonnxModel) -> QonnxModel:
    """Change the model in place: quantisers move to the inputs that nothing else reads."""
    graph = model.ir.graph
    for port in graph.inputs:
        if port.name in graph.initializers or port.dtype not in _REAL:
            continue
        first, quantizer = _found(port)
        if first is not None and quantizer is not None:
            _move(model, port, first, quantizer)
    return model


def _found(port: ir.Value) -> tuple[ir.Node | None, ir.Node | None]:
    """Return the first of the moves behind an input, and the quantiser behind the last."""
    first: ir.Node | None = None
    value = port
    while len(list(value.uses())) == 1 and not value.is_graph_output():
        (node,) = value.consumers()
        if node.inputs[0] is not value:
            break
        if is_quantizer(node) and node.op_type != "Trunc":
            return (first, node) if _of_one_scale(node) else (None, None)
        if not facts_of(node).reorders:
            break
        first, value = first or node, node.outputs[0]
    return None, None


def _of_one_scale(node: ir.Node) -> bool:
    parameters = [constant_of(v) for v in node.inputs[1:] if v is not None]
    return all(c is not None and c.values.size == 1 for c in parameters)


def _move(model: QonnxModel, port: ir.Value, first: ir.Node, quantizer: ir.Node) -> None:
    """Put a quantiser between an input and the first of its moves; names of values stay."""
    result, moved = quantizer.outputs[0], quantizer.inputs[0]
    assert moved is not None
    before = moved.producer()
    assert before is not None
    name, graph = result.name or "", model.ir.graph
    new = ir.Node(
        quantizer.domain, quantizer.op_type, [port, *quantizer.inputs[1:]],
        quantizer.attributes.values(), name=quantizer.name, version=quantizer.version,
        metadata_props=dict(quantizer.metadata_props),
    )  # fmt: skip
    new.outputs[0].name = f"{port.name}_{name}"
    new.outputs[0].shape, new.outputs[0].type = port.shape, port.type
    ir.convenience.replace_all_uses_with(result, moved, replace_graph_outputs=True)
    graph.remove(quantizer, safe=True)
    moved.name = name
    graph.insert_before(first, new)
    first.replace_input_with(0, new.outputs[0])
