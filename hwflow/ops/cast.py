"""A change of type: rounds to another grid, and saturates or wraps at its range."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.body.values import Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType
from hwflow.ops.bipolar import two_levels
from hwflow.ops.clip import Clip
from hwflow.ops.round_away import RoundAway
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.quant import ROUNDING, read_quantizer, rescaled
from hwflow.ops.shared.turns import _Elementwise, turns_layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast(_Elementwise):
    """Assign every element to ``result_t``, as ap_fixed does."""

    pointwise: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    onnx: ClassVar[tuple[str, ...]] = ("Quant", "Trunc")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = dict.fromkeys(
        onnx, ("narrow", "rounding_mode", "signed")
    )

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        """Return what computes a Quant or Trunc of an activation.

        A quantiser of two levels is a ``Bipolar``. Another is one ``Cast`` where one power-of-two
        scale serves all and there is no zero point. Otherwise the steps of the definition follow
        one by one: to the integer grid, clip, round, and back. Rounding and clamping commute,
        since the bounds are integers.
        """
        x, quantizer = read_quantizer(node)
        if quantizer.bipolar:
            return two_levels(node, x, quantizer)
        chain = _trunc if quantizer.kind == "Trunc" else _quant
        return chain(node, x, quantizer)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        return x

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        return x

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        return Result(operands[0], Span.of(types[0]))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        if self.reuse_factor > 1:
            return turns_layer("linear", x.shape, self.reuse_factor)
        return HlsLayer(
            class_name="Activation", attributes={"n_in": x.size, "activation": "linear"}
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for signed in (True, False):
            x = TensorType.full((2, 3), FixedType(9, 4, signed))
            for rounding in Rounding:
                to = FixedType(5, 3, signed, rounding, Overflow.SAT)
                yield Example(f"{rounding.lower()}_{'signed' if signed else 'unsigned'}",
                              cls(result_t=to), (x,))  # fmt: skip
            for overflow in Overflow:
                to = FixedType(5, 3, not signed, Rounding.RND, overflow)
                if to.signed or overflow is not Overflow.SAT_SYM:
                    yield Example(f"{overflow.lower()}_to_{'un' * signed}signed",
                                  cls(result_t=to), (x,))  # fmt: skip


def _quant(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    zero = to_hardware(node, x, quantizer.zero_point)
    scale = to_hardware(node, x, quantizer.scale)
    lo, hi = quantizer.raw_min, quantizer.raw_max
    if scale.ndim == 0 and not zero.any():
        return _rounded(quantizer.rounding, lo, hi, float(scale))
    return [
        *rescaled(node, x, 1 / quantizer.scale, quantizer.zero_point),
        *_rounded(quantizer.rounding, lo, hi, 1.0),
        *rescaled(node, x, quantizer.scale, -quantizer.zero_point * quantizer.scale),
    ]


def _trunc(node: OnnxNode, x: TensorType, quantizer: Quantizer) -> Sequence[Op]:
    """Return round to the input's grid, drop bits, scale to the output's."""
    assert quantizer.output_scale is not None
    scale, zero, dropped = (
        quantizer.scale,
        quantizer.zero_point,
        2.0**quantizer.truncated_bits,
    )
    start = rescaled(node, x, 1 / scale, zero)
    integers = _last_type(start, x)
    bits = max(integers.dtype.integer, 0) + 1  # rounding up may carry
    whole = FixedType(bits, bits, integers.dtype.signed, Rounding.RND_CONV, Overflow.SAT)
    to_grid: list[Op] = []
    if integers.dtype.fractional > 0:
        to_grid = [Cast(result_t=whole)]
        integers = integers.cast(whole)
    lo, hi = (quantizer.raw_min, quantizer.raw_max)
    if not quantizer.clamps:  # version 1 keeps every bit above those it drops
        low, high = (bound * integers.dtype.step for bound in integers.bounds)
        lo, hi = int(np.floor(low / dropped)) - 1, int(np.ceil(high / dropped)) + 1
    back = zero / dropped if quantizer.clamps else zero
    return [
        *start,
        *to_grid,
        *rescaled(node, x, np.array(1 / dropped), np.array(0.0)),
        *_rounded(quantizer.rounding, lo, hi, 1.0),
        *rescaled(node, x, quantizer.output_scale, -back * quantizer.output_scale),
    ]


def _rounded(mode: str, lo: int, hi: int, scale: float) -> list[Op]:
    """Return rounding to multiples of a power of two, limited to ``lo .. hi`` of them."""
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
    return [*clip, Cast(result_t=to)]


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


def _last_type(ops: Sequence[Op], x: TensorType) -> TensorType:
    for op in ops:
        x = op.infer(x)
    return x
