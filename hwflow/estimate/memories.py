"""Block RAMs of weights, tables and FIFOs, as C synthesis reports and logic synthesis leaves them.

Each docstring cites where the relation comes from; ``docs/estimates.md`` says how good they are.
"""

from __future__ import annotations

from math import ceil, log2

LUT_MEMORY_BITS = 1024
"""Memories up to this size are made of LUTs (the default of Vivado HLS and Vitis HLS)."""

VITIS_LUT_MEMORY_BITS = 288
"""The same for Vitis HLS: 288 bits of weights are LUTs, 300 are a block RAM (two repositories)."""

FIFO_BITS = 512
"""Bits that a FIFO of Vivado HLS has at most without a block RAM: 64 x 8 has none, 36 x 16 has."""

FIFO_DEPTH = 48
"""Words that a FIFO of Vitis HLS has at most without one: 36 has none, 128 has."""

LUT_ROM_DEPTH = 16
"""Words of stored weights up to which Vivado makes them of look-up tables."""

BRAM_SHAPES = ((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))
"""Depth and width that one 18 kbit block RAM can have (UG473 table 1-7, UG573 table 1-5)."""


def bram_blocks(width: int, depth: int) -> int:
    """Return the 18 kbit block RAMs of a memory, each as narrow and deep as its depth asks.

    84 % of 871 resource layers of wa-hls4ml-search exact, mean error 3 %.
    """
    for deep, wide in BRAM_SHAPES:
        if depth <= deep:
            return ceil(width / wide)
    return ceil(width * depth / 16384)


def weight_brams(n_in: int, n: int, weight_bits: int, reuse_factor: int, backend: str) -> int:
    """Return the block RAMs of a resource layer: weights, and the index ROM where RF > n_in.

    Both relations from wa-hls4ml-search layers (Vivado HLS 2020.1, hls4ml 0.8.1); Vitis HLS 2024.2
    puts memories of 300 bits into a block RAM, too (seven layers of one repository).
    """
    if weight_bits * n <= (LUT_MEMORY_BITS if backend == "Vivado" else VITIS_LUT_MEMORY_BITS):
        return 0
    blocks = bram_blocks(ceil(weight_bits * n / reuse_factor), reuse_factor)
    index_bits = ceil(log2(reuse_factor / n_in)) if reuse_factor > n_in else 0
    return blocks + (
        bram_blocks(index_bits, reuse_factor) if reuse_factor * index_bits > 1024 else 0
    )


def rom_brams_left(blocks: int, depth: int) -> int:
    """Return the block RAMs that logic synthesis leaves of stored weights.

    Vivado makes memories of look-up tables that are as deep as ``LUT_ROM_DEPTH`` or less: weights
    2 to 9 deep are gone in six reports of two repositories, those 32 and deeper stay in five.
    """
    return blocks if depth > LUT_ROM_DEPTH else 0


def fifo_brams_left(depth: int, channels: int, bits: int, backend: str) -> int:
    """Return the block RAMs that logic synthesis leaves of the FIFO behind a streamed layer.

    Those of up to ``FIFO_DEPTH`` words are look-up tables; deeper ones take what their shape needs,
    which may be half of what Vivado HLS says (19 designs of five repositories, 15 exact).
    """
    if backend == "Vitis" or depth <= FIFO_DEPTH:
        return fifo_brams(depth, channels, bits, backend) if depth > FIFO_DEPTH else 0
    return channels * bram_blocks(bits, depth) if fifo_brams(depth, 1, bits, backend) else 0


def fifo_brams(depth: int, channels: int, bits: int, backend: str) -> int:
    """Return the block RAMs of the FIFO behind a streamed layer; small ones are shift registers.

    hls4ml makes it as deep as the value has positions. Vivado HLS has one per channel, 18 bits wide
    at most, from ``FIFO_BITS`` on (28 designs of seven repositories, 24 exact). Vitis HLS packs the
    channels into one word, and keeps FIFOs of up to ``FIFO_DEPTH`` words in registers (eight
    designs of four repositories, four within 4).
    """
    if backend == "Vitis":
        return bram_blocks(channels * bits, depth) if depth > FIFO_DEPTH else 0
    shallow = max(depth, BRAM_SHAPES[1][0])
    return channels * bram_blocks(bits, shallow) if depth * bits > FIFO_BITS else 0
