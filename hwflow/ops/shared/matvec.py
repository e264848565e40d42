"""What every matrix-vector kernel shares: exact products, ranges, legal reuse factors."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from math import ceil

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import (
    MAX_TYPE_WIDTH,
    FixedArray,
    FixedType,
    Overflow,
    RawArray,
    Rounding,
    cast_raw,
    needed_fractional,
    shift_left,
)
from hwflow.ir.pieces import Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.casts import cast_cells, cast_pieces, kept

STRATEGIES = ("latency", "resource", "distributed_arithmetic")


def exact_matmul(x: RawArray, weight: RawArray) -> RawArray:
    """Return ``x @ weight`` exactly.

    float64 matrix products are exact while every partial sum stays below 2**53, and much faster
    than integer ones; beyond that int64 is used.

    Args:
        x: mantissas of shape ``(..., n_in)``.
        weight: mantissas of shape ``(n_in, n_out)``.

    Raises:
        OverflowError: a sum could pass 62 bits.
    """
    largest = int(np.abs(x).max(initial=0)) * int(np.abs(weight).sum(axis=0).max(initial=0))
    if largest < 2**53:
        return (x.astype(np.float64) @ weight.astype(np.float64)).astype(np.int64)
    if largest >= 2**MAX_TYPE_WIDTH:
        raise OverflowError("a sum of products could pass 62 bits")
    return x @ weight


def sum_bounds(lo: RawArray, hi: RawArray, weight: RawArray) -> tuple[RawArray, RawArray]:
    """Return the least and greatest ``x @ weight`` over all ``lo <= x <= hi``.

    Args:
        lo: shape ``(n_in,)``.
        hi: shape ``(n_in,)``.
        weight: shape ``(n_in, n_out)``.

    Returns:
        Two arrays of shape ``(n_out,)``.

    Raises:
        OverflowError: a bound could pass 62 bits.
    """
    positive, negative = np.maximum(weight, 0), np.minimum(weight, 0)
    low = exact_matmul(lo[None], positive)[0] + exact_matmul(hi[None], negative)[0]
    high = exact_matmul(hi[None], positive)[0] + exact_matmul(lo[None], negative)[0]
    return low, high


def add_bias(
    lo: RawArray, hi: RawArray, fractional: int, bias: FixedArray
) -> tuple[RawArray, RawArray, int]:
    """Return bounds and fractional bits after adding a bias, on the finer of the two grids.

    Raises:
        OverflowError: the common grid would need more than 62 bits.
    """
    common = max(fractional, bias.dtype.fractional)
    up = shift_left(np.stack([lo, hi]), common - fractional)
    offset = shift_left(bias.raw, common - bias.dtype.fractional)
    return up[0] + offset, up[1] + offset, common


def multiply_accumulate(
    x: FixedArray,
    weight: RawArray,
    weight_fractional: int,
    bias: FixedArray,
    accum_t: FixedType,
    *,
    every_product: bool,
) -> FixedArray:
    """Return ``bias + x @ weight`` in ``accum_t``, as hls4ml's dense kernels compute it.

    The kernels cast the bias and each product to ``accum_t`` and add; with a wrapping accumulator
    the order of additions does not matter (nnet_dense_latency.h, nnet_dense_resource.h).

    Args:
        x: shape ``(..., n_in)``.
        weight: mantissas, shape ``(n_in, n_out)``.
        weight_fractional: fractional bits of the weights.
        bias: shape ``(n_out,)``.
        accum_t: a wrapping type.
        every_product: cast each product by itself; needed where ``accum_t`` loses bits of it.
    """
    fractional = x.dtype.fractional + weight_fractional
    start = bias.cast(accum_t).raw
    if not every_product:
        total = cast_raw(exact_matmul(x.raw, weight), fractional, accum_t)
    else:
        total = np.zeros((*x.shape[:-1], weight.shape[1]), np.int64)
        for i in range(weight.shape[0]):  # one input at a time keeps memory at the output's size
            total += cast_raw(x.raw[..., i, None] * weight[i], fractional, accum_t)
    return FixedArray(cast_raw(total + start, accum_t.fractional, accum_t), accum_t)


def legal_reuse_factors(n_in: int, n_out: int) -> list[int]:
    """Return the reuse factors that hls4ml's resource kernels take.

    The rule is hls4ml's own (``FPGABackend._validate_reuse_factor``, version 1.3.0).
    """
    total = n_in * n_out
    found = []
    for rf in (d for d in divisors(total)):
        limit = ceil(total / min(n_in, rf))
        if (limit % n_out == 0 or rf >= n_in) and (rf % n_in == 0 or rf < n_in):
            found.append(rf)
    return found


def divisors(n: int) -> list[int]:
    """Return the divisors of a positive number, ascending."""
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def nearest(value: int, legal: Sequence[int]) -> int:
    """Return the legal value closest to ``value``; the smaller of two equally close ones."""
    at = bisect_left(legal, value)
    return min(legal[max(at - 1, 0) : at + 1], key=lambda v: (abs(v - value), v))


def reuse_factors(
    strategy: str, n_in: int, n_out: int, *, max_reuse: int | None = None
) -> Sequence[int]:
    """Return the reuse factors of a matrix-vector layer, ascending.

    Args:
        strategy: strategy of the layer.
        n_in: inputs of the matrix.
        n_out: its outputs.
        max_reuse: the most, where a kernel takes fewer than a dense layer does.
    """
    if strategy == "distributed_arithmetic":
        return (1,)
    if strategy != "resource":
        return range(1, n_in * n_out + 1)
    legal = legal_reuse_factors(n_in, n_out)
    return legal if max_reuse is None else [rf for rf in legal if rf <= max_reuse]


def check_strategy(
    strategy: str, reuse_factor: int, legal: Sequence[int], *, accum_exact: bool
) -> Iterator[Diagnostic]:
    """Yield what is illegal about a matrix-vector layer's strategy and reuse factor.

    Args:
        strategy: strategy of the layer.
        reuse_factor: reuse factor of the layer.
        legal: the reuse factors that it can have.
        accum_exact: whether its accumulator loses nothing.
    """
    if strategy not in STRATEGIES:
        yield Diagnostic(
            code="HW103",
            title="unknown strategy",
            found=f"strategy = {strategy!r}",
            supported=", ".join(STRATEGIES),
            help='set strategy = "latency" for speed or "resource" to share multipliers',
        )
    if strategy == "distributed_arithmetic" and not accum_exact:
        yield Diagnostic(
            code="HW106",
            title="distributed arithmetic has no accumulator to narrow",
            found="accum_t narrower than the exact sum",
            help="remove accum_t from this layer, or choose another strategy",
        )
    yield from check_reuse_factor(reuse_factor, legal)


FINEST = 32
"""Fractional bits of a number that da4ml 0.5.2 adds; it drops finer ones (``_const_f``)."""


def check_added(strategy: str, bias: FixedArray) -> Iterator[Diagnostic]:
    """Yield a diagnostic when distributed arithmetic would drop bits of the bias."""
    bits = needed_fractional(bias.values)
    if strategy == "distributed_arithmetic" and bits > FINEST:
        yield Diagnostic(
            code="HW111",
            title="bias that is too fine for distributed arithmetic",
            found=f"a bias of {bits} fractional bits",
            supported=f"at most {FINEST}, all that da4ml adds",
            help='set strategy = "latency", or quantise the bias more coarsely',
        )


def check_reuse_factor(reuse_factor: int, legal: Sequence[int]) -> Iterator[Diagnostic]:
    """Yield a diagnostic when a reuse factor is none of the legal ones."""
    if reuse_factor not in legal:
        yield Diagnostic(
            code="HW104",
            title="illegal reuse factor",
            found=f"reuse_factor = {reuse_factor}",
            supported=shown_values(legal),
            help=f"set reuse_factor = {nearest(reuse_factor, legal)}, the nearest legal value",
        )


def shown_values(legal: Sequence[int]) -> str:
    """Return ascending values in words; many follow each other without gaps."""
    if len(legal) > 40 and legal[-1] - legal[0] == len(legal) - 1:
        return f"{legal[0]} to {legal[-1]}"
    return ", ".join(map(str, legal))


def accumulator_pieces(
    exact: Callable[[FixedArray], FixedArray], total: TensorType, accum_t: FixedType | None
) -> Pieces | None:
    """Return where sums wrap around in an accumulator, or None where none can.

    Args:
        exact: from the operand to the exact sums.
        total: their range.
        accum_t: a type that was set by hand and wraps, or None.
    """
    if accum_t is None:
        return None
    fractional = total.dtype.fractional
    least, greatest = kept(fractional, accum_t)
    if (total.lo >= least).all() and (total.hi <= greatest).all():
        return None

    def cells(x: FixedArray) -> tuple[RawArray, ...]:
        sums = exact(x)
        return (cast_cells(sums.raw, sums.dtype.fractional, accum_t),)

    return cast_pieces(cells, [[]], [True])


def check_accumulator(
    accum_t: FixedType | None, x: FixedType, weight: FixedType, bias: FixedType
) -> Iterator[Diagnostic]:
    """Yield a diagnostic when an accumulator saturates, or rounds what is far below its step."""
    if accum_t is None:
        return
    product = (x.width + weight.width, x.fractional + weight.fractional)
    for width, fractional in (product, (bias.width, bias.fractional)):
        if accum_t.rounding is not Rounding.TRN and fractional - accum_t.fractional > width:
            yield Diagnostic(
                code="HW109",
                title="accumulator coarser than every product or bias",
                found=f"accum_t = {accum_t}, for values of {width} bits, {fractional} fractional",
                supported=f"at least {fractional - width} fractional bits, or rounding TRN",
                help="remove accum_t to get the narrowest accumulator that loses nothing; "
                "the ap_fixed headers stop with an assertion in this case",
            )
            break
    if accum_t.overflow is not Overflow.WRAP:
        yield Diagnostic(
            code="HW105",
            title="saturating accumulator",
            found=f"accum_t = {accum_t}",
            supported="accumulators that wrap: fixed<W,I> or fixed<W,I,ROUNDING>",
            help="hls4ml's result would depend on the reuse factor; remove accum_t to get the "
            "narrowest accumulator that cannot overflow",
        )


def keeps_products(accum_t: FixedType | None, exact: TensorType) -> bool:
    """Return whether an accumulator loses nothing of the exact sum."""
    return accum_t is None or accum_t.holds(*exact.bounds, exact.dtype.fractional)


def sum_depth(terms: int) -> int:
    """Return the cycles at most of a sum of products: a cycle an adder level, and ten around.

    FIFOs take two, the line buffer two, a multiplier three and the result's cast two.
    """
    return 10 + (terms - 1).bit_length()
