"""``QuantizeLinear`` in terms of ``Quant``: the same integers for every real number.

``QuantizeLinear`` gives ``clamp(round(x / s) + z, lo, hi)`` and rounds ties to even; the value that
it stands for is ``s * k`` with ``k = clamp(round(x / s), lo - z, hi - z)``. ``Quant`` with the zero
point ``p`` gives ``k' = round(clamp(x / s + p, m, M)) - p``.

1. Let ``m - p = lo - z`` and ``M - p = hi - z``. Rounding never passes an integer, so it commutes
   with the clamp to integers: ``k' = clamp(round(x / s + p) - p, lo - z, hi - z)``. For even ``p``,
   ``round(y + p) = round(y) + p`` (``p`` keeps the parity by which ties are decided): ``k' = k``.
   For odd ``p`` both differ at ties, and only there.
2. Otherwise ``Quant`` takes the zero point 0, a range that contains ``lo - z .. hi - z``, and a
   ``Clip`` of ``x`` to ``s (lo - z) .. s (hi - z)`` before it. ``round(x / s)`` never falls as
   ``x`` grows, so it commutes with max and min: the result is ``max(round(x / s), round(c / s))``
   for the lower bound ``c``, likewise above. ``round(c / s) = lo - z`` holds for every ``c`` that
   is off by less than ``s / 2``; float32 is off by ``2**-24 * 2**16 * s`` at most.
3. Behind a first ``Quant`` with the zero point 0, every number is a whole multiple of ``s``: there
   are no ties, and case 1 holds for any ``p``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hwflow.frontends.qdq.parameters import F32, Affine, LinearError, Whole
from hwflow.ir.qonnx.quantizer import MAX_BIT_WIDTH


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantStep:
    """A ``Quant`` in the chain that computes ``QuantizeLinear``.

    Attributes:
        scale: its scale.
        zero: its zero point.
        bits: its bit width.
        signed: its attribute.
        narrow: its attribute.
        rounding: its attribute; to nearest even where nothing else is said.
    """

    scale: F32
    zero: Whole
    bits: int
    signed: bool
    narrow: bool = False
    rounding: str = "ROUND"


@dataclass(frozen=True)
class ClipStep:
    """A ``Clip`` between two numbers."""

    low: np.float32
    high: np.float32


Step = QuantStep | ClipStep


def steps_of(
    affine: Affine, low: int, high: int, *, on_grid: bool = False, rounds_first: bool = False
) -> Sequence[Step]:
    """Return what gives the value that the integers of a quantiser stand for.

    Args:
        affine: scale and zero point.
        low: smallest integer, zero point included.
        high: largest integer, at least ``low``.
        on_grid: all values before it are whole multiples of the scale.
        rounds_first: the first step has to be a ``Quant``.

    Raises:
        LinearError: HW278, a range that no bit width has, with several scales.
    """
    bottom, top = low - affine.zero, high - affine.zero
    exact = formats(affine, bottom, top)
    for step in exact:
        if on_grid or not np.any(step.zero % 2):
            return [step]
    wide = _covering(affine.scale, bottom, top)
    if bottom.size == 1 and affine.scale.size == 1:
        scale = np.float64(affine.scale)
        clip = ClipStep(np.float32(scale * int(bottom)), np.float32(scale * int(top)))
        if not rounds_first:
            return [clip, wide]
        return [wide, exact[0]] if exact else [wide, clip, wide]
    if exact:
        return [wide, exact[0]]
    raise LinearError(
        "HW278",
        "bounds of a Clip between integers cannot be represented",
        f"{low} .. {high}, with several scales",
        "ranges of a whole bit width",
    )


def formats(affine: Affine, bottom: Whole, top: Whole) -> list[QuantStep]:
    """Return every ``Quant`` of just this range, the plainest first."""
    size = int((top - bottom).flat[0]) + 1
    found = []
    for narrow in (False, True):
        bits = (size + narrow).bit_length() - 1
        if size + narrow != 2**bits or size < 2 or bits > MAX_BIT_WIDTH:
            continue
        for signed in (True, False):
            if signed and bits == 1:
                continue  # QONNX: -1 and +1
            least = -(2 ** (bits - 1)) + narrow if signed else 0
            found.append(
                QuantStep(
                    scale=affine.scale, zero=least - bottom, bits=bits, signed=signed, narrow=narrow
                )
            )
    found.sort(key=lambda f: (np.any(f.zero), np.any(f.zero != affine.zero), f.narrow))
    return found


def _covering(scale: F32, bottom: Whole, top: Whole) -> QuantStep:
    """Return the narrowest ``Quant`` with the zero point 0 whose range contains another."""
    least, most = int(bottom.min()), int(top.max())
    signed = least < 0
    reach = max(most, -least - 1) if signed else most
    return QuantStep(
        scale=scale,
        zero=np.zeros((), np.int64),
        bits=max(reach.bit_length() + signed, 2),
        signed=signed,
    )
