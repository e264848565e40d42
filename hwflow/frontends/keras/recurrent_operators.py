"""Recurrent layers of Keras itself, in floating point: ONNX's operators of the same names.

They have no quantisers inside. ``hwflow quantize`` writes their steps, and puts quantisers there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import Function
from hwflow.frontends.keras.layers import Convert
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.writer import Writer

Layer = Any
"""A Keras layer; Keras comes without types."""

ORDER = {"RNN": (0,), "LSTM": (0, 3, 1, 2), "GRU": (0, 1, 2)}
"""Keras' gates in ONNX's order: i, o, f, c of an LSTM, which Keras has as i, f, c, o."""

FUNCTIONS: dict[str, tuple[str, float | None, float | None]] = {
    "linear": ("Affine", 1.0, 0.0),
    "relu": ("Relu", None, None),
    "sigmoid": ("Sigmoid", None, None),
    "tanh": ("Tanh", None, None),
    "softsign": ("Softsign", None, None),
    "softplus": ("Softplus", None, None),
    "elu": ("Elu", 1.0, None),
    "leaky_relu": ("LeakyRelu", 0.2, None),
    "hard_sigmoid": ("HardSigmoid", 0.2, 0.5),
}
"""ONNX's name of a function, its ``alpha`` and its ``beta``."""

_KERAS_3 = {"hard_sigmoid": ("HardSigmoid", 1 / 6, 0.5)}
"""https://keras.io/api/layers/activations: relu6(x + 3) / 6, which Keras 2 had as 0.2 x + 0.5."""


def cell_of(layer: Layer) -> Layer:
    """Return what has the weights of a layer; a layer of a file has them itself."""
    return layer.cell if hasattr(layer, "cell") else layer


def operator(op: str) -> Convert:
    """Return the conversion of a recurrent layer without quantisers."""

    def convert(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
        source, units = b.keras(x[0]), int(layer.units)
        turned = b.node("Transpose", [source.name], perm=[1, 0, 2])
        settings: dict[str, Any] = {"hidden_size": units, **_functions(b, op, layer)}
        if layer.go_backwards:
            settings["direction"] = "reverse"
        if op == "GRU":
            settings["linear_before_reset"] = int(bool(layer.reset_after))
        states = b.node(op, [turned, *_weights(b, op, layer)], **settings)
        return _result(b, layer, states, (source.shape[0], units))

    return convert


def _result(b: Writer, layer: Layer, states: str, shape: tuple[int, int]) -> Tensor:
    """Append Keras' result, of states by step in order, (steps, 1, batch, units)."""
    if not layer.return_sequences:
        last = b.constant("last", 0 if layer.go_backwards else shape[0] - 1, np.int64)
        one = b.node("Gather", [states, last], axis=0)
        return Tensor(b.node("Squeeze", [one, b.constant("axes", [0], np.int64)]), shape[1:])
    flat = b.node("Squeeze", [states, b.constant("axes", [1], np.int64)])
    name = b.node("Transpose", [flat], perm=[1, 0, 2])
    if layer.go_backwards:
        limits = [b.constant("turned", [n], np.int64) for n in (-1, -(2**62), 1, -1)]
        name = b.node("Slice", [name, *limits])
    return Tensor(name, shape)


def _weights(b: Writer, op: str, layer: Layer) -> list[str]:
    """Return the names of W, R and B, with gates in ONNX's order."""
    cell = cell_of(layer)
    parts = {"kernel": cell.kernel, "recurrent": cell.recurrent_kernel}
    found = [
        b.constant(label, _ordered(op, np.asarray(raw, np.float32)).T[None])
        for label, raw in parts.items()
    ]
    if not layer.use_bias:
        return found
    bias = np.asarray(cell.bias, np.float32)
    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    return [*found, b.constant("bias", _ordered(op, both).reshape(1, -1))]


def _ordered(op: str, array: FloatArray) -> FloatArray:
    parts = np.split(array, len(ORDER[op]), axis=-1)
    return np.concatenate([parts[n] for n in ORDER[op]], axis=-1)


def _functions(b: Writer, op: str, layer: Layer) -> dict[str, Any]:
    """Return the functions of the gates and of states, as attributes."""
    names = {"RNN": ("activation",), "GRU": ("recurrent_activation", "activation")}
    wanted = names.get(op, ("recurrent_activation", "activation", "activation"))
    found = [_function(b, getattr(layer, name)) for name in wanted]
    alphas = [alpha for _, alpha, _ in found if alpha is not None]
    betas = [beta for _, _, beta in found if beta is not None]
    settings: dict[str, Any] = {"activations": [name for name, _, _ in found]}
    return {
        **settings,
        **({"activation_alpha": alphas} if alphas else {}),
        **({"activation_beta": betas} if betas else {}),
    }


def _function(b: Writer, activation: Any) -> tuple[str, float | None, float | None]:
    name = str(getattr(activation, "name", getattr(activation, "__name__", activation)))
    name = "linear" if activation is None else name
    known = FUNCTIONS | (_KERAS_3 if isinstance(activation, Function) else {})
    module = str(getattr(activation, "__module__", ""))
    own = activation is None or module.startswith(("tf_keras.", "tensorflow.", "hwflow."))
    if name not in known or not own:
        raise b.refusal(
            "activation that is not known in a recurrent layer", code="HW282", found=name,
            supported=", ".join(sorted(known)), help="use one of these",
        )  # fmt: skip
    return known[name]
