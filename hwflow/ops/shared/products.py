"""What layers that multiply by a constant matrix share: exact sums, settings, the golden body."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.estimate.matvec import telling_reuse_factors
from hwflow.fixed import FixedArray, FixedType, RawArray, shift_left
from hwflow.ir.body.casts import cast
from hwflow.ir.body.values import Carrier, NoGoldenError, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Op, Target
from hwflow.ir.pieces import Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.matvec import (
    accumulator_pieces,
    add_bias,
    check_accumulator,
    check_added,
    check_strategy,
    keeps_products,
    reuse_factors,
    sum_bounds,
)
from hwflow.ops.shared.xnor import check_product, xnor_obstacle


class _Products(Op):
    """A sum of products with constant weights, and a bias, for each output channel.

    No dataclass, so that every kind keeps the order of its fields, in which they are printed.

    Attributes:
        weight: the last two axes are inputs and output channels.
        bias: shape ``(c_out,)``.
        accum_t: accumulator; None for the narrowest that cannot overflow.
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier.
        product: ``multiply`` or ``xnor``; None for the cheaper one.
        input_exponent: every input is proven to be ``+-2**input_exponent``; None where not asked.
    """

    weighted: ClassVar[bool] = True
    takes_integers: ClassVar[bool] = True

    weight: FixedArray
    bias: FixedArray
    accum_t: FixedType | None
    strategy: str
    reuse_factor: int
    product: str | None
    input_exponent: int | None

    def with_bias(self, bias: FixedArray) -> Self:
        """Return the layer with another bias."""
        changed: dict[str, Any] = {"bias": bias}
        return replace(self, **changed)

    @property
    @abstractmethod
    def matrix(self) -> RawArray:
        """Mantissas of the weights as a matrix ``(inputs, c_out)``."""

    @property
    def padded(self) -> bool:
        """Whether zeros are among the inputs that are not in the operand."""
        return False

    @abstractmethod
    def out_shape(self, x: TensorType) -> tuple[int, ...]:
        """Return the shape of the result."""

    def _input_ends(self, x: TensorType) -> tuple[RawArray, RawArray]:
        """Return the least and greatest mantissa of each input of a sum."""
        return x.lo, x.hi

    def _sum_bounds(self, lo: RawArray, hi: RawArray) -> tuple[RawArray, RawArray]:
        """Return the range of the sum of products, from the ranges of its inputs."""
        return sum_bounds(lo.ravel(), hi.ravel(), self.matrix)

    def exact_sum(self, x: TensorType) -> TensorType:
        """Return type and range of the exact sum for each output channel, shape ``(c_out,)``."""
        return _exact_sum(_Sum(self), x)

    def exact(self, *inputs: TensorType) -> TensorType:
        return _exact(_Sum(self), self.accum_t, *inputs)

    @abstractmethod
    def sums(self, x: FixedArray, accum_t: FixedType | None) -> FixedArray:
        """Return the sums as an accumulator holds them; None for one that loses nothing."""

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        return self.sums(x, self.accum_t)

    def pieces(self, *inputs: TensorType) -> Pieces | None:
        (x,) = inputs
        return accumulator_pieces(lambda a: self.sums(a, None), self.exact_sum(x), self.accum_t)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        exact = keeps_products(self.accum_t, self.exact_sum(x))
        legal = self._factors(target)
        yield from check_strategy(self.strategy, self.reuse_factor, legal, accum_exact=exact)
        yield from check_added(self.strategy, self.bias)
        obstacle = xnor_obstacle(
            self.matrix,
            self.input_exponent,
            strategy=self.strategy,
            reuse_factor=self.reuse_factor,
            accum_exact=exact,
            padded=self.padded,
        )
        yield from check_product(self.product, obstacle)
        yield from check_accumulator(self.accum_t, x.dtype, self.weight.dtype, self.bias.dtype)

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        return (1,) if self.product == "xnor" else self._factors(target)

    def telling_reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        legal = self.reuse_factors(target, *inputs)
        if not isinstance(legal, range):
            return legal
        return telling_reuse_factors(legal, self.matrix, self._blocks())

    def _blocks(self) -> int:
        """Return how many equal blocks of the matrix the hardware holds, and nothing beside them.

        Zeros between groups cost no multiplier of their own, but the resource kernel stores and
        multiplies them like any weight.
        """
        return 1

    def _factors(self, target: Target) -> Sequence[int]:
        """Return the reuse factors of a layer that multiplies."""
        return reuse_factors(self.strategy, *self.matrix.shape)

    @abstractmethod
    def arranged(self, body: Body, x: Tensor) -> Tensor:
        """Return the operand in the order of axes that ``write_sums`` takes."""

    @abstractmethod
    def arranged_weight(self, weight: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
        """Return weights, or what they became, in the order that ``write_sums`` takes."""

    @abstractmethod
    def write_sums(self, body: Body, x: Tensor, weight: str, bias: str, groups: int = 1) -> Tensor:
        """Write sums of products in an arithmetic that holds them.

        Args:
            body: the body that is written.
            x: the operand, ``arranged``.
            weight: name of the weights, ``arranged_weight``.
            bias: name of the bias.
            groups: parts of the channels that the weights keep apart.
        """


class _Sum:
    """What a layer adds up; equal for layers that differ in other settings, as trials do."""

    def __init__(self, op: _Products) -> None:
        self.op = op
        windows = (getattr(op, "strides", ()), getattr(op, "pads", ()))
        self._key = (type(op), op.weight, op.bias, windows)

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Sum) and self._key == other._key


@lru_cache(maxsize=64)
def _exact(of: _Sum, accum_t: FixedType | None, x: TensorType) -> TensorType:
    """Return type and range of the sums as an accumulator holds them."""
    shape, total = of.op.out_shape(x), of.op.exact_sum(x)
    full = TensorType.exactly(shape, total.lo, total.hi, total.dtype.fractional)
    if accum_t is None:
        return full
    if keeps_products(accum_t, full):
        return full.cast(accum_t)
    full = TensorType.full(shape, accum_t)
    # a sum of no products is the bias
    empty, alone = ~(of.op.matrix != 0).any(axis=0), of.op.bias.cast(accum_t).raw
    return replace(full, lo=np.where(empty, alone, full.lo), hi=np.where(empty, alone, full.hi))


@lru_cache(maxsize=64)
def _exact_sum(of: _Sum, x: TensorType) -> TensorType:
    op = of.op
    lo, hi = op._sum_bounds(*op._input_ends(x))
    fractional = x.dtype.fractional + op.weight.dtype.fractional
    return TensorType.exactly(op.bias.shape, *add_bias(lo, hi, fractional, op.bias))


class GoldenSum:
    """What a layer adds up, as constants of its golden body on the grid of the exact sum.

    Attributes:
        span: where the sums lie.
        weight: mantissas of the weights, on a grid that makes products those of the sum.
        bias: mantissas of the bias, on the grid of the sum.
        reach: no partial sum has a larger magnitude, in whatever order.
        drop: bits by which the grid is finer than the result's, folded into the constants.
    """

    def __init__(self, op: _Products, x: TensorType) -> None:
        total, self._accum_t = op.exact_sum(x), op.accum_t
        fractional = total.dtype.fractional
        up = fractional - x.dtype.fractional - op.weight.dtype.fractional
        self.weight = shift_left(op.weight.raw, up)
        self.bias = shift_left(op.bias.raw, fractional - op.bias.dtype.fractional)
        self.span = Span.of(total)
        matrix = op.matrix
        each = np.abs(np.stack([x.lo, x.hi])).max(axis=0)
        rows = np.tile(each, len(matrix) // len(each))
        products = rows.astype(object) @ np.abs(shift_left(matrix, up)).astype(object)
        self.reach = int((products + np.abs(self.bias)).max())
        to = None if op.accum_t is not None else op.result_t
        folds = to is not None and self.carrier is not Carrier.INT64
        self.drop = max(fractional - to.fractional, 0) if to is not None and folds else 0
        if op.accum_t is None or keeps_products(op.accum_t, total):
            return
        if op.accum_t.fractional < fractional:
            raise NoGoldenError("its accumulator rounds every product")

    @property
    def carrier(self) -> Carrier:
        """The arithmetic that holds the sums."""
        return carrier(self.reach, "a sum of products")

    def scaled(self, raw: RawArray) -> npt.NDArray[Any]:
        """Return constants with the division by ``2**drop`` in them, which is exact."""
        if self.carrier is Carrier.INT64:
            return raw
        return np.asarray(np.ldexp(raw.astype(np.float64), -self.drop))

    def accumulated(self, body: Body, y: Tensor) -> Result:
        """Return sums as the accumulator holds them."""
        if self._accum_t is None:
            return Result(y, self.span, self.drop > 0)
        return Result(*cast(body, y, self.span, self._accum_t))
