"""Layers that compute elementwise, on the last axis, or on several values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.frontends.keras.activations import activate, softmax
from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.weights import evaluate, write_weight
from hwflow.frontends.keras.writer import Writer

Layer = Any
"""A Keras layer; Keras comes without types."""

Convert = Callable[[Writer, Layer, list[Tensor]], Tensor]


def quantizer_of(layer: Layer, role: str) -> Any:
    """Return the quantiser object of a role (``kernel``, ``bias``), or None."""
    return getattr(layer, f"{role}_quantizer_internal", None)


def _identity(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    return x[0]


def _dense(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source = b.keras(x[0])
    weight = write_weight(b, "kernel", layer.kernel, quantizer_of(layer, "kernel"))
    name = b.node("MatMul", [source.name, weight])
    if layer.use_bias:
        bias = write_weight(b, "bias", layer.bias, quantizer_of(layer, "bias"))
        name = b.node("Add", [name, bias])
    found = Tensor(name, (*source.shape[:-1], int(layer.units)))
    return activate(b, found, layer.activation)


def _activation(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    return activate(b, x[0], layer.activation)


def _quantized_activation(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    return activate(b, x[0], layer.quantizer)


def _adaptive_activation(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    """Append the quantiser of the integer bits that training arrived at, without noise.

    They follow from the averages of least and greatest values, which a file holds. The bits
    themselves it does not: Keras sets them at the end of a call, as here
    (``QAdaptiveActivation.call`` of QKeras 0.9).
    """
    from qkeras.quantizers import _get_integer_bits

    quantizer = copy(layer.quantizer)
    quantizer.qnoise_factor = 1.0
    bits = _get_integer_bits(
        min_value=layer.ema_min, max_value=layer.ema_max, bits=layer.total_bits,
        symmetric=layer.symmetric, keep_negative=layer.keep_negative,
        is_clipping=layer.po2_rounding,
    )  # fmt: skip
    quantizer.integer = np.asarray(bits)
    return activate(b, x[0], quantizer)


def _relu(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    slope = float(np.asarray(layer.negative_slope))
    if float(np.asarray(layer.threshold)) != 0:
        raise b.refusal(
            "ReLU with a threshold", found=f"threshold={layer.threshold}", supported="0"
        )
    top = None if layer.max_value is None else float(np.asarray(layer.max_value))
    if slope == 0:
        return b.unary("Relu", x[0]) if top is None else b.clip(x[0], 0.0, top)
    found = b.unary("LeakyRelu", x[0], alpha=slope)
    return found if top is None else b.clip(found, None, top)


def _leaky_relu(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    slope = getattr(layer, "alpha", None)
    slope = layer.negative_slope if slope is None else slope
    return b.unary("LeakyRelu", x[0], alpha=float(np.asarray(slope)))


def _prelu(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    slopes = np.asarray(layer.alpha, np.float32)
    while slopes.ndim > 1 and slopes.shape[0] == 1:
        slopes = slopes[0]
    return b.unary("PRelu", x[0], slopes)


def _elu(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    return b.unary("Elu", x[0], alpha=float(np.asarray(layer.alpha)))


def _softmax(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    if not isinstance(layer.axis, int):
        raise b.refusal(
            "softmax over several axes", found=f"axis={layer.axis}", supported="one axis"
        )
    return softmax(b, x[0], layer.axis)


def check_last_axis(b: Writer, axis: Any, rank: int) -> None:
    """Refuse a batch normalisation of another axis than the last.

    Args:
        b: for messages.
        axis: one, or a list, as Keras has it.
        rank: axes of the value, batch included.

    Raises:
        RefusedError: HW281.
    """
    axes = [axis] if isinstance(axis, int) else [int(a) for a in axis]
    if [a % rank for a in axes] != [rank - 1]:
        raise b.refusal(
            "batch normalisation of an axis other than the last",
            found=f"axis={axes}",
            supported="axis=-1",
        )


def _batch_norm(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    source = b.spatial(x[0])
    check_last_axis(b, layer.axis, len(source.shape) + 1)
    size = (source.shape[-1],)
    names = (("gamma", np.ones(size)), ("beta", np.zeros(size)), ("mean", None), ("variance", None))
    operands = []
    for role, default in names:
        raw = getattr(layer, role if default is not None else f"moving_{role}", None)
        used = np.asarray(default if raw is None else raw, np.float32)
        quantizer = quantizer_of(layer, role) if raw is not None else None
        operands.append(b.constant(role, used if quantizer is None else evaluate(quantizer, used)))
    name = b.node(
        "BatchNormalization", [source.name, *operands], epsilon=float(np.float32(layer.epsilon))
    )
    return replace(source, name=name)


def _merge(op: str) -> Convert:
    def convert(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
        if len({len(t.shape) for t in x}) > 1:
            shapes = ", ".join(str(t.shape) for t in x)
            raise b.refusal(
                "operands of different numbers of axes", found=shapes, help="use Reshape"
            )
        values = _one_layout(b, x)
        shape = tuple(np.broadcast_shapes(*(t.shape for t in x)))
        names = [t.name for t in values]
        if op in ("Add", "Sub", "Mul"):
            name = names[0]
            for other in names[1:]:
                name = b.node(op, [name, other])
        else:
            name = b.node(op, names)
        return Tensor(name, shape, values[0].channels_first)

    return convert


def _concatenate(b: Writer, layer: Layer, x: list[Tensor]) -> Tensor:
    values = _one_layout(b, x)
    rank = len(x[0].shape) + 1
    axis = int(layer.axis) % rank
    if axis == 0:
        raise b.refusal(
            "concatenation of batches", code="HW216", found="axis=0", supported="axes from 1 on"
        )
    shape = list(x[0].shape)
    shape[axis - 1] = sum(t.shape[axis - 1] for t in x)
    name = b.node("Concat", [t.name for t in values], axis=values[0].axis(axis))
    return Tensor(name, tuple(shape), values[0].channels_first)


def _one_layout(b: Writer, x: Sequence[Tensor]) -> list[Tensor]:
    """Return values in the layout that any of them has for a reason."""
    turn = b.spatial if any(t.channels_first for t in x) else b.keras
    return [turn(t) for t in x]


LAYERS: dict[str, Convert] = {
    "Dense": _dense,
    "QDense": _dense,
    "Activation": _activation,
    "QActivation": _quantized_activation,
    "QAdaptiveActivation": _adaptive_activation,
    "ReLU": _relu,
    "LeakyReLU": _leaky_relu,
    "PReLU": _prelu,
    "ELU": _elu,
    "Softmax": _softmax,
    "BatchNormalization": _batch_norm,
    "QBatchNormalization": _batch_norm,
    "Add": _merge("Add"),
    "Subtract": _merge("Sub"),
    "Multiply": _merge("Mul"),
    "Average": _merge("Mean"),
    "Maximum": _merge("Max"),
    "Minimum": _merge("Min"),
    "Concatenate": _concatenate,
} | dict.fromkeys(
    ("Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout",
     "AlphaDropout", "ActivityRegularization"),
    _identity,
)  # fmt: skip
"""Converters of layers, by class name."""
