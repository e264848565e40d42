"""HGQ's quantisers: what they make of weights, and what they are on activations.

From HGQ2 0.2 (``hgq/quantizer``) and ``quantizers`` 1.2 (``fixed_point/_fixed_point_ops.py``), at
inference. Everything is float32 with one operation after the other, as there; powers of two and the
numbers between them are exact, so that every backend of Keras gives the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hwflow.fixed import Overflow, Rounding
from hwflow.frontends.keras.arguments import check_hgq_quantizer
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.weights import OnGrid
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.archive import Group
from hwflow.frontends.keras3.layer import named
from hwflow.ir.qonnx.fixed_quant import Formats
from hwflow.ops.shared.quant import ROUNDING

_F32 = np.float32
_HALF = _F32(0.5)

ROUND: dict[str, Callable[[FloatArray], FloatArray]] = {
    "TRN": np.floor,
    "RND": lambda x: np.floor(x + _HALF),
    "RND_CONV": np.rint,
    "TRN_ZERO": lambda x: np.floor(np.abs(x)) * np.sign(x),
    "RND_ZERO": lambda x: np.ceil(np.abs(x) - _HALF) * np.sign(x),
    "RND_MIN_INF": lambda x: np.ceil(x - _HALF),
    "RND_INF": lambda x: np.floor(np.abs(x) + _HALF) * np.sign(x),
}

OVERFLOWS = ("WRAP", "SAT", "SAT_SYM")

_QONNX = {ours: theirs for theirs, ours in ROUNDING.items()}
"""QONNX's name of each rounding of ap_fixed's that it has."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FixedQuantizer:
    """A quantiser with a format for each element.

    Attributes:
        k: 1 where there is a sign bit, float32, of the shape of the value or broadcastable to it.
        i: bits left of the binary point.
        f: bits right of it.
        rounding: rounding mode, as ap_fixed calls it.
        overflow: overflow mode, as ap_fixed calls it.
        unlimited: whether values are rounded only (weights that wrap, before they are frozen).
        scaler: values are divided by it before, multiplied behind.
        affine: factor and offset behind.
    """

    k: FloatArray
    i: FloatArray
    f: FloatArray
    rounding: str
    overflow: str
    unlimited: bool = False
    scaler: float | None = None
    affine: tuple[float, float] | None = None

    def values(self, x: FloatArray) -> FloatArray:
        """Return what becomes of weights, as float32."""
        x = np.asarray(x, _F32)
        if self.scaler is not None:
            x = x / _F32(self.scaler)
        x = self._rounded(x) if self.unlimited else self._limited(x)
        if self.scaler is not None:
            x = x * _F32(self.scaler)
        if self.affine is not None:
            x = x * _F32(self.affine[0]) + _F32(self.affine[1])
        return np.asarray(x, _F32)

    def _rounded(self, x: FloatArray) -> FloatArray:
        scale = np.exp2(self.f)
        return np.asarray(ROUND[self.rounding](x * scale) / scale)

    def _limited(self, x: FloatArray) -> FloatArray:
        whole = np.maximum(self.i, -self.f)
        span, step = np.exp2(whole), np.exp2(-self.f)
        if self.overflow == "WRAP":
            shift = self.k * np.exp2(whole + self.k - 1)
            limited = np.mod(self._rounded(x) + shift, np.exp2(whole + self.k)) - shift
        else:
            bottom = span - step if self.overflow == "SAT_SYM" else span
            limited = self._rounded(np.clip(x, -bottom * self.k, span - step))
        return np.where(self.k + self.i + self.f > 0, limited, _F32(0))

    def constant(self, x: FloatArray) -> OnGrid:
        """Return what becomes of weights, to be written."""
        return OnGrid(self.values(x))

    def write(self, b: Writer, x: Tensor) -> Tensor:
        """Append the quantiser of an activation.

        A ``Quant`` where one format serves all elements, saturates and rounds as QONNX can say;
        otherwise a ``FixedQuant``.

        Raises:
            RefusedError: HW285, there is no such format.
        """
        if self.scaler is not None:
            x = b.unary("Div", x, self.scaler)
        kif = [_without_batch(v, x, b) for v in (self.k, self.i, self.f)]
        try:
            formats = Formats.of(kif, Rounding(self.rounding), Overflow(self.overflow))
        except ValueError as error:
            raise b.refusal(
                "a fixed-point format that cannot be", code="HW285", found=str(error),
                supported="whole numbers of bits, 62 in all at most",
            ) from error  # fmt: skip
        one = formats.uniform
        mode = _QONNX.get(Rounding(self.rounding))
        if one is not None and mode and self.overflow != "WRAP" and one.width > one.signed:
            narrow = one.overflow is Overflow.SAT_SYM
            x = b.quant(x, one.step, one.width, signed=one.signed, narrow=narrow, rounding=mode)
        else:
            x = b.fixed_quant(x, [compact(v) for v in kif], self.rounding, self.overflow)
        if self.scaler is not None:
            x = b.unary("Mul", x, self.scaler)
        if self.affine is not None:
            x = b.unary("Add", b.unary("Mul", x, self.affine[0]), self.affine[1])
        return x


def _without_batch(values: FloatArray, x: Tensor, b: Writer) -> FloatArray:
    """Return parameters without the axis of the batch."""
    if values.ndim == len(x.shape) + 1 and values.shape[0] == 1:
        values = values[0]
    try:
        fits = np.broadcast_shapes(values.shape, x.shape) == x.shape
    except ValueError:
        fits = False
    if not fits:
        raise b.refusal(
            "formats that do not belong to the axes of the value",
            code="HW285",
            found=f"{values.shape} for a value of {x.shape}",
            supported="formats that are the same for all samples",
        )
    return values


def compact(values: FloatArray) -> FloatArray:
    """Return an array with every axis along which it is constant reduced to 1."""
    for axis in range(values.ndim):
        first = np.take(values, [0], axis)
        if np.all(values == first):
            values = first
    return values


def read_quantizer(b: Writer, config: Any, group: Group) -> FixedQuantizer | None:
    """Return a quantiser, or None for one that does nothing.

    Args:
        b: for messages.
        config: configuration of the ``QuantizerConfig``, as Keras writes it.
        group: the ``Quantizer``'s arrays in the file.

    Raises:
        RefusedError: HW282, it is not one of fixed point, or has a mode without an equal in
            hardware.
        DamagedError: its arrays are missing.
    """
    settings = config["config"]
    kind = str(settings.get("q_type", _SUGAR.get(str(config.get("class_name")), "")))
    if kind == "dummy":
        return None
    check_hgq_quantizer(b, settings)
    settings = _SUGARED.get(str(config.get("class_name")), {}) | settings
    rounding = str(settings.get("round_mode", "")).upper().removeprefix("S_")
    overflow = str(settings.get("overflow_mode", "")).upper()
    if kind not in ("kif", "kbi") or rounding not in ROUND or overflow not in OVERFLOWS:
        raise b.refusal(
            "quantiser that is not one of fixed point",
            code="HW282",
            found=f"{kind or config.get('class_name')}, {rounding or 'no rounding'}, "
            f"{overflow or 'no overflow'}",
            supported=f"kif and kbi, {', '.join(ROUND)}, {', '.join(OVERFLOWS)}",
            help="train with QuantizerConfig('kif') or ('kbi')",
        )
    k, i, f = _bits(kind, overflow, group / "quantizer")
    wraps = overflow == "WRAP" and bool(settings.get("is_weight"))
    affine, scaler = settings.get("affine"), settings.get("scaler")
    return FixedQuantizer(
        k=k,
        i=i,
        f=f,
        rounding=rounding,
        overflow=overflow,
        unlimited=wraps
        and bool(settings.get("trainable", True))
        and (kind == "kif" or rounding == "RND"),
        scaler=None if scaler is None else float(scaler),
        affine=None if affine is None else (float(affine[0]), float(affine[1])),
    )


_SUGAR = {"HardTanhConfig": "kif", "HardSigmoidConfig": "kif"}

_SUGARED: dict[str, dict[str, Any]] = {
    "HardTanhConfig": {"overflow_mode": "SAT"},
    "HardSigmoidConfig": {"overflow_mode": "SAT", "affine": (0.25, 0.5)},
}
"""What these leave out of their configuration, since it is what they are."""


def _bits(kind: str, overflow: str, group: Group) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return sign, whole and fractional bits; trained arrays come first in the file."""
    if kind == "kbi":
        trained = ["b"] if overflow == "WRAP" else ["b", "i"]
    else:
        trained = ["f"] if overflow == "WRAP" else ["i", "f"]
    fixed = ["k", "i"] if overflow == "WRAP" else ["k"]
    found = {n: np.rint(v) for n, v in named(group, [*trained, *fixed]).items()}
    if kind == "kbi":
        found["f"] = found["b"] - found["i"]
    arrays = np.broadcast_arrays(found["k"], found["i"], found["f"])
    return tuple(np.asarray(a, _F32) for a in arrays)  # type: ignore[return-value]
