"""What a Keras configuration from a stranger may name, checked before anything is made of it.

Keras imports modules and calls classes by the names in a configuration, and a ``Lambda`` layer
holds byte code. So every class name must be one of a list, and every text that QKeras would
evaluate must be a name of a list with literal arguments. Module names and whatever serves training
alone are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.keras.activations import KNOWN as ACTIVATIONS
from hwflow.frontends.keras.model import CONVERTERS, INSTEAD
from hwflow.frontends.keras.quantizers import QUANTIZERS
from hwflow.ir.qonnx.model import printable

MODELS = frozenset({"Functional", "Model", "Sequential"})

OTHER_LAYERS = frozenset(
    {
        "InputLayer", "Conv3D", "Embedding", "ThresholdedReLU",
        "MaxPooling3D", "AveragePooling3D", "Masking", "UnitNormalization", "GroupNormalization",
    }
)  # fmt: skip
"""Layers that run no code of the file; those that are not converted are refused later, in place."""

DATA = frozenset({"__numpy__", "__tensor__", "__tuple__", "TensorShape"})
"""Class names of values that JSON has no form for."""

KNOWN = frozenset({*CONVERTERS, *MODELS, *OTHER_LAYERS, *QUANTIZERS, *DATA})
"""Class names that a configuration may hold."""

_CALL = re.compile(r"([A-Za-z_]\w*)(\([^()]*\))?")
"""A name, with literal arguments or without; QKeras evaluates no more than that."""

_TRAINING = {"_initializer": "zeros", "_regularizer": None, "_constraint": None}
"""Ends of the keys that serve training alone, and what stands for their values."""

_KEPT = ("class_name", "config", "name", "inbound_nodes", "items")
"""Entries of an object in a configuration; the others say which modules to import."""


def checked(config: Any, source: str) -> Any:
    """Return a configuration without module names, if it names nothing but what is known.

    Raises:
        CompileError: HW037, all names that are not known; HW280, layers around functions.
    """
    findings = list(_findings(config, "", ""))
    if findings:
        raise CompileError([_finding(*found, source) for found in findings])
    return _plain(config, "")


def _findings(value: Any, key: str, layer: str) -> Iterator[tuple[str, str]]:
    """Yield the layers and the names in them that are not known."""
    if key.endswith(tuple(_TRAINING)):
        return
    if isinstance(value, dict):
        yield from _findings_in_object(value, layer)
    elif isinstance(value, list):
        for part in value:
            yield from _findings(part, key, layer)
    elif isinstance(value, str) and (key == "activation" or key.endswith("_quantizer")):
        match = _CALL.fullmatch(value)
        if match is None or match[1] not in {*QUANTIZERS, *ACTIVATIONS}:
            yield layer, value


def _findings_in_object(value: dict[str, Any], layer: str) -> Iterator[tuple[str, str]]:
    inner = value.get("config")
    if isinstance(inner, dict) and isinstance(inner.get("name"), str):
        layer = inner["name"]
    if "class_name" in value and str(value["class_name"]) not in KNOWN:
        yield layer, str(value["class_name"])
        return
    for entry, part in value.items():
        if entry in _KEPT or "class_name" not in value:
            yield from _findings(part, str(entry), layer)


def _plain(value: Any, key: str) -> Any:
    """Return a configuration with the entries alone that are read."""
    for end, instead in _TRAINING.items():
        if key.endswith(end):
            return instead
    if isinstance(value, list):
        return [_plain(part, key) for part in value]
    if not isinstance(value, dict):
        return value
    kept = {k: v for k, v in value.items() if "class_name" not in value or k in _KEPT}
    return {k: _plain(v, str(k)) for k, v in kept.items()}


def _finding(layer: str, name: str, source: str) -> Diagnostic:
    where = f"{printable(layer)}, in {source}" if layer else f"in {source}"
    if name.endswith("OpLambda"):
        return Diagnostic(
            code="HW280",
            title="layer that is not supported",
            where=where,
            found=name,
            supported=f"{len(CONVERTERS)} layers, listed in docs/keras.md",
            help=INSTEAD.get(name, "replace it in the model"),
        )
    return Diagnostic(
        code="HW037",
        title="the file names something that may run code of its own",
        where=where,
        found=repr(printable(name)),
        supported="layers and quantisers of Keras and QKeras",
        help="write it with these; --trust (trust=True) runs its code, and reads what only adds to "
        "such a layer; for another layer convert the model to int8 TFLite, which holds no code",
    )
