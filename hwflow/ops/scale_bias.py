"""Constant factor and offset: ``y = scale * x + bias`` per tensor, channel or element."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, FixedType, RawArray, shift_left
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import rationals
from hwflow.ir.op import Example, HlsLayer, Inexact, OnnxNode, Op, Target
from hwflow.ir.real.expression import Expression
from hwflow.ir.scaled import Operand, Scaled, Way
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import along_channel, to_hardware
from hwflow.ops.shared.constants import distance, real_constant, square_root
from hwflow.ops.shared.functions import line
from hwflow.ops.shared.turns import _InTurns, lines_cost

F64 = npt.NDArray[np.float64]

SCALE_BITS = 32
"""Widest scale that real numbers are turned into; float32 itself has 24 significant bits."""

BIAS_BITS = 40
"""Widest bias that real numbers are turned into."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ScaleBias(_InTurns):
    """Factor and offset; exact inside, one cast at the end.

    Attributes:
        scale: mantissas, of shape ``()``, ``(channels,)`` or that of the input.
        bias: mantissas, of one of the same three shapes.
        scale_t: type that the scale is cast to; None keeps it as it is.
        bias_t: type that the bias is cast to; None keeps it as it is.
        rounded: largest distances of scale and bias from the real constants that they stand for;
            None where they are those.
    """

    onnx: ClassVar[tuple[str, ...]] = ("BatchNormalization",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "BatchNormalization": ("epsilon", "momentum", "training_mode")
    }
    """``momentum`` is of training."""
    functions: ClassVar[tuple[str, ...]] = onnx
    settings: ClassVar[tuple[str, ...]] = ("result_t", "scale_t", "bias_t", "reuse_factor")

    scale: FixedArray
    bias: FixedArray
    scale_t: FixedType | None = None
    bias_t: FixedType | None = None
    rounded: tuple[float, float] | None = None

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        return True

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        (tree,) = trees
        constants = [node.constant(i) for i in range(1, 5)]
        if node.attributes.get("training_mode", 0):
            raise node.refuse(
                "batch normalisation in training mode",
                found="training_mode = 1",
                help="call model.eval() before the export",
            )
        values = [along_channel(node, c.values) for c in constants if c is not None]
        if len(values) != 4 or not all(np.isfinite(v).all() for v in values):
            raise node.refuse("batch normalisation with unusable parameters", code="HW224")
        gamma, beta, mean, variance = (rationals(to_hardware(node, x, v)) for v in values)
        spread = variance + Fraction(float(node.attributes.get("epsilon", np.float32(1e-5))))
        if np.any(spread <= 0):
            raise node.refuse(
                "batch normalisation with a variance that is not positive",
                code="HW224",
                help="look at the running variance of this layer",
            )
        scale = gamma / np.frompyfunc(square_root, 1, 1)(spread)
        return line(tree, np.asarray(scale), np.asarray(beta - mean * scale))

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        x = node.inputs[0]
        gamma, beta, mean, variance = (node.constant(i) for i in range(1, 5))
        if not isinstance(x, TensorType) or not (gamma and beta and mean and variance):
            raise node.refuse(
                "batch normalisation with parameters computed at run time",
                supported="constant scale, bias, mean and variance",
            )
        if node.attributes.get("training_mode", 0):
            raise node.refuse(
                "batch normalisation in training mode",
                found="training_mode = 1",
                help="call model.eval() before the export",
            )
        epsilon = float(node.attributes.get("epsilon", np.float32(1e-5)))
        with np.errstate(divide="ignore", invalid="ignore"):  # refused below
            scale = gamma.values / np.sqrt(variance.values + epsilon)
            bias = beta.values - mean.values * scale
        op = affine(node, x, along_channel(node, scale), along_channel(node, bias))
        if op.rounded is not None:  # the offset is a difference of float64 numbers
            moved = np.abs(mean.values * scale)  # without a mean, the offset is beta itself
            lost = np.where(moved == 0, 0.0, np.spacing(np.abs(beta.values) + moved))
            op = replace(op, rounded=(op.rounded[0], op.rounded[1] + 4 * float(lost.max())))
        return [op]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        return Way.FUNCTION if len(operands) == 1 else None

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        scale, bias, up, fractional = self._aligned(x.dtype.fractional)
        ends = np.stack([_along(x, x.lo) * scale, _along(x, x.hi) * scale])
        _require_products(x, scale)
        ends = shift_left(ends, up) + bias
        lo, hi = ends.min(axis=0), ends.max(axis=0)
        channels = (-1, x.channels)
        lo, hi = lo.reshape(channels).min(axis=0), hi.reshape(channels).max(axis=0)
        return TensorType.exactly(x.shape, lo, hi, fractional)

    def inexact(self, *inputs: TensorType) -> Inexact | None:
        (x,) = inputs
        if self.rounded is None:
            return None
        largest = max(abs(bound) for bound in x.bounds) * x.dtype.step
        parts = []
        if self.rounded[0]:
            parts.append(f"its factor is rounded to {self.scale.dtype.width} bits")
        if self.result_t is not None:
            parts.append(f"its result is rounded to {self.result_t.width} bits")
        elif self.rounded[1]:
            parts.append(f"its offset is rounded to {self.bias.dtype.width} bits")
        return Inexact(", ".join(parts), self.rounded[0] * largest + self.rounded[1])

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        scale, bias, up, _ = self._aligned(x.dtype.fractional)
        whole = self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype
        return FixedArray(((x.raw * scale) << up) + bias, whole)

    def on_result_grid(self, fractional: int) -> tuple[RawArray, RawArray]:
        """Return factor and offset of mantissas: ``factor * x + offset`` is the exact result's.

        Args:
            fractional: fractional bits of the operand.

        Returns:
            Each of shape ``()``, ``(channels,)`` or that of the operand.

        Raises:
            OverflowError: they pass 63 bits.
        """
        scale, bias, up, _ = self._aligned(fractional)
        return shift_left(scale, up), bias

    def _constants(self) -> tuple[FixedArray, FixedArray]:
        """Return scale and bias in the types that the hardware holds them in."""
        scale = self.scale if self.scale_t is None else self.scale.cast(self.scale_t)
        return scale, self.bias if self.bias_t is None else self.bias.cast(self.bias_t)

    def _aligned(self, fractional: int) -> tuple[RawArray, RawArray, int, int]:
        """Return scale, bias on the result's grid, the products' shift to it and its bits."""
        scale, bias = self._constants()
        product = fractional + scale.dtype.fractional
        common = max(product, bias.dtype.fractional) if bias.raw.any() else product
        up = common - bias.dtype.fractional if bias.raw.any() else 0
        return scale.raw, shift_left(bias.raw, up), common - product, common

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        scale, bias, up, fractional = self._aligned(x_t.dtype.fractional)
        factor = [int(v) << up for v in np.ravel(scale)]
        offset = int(np.abs(bias).max(initial=0))
        reach = max(map(abs, x_t.bounds)) * max(map(abs, factor), default=0) + offset
        x = body.carried(x, carrier(reach, "a scaled value"))
        constant = np.array(factor).reshape(np.shape(scale))
        y = body.apply("Mul", x, body.number(x, constant, "scale"))
        if np.any(bias):
            y = body.apply("Add", y, body.number(x, bias, "bias"))
        return Result(y, Span(-reach, reach, fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        scale, bias = self._constants()
        per_element = max(scale.raw.ndim, bias.raw.ndim) > 1
        shape = x.shape if per_element else (x.channels,)
        full = [
            FixedArray(np.broadcast_to(a.raw, shape).reshape(-1), a.dtype) for a in (scale, bias)
        ]
        if self.reuse_factor > 1:
            return HlsLayer(
                class_name="HwflowKernel",
                kernel="scale_bias",
                attributes={"output_shape": list(x.shape), "weight_names": ["scale", "bias"]},
                weights={"scale": full[0], "bias": full[1]},
                reuse_factor=self.reuse_factor,
            )
        return HlsLayer(
            class_name="BatchNormalization",
            attributes={"n_in": x.size, "n_filt": -1 if per_element else x.channels},
            weights={"scale": full[0], "bias": full[1]},
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        return lines_cost(
            x, self.infer(x), *self._constants(), turns=self.reuse_factor, target=target
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(0)
        signed, unsigned = FixedType(7, 3), FixedType(5, 7, signed=False)
        for name, shape, size in (("tensor", (6,), ()), ("channel", (3, 4), (4,)),
                                  ("element", (2, 3, 4), (2, 3, 4))):  # fmt: skip
            scale = FixedArray(rng.integers(-16, 16, size), FixedType(5, 1))
            bias = FixedArray(rng.integers(-128, 128, size), FixedType(8, 6))
            for sign, dtype in (("signed", signed), ("unsigned", unsigned)):
                x = TensorType.full(shape, dtype)
                yield Example(f"{name}_{sign}", cls(scale=scale, bias=bias), (x,))
        two_bits = FixedArray(np.array([-2, -1, 0, 1]), FixedType(2, 2))
        rounded = FixedType(6, 4, rounding=signed.rounding.RND_CONV, overflow=signed.overflow.SAT)
        op = cls(scale=two_bits, bias=FixedArray(np.zeros((), np.int64), FixedType(1, 1)))
        yield Example("two_bit_scale", op, (TensorType.full((4,), signed),))
        op = cls(scale=scale, bias=bias, result_t=rounded)
        yield Example("rounded", op, (TensorType.full((2, 3, 4), signed),))


def affine(node: OnnxNode, x: TensorType, scale: F64, bias: F64) -> ScaleBias:
    """Return ``scale * x + bias`` for real constants in ONNX order of axes.

    Values that fit ``SCALE_BITS`` and ``BIAS_BITS`` are kept exactly: what a quantiser gave, powers
    of two, small integers. Other real numbers are rounded to float32, as the trained model holds
    them, and where channels differ so much that this needs more bits, to those bits.

    Raises:
        RefusedError: the constants do not broadcast, or result and input together pass 62 bits.
    """
    if not (np.isfinite(scale).all() and np.isfinite(bias).all()):
        raise node.refuse(
            f"{node.op_type} with a constant that is not finite",
            code="HW224",
            found="NaN or infinity",
            help="look at the weights of this layer, and at a variance or divisor of 0",
        )
    op = nearest_line(to_hardware(node, x, scale), to_hardware(node, x, bias))
    try:
        op.exact(x)
    except OverflowError as error:
        raise node.refuse(
            "scale and bias need more than 62 bits",
            code="HW224",
            found=f"input {x.dtype}, scale {op.scale.dtype}, bias {op.bias.dtype}: {error}",
            help="quantise the value before this layer to fewer bits",
        ) from None
    return op


def nearest_line(scale: F64, bias: F64) -> ScaleBias:
    """Return the layer with constants next to real ones, which says how far off they are."""
    near = real_constant(scale, SCALE_BITS), real_constant(bias, BIAS_BITS)
    off = tuple(distance(*pair) for pair in zip((scale, bias), near, strict=True))
    return ScaleBias(scale=near[0], bias=near[1], rounded=(off[0], off[1]) if any(off) else None)


def _along(x: TensorType, bounds: RawArray) -> RawArray:
    """Return per-channel bounds over the whole shape of ``x``."""
    return np.asarray(np.broadcast_to(bounds, x.shape))


def _require_products(x: TensorType, scale: RawArray) -> None:
    largest = max(abs(b) for b in x.bounds) * int(np.abs(scale).max(initial=0))
    if largest.bit_length() > 62:
        raise OverflowError("a product could pass 62 bits")
