"""Relations between a layer's integers and what HLS tools make of them, as small pure functions.

Each docstring cites where the relation comes from; ``docs/estimates.md`` says how well each one
meets public synthesis reports and how to reproduce that. "csynth" is C synthesis, the HLS tool's
own estimate; "post-synthesis" is what logic synthesis leaves of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from math import ceil, log

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray

DSP_WIDTH = 18
"""Bits of the narrower DSP port (B of DSP48E1/E2, UG479 and UG579)."""

MIN_PRODUCT_BITS = {"Vivado": 21, "Vitis": 18}
"""Declared input plus constant width from which a product by a constant goes to a DSP.

Read from 50 unrolled layers of eleven repositories. Vivado HLS keeps a 16-bit input times +11 and
+13 in LUTs, Vitis HLS does not; that it multiplies 12 by 7 bits in a DSP, and 10 by 7 in LUTs,
rests on one repository.
"""

TERNARY_BITS = 2
"""Weights of that many bits choose between an input, its negative and 0: hls4ml's products for them
(``nnet_mult.h``, ``weight_ternary``) have no multiplier; wa-hls4ml-search has none with 2 bits."""

MIN_CSD_DIGITS = 3
"""Constants of at most two signed digits are one addition and stay in LUTs, on both tools."""

LONG_CONSTANTS = ((4, 17), (5, 15))
"""Signed digits of a constant, and product bits, from which Vitis HLS 2022.2 takes a DSP for narrow
inputs too: 6 by 11 bits (three layers of one repository: 145 of 144, 13 of 13, 128 of 166)."""

MIN_RUNTIME_PRODUCT_BITS = 22
"""Sum of declared widths from which a lone multiplier of two variables goes to a DSP.

16 x 6 does and 16 x 4, 8 x 8 and 7 x 7 do not (987 single dense layers of wa-hls4ml-search, Vivado
HLS 2020.1, and MLPs of ArgyKokk/hls4ml_MLP_estimator).
"""

SHARED_ADDERS = 0.55
"""Additions that da4ml leaves of those in the signed digits of a matrix.

da4ml 0.5.2 on seven random matrices, 16 x 16 to 64 x 32, 4 to 8 bits: 0.47 to 0.59, and 0.77 on a
small one with 75 % zeros.
"""


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
        zeros: weights that are 0, which is what hls4ml counts.
        multiplications: distinct (input, signed weight) pairs that are more than one addition.
        dsp_products: DSP blocks that those of them take which go to a DSP.
        shift_add_bits: bits of the adders inside the distinct constants that stay in LUTs.
        sum_adders: additions that form the outputs, the bias included.
        csd: nonzero signed digits of all weights.
        dsp_bits: widths of the products that go to a DSP, added up.
        wide_bits: areas (width times width) of those that take several blocks, added up.
        shift_levels: adders one behind the other inside the constants that stay in LUTs.
    """

    n: int
    zeros: int
    multiplications: int
    dsp_products: int
    shift_add_bits: int
    sum_adders: int
    csd: int
    dsp_bits: int = 0
    wide_bits: int = 0
    shift_levels: int = 0


def goes_to_dsp(
    digits: npt.NDArray[np.int64], product_bits: npt.NDArray[np.int64], backend: str
) -> npt.NDArray[np.bool_]:
    """Return which products by a constant an HLS tool gives to a DSP, by declared widths.

    Args:
        digits: nonzero signed digits of the constants.
        product_bits: declared width of the input and width of the constant, added.
        backend: ``"Vivado"`` or ``"Vitis"``.
    """
    found = (digits >= MIN_CSD_DIGITS) & (product_bits >= MIN_PRODUCT_BITS[backend])
    if backend == "Vitis":
        for least, bits in LONG_CONSTANTS:
            found |= (digits >= least) & (product_bits >= bits)
    return found


def count_products(
    weight: RawArray,
    input_bits: RawArray,
    bias: RawArray | None,
    backend: str,
    ports: tuple[int, int] = (25, DSP_WIDTH),
) -> Products:
    """Return what the products of a constant matrix consist of.

    Equal constants on one input are computed once; +q and -q are two (35 of 35 unrolled single
    layers exact on DSP).

    Args:
        weight: integer weights of shape ``(n_in, n_out)``.
        input_bits: declared width of each input, shape ``(n_in,)``; 0 where it is constant.
        bias: integer biases of shape ``(n_out,)``, or None.
        backend: ``"Vivado"`` or ``"Vitis"``.
        ports: bits of the DSP's two ports, the wider first.
    """
    arrays = (weight, input_bits) if bias is None else (weight, input_bits, bias)
    contents = tuple(array.astype(np.int64, copy=False).tobytes() for array in arrays)
    return _counted(contents, backend, ports)


@lru_cache(maxsize=32)
def _counted(contents: tuple[bytes, ...], backend: str, ports: tuple[int, int]) -> Products:
    """Return what ``count_products`` does: one layer is asked about with many reuse factors."""
    flat, input_bits, *biases = (np.frombuffer(content, np.int64) for content in contents)
    weight = flat.reshape(len(input_bits), -1)
    bias = biases[0] if biases else None
    live = np.where(input_bits[:, None] > 0, weight, 0)
    ordered = np.sort(live, axis=1)
    distinct = first_in_row(live) & (ordered != 0)
    digits, width = csd_digits(ordered), constant_bits(ordered)
    bits = np.broadcast_to(input_bits[:, None], width.shape)
    product = width + bits
    in_dsp = distinct & goes_to_dsp(digits, product, backend)
    in_lut = distinct & ~in_dsp
    blocks = dsp_tiles(bits, width, ports)
    fan_in = (live != 0).sum(axis=0) + (0 if bias is None else bias != 0)
    return Products(
        n=weight.size,
        zeros=int((weight == 0).sum()),
        multiplications=int((distinct & (digits >= MIN_CSD_DIGITS)).sum()),
        dsp_products=int((in_dsp * blocks).sum()),
        shift_add_bits=int(((digits - 1) * product)[in_lut].sum()),
        sum_adders=int(np.maximum(fan_in - 1, 0).sum()),
        csd=int(csd_digits(live).sum()),
        dsp_bits=int((in_dsp * product).sum()),
        wide_bits=int((in_dsp * (blocks > 1) * bits * width).sum()),
        shift_levels=shift_levels(int(digits[in_lut].max(initial=1))),
    )


def shift_levels(digits: int) -> int:
    """Return the adder levels inside a constant; HLS tools add three terms at once."""
    return ceil(log(digits, 3) - 1e-9) if digits > 1 else 0


def dsp_tiles(
    a: npt.NDArray[np.int64], b: npt.NDArray[np.int64], ports: tuple[int, int]
) -> npt.NDArray[np.int64]:
    """Return the DSP blocks that tile products of ``a`` by ``b`` bits."""
    wide, narrow = np.maximum(a, b), np.minimum(a, b)
    return np.asarray(-(-wide // ports[0]) * -(-narrow // ports[1]), np.int64)


def shift_add_only(products: Products, n_out: int) -> Products:
    """Return what distributed arithmetic makes of the same matrix: additions only, shared.

    da4ml finds common subexpressions and leaves ``SHARED_ADDERS`` of the additions that the
    signed digits ask for.
    """
    adders = max(round(SHARED_ADDERS * (products.csd - n_out)), 0)
    return replace(products, multiplications=0, dsp_products=0, shift_add_bits=0, sum_adders=adders)


def dsp_per_multiplier(input_bits: int, weight_bits: int, ports: tuple[int, int]) -> int:
    """Return DSP blocks of a lone multiplier with two variable operands.

    763 of 871 layers of wa-hls4ml-search exact; the misses are off by one at 6-bit weights. 24 x 8
    is one block (four layers), as the wider port says.
    """
    if input_bits + weight_bits < MIN_RUNTIME_PRODUCT_BITS or min(input_bits, weight_bits) < 2:
        return 0
    return int(dsp_tiles(np.array(input_bits), np.array(weight_bits), ports))


def fused_multipliers(multipliers: int, n_in: int, n_out: int, reuse_factor: int) -> int:
    """Return how many narrow multipliers a DSP takes together with the addition behind them.

    A product that is added without losing a bit is a multiply-add, which takes a DSP of any width.
    In a tree one product of each pair is; with an accumulator of its own (RF >= n_in) every product
    is. 4 x 4, 6 x 6, 8 x 6 and 16 x 4 bits: 13 of 14 layers of three repositories exact.
    """
    if reuse_factor >= n_in or multipliers < n_out:
        return multipliers
    return n_out * ((multipliers // n_out + 1) // 2)


def multiplier_limit(products: Products, reuse_factor: int) -> int:
    """Return how many multipliers hls4ml allows a layer of the latency strategy.

    ``DIV_ROUNDUP(n, RF) - zeros / RF`` in the configuration that hls4ml 1.3 writes
    (vivado/passes/core_templates.py); at least one.
    """
    return max(ceil(products.n / reuse_factor) - products.zeros // reuse_factor, 1)


def dsp_reused(products: Products, reuse_factor: int) -> int:
    """Return DSP of the latency strategy with reuse: no more than the multiplier limit."""
    return min(products.dsp_products, multiplier_limit(products, reuse_factor))
