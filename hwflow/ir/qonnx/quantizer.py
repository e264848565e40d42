"""What a QONNX quantiser computes; ``hwflow.ir.qonnx.nodes`` reads one from its node.

The formulas are those of the QONNX operator definitions (``Quant``, ``BipolarQuant`` version 1,
``Trunc`` versions 1 and 2; https://github.com/fastmachinelearning/qonnx, docs/qonnx-custom-ops) and
of the executor that comes with them: scale, add the zero point, **clamp, then round**.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
Round = Callable[[F64], F64]

MAX_BIT_WIDTH = 32
"""Widest quantiser that is read; QONNX computes in float32 and means no more than 32 bits."""


def _away_from_zero(x: F64) -> F64:
    return np.asarray(np.copysign(np.ceil(np.abs(x)), x))


def _half_away_from_zero(x: F64) -> F64:
    whole = np.floor(np.abs(x))  # abs(x) + 0.5 would round just below a tie
    return np.asarray(np.copysign(whole + (np.abs(x) - whole >= 0.5), x))


def _half_to_zero(x: F64) -> F64:
    whole = np.floor(np.abs(x))
    return np.asarray(np.copysign(whole + (np.abs(x) - whole > 0.5), x))


ROUNDING: dict[str, Round] = {
    "ROUND": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away_from_zero,
    "DOWN": np.trunc,
    "HALF_UP": _half_away_from_zero,
    "HALF_DOWN": _half_to_zero,
}
"""QONNX rounding modes by their canonical name; HALF_UP is away from zero, as qonnx has it."""

ALIASES = {"HALF_EVEN": "ROUND", "ROUND_TO_ZERO": "DOWN"}
"""Other names of the same modes; ROUND_TO_ZERO is what Brevitas writes."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Quantizer:
    """A quantiser with constant, valid parameters.

    Attributes:
        kind: ``"Quant"``, ``"BipolarQuant"`` or ``"Trunc"``.
        scale: > 0, shape as in the model (scalar, or broadcastable against the input).
        zero_point: whole numbers, shape as in the model.
        bit_width: bit width of the result; 1 for ``BipolarQuant``.
        signed: whether the result has a sign.
        narrow: whether the range is one value shorter, as QONNX defines it.
        rounding: a key of ``ROUNDING``.
        truncated_bits: ``Trunc`` only: the scaled input is divided by 2 to this power.
        output_scale: ``Trunc`` only: scale of the result; the input's scale in version 1.
        clamps: whether the result is limited to ``raw_min .. raw_max`` (not so in Trunc version 1).
    """

    kind: str
    scale: F64
    zero_point: F64
    bit_width: int
    signed: bool
    narrow: bool
    rounding: str
    truncated_bits: int = 0
    output_scale: F64 | None = None
    clamps: bool = True

    @property
    def bipolar(self) -> bool:
        """Whether the result is one of -scale and +scale; so is a signed ``Quant`` of 1 bit."""
        return self.kind == "BipolarQuant" or (
            self.kind == "Quant" and self.signed and self.bit_width == 1
        )

    @property
    def raw_min(self) -> int:
        """Smallest integer level, before the zero point is taken off."""
        if not self.signed:
            return 0
        return -1 if self.bipolar else -(2 ** (self.bit_width - 1)) + self.narrow

    @property
    def raw_max(self) -> int:
        """Largest integer level, before the zero point is taken off."""
        if not self.signed:
            return int(2**self.bit_width - 1 - self.narrow)
        return 1 if self.bipolar else int(2 ** (self.bit_width - 1) - 1)

    @property
    def formula(self) -> str:
        """How a real number becomes an integer, the zero point taken off, for people."""
        zero = np.unique(self.zero_point)
        shift = "" if not zero.any() else f" + {zero[0]:g}" if len(zero) == 1 else " + zero point"
        back = shift.replace("+", "-")
        if self.bipolar:
            sign = f"+1 where x{shift}{' * scale' * bool(shift)} >= 0, else -1"
            return f"({sign}){back}" if shift else sign
        limits = f"{self.raw_min}, {self.raw_max}"
        return f"{self.rounding.lower()}(clamp(x / scale{shift}, {limits})){back}"

    def levels(self, x: F64) -> F64:
        """Return the integer levels of ``x``, zero point included.

        The division is made in float32, as the trained model, qonnx and ONNX Runtime make it, so
        that the levels are the model's own for scales of any kind.
        """
        with np.errstate(over="ignore"):  # what is too large is clamped
            scaled = x.astype(np.float32) / self.scale.astype(np.float32)
        y: F64 = (scaled + self.zero_point.astype(np.float32)).astype(np.float64)
        if self.bipolar:
            return np.where(y >= 0, 1.0, -1.0)
        if self.kind == "Trunc":
            y = np.asarray(np.rint(y) / 2.0**self.truncated_bits)
        if self.clamps:
            y = np.clip(y, self.raw_min, self.raw_max)
        return ROUNDING[self.rounding](y)

    def __call__(self, x: F64) -> F64:
        """Return the quantised ``x``: levels times scale, the product exact in float64."""
        levels = self.levels(x)
        if self.kind != "Trunc":
            return (levels - self.zero_point) * self.scale
        assert self.output_scale is not None
        # Version 1 takes the zero point off unscaled, version 2 scales it with the value.
        zero = self.zero_point / 2.0**self.truncated_bits if self.clamps else self.zero_point
        return (levels - zero) * self.output_scale
