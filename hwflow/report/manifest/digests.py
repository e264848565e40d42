"""Digests of things that are no files: graphs, models, constants, data; equal in every process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx_ir as ir

from hwflow.core.data import Data
from hwflow.core.digests import digest
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.qonnx.model import QonnxModel, origin


def graph_digest(graph: Graph) -> str:
    """Return the digest of all that the hardware is: operators, constants, types, ports, names."""
    nodes = [(node.name, node.inputs, node_digest(graph, node)) for node in graph.nodes]
    return digest((graph.name, nodes, [port_content(p) for p in (*graph.inputs, *graph.outputs)]))


def node_digest(graph: Graph, node: Node) -> str:
    """Return the digest of an operator with everything in it, and of the type of its result."""
    return digest((node.op, graph.types[node.name]))


def port_content(port: Port) -> tuple[Any, ...]:
    """Return what a port is, for a digest."""
    return port.value, port.name, port.axes, port.grid.scale, port.grid.offset


def model_digest(model: QonnxModel) -> str:
    """Return the digest of what a model computes with and of its names.

    Documentation and other metadata do not count.
    """
    functions = sorted(model.ir.functions.items())
    imports = {name: version for name, version in model.ir.opset_imports.items() if version}
    return digest(
        (
            imports,
            list(_graph_content(model.ir.graph)),
            [(key, list(_graph_content(function))) for key, function in functions],
        )
    )


def data_digest(data: Data) -> str:
    """Return the digest of inputs and labels."""
    return digest((dict(data.inputs), data.labels))


def raw_digest(values: FixedArray) -> str:
    """Return the digest of the mantissas of a layer's values, in order."""
    return digest(values.raw)


def _graph_content(graph: ir.Graph | ir.Function) -> Iterator[Any]:
    """Yield ports, constants and nodes of a graph, a subgraph or a function."""
    for value in (*graph.inputs, *graph.outputs):
        yield value.name, str(value.dtype), None if value.shape is None else str(value.shape)
    if isinstance(graph, ir.Graph):
        for name, value in sorted(graph.initializers.items()):
            yield name, None if value.const_value is None else _tensor(value.const_value)
    for node in graph:
        names = [[v and v.name for v in values] for values in (node.inputs, node.outputs)]
        settings = {name: _attribute(attribute) for name, attribute in node.attributes.items()}
        yield node.domain, node.op_type, origin(node), names, settings


def _attribute(attribute: ir.Attr) -> Any:
    if attribute.is_ref():
        return "of the function", attribute.ref_attr_name
    several = isinstance(attribute.value, (list, tuple))
    return [_plain(v) for v in (attribute.value if several else [attribute.value])]


def _plain(value: Any) -> Any:
    if isinstance(value, ir.Graph):
        return list(_graph_content(value))
    return _tensor(value) if isinstance(value, ir.TensorProtocol) else value


def _tensor(tensor: ir.TensorProtocol) -> tuple[Any, ...]:
    if isinstance(tensor, ir.StringTensor):
        return tuple(tensor.numpy().ravel().tolist())
    return tensor.dtype.name, tuple(tensor.shape.numpy()), tensor.tobytes()
