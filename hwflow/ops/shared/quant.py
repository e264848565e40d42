"""What a quantiser of an activation becomes: scale, clip, one cast, scale back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware

F64 = npt.NDArray[np.float64]

ROUNDING = {
    "ROUND": Rounding.RND_CONV,
    "FLOOR": Rounding.TRN,
    "DOWN": Rounding.TRN_ZERO,
    "HALF_UP": Rounding.RND_INF,
    "HALF_DOWN": Rounding.RND_ZERO,
}
"""ap_fixed's name of each QONNX rounding mode that it has (UG1399, ap_fixed)."""


def quantizer_chain(node: OnnxNode) -> Sequence[Op]:
    """Return the operators that compute a Quant, BipolarQuant or Trunc of an activation.

    One ``Cast`` where one power-of-two scale serves all and there is no zero point; otherwise
    the steps of the definition one by one: to the integer grid, clip, round, and back. Rounding
    and clamping commute, since the bounds are integers.

    Raises:
        RefusedError: a scale is not a power of two, or a parameter is not constant.
    """
    x = node.inputs[0]
    values = [c.values for c in (node.constant(i) for i in range(1, len(node.inputs))) if c]
    if not isinstance(x, TensorType) or len(values) != len(node.inputs) - 1:
        raise node.refuse(
            "quantiser with parameters computed at run time",
            supported="an activation, with constant scale, zero point and bit width",
        )
    quantizer = quantizer_of(node.op_type, values, node.attributes)
    for scale in (quantizer.scale, quantizer.output_scale):
        if scale is not None and not np.all(np.frexp(scale)[0] == 0.5):
            raise node.refuse("quantiser as casts, with a scale that is no 2**n", code="HW213")
    if quantizer.bipolar:
        return _bipolar(node, x, quantizer)
    return _trunc(node, x, quantizer) if quantizer.kind == "Trunc" else _quant(node, x, quantizer)


def _quant(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    zero = to_hardware(node, x, quantizer.zero_point)
    scale = to_hardware(node, x, quantizer.scale)
    lo, hi = quantizer.raw_min, quantizer.raw_max
    if scale.ndim == 0 and not zero.any():
        return _rounded(quantizer.rounding, lo, hi, float(scale))
    return [
        *_shift(node, x, 1 / quantizer.scale, quantizer.zero_point),
        *_rounded(quantizer.rounding, lo, hi, 1.0),
        *_shift(node, x, quantizer.scale, -quantizer.zero_point * quantizer.scale),
    ]


def _trunc(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    """Return round to the input's grid, drop bits, scale to the output's."""
    assert quantizer.output_scale is not None
    scale, zero, dropped = (
        quantizer.scale,
        quantizer.zero_point,
        2.0**quantizer.truncated_bits,
    )
    start = _shift(node, x, 1 / scale, zero)
    integers = _last_type(start, x)
    bits = max(integers.dtype.integer, 0) + 1  # rounding up may carry
    whole = FixedType(bits, bits, integers.dtype.signed, Rounding.RND_CONV, Overflow.SAT)
    to_grid: list[Op] = []
    if integers.dtype.fractional > 0:
        to_grid = [_cast(whole)]
        integers = integers.cast(whole)
    lo, hi = (quantizer.raw_min, quantizer.raw_max)
    if not quantizer.clamps:  # version 1 keeps every bit above those it drops
        low, high = (bound * integers.dtype.step for bound in integers.bounds)
        lo, hi = int(np.floor(low / dropped)) - 1, int(np.ceil(high / dropped)) + 1
    back = zero / dropped if quantizer.clamps else zero
    return [
        *start,
        *to_grid,
        *_shift(node, x, np.array(1 / dropped), np.array(0.0)),
        *_rounded(quantizer.rounding, lo, hi, 1.0),
        *_shift(node, x, quantizer.output_scale, -back * quantizer.output_scale),
    ]


def _rounded(mode: str, lo: int, hi: int, scale: float) -> list[Op]:
    """Return rounding to multiples of a power of two, limited to ``lo .. hi`` of them."""
    from hwflow.ops.clip import Clip
    from hwflow.ops.round_away import RoundAway
    from hwflow.ops.scale_bias import ScaleBias

    step = int(np.log2(scale))
    bound = FixedType.covering(min(lo, 0), max(hi, 0), -step)
    limits = [FixedArray(np.array(v, np.int64), bound) for v in (lo, hi)]
    if mode == "CEIL":
        minus = ScaleBias(
            scale=FixedArray(np.array(-1), FixedType(1, 1)),
            bias=FixedArray(np.array(0), FixedType(1, 1, signed=False)),
        )
        return [minus, *_rounded("FLOOR", -hi, -lo, scale), minus]
    if mode == "UP":
        return [RoundAway(fractional=-step), *_rounded("DOWN", lo, hi, scale)]
    to, clips = _saturating(lo, hi, step, ROUNDING[mode])
    clip = [Clip(lo=limits[0], hi=limits[1], levels=True)] if clips else []
    return [*clip, _cast(to)]


def _saturating(lo: int, hi: int, step: int, rounding: Rounding) -> tuple[FixedType, bool]:
    """Return the type that rounds to multiples of ``2**step`` and saturates at ``lo`` and ``hi``.

    The second result says that its range is wider than that, so that a clip must come first.
    """
    bits = max(max(hi, -lo - 1).bit_length() + (lo < 0), 1)
    for overflow in (Overflow.SAT, Overflow.SAT_SYM):
        to = FixedType(bits, bits + step, lo < 0, rounding, overflow)
        if (to.raw_min, to.raw_max) == (lo, hi):
            return to, False
    return FixedType(bits, bits + step, lo < 0, rounding, Overflow.SAT), True


def _bipolar(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    from hwflow.ops.bipolar import Bipolar

    level = FixedArray.exactly(to_hardware(node, x, quantizer.scale))
    start = _shift(node, x, np.array(1.0), quantizer.zero_point * quantizer.scale)
    end = _shift(node, x, np.array(1.0), -quantizer.zero_point * quantizer.scale)
    return [*start, Bipolar(level=level), *end]


def _cast(to: FixedType) -> Op:
    from hwflow.ops.cast import Cast

    return Cast(result_t=to)


def _shift(node: OnnxNode, x: TensorType, scale: F64, bias: F64) -> list[Op]:
    """Return ``scale * x + bias`` for powers of two and whole numbers, or nothing for 1 and 0."""
    from hwflow.ops.scale_bias import ScaleBias

    factor = FixedArray.exactly(to_hardware(node, x, scale))
    offset = FixedArray.exactly(to_hardware(node, x, bias))
    if np.all(factor.values == 1) and not offset.raw.any():
        return []
    return [ScaleBias(scale=factor, bias=offset)]


def _last_type(ops: Sequence[Op], x: TensorType) -> TensorType:
    for op in ops:
        x = op.infer(x)
    return x
