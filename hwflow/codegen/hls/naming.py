"""Names in the generated C++ that say which layer of the model they are about.

hls4ml numbers what it declares: ``layer3_out``, ``w3``, ``layer3_t``. Here a value, a weight and a
type are called after their layer, ports after those of the model: ``conv1_out``,
``conv1_weight``, ``conv1_result_t``, ``logits_out``. Files of weights are called like the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hwflow.ir.graph import Graph
from hwflow.ir.names import ACTIVATIONS, FUNCTIONS, Names, output_name

MARK = "__layer"
"""Suffix of the names of layers while hls4ml has them; names from a model never hold two
underscores in a row (``ir.names.sanitize``)."""

_NUMBERED = re.compile(
    rf"\b(?:(?:(?:{ACTIVATIONS})_)?config|(?:{FUNCTIONS})_)(\d+)(?=\b|_)".encode()
)
"""What hls4ml 1.3.0 names after a layer's number inside its templates."""

_COPY = re.compile(r"_cpy\d+$")
"""How hls4ml ends the names of the copies of a stream (``clone.py``)."""


def call_after_layers(model_graph: Any, graph: Graph) -> None:
    """Give values, weights and types the names of their layers, in place.

    Args:
        model_graph: hls4ml's model, whose types are final and whose templates are not filled in.
        graph: what it was made from, for the names of outputs.
    """
    names = Names([graph.name, "loaded_weights"])
    _name_values(model_graph, graph, names)
    for layer in model_graph.get_layers():
        for key, weight in layer.weights.items():
            weight.name = names.unique(f"{_in_code(layer.name)}_{key}")
    _name_types(model_graph, names)


def unmarked(name: object) -> str:
    """Return the name of a layer as people read it."""
    return str(name).replace(MARK, "")


def _in_code(name: object) -> str:
    """Return what a layer is called in C++, where two underscores in a row are reserved."""
    return unmarked(name).replace("__", "_")


def with_layer_names(code: bytes, names: Mapping[int, str]) -> bytes:
    """Return C++ in which what has a layer's number carries the layer's name behind it.

    HLS tools name functions after their template arguments, so that a row of a synthesis report
    says which layer of the model it is about. They cut names that are too long, so that the number
    comes first.

    Args:
        code: the C++.
        names: names of the layers by number.
    """

    def named(match: re.Match[bytes]) -> bytes:
        name = names[int(match[1])].replace("__", "_")
        return match[0] + b"_" + name.encode()

    return _NUMBERED.sub(named, code)


def _name_values(model_graph: Any, graph: Graph, names: Names) -> None:
    """Name inputs, then outputs, then what lies between them."""
    named = set()
    inputs = model_graph.get_input_variables()
    for variable in inputs:
        variable.name = names.unique(unmarked(variable.name))
        named.add(id(variable))
    outputs = model_graph.get_output_variables()
    for variable, port in zip(outputs, graph.outputs, strict=True):
        variable.name = names.unique(output_name(port.name))
        named.add(id(variable))
    for layer in model_graph.get_layers():
        for key, variable in layer.variables.items():
            if id(variable) not in named:
                plain = _in_code(key)
                variable.name = names.unique(plain if _COPY.search(plain) else f"{plain}_out")


def _name_types(model_graph: Any, names: Names) -> None:
    """Name types; those that had one name before have one name afterwards."""
    layers = list(model_graph.get_layers())
    found: dict[str, str] = {}
    every: dict[int, Any] = {}
    for layer in layers:
        for own, dtype in _types(layer):
            every[id(dtype)] = dtype
            if dtype.name not in found:
                found[dtype.name] = names.unique(own)
    for dtype in every.values():
        dtype.name = found[dtype.name]


def _types(layer: Any) -> Iterator[tuple[str, Any]]:
    """Yield the types of a layer, each with the name that it is to have."""
    name = _in_code(layer.name)
    end = "t" if layer.class_name == "Input" else "result_t"
    yield from ((f"{name}_{end}", variable.type) for variable in layer.variables.values())
    yield from ((f"{weight.name}_t", weight.type) for weight in layer.weights.values())
    for key, dtype in layer.types.items():
        own = f"{name}_{end}" if key == "result_t" else f"{name}_{key}"
        yield own, dtype


def layer_numbers(layers: Iterable[Any]) -> dict[int, str]:
    """Return the names of hls4ml's layers by number."""
    return {int(layer.index): unmarked(layer.name) for layer in layers}
