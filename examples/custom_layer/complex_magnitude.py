"""ComplexMagnitude: |z| of fixed-point I/Q pairs, exactly, as radio front ends need it.

Check it with: hwflow op check ComplexMagnitude --plugin complex_magnitude.py
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import frexp
from typing import ClassVar

import numpy as np

from hwflow.custom import (
    MAX_RAW_BITS,
    SIMPLE,
    Cost,
    Diagnostic,
    Example,
    FixedArray,
    FixedType,
    HlsLayer,
    Layout,
    OnnxNode,
    Op,
    Overflow,
    RawArray,
    Rounding,
    Target,
    TensorType,
    make_cost,
    per_position,
    product_cost,
    side_by_side,
)

WIDEST_SQUARE = 50
"""Bits of re**2 + im**2: below 2**52 a double's square root, rounded down, is exact."""

FINEST = 24
"""Fractional bits of the finest grid, and one more than those of the coarsest left of the point."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ComplexMagnitude(Op):
    """The magnitude of complex numbers, rounded down to a grid.

    The channels are pairs of real and imaginary parts; the result has half as many.

    Attributes:
        fractional: fractional bits of the result.
    """

    onnx: ClassVar[tuple[str, ...]] = ("com.example::ComplexMagnitude",)
    layout: ClassVar[Layout] = Layout.CHANNELS_LAST

    fractional: int

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        """Take the node's attribute ``steps``: how many steps the result's grid has per unit."""
        if len(node.inputs) != 1 or len(node.activations) != 1:
            raise node.refuse(
                "ComplexMagnitude takes one activation", found=f"{len(node.inputs)} inputs"
            )
        (x,) = node.activations
        steps = float(node.attributes.get("steps", 0.0))
        mantissa, exponent = frexp(steps)
        if mantissa != 0.5 or abs(exponent) > FINEST:
            raise node.refuse(
                "ComplexMagnitude on a grid that is not a power of two",
                found=f"steps = {steps:g}",
                supported=f"powers of two from 2**-{FINEST} to 2**{FINEST - 1}",
            )
        if x.channels % 2:
            raise node.refuse(
                "ComplexMagnitude of half a pair",
                found=f"{x.channels} channels",
                supported="an even number: real, imaginary, real, imaginary, ...",
            )
        return [cls(fractional=exponent - 1)]

    @classmethod
    def onnx_shape(cls, attributes: object, *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return half the channels; for models that bring no function body."""
        batch, channels, *rest = shapes[0]
        return (batch, channels // 2, *rest)

    def exact(self, *inputs: TensorType) -> TensorType:
        """Return the range: the root of the extremes of re**2 + im**2, pair by pair."""
        (x,) = inputs
        if self._square_bits(x.dtype) > MAX_RAW_BITS:
            raise OverflowError(f"the squares of {x.dtype} on a grid of {self.fractional} bits")
        ends = np.stack([x.lo, x.hi]) ** 2
        lowest = np.where((x.lo <= 0) & (x.hi >= 0), 0, ends.min(axis=0))
        shape = (*x.shape[:-1], x.channels // 2)
        low, high = (self._root(_pair_sums(b), x.dtype) for b in (lowest, ends.max(axis=0)))
        return TensorType.exactly(shape, low, high, self.fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        """Return the magnitudes; whole numbers throughout, so that nothing is rounded twice."""
        (x,) = inputs
        full = TensorType.full(x.shape[1:], x.dtype)
        return FixedArray(self._root(_pair_sums(x.raw**2), x.dtype), self.exact(full).dtype)

    def _square_bits(self, dtype: FixedType) -> int:
        """Return the bits of re**2 + im**2 on a grid that serves the result's root."""
        finer = max(0, self.fractional - dtype.fractional)
        return 2 * (dtype.width + finer) + 1

    def _root(self, square: RawArray, dtype: FixedType) -> RawArray:
        """Return the root on the result's grid of a square on twice the input's grid."""
        shift = 2 * (self.fractional - dtype.fractional)
        moved = square << shift if shift >= 0 else square >> -shift
        roots: RawArray = np.floor(np.sqrt(moved.astype(np.float64))).astype(np.int64)
        return roots

    def golden(self, *inputs: TensorType) -> str:
        """Return the same on mantissas, in standard ONNX operators."""
        (x,) = inputs
        factor = 4.0 ** (self.fractional - x.dtype.fractional)
        return f"""
            zero = Constant <value_ints = [0]> ()
            one = Constant <value_ints = [1]> ()
            two = Constant <value_ints = [2]> ()
            last = Constant <value_ints = [-1]> ()
            end = Constant <value_ints = [{x.channels}]> ()
            re = Slice(x0, zero, end, last, two)
            im = Slice(x0, one, end, last, two)
            re_square = Mul(re, re)
            im_square = Mul(im, im)
            square = Add(re_square, im_square)
            factor = Constant <value = double {{{factor!r}}}> ()
            moved = Mul(square, factor)
            root = Sqrt(moved)
            y = Floor(root)
        """

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        """Yield what cannot be generated: squares that a double does not hold."""
        (x,) = inputs
        bits = self._square_bits(x.dtype)
        if bits > WIDEST_SQUARE:
            yield Diagnostic(
                code="HW301",
                title="result too wide to be computed exactly",
                found=f"squares of {bits} bits",
                supported=f"at most {WIDEST_SQUARE} bits",
                help="put a narrower quantiser before this layer, or ask for fewer steps",
            )

    def lower(self, *inputs: TensorType) -> HlsLayer:
        """Return the layer; its C++ comes from complex_magnitude.h.j2."""
        (x,) = inputs
        square_bits = 2 * x.dtype.width + 1
        shift = 2 * (self.fractional - x.dtype.fractional)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="complex_magnitude",
            attributes={
                "output_shape": [*x.shape[:-1], x.channels // 2],
                "square_bits": square_bits,
                "square_fractional": 2 * x.dtype.fractional,
                "shift": shift,
                "root_bits": (max(square_bits + shift, 1) + 1) // 2,
                "fractional": self.fractional,
            },
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return two squares for each pair, and a row of a subtractor for each bit of the root."""
        (x,) = inputs
        y = self.exact(x)
        rows = y.dtype.width
        bits = rows * (rows + 3)  # one LUT a bit; a row has as many as the root so far, and two
        root = make_cost(SIMPLE, lut=bits * y.channels, ff=0.5 * bits * y.channels, cycles=rows / 4)
        squares = product_cost(x, x, target=target)
        return side_by_side(squares, per_position(root, y, target))

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Yield grids as fine as the input's, coarser and finer, and a result that is rounded."""
        signed, unsigned = FixedType(6, 3), FixedType(5, 1, signed=False)
        rounded = FixedType(5, 4, False, Rounding.RND, Overflow.SAT)
        yield Example("same", cls(fractional=3), (TensorType.full((8,), signed),))
        yield Example("coarser", cls(fractional=0), (TensorType.full((8,), signed),))
        yield Example("finer", cls(fractional=6), (TensorType.full((3, 4), signed),))
        yield Example("unsigned", cls(fractional=4), (TensorType.full((2, 2, 4), unsigned),))
        yield Example("tens", cls(fractional=-1), (TensorType.full((4,), FixedType(7, 7)),))
        op = cls(fractional=3, result_t=rounded)
        yield Example("rounded", op, (TensorType.full((5, 2), signed),))


def _pair_sums(squares: RawArray) -> RawArray:
    """Return the sums of neighbours on the last axis."""
    sums: RawArray = squares[..., 0::2] + squares[..., 1::2]
    return sums
