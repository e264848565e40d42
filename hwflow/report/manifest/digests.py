"""Digests of things that are no files: graphs, models, constants, data; equal in every process.

Everything is turned into bytes by one rule: a letter for the kind, the size, the content.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.core.data import Data
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.qonnx.model import QonnxModel, origin


def content_digest(content: bytes) -> str:
    """Return the digest that stands for a file's content."""
    return hashlib.sha256(content).hexdigest()


def digest(value: Any) -> str:
    """Return the SHA-256 of a value: numbers, texts, arrays, records and collections of such.

    Of anything else only the name of its class counts.
    """
    total = hashlib.sha256()
    for part in _parts(value):
        total.update(part)
    return total.hexdigest()


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


def _parts(value: Any) -> Iterator[bytes]:
    if value is None:
        yield b"N;"
    elif isinstance(value, np.ndarray):
        yield from _array(value)
    elif isinstance(value, (Enum, int, float, Fraction, np.number, np.bool_, str, bytes)):
        yield from _sized(*_scalar(value))
    elif isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: str(item[0]))
        yield from _several(b"M", [part for item in items for part in item])
    elif isinstance(value, Set):
        yield from _several(b"U", sorted(digest(item) for item in value))
    elif isinstance(value, Sequence):
        yield from _several(b"L", value)
    else:
        yield from _record(value)


def _scalar(value: Any) -> tuple[bytes, bytes]:
    """Return kind and content of a single number, text or name."""
    if isinstance(value, Enum):
        return b"E", value.name.encode()
    if isinstance(value, bytes):
        return b"B", value
    if isinstance(value, str):
        return b"S", value.encode("utf-8", "surrogatepass")
    if isinstance(value, (float, np.floating)):
        return b"F", float(value).hex().encode()
    return b"I", str(value).encode()


def _record(value: Any) -> Iterator[bytes]:
    yield from _sized(b"R", type(value).__qualname__.encode())
    if is_dataclass(value) and not isinstance(value, type):
        yield from _several(b"M", [(f.name, getattr(value, f.name)) for f in fields(value)])


def _array(array: npt.NDArray[Any]) -> Iterator[bytes]:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    yield from _sized(b"A", f"{little.dtype.str} {array.shape}".encode())
    if array.dtype.kind == "O":
        yield from _several(b"L", array.ravel().tolist())
    else:
        yield np.ascontiguousarray(little).tobytes()


def _several(kind: bytes, values: Sequence[Any]) -> Iterator[bytes]:
    yield b"%b%d:" % (kind, len(values))
    for value in values:
        yield from _parts(value)


def _sized(kind: bytes, content: bytes) -> Iterator[bytes]:
    yield b"%b%d:" % (kind, len(content))
    yield content
