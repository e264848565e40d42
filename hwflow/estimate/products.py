"""Relations between a layer's integers and what HLS tools make of them, as small pure functions.

Each docstring cites where the relation comes from; ``docs/estimates.md`` says how well each one
meets public synthesis reports and how to reproduce that. "csynth" is C synthesis, the HLS tool's
own estimate; "post-synthesis" is what logic synthesis leaves of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, log2

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray

DSP_WIDTH = 18
"""Bits of the narrower DSP port (B of DSP48E1/E2, UG479 and UG579); wider operands take two."""

MIN_PRODUCT_BITS = {"Vivado": 21, "Vitis": 20}
"""Input plus constant width from which a multiplication by a constant goes to a DSP.

Read from unrolled single layers, 35 of 35 exact: Vivado HLS <= 2020.1 keeps a 16-bit input times
+11 and +13 in LUTs, Vitis HLS >= 2022.2 does not.
"""

MIN_CSD_DIGITS = 3
"""Constants of at most two signed digits are one addition and stay in LUTs, on both tools."""

MIN_RUNTIME_PRODUCT_BITS = 22
"""Sum of operand widths from which a multiplier with both operands variable goes to a DSP.

16 x 6 does and 16 x 4, 8 x 8 and 7 x 7 do not (987 single dense layers of wa-hls4ml-search,
Vivado HLS 2020.1, and MLPs of ArgyKokk/hls4ml_MLP_estimator).
"""

LUT_MEMORY_BITS = 1024
"""Memories up to this size are made of LUTs (the default of Vivado HLS and Vitis HLS)."""

SHARED_ADDERS = 0.55
"""Additions that da4ml leaves of those in the signed digits of a matrix.

da4ml 0.5.2 on seven random matrices, 16 x 16 to 64 x 32, 4 to 8 bits: 0.47 to 0.59, and 0.77 on a
small one with 75 % zeros.
"""

BRAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Depth and width that one 18 kbit block RAM can have (UG473 table 1-7, UG573 table 1-5)."""


def csd_digits(raw: RawArray) -> npt.NDArray[np.int64]:
    """Return the count of nonzero canonical signed digits of each integer.

    The weight of the non-adjacent form of q is the population count of ``q xor 3q`` (Prodinger,
    "On binary representations of integers with digits -1, 0, 1", 2000).
    """
    magnitude = np.abs(raw.astype(np.int64))
    return np.asarray(np.bitwise_count(magnitude ^ (3 * magnitude)), np.int64)


def constant_bits(raw: RawArray) -> npt.NDArray[np.int64]:
    """Return the bits an HLS tool gives each constant: a sign bit only for negative ones."""
    positive = np.where(raw < 0, -raw - 1, raw).astype(np.int64)
    bits = np.ceil(np.log2(positive.astype(np.float64) + 1.0)).astype(np.int64)
    return np.asarray(bits + (raw < 0), np.int64)


def first_in_row(raw: RawArray) -> npt.NDArray[np.bool_]:
    """Return where a value of a row occurs for the first time in the row's sorted order.

    The mask belongs to ``np.sort(raw, axis=1)``.
    """
    ordered = np.sort(raw, axis=1)
    first = np.ones(ordered.shape, bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    return first


@dataclass(frozen=True, kw_only=True)
class Products:
    """What an unrolled matrix-vector product consists of.

    Attributes:
        n: weights, zeros included.
        zeros: weights that are 0 or meet an input that is always 0.
        multiplications: distinct (input, signed weight) pairs that are more than one addition.
        dsp_products: DSP blocks that those of them take which go to a DSP.
        shift_add_bits: bits of the adders inside the distinct constants that stay in LUTs.
        sum_adders: additions that form the outputs, the bias included.
        csd: nonzero signed digits of all weights.
    """

    n: int
    zeros: int
    multiplications: int
    dsp_products: int
    shift_add_bits: int
    sum_adders: int
    csd: int


def count_products(
    weight: RawArray, input_bits: RawArray, bias: RawArray | None, backend: str
) -> Products:
    """Return what the products of a constant matrix consist of.

    Equal constants on one input are computed once; +q and -q are two (35 of 35 unrolled single
    layers exact on DSP).

    Args:
        weight: integer weights of shape ``(n_in, n_out)``.
        input_bits: width of each input, shape ``(n_in,)``; 0 where the input is constant.
        bias: integer biases of shape ``(n_out,)``, or None.
        backend: ``"Vivado"`` or ``"Vitis"``.
    """
    live = np.where(input_bits[:, None] > 0, weight, 0)
    ordered = np.sort(live, axis=1)
    distinct = first_in_row(live) & (ordered != 0)
    digits, width = csd_digits(ordered), constant_bits(ordered)
    product = width + input_bits[:, None]
    multiplied = distinct & (digits >= MIN_CSD_DIGITS)
    in_dsp = multiplied & (product >= MIN_PRODUCT_BITS[backend])
    in_lut = distinct & ~in_dsp
    blocks = np.where(input_bits[:, None] > DSP_WIDTH, 2, 1)
    fan_in = (live != 0).sum(axis=0) + (0 if bias is None else bias != 0)
    return Products(
        n=weight.size,
        zeros=int((live == 0).sum()),
        multiplications=int(multiplied.sum()),
        dsp_products=int((in_dsp * blocks).sum()),
        shift_add_bits=int(((digits - 1) * product)[in_lut].sum()),
        sum_adders=int(np.maximum(fan_in - 1, 0).sum()),
        csd=int(csd_digits(live).sum()),
    )


def shift_add_only(products: Products, n_out: int) -> Products:
    """Return what distributed arithmetic makes of the same matrix: additions only, shared.

    da4ml finds common subexpressions and leaves ``SHARED_ADDERS`` of the additions that the
    signed digits ask for.
    """
    adders = max(round(SHARED_ADDERS * (products.csd - n_out)), 0)
    return replace(products, multiplications=0, dsp_products=0, shift_add_bits=0, sum_adders=adders)


def dsp_per_multiplier(input_bits: int, weight_bits: int) -> int:
    """Return DSP blocks of a multiplier with two variable operands (resource strategy).

    763 of 871 layers of wa-hls4ml-search exact; the misses are off by one at 6-bit weights.
    """
    if input_bits + weight_bits < MIN_RUNTIME_PRODUCT_BITS:
        return 0
    return ceil(max(input_bits, weight_bits) / DSP_WIDTH) if min(input_bits, weight_bits) > 1 else 0


def multiplier_limit(products: Products, reuse_factor: int) -> int:
    """Return how many multipliers hls4ml allows a layer of the latency strategy.

    ``DIV_ROUNDUP(n, RF) - zeros / RF`` in the configuration that hls4ml 1.3 writes
    (vivado/passes/core_templates.py); at least one.
    """
    return max(ceil(products.n / reuse_factor) - products.zeros // reuse_factor, 1)


def dsp_reused(products: Products, reuse_factor: int) -> int:
    """Return DSP of the latency strategy with reuse: no more than the multiplier limit."""
    return min(products.dsp_products, multiplier_limit(products, reuse_factor))


def bram_blocks(width: int, depth: int) -> int:
    """Return the 18 kbit block RAMs of a memory, each as narrow and deep as its depth asks.

    84 % of 871 resource layers of wa-hls4ml-search exact, mean error 3 %.
    """
    for deep, wide in BRAM_SHAPES:
        if depth <= deep:
            return ceil(width / wide)
    return ceil(width * depth / 16384)


def weight_brams(n_in: int, n: int, weight_bits: int, reuse_factor: int) -> int:
    """Return the block RAMs of a resource layer: weights, and the index ROM where RF > n_in.

    Both relations from wa-hls4ml-search layers (Vivado HLS 2020.1, hls4ml 0.8.1).
    """
    if weight_bits * n <= LUT_MEMORY_BITS:
        return 0
    blocks = bram_blocks(ceil(weight_bits * n / reuse_factor), reuse_factor)
    index_bits = ceil(log2(reuse_factor / n_in)) if reuse_factor > n_in else 0
    return blocks + (
        bram_blocks(index_bits, reuse_factor) if reuse_factor * index_bits > 1024 else 0
    )


def fifo_brams(depth: int, channels: int, bits: int, backend: str) -> int:
    """Return the block RAMs of the FIFO behind a streamed layer; small ones are shift registers.

    hls4ml makes it as deep as the value has positions. Vivado HLS has one per channel, Vitis HLS
    packs the channels into one word (six designs, two of them exact).
    """
    lanes, width = (1, channels * bits) if backend == "Vitis" else (channels, bits)
    return lanes * bram_blocks(width, depth) if depth * width >= LUT_MEMORY_BITS else 0
