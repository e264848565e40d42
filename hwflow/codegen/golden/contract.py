"""The numeric contract of a golden model: what every number in it means, as plain data.

It is enough to quantise what enters and to read what leaves without hwflow; ``docs/golden.md``
shows how.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from fractions import Fraction
from math import ldexp
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from hwflow.ir.body.values import Tensor
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.grid import UNIT, Grid, Rationals
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import to_original

FORMAT = 2
"""Version of the numeric contract in the model's metadata."""

CONTRACT = "hwflow.contract"
"""Key of the metadata entry that holds the numeric contract."""


def add_contract(
    model: onnx.ModelProto, graph: Graph, values: Mapping[str, Tensor], late: Collection[str] = ()
) -> None:
    """Write the contract into a model's metadata.

    Args:
        model: the golden model of ``graph``.
        graph: the hardware graph.
        values: the layers' values in the golden model, by layer.
        late: layers whose values a pool rounds.
    """
    _write(model, contract(graph, values, late))


def contract(
    graph: Graph, values: Mapping[str, Tensor], late: Collection[str] = ()
) -> dict[str, Any]:
    """Return what ports and layers hold: types, scales, ranges and carriers, as plain data.

    ``observed`` is None everywhere; ``observed_model`` knows it.

    Args:
        graph: see ``add_contract``.
        values: see ``add_contract``.
        late: see ``add_contract``.
    """
    return {
        "format": FORMAT,
        "inputs": [_input(graph, port) for port in graph.inputs],
        "outputs": [_port(graph, port, real=port.grid.plain) for port in graph.outputs],
        "layers": {
            node.name: _layer(graph, node, values[node.name], rounded=node.name not in late)
            for node in graph.nodes
        },
    }


def observed_model(content: bytes, observed: Mapping[str, tuple[float, float]] | None) -> bytes:
    """Return a golden model's file with the ranges that data gave in its contract.

    Args:
        content: the file.
        observed: least and greatest real number of each layer; None without any data.
    """
    if observed is None:
        return content
    model = onnx.load_from_string(content)
    found = read_contract(model)
    for name, layer in found["layers"].items():
        ends = (ldexp(end, layer["fractional"]) for end in observed[name])
        layer["observed"] = [int(end) for end in ends]
    _write(model, found)
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def observed_again(content: bytes, other: bytes) -> bytes:
    """Return a golden model's file with the ranges that another one has in its contract.

    Args:
        content: the file, without ranges.
        other: one that may come from anybody; what is no range in it is left out.
    """
    try:
        layers = read_contract(onnx.load_from_string(other))["layers"]
        ranges = {name: layer["observed"] for name, layer in layers.items()}
    except (DecodeError, StopIteration, LookupError, ValueError, TypeError, AttributeError,
            RecursionError):  # fmt: skip
        return content
    model = onnx.load_from_string(content)
    found = read_contract(model)
    for name, layer in found["layers"].items():
        ends = ranges.get(name)
        if isinstance(ends, list) and [type(end) for end in ends] == [int, int]:
            layer["observed"] = ends
    _write(model, found)
    made: bytes = model.SerializeToString(deterministic=True)
    return made


def read_contract(model: onnx.ModelProto) -> dict[str, Any]:
    """Return the contract in a golden model's metadata."""
    text = next(entry.value for entry in model.metadata_props if entry.key == CONTRACT)
    found: dict[str, Any] = json.loads(text)
    return found


def _write(model: onnx.ModelProto, content: dict[str, Any]) -> None:
    onnx.helper.set_model_props(model, {CONTRACT: json.dumps(content, indent=1)})


def _layer(graph: Graph, node: Node, value: Tensor, *, rounded: bool) -> dict[str, Any]:
    """Return the fixed-point type of a layer's result, and where its mantissas lie."""
    tensor, dtype = graph.types[node.name], graph.types[node.name].dtype
    grid = UNIT if node.source is None else node.source.grid
    scale, offset = grid.scale * Fraction(2) ** -dtype.fractional, grid.offset
    return {
        "operator": node.op.kind, "origin": node.origin,
        "tensor": "" if node.source is None else node.source.name,
        "shape": list(tensor.shape), "type": str(dtype), "width": dtype.width,
        "fractional": dtype.fractional, "signed": dtype.signed, "rounding": str(dtype.rounding),
        "overflow": str(dtype.overflow), "scale": _numbers(scale), "offset": _numbers(offset),
        "proven": list(tensor.bounds), "observed": None, "carrier": str(value.carrier),
        "zero_point": value.zero, "channels_first": value.first, "rounded": rounded,
    }  # fmt: skip


def _input(graph: Graph, port: Port) -> dict[str, Any]:
    """Return what enters by a port, and how the host gets it where it quantises."""
    op = graph.by_name[port.value].op
    quantizer = op.quantizer if isinstance(op, Input) else None
    found = _port(graph, port, real=quantizer is None)
    return found | {"quantize": None if quantizer is None else _quantizer(quantizer)}


def _quantizer(quantizer: Quantizer) -> dict[str, Any]:
    return {
        "formula": quantizer.formula,
        "scale": _array(quantizer.scale),
        "zero_point": _array(quantizer.zero_point.astype(np.int64)),
        "minimum": quantizer.raw_min, "maximum": quantizer.raw_max,
        "rounding": "SIGN" if quantizer.bipolar else quantizer.rounding,
    }  # fmt: skip


def _port(graph: Graph, port: Port, *, real: bool) -> dict[str, Any]:
    """Return what a port's mantissas mean, in an order of axes that suits its tensor."""
    grid, dtype = port.grid, graph.types[port.value].dtype
    grid = Grid(grid.scale * Fraction(2) ** -dtype.fractional, grid.offset)
    scale, offset = (_at_port(port, part) for part in (grid.scale, grid.offset))
    return {
        "name": port.name, "layer": port.value, "real": real,
        "scale": _numbers(scale), "offset": _numbers(offset),
        "exact": {"scale": _texts(scale), "offset": _texts(offset)},
    }  # fmt: skip


def _at_port(port: Port, part: Rationals) -> Rationals:
    """Return scales or offsets so that they broadcast to the tensor of the original model."""
    if part.size == 1:
        return part
    hardware = part.reshape(*(1 for _ in range(len(port.axes) - part.ndim)), *part.shape)
    found: Rationals = to_original(hardware[None], port)[0]
    return found


def _numbers(part: Rationals) -> Any:
    """Return rationals as the nearest float64 numbers; one, or lists of them."""
    return _array(part.astype(np.float64))


def _texts(part: Rationals) -> Any:
    """Return rationals as text that ``fractions.Fraction`` takes; one, or lists of them."""
    return _array(part.astype(str).astype(object))


def _array(values: Any) -> Any:
    return values.item() if values.size == 1 else values.tolist()
