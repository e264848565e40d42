"""Quantised weights: what the quantiser object makes of the weights, as integers times a scale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.frontends.keras.tensor import FloatArray
from hwflow.frontends.keras.writer import Writer
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import printable

WIDEST = 24
"""Widest weight in bits: float32 has that many, so a wider one is none that was quantised."""

WIDEST_GRID = 48
"""Widest in bits on the grid of the finest, where each weight has a format of its own."""

NOISE = 2.0**-21
"""Relative error that float32 may leave in ``x + (q - x)``, QKeras' straight-through estimator: two
roundings, and one of the product of integer and scale."""

Arrange = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True, eq=False)
class Levels:
    """Weights as whole numbers times a scale, in Keras' order of axes.

    Attributes:
        integers: whole numbers.
        scale: float32, of the shape of the integers or one that broadcasts to it.
        bits: width of the integers.
        bipolar: whether a binary quantiser gave them: every integer is 1 or -1.
    """

    integers: FloatArray
    scale: FloatArray
    bits: int
    bipolar: bool


@dataclass(frozen=True, eq=False)
class OnGrid:
    """Weights that were quantised already: float32 numbers on a grid of their own each."""

    values: FloatArray


def evaluate(quantizer: Any, raw: Any) -> FloatArray:
    """Return what a quantiser makes of a tensor: the numbers that ``predict`` computes with."""
    import tensorflow as tf

    return np.asarray(quantizer(tf.convert_to_tensor(raw, tf.float32)), np.float32)


def write_weight(
    b: Writer, label: str, raw: Any, quantizer: Any, arrange: Arrange = lambda a: a
) -> str:
    """Return the name of a weight or bias in the graph, quantised where it has a quantiser.

    Args:
        b: gets the constant.
        label: e.g. ``kernel``.
        raw: the variable, as trained.
        quantizer: QKeras object or function, or None.
        arrange: brings an array from Keras' order of axes to ONNX's.

    Raises:
        RefusedError: HW283, the quantiser gives numbers that are no integers times a scale.
    """
    if isinstance(raw, OnGrid):
        return write_on_grid(b, label, arrange(raw.values))
    if quantizer is None:
        return b.constant(label, arrange(np.asarray(raw, np.float32)))
    found = levels(b, label, raw, quantizer)
    values = (found.integers.astype(np.float64) * found.scale).astype(np.float32)
    scale = _compressed(arrange(np.broadcast_to(found.scale, values.shape)))
    if found.bipolar:
        return b.bipolar(b.constant(label, arrange(values)), scale)
    return b.quantized_constant(label, arrange(values), scale, found.bits, signed=True)


def write_on_grid(b: Writer, label: str, values: FloatArray) -> str:
    """Return the name of a constant of quantised numbers, as multiples of the finest step.

    Raises:
        RefusedError: HW283, they are not finite, or too far apart for one grid.
    """
    if not np.isfinite(values).all():
        raise _refusal(b, label, None, "values that are not finite")
    scale = _finest(values)
    size = np.abs(values.astype(np.float64) / scale).max(initial=1)
    if size >= 2.0**WIDEST_GRID:
        raise _refusal(b, label, None, f"values of {int(size).bit_length() + 1} bits", WIDEST_GRID)
    bits = max(int(size).bit_length() + 1, 2)
    return b.quantized_constant(label, values, scale, bits, signed=True)


def levels(b: Writer, label: str, raw: Any, quantizer: Any) -> Levels:
    """Return quantised weights as integers and scale.

    Raises:
        RefusedError: HW283.
    """
    values = evaluate(quantizer, raw)
    if not np.isfinite(values).all():
        raise _refusal(b, label, quantizer, "values that are not finite")
    scale = _scale(quantizer)
    if scale is None:
        scale = _finest(values)
    scale = np.where(scale == 0, np.float32(1), np.abs(scale)).astype(np.float32)
    integers = np.rint(values.astype(np.float64) / scale)
    error = np.abs(values - integers * scale)
    size = np.maximum(np.abs(values), np.abs(np.asarray(raw, np.float32)))
    allowed = np.where(np.frexp(scale)[0] == 0.5, 0.0, NOISE * size)
    if np.any(error > allowed):
        raise _refusal(b, label, quantizer, "values that are no whole numbers times its scale")
    bits = max(int(np.abs(integers).max(initial=1)).bit_length() + 1, 2)
    if bits > WIDEST:
        raise _refusal(b, label, quantizer, f"values of {bits} bits")
    bipolar = bool(np.all(np.abs(integers) == 1)) and _is_binary(quantizer)
    declared = getattr(quantizer, "bits", 0)
    wide = max(bits, declared) if isinstance(declared, int) and declared <= WIDEST else bits
    return Levels(integers, scale, wide, bipolar)


def _is_binary(quantizer: Any) -> bool:
    return type(quantizer).__name__ in ("binary", "stochastic_binary") or (
        type(quantizer).__name__ == "quantized_bits" and int(quantizer.bits) == 1
    )


def _scale(quantizer: Any) -> FloatArray | None:
    """Return the step of a quantiser that was called on the weights; None where it has none."""
    kind = type(quantizer).__name__
    if kind in ("binary", "stochastic_binary", "ternary", "stochastic_ternary"):
        return np.asarray(quantizer.scale, np.float32)
    if kind != "quantized_bits":
        return None
    unsigned = int(quantizer.bits) - int(quantizer.keep_negative)
    integer = np.asarray(quantizer.integer, np.float32)
    step = np.exp2(integer - unsigned) if unsigned > 0 else np.float32(1)
    return np.asarray(np.asarray(quantizer.scale, np.float32) * step, np.float32)


def _finest(values: FloatArray) -> FloatArray:
    """Return the greatest power of two of which all values are multiples."""
    mantissa, exponent = np.frexp(values[values != 0].astype(np.float64))
    if mantissa.size == 0:
        return np.ones((), np.float32)
    whole = (np.abs(mantissa) * 2.0**WIDEST).astype(np.int64)  # float32 has that many bits
    lowest = int((np.log2(whole & -whole) + exponent).min()) - WIDEST
    return np.asarray(2.0**lowest, np.float32)


def _compressed(scale: FloatArray) -> FloatArray:
    """Return a scale with every axis along which it is constant reduced to 1."""
    for axis in range(scale.ndim):
        first = np.take(scale, [0], axis)
        if np.all(scale == first):
            scale = first
    return np.asarray(scale.reshape(()) if scale.size == 1 else scale, np.float32)


def _refusal(
    b: Writer, label: str, quantizer: Any, found: str, widest: int = WIDEST
) -> RefusedError:
    name = "its quantiser" if quantizer is None else type(quantizer).__name__
    if name == "function":
        name = getattr(quantizer, "__name__", name)
    return b.refusal(
        "weights that their quantiser leaves without an integer form",
        code="HW283",
        found=f"{label} by {printable(str(name))}: {found}",
        supported=f"whole numbers of up to {widest} bits times a scale",
        help="train with quantized_bits, ternary, binary or quantized_po2 of few bits",
    )
