"""QKeras' quantisers on activations, as chains of ONNX operators with the same results.

From ``qkeras/quantizers.py`` (0.9.0), at inference. ``_round_through`` is ``tf.round``: half to
even, which is QONNX's ``ROUND``. Every quantiser ends in ``x + stop_gradient(q - x)``: float32
gives ``q`` there as long as ``x`` is below 2**24 steps of ``q``, which holds wherever float32 is
exact before the quantiser. Stochastic rounding is for training only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.ir.op import RefusedError

Quantizer = Any
"""An object of ``qkeras.quantizers``, which comes without types."""

EPSILON = 1e-7
"""``tf.keras.backend.epsilon()``: where ``quantized_relu_po2`` begins to see a number."""


def _quantized_bits(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``alpha * step * clip(round(x / step), k * (-m + symmetric), m - 1)``.

    With ``m = 2**(bits - k)``, ``step = 2**integer / m``; a sign where ``bits == k``.
    """
    _check_noise(b, q)
    alpha = _alpha(b, q)
    signed = bool(q.keep_negative)
    unsigned = int(q.bits) - signed
    if unsigned <= 0:
        x = _sign(b, x, use_01=not signed)
    else:
        step = np.exp2(np.asarray(q.integer, np.float32) - unsigned)
        narrow = signed and bool(q.symmetric)
        x = b.quant(x, step, int(q.bits), signed=signed, narrow=narrow)
    return _times(b, x, alpha)


def _quantized_relu(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """Unsigned, or signed with the slope applied before the rounding; a bound of its own."""
    _check_noise(b, q)
    slope = float(q.negative_slope)
    if q.use_sigmoid:
        return _relu_of_sigmoid(b, x, q)
    integer = np.asarray(q.integer, np.float32)
    bits = int(q.bits) - (slope != 0)
    step = np.exp2(integer - bits)
    if slope == 0:
        # an unsigned quantiser's floor is the relu's own zero; at a port it is the port's type
        x = x if b.is_input(x) else b.unary("Relu", x)
        x = b.quant(x, step, bits, signed=False)
    else:
        if slope * 2.0**bits < 1:
            raise _refusal(
                b, f"negative_slope={slope} with {q.bits} bits: below one step", "more bits"
            )
        if integer.min() != integer.max():
            raise _refusal(b, f"integer={integer.ravel()} with a negative_slope", "one integer")
        # x >= -2**integer makes slope * x >= -slope * 2**integer, QKeras' lower bound.
        x = b.clip(x, -float(np.exp2(integer.max())), None)
        x = b.quant(b.unary("LeakyRelu", x, alpha=slope), step, int(q.bits), signed=True)
    if q.relu_upper_bound and not q.is_quantized_clip:
        x = b.clip(x, None, float(q.relu_upper_bound))
    return x


def _relu_of_sigmoid(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``2**integer * clip(2 * round(sigmoid(x / 2**integer) * m) / m - 1, 0, 1 - 1 / m)``."""
    if float(q.negative_slope) != 0:
        raise _refusal(b, "use_sigmoid with a negative_slope", "one of the two")
    whole, bits = float(np.exp2(np.float32(q.integer))), int(q.bits)
    x = sigmoid_of_qkeras(b, b.unary("Mul", x, 1 / whole))
    x = b.quant(x, 2.0**-bits, bits + 1, signed=False)
    x = b.unary("Sub", b.unary("Mul", x, 2 * whole), whole)
    return b.clip(x, 0.0, whole * (1 - 2.0**-bits))


def _quantized_tanh(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``clip(round(tanh(x) * m) / m, -1 + symmetric / m, 1 - 1 / m)``, with ``m = 2**(bits-1)``."""
    if q.use_real_tanh:
        x = b.unary("Tanh", x)
    else:
        x = b.unary("Sub", b.unary("Mul", sigmoid_of_qkeras(b, x), 2.0), 1.0)
    bits = int(q.bits)
    return b.quant(x, 2.0 ** (1 - bits), bits, signed=True, narrow=bool(q.symmetric))


def _quantized_sigmoid(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``clip(round(sigmoid(x) * m) / m, symmetric / m, 1 - 1 / m)``, with ``m = 2**bits``."""
    step = 2.0 ** -int(q.bits)
    x = b.unary("Sigmoid", x) if q.use_real_sigmoid else sigmoid_of_qkeras(b, x)
    if q.symmetric:
        x = b.clip(x, step, None)
    return b.quant(x, step, int(q.bits), signed=False)


def _quantized_hswish(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    if (q.relu_shift, q.relu_upper_bound) != (3, 6):
        raise _refusal(
            b,
            f"relu_shift={q.relu_shift}, relu_upper_bound={q.relu_upper_bound}",
            "relu_shift=3, relu_upper_bound=6",
        )
    return _quantized_bits(b, b.unary("HardSwish", x), q)


def _binary(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``alpha * sign(x)`` with ``sign(0) = 1``; ``use_01`` gives 0 instead of -1."""
    return _times(b, _sign(b, x, use_01=bool(getattr(q, "use_01", False))), _alpha(b, q))


def _ternary(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``alpha * sign(x)`` where ``|x| >= threshold``, else 0.

    ``x`` in units of twice the threshold is rounded half away from zero and clipped at 1.
    """
    alpha = _alpha(b, q)
    threshold = q.default_threshold if q.threshold is None else q.threshold
    unit = 2 * np.float32(threshold)
    if not unit > 0:
        raise _refusal(b, f"threshold={threshold}", "a positive threshold")
    x = b.quant(x, unit, 2, signed=True, narrow=True, rounding="HALF_UP")
    if unit != 1:
        x = b.unary("Div", x, unit)
    return _times(b, x, alpha)


def _quantized_relu_po2(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
    """``2**clip(round(log2(x)), low, high)``; the lowest power where ``x`` is below ``EPSILON``.

    A power comes back as ``exp(log(2) * exponent)`` and a ``Quant`` to the lowest power, which is
    nearer than half a step as long as all powers together have fewer bits than float32.
    """
    _check_noise(b, q)
    low, high = int(q._min_exp), int(q._max_exp)
    if q.negative_slope or q.quadratic_approximation or q.log2_rounding != "rnd":
        raise _refusal(
            b,
            "negative_slope, quadratic_approximation or log2_rounding='floor'",
            "none of these",
        )
    if q.max_value is not None:
        high = min(high, int(np.rint(np.log2(max(float(q.max_value), EPSILON)))))
    if high - low > 20 or low < np.log2(EPSILON):
        raise _refusal(b, f"powers from 2**{low} to 2**{high}", "bits of 4 at most, or a max_value")
    x = b.clip(x, EPSILON, None)
    x = b.unary("Div", b.unary("Log", x), np.log(np.float32(2)))
    exponents = 1 + max(-low, high).bit_length()
    x = b.quant(x, 1.0, exponents, signed=True)
    x = b.clip(x, float(low), float(high))
    x = b.unary("Exp", b.unary("Mul", x, np.log(np.float32(2))))
    return b.quant(x, 2.0**low, high - low + 1, signed=False)


def _refused(found: str, instead: str) -> Callable[[Writer, Tensor, Quantizer], Tensor]:
    def refuse(b: Writer, x: Tensor, q: Quantizer) -> Tensor:
        raise _refusal(b, found, instead)

    return refuse


QUANTIZERS: dict[str, Callable[[Writer, Tensor, Quantizer], Tensor]] = {
    "quantized_bits": _quantized_bits,
    "quantized_relu": _quantized_relu,
    "quantized_tanh": _quantized_tanh,
    "quantized_sigmoid": _quantized_sigmoid,
    "quantized_hswish": _quantized_hswish,
    "quantized_relu_po2": _quantized_relu_po2,
    "binary": _binary,
    "stochastic_binary": _binary,
    "ternary": _ternary,
    "stochastic_ternary": _ternary,
    "quantized_po2": _refused("powers of two with a sign", "quantized_relu_po2, quantized_bits"),
    "quantized_ulaw": _refused("levels on a logarithm", "quantized_bits"),
    "bernoulli": _refused("random at inference, too", "binary, quantized_bits"),
}
"""Converters of quantisers, by class name."""


def sigmoid_of_qkeras(b: Writer, x: Tensor, mode: str = "") -> Tensor:
    """Append QKeras' own sigmoid: hard, smooth or real, as ``set_internal_sigmoid`` has it."""
    if not mode:
        from qkeras import quantizers

        mode = str(quantizers._sigmoid.__name__).removesuffix("_sigmoid")
    if mode not in ("hard", "smooth"):
        return b.unary("Sigmoid", x)
    slope = {"hard": 0.5, "smooth": 0.1875}[mode]
    x = b.unary("Add", b.unary("Mul", x, slope), 0.5)
    return b.clip(x, 0.0, 1.0)


def _alpha(b: Writer, q: Quantizer) -> FloatArray:
    """Return the factor behind the rounding, one number or one per channel."""
    if isinstance(q.alpha, str):
        raise _refusal(
            b,
            f"alpha={q.alpha!r} on an activation: its scale follows the data of each batch",
            "alpha=1, another number, or one per channel",
        )
    alpha = np.asarray(1.0 if q.alpha is None else q.alpha, np.float32)
    if not np.all(alpha > 0):
        raise _refusal(b, f"alpha={q.alpha}", "a positive alpha")
    return alpha


def _check_noise(b: Writer, q: Quantizer) -> None:
    noise = float(np.asarray(getattr(q, "qnoise_factor", 1.0)))
    if noise != 1.0:
        raise _refusal(
            b, f"qnoise_factor={noise}: values between raw and quantised", "qnoise_factor=1"
        )


def _sign(b: Writer, x: Tensor, *, use_01: bool) -> Tensor:
    found = Tensor(b.bipolar(x.name, 1.0), x.shape, x.channels_first)
    return b.unary("Add", b.unary("Mul", found, 0.5), 0.5) if use_01 else found


def _times(b: Writer, x: Tensor, alpha: FloatArray) -> Tensor:
    return x if np.all(alpha == 1) else b.unary("Mul", x, alpha)


def _refusal(b: Writer, found: str, supported: str) -> RefusedError:
    return b.refusal(
        "quantiser that is not supported on activations",
        code="HW282",
        found=found,
        supported=supported,
        help="train with what is supported, or move it to weights",
    )
