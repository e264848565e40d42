"""The cost of a constant matrix product, the core of Dense and of every convolution."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, isqrt

import numpy as np
import numpy.typing as npt

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.device import fabric_of
from hwflow.estimate.resource import Turns, resource_cost
from hwflow.estimate.schedule import Cut, absorbed, adder_levels, cuts_of, registers
from hwflow.estimate.spread import REUSED, UNROLLED, make_cost
from hwflow.estimate.xnor import xnor_core
from hwflow.fixed import FixedType, RawArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def product_core(
    weight: RawArray,
    x: TensorType,
    accum_t: FixedType,
    *,
    target: Target,
    strategy: str,
    reuse_factor: int,
    bias: RawArray | None,
    weight_t: FixedType | None = None,
    groups: int = 1,
    gathers: float = 0.0,
    xnor: bool = False,
    read: npt.NDArray[np.bool_] | None = None,
) -> Cost:
    """Return the cost of one instance of a constant matrix product.

    Args:
        weight: integer constants of shape ``(n_in, n_out)``.
        x: the input; its channels repeat when fewer than ``n_in``.
        accum_t: accumulator type.
        target: backend, io type, part and clock.
        strategy: see ``matvec_cost``.
        reuse_factor: multiplications per multiplier.
        bias: integer constants of shape ``(n_out,)``.
        weight_t: declared type of the weights; the narrowest integers by default.
        groups: blocks on the diagonal; what lies outside of them is not stored.
        gathers: part of the input's bits that a resource kernel gathers from a stream.
        xnor: products are XNORs of sign bits (latency strategy).
        read: results that are read by anything; all by default.
    """
    if xnor:
        return xnor_core(weight, accum_t.width, target)
    n_in, n_out = weight.shape
    parts = fabric_of(target)
    if strategy == "resource" and reuse_factor > 1:
        turns = Turns(
            n_in=n_in, n_out=n_out, stored=weight.size // groups, x=x.dtype,
            weight=weight_t or narrowest(weight), accum=accum_t, reuse_factor=reuse_factor,
            gathers=gathers,
        )  # fmt: skip
        return resource_cost(turns, target, parts)
    bits = input_bits(x, n_in)
    stored_zeros = int((weight == 0).sum())
    weight = weight if read is None else np.where(read, weight, 0)
    found = products.count_products(weight, bits, bias, target.backend, parts.ports)
    found = replace(found, zeros=stored_zeros)
    if groups > 1:
        absent = found.n - found.n // groups
        found = replace(found, n=found.n - absent, zeros=max(found.zeros - absent, 0))
    if strategy == "distributed_arithmetic":
        found = products.shift_add_only(found, weight.shape[1])
    cost = unrolled_cost(
        found, weight, bits, accum_bits=accum_t.width, target=target, reuse_factor=reuse_factor
    )
    # 30 of 35 such layers of wa-hls4ml-search start every other cycle
    stored = strategy == "resource"
    return replace(cost, ii=Estimate.spread(cost.ii.value, (1.0, 2.0))) if stored else cost


def narrowest(weight: RawArray) -> FixedType:
    """Return the narrowest integer type of some weights."""
    return FixedType.covering(int(weight.min(initial=0)), int(weight.max(initial=0)), 0)


def input_bits(x: TensorType, n_in: int) -> RawArray:
    """Return the declared bits of each input; 0 where it is constant.

    HLS tools bind on declared widths: they know that an input is constant, not what range
    the layers before it leave (74 unrolled layers of thirteen repositories).
    """
    return np.resize(np.where(x.lo == x.hi, 0, x.dtype.width), n_in)


def unrolled_cost(
    found: products.Products,
    weight: RawArray,
    bits: RawArray,
    *,
    accum_bits: int,
    target: Target,
    reuse_factor: int,
) -> Cost:
    """Return the cost of an unrolled product, or of one that shares multipliers (RF > 1).

    Args:
        found: what the products consist of.
        weight: integer constants of shape ``(n_in, n_out)``.
        bits: declared width of each input, 0 where it is constant.
        accum_bits: width of the accumulator.
        target: backend, io type, part and clock.
        reuse_factor: multiplications per multiplier.
    """
    built = weight.shape[1]
    if not target.streams:
        built = int(((weight != 0) & (bits[:, None] > 0)).any(axis=0).sum())
    luts = fabric.lut_unrolled(found, built, accum_bits)
    if target.backend == "Vivado":
        luts += fabric.WIDE_LUT_PER_BIT * found.wide_bits
    depth, ff, inside = pipeline(found, weight, bits, accum_bits=accum_bits, target=target)
    if reuse_factor == 1:
        rules = ("ii", "bram", *(() if found.multiplications else ("dsp",)))
        return make_cost(
            UNROLLED, lut=luts, ff=ff, dsp=found.dsp_products, cycles=depth, absorbed_ff=inside,
            rules=rules,
        )  # fmt: skip
    shared = products.dsp_reused(found, reuse_factor)
    turns = max(ceil(found.multiplications / products.multiplier_limit(found, reuse_factor)), 1)
    cycles = depth + turns - 1
    waiting = max(found.multiplications - shared, 0)
    ff += fabric.SHARED_PRODUCT_BITS * accum_bits * waiting
    ii = min(float(reuse_factor), cycles + 1)
    return make_cost(
        REUSED, lut=luts, ff=ff, dsp=shared, cycles=cycles, ii=ii, absorbed_ff=min(inside, ff),
        rules=("bram",),
    )  # fmt: skip


def pipeline(
    found: products.Products,
    weight: RawArray,
    bits: RawArray,
    *,
    accum_bits: int,
    target: Target,
) -> tuple[float, float, float]:
    """Return cycles and flip-flops of an unrolled product, and those that DSP blocks take in."""
    live = (weight != 0) & (bits[:, None] > 0)
    terms, n_out = int(live.sum()), weight.shape[1]
    fan_in = int(live.sum(axis=0).max(initial=0)) + 1
    multiplies = found.dsp_products > 0
    shifted = 0 if multiplies else found.shift_levels
    cuts = cuts_of(fabric_of(target), multiplies, shifted + adder_levels(fan_in))
    if found.wide_bits and multiplies and not any(cut.levels == 0 for cut in cuts):
        cuts = [Cut(0), *cuts]  # several blocks: their products are added in a cycle of their own
    held = registers(
        cuts, shifted, input_bits=float(bits.sum()), product_bits=float(found.dsp_bits),
        term_bits=float(terms * accum_bits), result_bits=float(n_out * accum_bits),
    )  # fmt: skip
    if target.backend == "Vitis" and terms > fabric.CHAIN_PRODUCTS:
        return fan_in / 2.0, fabric.CHAIN_FF * terms * accum_bits, 0.0
    return float(len(cuts)), held, absorbed(cuts, float(found.dsp_bits))


def telling_reuse_factors(legal: range, weight: RawArray, groups: int = 1) -> list[int]:
    """Return the reuse factors that the cost of shared multipliers tells apart, or a few more.

    The cost follows from ``DIV_ROUNDUP(n, RF)`` and ``zeros / RF`` (``multiplier_limit``), and
    grows with RF where neither changes: so the smallest RF of each pair of both is enough, which is
    ``DIV_ROUNDUP(n, k)`` or ``zeros / k + 1``, or up to the root of either.

    Args:
        legal: all reuse factors from 1 on.
        weight: integer constants of shape ``(n_in, n_out)``.
        groups: blocks on the diagonal; what lies outside of them is not stored.
    """
    absent = weight.size - weight.size // groups
    n, zeros = weight.size - absent, max(int((weight == 0).sum()) - absent, 0)
    root = isqrt(max(n, zeros)) + 1
    found = {1, 2, *range(1, root + 1)}
    for k in range(1, root + 1):
        found |= {-(-n // k), zeros // k + 1}
    return sorted(rf for rf in found if rf in legal)
