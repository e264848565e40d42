"""Activation functions of Keras and QKeras, without the quantisers: see ``quantizers``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwflow.frontends.keras.arguments import check_quantizer
from hwflow.frontends.keras.quantizers import QUANTIZERS, sigmoid_of_qkeras
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.ir.op import RefusedError

Step = Callable[[Writer, Tensor], Tensor]

_PACKAGES = ("qkeras.", "tf_keras.", "tensorflow.")
"""Where functions come from; some of Keras' activations are TensorFlow's own."""


@dataclass(frozen=True)
class Function:
    """A function of Keras 3, by name; some of them are others than those of Keras 2."""

    name: str

    def __call__(self, b: Writer, x: Tensor) -> Tensor:
        """Append the function.

        Raises:
            RefusedError: HW282, it is not known, or cannot be computed exactly.
        """
        known = _KERAS | _KERAS_3
        if self.name not in known:
            raise _unknown(b, self.name, known)
        return known[self.name](b, x)


def activate(b: Writer, x: Tensor, activation: Any) -> Tensor:
    """Append an activation: a QKeras quantiser, or a function of QKeras or Keras.

    Raises:
        RefusedError: HW282, it is not known, or cannot be computed exactly.
    """
    if activation is None:
        return x
    if isinstance(activation, Function):
        return activation(b, x)
    kind = type(activation)
    if kind.__module__ == "qkeras.quantizers" and kind.__name__ in QUANTIZERS:
        check_quantizer(b, activation)
        return QUANTIZERS[kind.__name__](b, x, activation)
    module = str(getattr(activation, "__module__", ""))
    name = str(getattr(activation, "__name__", kind.__name__))
    table = _QKERAS if module == "qkeras.quantizers" else _KERAS
    if name not in table or not module.startswith(_PACKAGES):
        raise _unknown(b, f"{module}.{name}" if module else name, {**QUANTIZERS, **_KERAS})
    return table[name](b, x)


def _unknown(b: Writer, name: str, known: Mapping[str, Any]) -> RefusedError:
    return b.refusal(
        "activation that is not known",
        code="HW282",
        found=name,
        supported=", ".join(sorted(known)),
        help="use one of these, with a quantiser behind it",
    )


def softmax(b: Writer, x: Tensor, axis: int = -1) -> Tensor:
    """Append a softmax over a Keras axis."""
    return replace(x, name=b.node("Softmax", [x.name], axis=x.axis(axis)))


def hard_sigmoid(b: Writer, x: Tensor) -> Tensor:
    """Append Keras' ``clip(0.2 * x + 0.5, 0, 1)``.

    Divided by 5 rather than multiplied by float32's 0.2, which is 3e-9 more: where ``x / 5`` has
    few bits, float32 rounds the product to it, and a rounding behind may be at a tie there.
    """
    return b.clip(b.unary("Add", b.unary("Div", x, 5.0), 0.5), 0.0, 1.0)


def _binary_sigmoid(b: Writer, x: Tensor) -> Tensor:
    """Append ``round(clip(x / 2 + 1 / 2, 0, 1))``, which is 0 at 0."""
    x = b.unary("Add", b.unary("Mul", x, 0.5), 0.5)
    return b.quant(x, 1.0, 1, signed=False)


def _binary_tanh(b: Writer, x: Tensor) -> Tensor:
    return b.unary("Sub", b.unary("Mul", _binary_sigmoid(b, x), 2.0), 1.0)


def _swish(b: Writer, x: Tensor) -> Tensor:
    return replace(x, name=b.node("Mul", [x.name, b.unary("Sigmoid", x).name]))


def _onnx(op: str, **attributes: float) -> Step:
    return lambda b, x: b.unary(op, x, **attributes)


_KERAS: dict[str, Step] = {
    "linear": lambda b, x: x,
    "relu": _onnx("Relu"),
    "relu6": lambda b, x: b.clip(x, 0.0, 6.0),
    "sigmoid": _onnx("Sigmoid"),
    "tanh": _onnx("Tanh"),
    "softplus": _onnx("Softplus"),
    "softsign": _onnx("Softsign"),
    "elu": _onnx("Elu", alpha=1.0),
    "selu": _onnx("Selu"),
    "gelu": _onnx("Gelu"),
    "mish": _onnx("Mish"),
    "exponential": _onnx("Exp"),
    "leaky_relu": _onnx("LeakyRelu", alpha=0.2),
    "hard_sigmoid": hard_sigmoid,
    "softmax": softmax,
    "swish": _swish,
    "silu": _swish,
}
"""Functions of ``tf_keras.activations`` by name."""

_KERAS_3: dict[str, Step] = {
    # https://keras.io/api/layers/activations: relu6(x + 3) / 6, which Keras 2 had as 0.2 x + 0.5
    "hard_sigmoid": lambda b, x: b.unary("Div", b.clip(b.unary("Add", x, 3.0), 0.0, 6.0), 6.0),
    "hard_tanh": lambda b, x: b.clip(x, -1.0, 1.0),
}
"""Functions of ``keras.activations`` that ``tf_keras`` lacks, or has another of."""

_QKERAS: dict[str, Step] = {
    "hard_sigmoid": lambda b, x: sigmoid_of_qkeras(b, x, "hard"),
    "smooth_sigmoid": lambda b, x: sigmoid_of_qkeras(b, x, "smooth"),
    "hard_tanh": lambda b, x: b.clip(x, -1.0, 1.0),
    "smooth_tanh": lambda b, x: b.clip(b.unary("Mul", x, 0.375), -1.0, 1.0),
    "binary_sigmoid": _binary_sigmoid,
    "binary_tanh": _binary_tanh,
}
"""Functions of ``qkeras.quantizers`` by name; ``2 * clip(a * x + 1/2, 0, 1) - 1`` is
``clip(2 * a * x, -1, 1)``."""

KNOWN = frozenset({*_KERAS, *_QKERAS})
"""Names of all functions."""
