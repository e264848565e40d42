"""Whether the calls of the layers in a Keras configuration can be made in some order.

Keras tries them again and again until all are made: of a file in which one is missing, or in
which they wait for each other, it would never return.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_NETWORKS = ("Functional", "Model", "Sequential")

Reference = tuple[str, int]
"""A layer, and which of its calls."""


def missing_operand(config: Any) -> tuple[str, str] | None:
    """Return a layer that cannot be called, and the layer whose result it waits for.

    Args:
        config: configuration of a model, as JSON. What is no list of layers in it is for Keras to
            refuse.

    Returns:
        None where all calls can be made, in the model and in those within it.
    """
    return next((found for layers in _layer_lists(config) for found in _waiting(layers)), None)


def _layer_lists(value: Any) -> Iterator[list[Mapping[str, Any]]]:
    """Yield the layers of every functional model in a configuration."""
    if isinstance(value, list):
        for part in value:
            yield from _layer_lists(part)
    elif isinstance(value, Mapping):
        layers = value.get("layers")
        if isinstance(layers, list) and "input_layers" in value:
            yield [layer for layer in layers if isinstance(layer, Mapping) and "name" in layer]
        for part in value.values():
            yield from _layer_lists(part)


def _waiting(layers: list[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """Return layers whose calls are not made however often they are tried, first causes first.

    Each with the operand that it waits for.
    """
    first = {str(layer["name"]): _first_call(layer) for layer in layers}
    made = dict(first)
    calls = {
        str(layer["name"]): [list(_references(call)) for call in _calls(layer)] for layer in layers
    }
    sources = {str(layer["name"]) for layer in layers if layer.get("class_name") == "InputLayer"}

    def missing(name: str) -> str | None:
        """Return the operand that the next call of a layer waits for."""
        for operand, number in calls[name][made[name] - first[name]]:
            known = operand in made and operand not in sources  # else Keras refuses or takes it
            if known and not first[operand] <= number < made[operand]:
                return operand
        return None

    def left() -> list[str]:
        return [name for name in calls if made[name] - first[name] < len(calls[name])]

    while ready := [name for name in left() if missing(name) is None]:
        for name in ready:
            made[name] += 1
    stuck = [(name, operand) for name in left() if (operand := missing(name)) is not None]
    waiting = {name for name, _ in stuck}
    return sorted(stuck, key=lambda pair: pair[1] in waiting)


def _calls(layer: Mapping[str, Any]) -> list[Any]:
    calls = layer.get("inbound_nodes")
    return calls if isinstance(calls, list) else []


def _first_call(layer: Mapping[str, Any]) -> int:
    """Return the number of a layer's first call: a network with inputs has made one already."""
    if layer.get("class_name") not in _NETWORKS:
        return 0
    config = layer.get("config")
    inner = config.get("layers") if isinstance(config, Mapping) else None
    if not isinstance(inner, list) or not inner or not isinstance(inner[0], Mapping):
        return 1
    return int(inner[0].get("class_name") == "InputLayer")


def _references(value: Any) -> Iterator[Reference]:
    """Yield the results that a call, or an argument of it, is made of."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return
    if len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
        yield value[0], value[1]
        value = value[3:]
    for part in value:
        yield from _references(part)
