"""Rectifiers with a slope below zero: LeakyRelu, PRelu."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding, shift_left
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.pieces import Pieces, two_sides
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.functions import parameters
from hwflow.ir.real.nodes import Slopes
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.broadcast import to_hardware
from hwflow.ops.shared.constants import is_short
from hwflow.ops.shared.functions import constant_operand
from hwflow.ops.shared.turns import _InTurns, lines_cost

SLOPE_BITS = 24
"""Widest slope taken: the significand of a float32."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LeakyRelu(_InTurns):
    """``x`` where ``x > 0``, else ``slope * x``, exactly.

    Attributes:
        slope: shape ``()``, ``(channels,)`` or that of the input.
    """

    onnx: ClassVar[tuple[str, ...]] = ("LeakyRelu", "PRelu")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"LeakyRelu": ("alpha",)}
    functions: ClassVar[tuple[str, ...]] = onnx
    homogeneous: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    slope: FixedArray

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        if node.op_type == "LeakyRelu":
            return is_short(np.array(parameters(node.op_type, node.attributes)["alpha"]))
        slope = node.constant(1)
        return slope is not None and is_short(slope.values)

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        (tree,) = trees
        if node.op_type == "LeakyRelu":
            return super().real_function(node, x, *trees)
        slope = constant_operand(node, x, 1)
        assert slope is not None
        return Slopes(tree, slope)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        x = node.activations[0]
        values = np.array(float(node.attributes.get("alpha", 0.01)))
        if node.op_type == "PRelu":
            slope = node.constant(1)
            if slope is None:
                raise node.refuse("PRelu with a slope computed at run time")
            values = to_hardware(node, x, slope.values)
        if not np.isfinite(values).all():
            raise node.refuse(f"{node.op_type} with a slope that is not finite", code="HW225")
        exact = FixedArray.exactly(values)
        if exact.dtype.width > SLOPE_BITS:
            near = np.ldexp(np.rint(np.ldexp(values, 8)), -8).ravel()[:4]
            raise node.refuse(
                f"{node.op_type} with a slope that fixed point cannot hold",
                code="HW225",
                found=f"slope {', '.join(f'{v:.9g}' for v in values.ravel()[:4])}",
                supported=f"multiples of a power of two, of at most {SLOPE_BITS} bits",
                help=f"use {', '.join(f'{v:.9g}' for v in near)}",
            )
        return [cls(slope=exact)]

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if (max(map(abs, x.bounds)) * int(np.abs(self.slope.raw).max())).bit_length() > 62:
            raise OverflowError("a product could pass 62 bits")
        zero = np.clip(0, x.lo, x.hi)  # where the slope changes, if that is within the range
        points = np.broadcast_to(
            np.stack([x.lo, x.hi, zero])[:, None], (3, x.size // x.channels, x.channels)
        )
        values, fractional = self._apply(points.reshape(3, *x.shape), x.dtype.fractional)
        values = values.reshape(-1, x.channels)
        return TensorType.exactly(x.shape, values.min(axis=0), values.max(axis=0), fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        values, _ = self._apply(x.raw, x.dtype.fractional)
        return FixedArray(values, self.exact(TensorType.full(x.shape[1:], x.dtype)).dtype)

    def _apply(self, raw: RawArray, fractional: int) -> tuple[RawArray, int]:
        """Return the results for mantissas of shape ``(n, *shape)`` and their fractional bits."""
        product = fractional + self.slope.dtype.fractional
        common = max(fractional, product)
        above = shift_left(np.maximum(raw, 0), common - fractional)
        below = shift_left(np.minimum(raw, 0) * self.slope.raw, common - product)
        return np.where(raw > 0, above, below), common

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        return two_sides(x)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        product = x_t.dtype.fractional + self.slope.dtype.fractional
        fractional = max(x_t.dtype.fractional, product)
        above, below = fractional - x_t.dtype.fractional, fractional - product
        slope = shift_left(self.slope.raw, below)
        steepest = max(1 << above, int(np.abs(slope).max()))
        reach = max(map(abs, x_t.bounds)) * steepest
        x = body.carried(x, carrier(reach, "a product"))
        zero = body.number(x, 0.0)
        positive = body.scaled(body.positive(x), above)
        negative = body.apply("Min", x, zero)
        negative = body.apply("Mul", negative, body.number(x, slope, "slope"))
        y = body.apply("Add", positive, negative.name)
        return Result(y, Span(-reach, reach, fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        if self.reuse_factor > 1:
            return HlsLayer(
                class_name="HwflowKernel",
                kernel="slopes",
                attributes={"output_shape": list(x.shape), "weight_names": ["slope"]},
                weights={"slope": FixedArray(self.slope.raw.reshape(-1), self.slope.dtype)},
                reuse_factor=self.reuse_factor,
            )
        if self.slope.raw.ndim == 0:
            return HlsLayer(
                class_name="LeakyReLU",
                attributes={
                    "n_in": x.size,
                    "activation": "leaky_relu",
                    "activ_param": float(self.slope.values),
                },
                types={"param": self.slope.dtype},
            )
        full = np.broadcast_to(self.slope.raw, x.shape).reshape(-1)
        return HlsLayer(
            class_name="PReLU",
            attributes={"n_in": x.size, "activation": "prelu"},
            weights={"param": FixedArray(full, self.slope.dtype)},
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        return lines_cost(x, self.infer(x), self.slope, turns=self.reuse_factor, target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(0)
        signed, unsigned = FixedType(7, 3), FixedType(5, 3, signed=False)
        rounded = FixedType(5, 3, True, Rounding.RND, Overflow.SAT)
        for name, value in (("eighth", 0.125), ("negative", -0.375), ("steep", 2.0)):
            slope = FixedArray.exactly(np.array(value))
            yield Example(name, cls(slope=slope), (TensorType.full((2, 3), signed),))
        yield Example("unsigned", cls(slope=slope), (TensorType.full((4,), unsigned),))
        for name, shape, size in (("channel", (2, 3), (3,)), ("element", (2, 3), (2, 3))):
            slope = FixedArray(rng.integers(-8, 8, size), FixedType(4, 1))
            op = cls(slope=slope, result_t=rounded)
            yield Example(name, op, (TensorType.full(shape, signed),))
