"""Clip between constant bounds: Clip, ReLU6, Hardtanh; HardSigmoid as a clipped line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType, RawArray, shift_left
from hwflow.ir.body.values import Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.grid import ONE, ZERO, rationals
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.nodes import Clamp
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import affine
from hwflow.ops.shared.casts import kept_between
from hwflow.ops.shared.constants import is_short
from hwflow.ops.shared.functions import line
from hwflow.ops.shared.turns import _Elementwise

BOUND_BITS = 24
"""Widest bound taken: beyond it, it is a float that nobody meant to be exact."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip(_Elementwise):
    """The nearest value within ``lo .. hi``.

    Attributes:
        lo: lower bound, shape ``()``; None for none.
        hi: upper bound, shape ``()``, at least ``lo``; None for none.
        levels: the bounds are a quantiser's, whose rounding follows: what that brings back to a
            bound is not out of range.
    """

    pointwise: ClassVar[bool] = True
    onnx: ClassVar[tuple[str, ...]] = ("Clip", "HardSigmoid")
    infinite: ClassVar[tuple[str, ...]] = ("Clip",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "Clip": ("max", "min"),
        "HardSigmoid": ("alpha", "beta"),
    }
    functions: ClassVar[tuple[str, ...]] = onnx

    lo: FixedArray | None = None
    hi: FixedArray | None = None
    levels: bool = False

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        bounds = (node.constant(1), node.constant(2))
        return node.op_type == "Clip" and all(b is None or is_short(b.values) for b in bounds)

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        (tree,) = trees
        if node.op_type == "HardSigmoid":
            defaults = {"alpha": np.float32(0.2), "beta": 0.5}
            slope, start = (
                rationals(float(node.attributes.get(k, d))) for k, d in defaults.items()
            )
            return Clamp(line(tree, slope, start), ZERO, ONE)
        bounds = [node.constant(i) for i in (1, 2)]
        if any(b is not None and (b.values.size != 1 or np.isnan(b.values).any()) for b in bounds):
            raise node.refuse("Clip with bounds that are not one number each")
        lo, hi = (
            None if b is None or np.isinf(b.values).any() else rationals(b.values.reshape(()))
            for b in bounds
        )
        return Clamp(tree, lo, hi)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if node.op_type == "HardSigmoid":
            (x,) = node.activations
            alpha, beta = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
            unit = [FixedArray.exactly(v) for v in (0.0, 1.0)]
            line = affine(node, x, np.array(float(alpha)), np.array(float(beta)))
            return [line, cls(lo=unit[0], hi=unit[1])]
        bounds = [read_bound(node, i, name) for i, name in ((1, "min"), (2, "max"))]
        lo, hi = bounds
        if lo is None and hi is None:
            return []
        if lo is not None and hi is not None and lo.values > hi.values:
            lo = hi  # what ONNX defines for min > max
        return [cls(lo=lo, hi=hi)]

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        lo, hi, fractional = self._bounds(x)
        ends = shift_left(np.stack([x.lo, x.hi]), fractional - x.dtype.fractional)
        low, high = np.clip(ends, lo, hi)
        return TensorType.exactly(x.shape, low, high, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = TensorType.full(x.shape[1:], x.dtype)
        lo, hi, fractional = self._bounds(full)
        raw = x.raw << (fractional - x.dtype.fractional)
        return FixedArray(np.clip(raw, lo, hi), self.exact(full).dtype)

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        least, greatest = self._unchanged(x)
        met = np.array([(x.lo < least).any(), True, (x.hi > greatest).any()])
        floor = self.lo is not None and not self.lo.raw.any() and not self.levels  # a relu
        return Pieces.of(
            lambda a: (1 - (a.raw < least) + (a.raw > greatest),),
            Kind.STEPS,
            np.where(met, np.arange(3), -1),
            low=np.array([not floor, False, False]),
            high=np.array([False, False, True]),
        )

    def _unchanged(self, x: TensorType) -> tuple[int, int]:
        """Return the least and greatest mantissa that stays as it is, or is rounded to a bound."""
        lo, hi, fractional = self._bounds(TensorType.full(x.shape, x.dtype))
        to = self.result_t
        if self.levels and to is not None:
            down = fractional - to.fractional
            return kept_between(int(lo) >> down, int(hi) >> down, x.dtype.fractional, to)
        up = fractional - x.dtype.fractional
        return -(-int(lo) >> up), int(hi) >> up

    def parameters(self) -> dict[str, Any]:
        return {k: v for k, v in super().parameters().items() if k != "levels" or v}

    def _bounds(self, x: TensorType) -> tuple[RawArray, RawArray, int]:
        """Return both bounds on the grid that holds them and ``x``, and its fractional bits.

        A bound beyond all values of ``x`` takes no part.
        """
        given = [b for b in (self.lo, self.hi) if b is not None]
        fractional = max([x.dtype.fractional, *(b.dtype.fractional for b in given)])
        ends = FixedArray(np.array([x.dtype.raw_min, x.dtype.raw_max]), x.dtype)
        lo, hi = (
            shift_left(b.raw, fractional - b.dtype.fractional)
            for b in (self.lo or ends[0], self.hi or ends[1])
        )
        if self.lo is None:
            lo = np.minimum(lo, hi)
        if self.hi is None:
            hi = np.maximum(lo, hi)
        return lo, hi, fractional

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        lo, hi, fractional = self._bounds(x_t)
        up = fractional - x_t.dtype.fractional
        ends = [end << up for end in x_t.bounds]
        within = carrier(max(map(abs, (*ends, int(lo), int(hi)))), "a bound")
        x = body.scaled(body.carried(x, within), up)
        y = body.apply("Clip", x, body.number(x, lo, "lo"), body.number(x, hi, "hi"))
        low, high = (min(max(end, int(lo)), int(hi)) for end in ends)
        return Result(y, Span(low, high, fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        lo, hi, fractional = self._bounds(x)
        bound_t = FixedType.covering(min(int(lo), 0), max(int(hi), 0), fractional)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="clip",
            attributes={"output_shape": list(x.shape), "weight_names": ["lo", "hi"]},
            weights={
                "lo": FixedArray(np.reshape(lo, -1), bound_t),
                "hi": FixedArray(np.reshape(hi, -1), bound_t),
            },
            reuse_factor=self.reuse_factor,
        )

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(8, 4), FixedType(6, 4, signed=False)
        rounded = FixedType(4, 3, rounding=signed.rounding.RND, overflow=signed.overflow.SAT)
        for name, lo, hi in (
            ("relu6", 0.0, 6.0),
            ("hardtanh", -1.0, 1.0),
            ("finer", -1.0625, 2.5),
        ):
            op = cls(lo=FixedArray.exactly(lo), hi=FixedArray.exactly(hi))
            yield Example(f"{name}_signed", op, (TensorType.full((2, 3), signed),))
            yield Example(f"{name}_unsigned", op, (TensorType.full((4,), unsigned),))
        below = cls(lo=FixedArray.exactly(-0.375))
        yield Example("below_only", below, (TensorType.full((4,), signed),))
        above = cls(hi=FixedArray.exactly(2.0), result_t=rounded)
        yield Example("above_only", above, (TensorType.full((4,), signed),))


def read_bound(node: OnnxNode, index: int, name: str) -> FixedArray | None:
    """Return a bound given as an input (opset 11) or as an attribute (before), exactly."""
    constant = node.constant(index)
    if constant is None and index < len(node.inputs) and node.inputs[index] is not None:
        raise node.refuse(
            f"{node.op_type} with {name} computed at run time", supported="constant bounds"
        )
    value = node.attributes.get(name) if constant is None else constant.values
    outward = -1.0 if name == "min" else 1.0
    if value is None or np.all(outward * value >= np.finfo(np.float32).max):
        return None
    if np.size(value) != 1:
        raise node.refuse(
            f"{node.op_type} with a {name} per channel", supported="one bound for all elements"
        )
    if not np.isfinite(value).all():
        raise node.refuse(f"{node.op_type} with a {name} that is not a number", code="HW225")
    exact = FixedArray.exactly(np.float64(np.reshape(value, ())))
    if exact.dtype.width <= BOUND_BITS:
        return exact
    near = np.rint(exact.values * 2**8) / 2**8
    raise node.refuse(
        f"{node.op_type} with a {name} that fixed point cannot hold",
        code="HW225",
        found=f"{name} = {float(exact.values):.9g}",
        supported=f"multiples of a power of two, of at most {BOUND_BITS} bits",
        help=f"use {near:.9g}, or drop {node.op_type} where a quantiser behind has this range",
    )
