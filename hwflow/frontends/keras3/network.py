"""The calls of the layers of a Keras 3 model, as its configuration has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hwflow.frontends.keras3.archive import DamagedError

Key = tuple[str, int, int]
"""A result: of which layer, of which of its calls, and which of several."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Call:
    """A call of a layer.

    Attributes:
        layer: its name.
        number: which of its calls.
        inputs: its operands.
        training: whether it is in training mode.
        others: arguments that are no operands, by name or position.
        roles: name or position of each operand among the arguments.
    """

    layer: str
    number: int
    inputs: tuple[Key, ...]
    training: bool = False
    others: dict[str | int, Any] = field(default_factory=dict)
    roles: tuple[str | int, ...] = ()


@dataclass(frozen=True, eq=False)
class Network:
    """The calls of a model, as its configuration has them.

    Attributes:
        layers: configuration of each layer, by name.
        inputs: inputs of the model.
        outputs: outputs of the model.
        calls: calls of layers, each behind those whose results it takes.
    """

    layers: dict[str, dict[str, Any]]
    inputs: tuple[Key, ...]
    outputs: tuple[Key, ...]
    calls: tuple[Call, ...]


def read_network(config: dict[str, Any]) -> Network:
    """Return the calls of a functional or sequential model.

    Raises:
        DamagedError: the configuration is of no such model.
    """
    settings = config["config"]
    layers = {str(layer["config"]["name"]): layer for layer in settings["layers"]}
    if len(layers) != len(settings["layers"]):
        raise DamagedError("two layers with one name")
    if config["class_name"] == "Sequential":
        return _sequential(settings, layers, config.get("build_config"))
    inputs = tuple(_keys(settings["input_layers"]))
    calls = [
        _call(name, number, node)
        for name, layer in layers.items()
        for number, node in enumerate(layer.get("inbound_nodes", []))
    ]
    ordered = tuple(_ordered(calls, set(inputs)))
    return Network(layers, inputs, tuple(_keys(settings["output_layers"])), ordered)


def _sequential(settings: Any, layers: dict[str, Any], build: Any) -> Network:
    """Return the chain that a sequential model is, with an input in front of it."""
    names = list(layers)
    if not names or layers[names[0]]["class_name"] != "InputLayer":
        shape = settings.get("build_input_shape") or (build or {}).get("input_shape")
        if not isinstance(shape, list):
            raise DamagedError("a sequential model that was not built")
        first = {"class_name": "InputLayer", "module": "keras.layers",
                 "config": {"name": "input", "batch_shape": shape, "dtype": "float32"}}  # fmt: skip
        layers, names = {"input": first, **layers}, ["input", *names]
    calls = tuple(
        Call(layer=name, number=0, inputs=((before, 0, 0),)) for before, name in pairwise(names)
    )
    return Network(layers, ((names[0], 0, 0),), ((names[-1], 0, 0),), calls)


def _keys(entries: Any) -> Iterator[Key]:
    """Yield the results that a nested list of (name, call, number) names."""
    if isinstance(entries, dict):
        entries = list(entries.values())
    if entries and isinstance(entries[0], str):
        yield str(entries[0]), int(entries[1]), int(entries[2])
        return
    for entry in entries:
        yield from _keys(entry)


def _call(layer: str, number: int, node: Any) -> Call:
    """Return a call from what the configuration says of it."""
    given = {**dict(enumerate(node["args"])), **node.get("kwargs", {})}
    training = given.pop("training", None)
    return Call(
        layer=layer,
        number=number,
        inputs=tuple(_tensors(list(given.values()))),
        training=isinstance(training, (bool, int)) and bool(training),
        others={name: value for name, value in given.items() if not list(_tensors(value))},
        roles=tuple(name for name, value in given.items() for _ in _tensors(value)),
    )


def _tensors(value: Any) -> Iterator[Key]:
    """Yield the results that stand in the arguments of a call."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield from _keys(value["config"]["keras_history"])
    elif isinstance(value, (dict, list)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _tensors(part)


def _ordered(calls: list[Call], known: set[Key]) -> Iterator[Call]:
    """Yield calls after those that they need."""
    done = {key[:2] for key in known}
    while calls:
        ready = [c for c in calls if all(key[:2] in done for key in c.inputs)]
        if not ready:
            raise DamagedError("layers that need each other's results")
        yield from ready
        done |= {(c.layer, c.number) for c in ready}
        calls = [c for c in calls if (c.layer, c.number) not in done]
