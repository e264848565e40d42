"""The cost of a constant matrix product, the core of Dense and of every convolution."""

from __future__ import annotations

from dataclasses import replace
from math import ceil

import numpy as np

from hwflow.estimate import fabric as fabric
from hwflow.estimate import products as products
from hwflow.estimate.spread import FF_SYNTH, REUSED, SIMPLE, UNROLLED, make_cost
from hwflow.estimate.xnor import xnor_core
from hwflow.fixed import RawArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType


def product_core(
    weight: RawArray,
    x: TensorType,
    accum_bits: int,
    *,
    target: Target,
    strategy: str,
    reuse_factor: int,
    bias: RawArray | None,
    groups: int = 1,
    xnor: bool = False,
) -> Cost:
    """Return the cost of one instance of a constant matrix product.

    Args:
        weight: integer constants of shape ``(n_in, n_out)``.
        x: the input; its channels repeat when fewer than ``n_in``.
        accum_bits: width of the accumulator.
        target: backend, io type, part and clock.
        strategy: see ``matvec_cost``.
        reuse_factor: multiplications per multiplier.
        bias: integer constants of shape ``(n_out,)``.
        groups: blocks on the diagonal; what lies outside of them is not stored.
        xnor: products are XNORs of sign bits (latency strategy).
    """
    if xnor:
        return xnor_core(weight, accum_bits, target)
    bits = input_bits(x, weight.shape[0])
    n_in, n_out = weight.shape
    if strategy == "resource" and reuse_factor > 1:
        weight_bits = int(products.constant_bits(weight).max(initial=1))
        width = int(bits.max(initial=1))
        stored = weight.size // groups
        return fabric.resource_cost(
            n_in=n_in,
            n_out=n_out,
            n=stored,
            input_bits=width,
            weight_bits=weight_bits,
            reuse_factor=reuse_factor,
            part=target.part,
        )
    found = products.count_products(weight, bits, bias, target.backend)
    if groups > 1:
        absent = found.n - found.n // groups
        found = replace(found, n=found.n - absent, zeros=max(found.zeros - absent, 0))
    if strategy == "distributed_arithmetic":
        found = products.shift_add_only(found, weight.shape[1])
    return unrolled_cost(found, weight, accum_bits, target, reuse_factor)


def input_bits(x: TensorType, n_in: int) -> RawArray:
    """Return the bits each input really has, from its range; 0 where it never changes."""
    largest = np.maximum(np.abs(x.lo), np.abs(x.hi + (x.lo < 0)))
    bits = np.ceil(np.log2(largest.astype(np.float64) + 1.0)).astype(np.int64) + (x.lo < 0)
    bits = np.where(x.lo == x.hi, 0, np.minimum(bits, x.dtype.width))
    return np.resize(bits, n_in)


def unrolled_cost(
    found: products.Products,
    weight: RawArray,
    accum_bits: int,
    target: Target,
    reuse_factor: int,
) -> Cost:
    """Return the cost of an unrolled product, or of one that shares multipliers (RF > 1)."""
    n_out = weight.shape[1]
    fan_in = int((weight != 0).sum(axis=0).max(initial=0)) + 1
    depth = fabric.cycles_unrolled(fan_in, found, target)
    ff = fabric.ff_unrolled(
        found, n_out=n_out, accum_bits=accum_bits, fan_in=fan_in, cycles=depth, part=target.part
    )
    luts = fabric.lut_unrolled(found, n_out, accum_bits)
    if reuse_factor == 1:
        return make_cost(UNROLLED, lut=luts, ff=ff, dsp=found.dsp_products, cycles=depth)
    shared = products.dsp_reused(found, reuse_factor)
    turns = max(ceil(found.multiplications / products.multiplier_limit(found, reuse_factor)), 1)
    cycles = depth + turns - 1
    ff += fabric.FF_PER_SHARED_PRODUCT * (found.dsp_products - shared)
    ii = min(float(reuse_factor), cycles + 1)
    return make_cost(REUSED, lut=luts, ff=ff, dsp=shared, cycles=cycles, ii=ii)


def gathered(cost: Cost, bits: int, strategy: str) -> Cost:
    """Return the cost with the registers that gather a streamed input; it arrives in steps.

    A streamed resource layer waits for its input: II = RF + 7 with one step, up to 2 RF with many.
    """
    resource = strategy == "resource" and cost.ii.value > 1
    copies = fabric.STREAM_COPIES if resource else 1.0
    registers = Estimate.spread(copies * bits, SIMPLE.ff)
    wait = Estimate(6.0, 0.0, max(6.0, cost.ii.value)) if resource else Estimate()
    return replace(
        cost,
        ff=cost.ff + registers,
        ff_synth=cost.ff_synth + registers.scaled(FF_SYNTH),
        ii=cost.ii + wait,
        latency_cycles=cost.latency_cycles + wait,
    )
