"""Relations for look-up tables, flip-flops and cycles; ``products`` has those for multipliers.

The constants are fitted on public csynth reports; ``docs/estimates.md`` names the reports and
gives the error of each relation on repositories that were left out of the fit. Widths are in bits,
results are csynth figures for one instance of the hardware.
"""

from __future__ import annotations

from math import ceil, log2

from hwflow.estimate.products import Products, dsp_per_multiplier, weight_brams
from hwflow.estimate.spread import RESOURCE, SELECTED, make_cost
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target

LUT_PER_ADDER_BIT = 1.35
"""csynth LUTs per bit of an adder; 1.3 to 1.44 in eleven repositories, four tool versions."""

SHIFT_ADD_WEIGHT = 0.7
"""Adders inside a constant are narrower than the sum of operand widths by about this factor."""

OUTPUT_WEIGHT = 0.5
"""Bits of result cast per accumulator bit, in adder bits."""

MUX_LUT = ((32, 176.0), (64, 296.0), (128, 696.0), (256, 1385.0))
"""LUTs of the accumulator multiplexer of one multiplier, by largest number of outputs."""

MUX_OF_TWO_LUT = 41.0
"""LUTs that choose one of two accumulators for a multiplier."""

USABLE_PERIOD = {"Vivado": 0.875, "Vitis": 0.73}
"""Share of the clock period left after the tool's default uncertainty: 12.5 % (Vivado HLS, UG902)
and 27 % (Vitis HLS, UG1399)."""

ADDER_NS = {
    ("Vivado", True): 4.0,
    ("Vitis", True): 4.5,
    ("Vivado", False): 0.75,
    ("Vitis", False): 0.9,
}
"""Delay of one level of an adder tree, by backend and whether the part is a 7-series one."""

MULTIPLIER_NS = {True: 9.0, False: 2.0}
"""Delay of a product by a constant in a DSP, for 7-series parts and for newer ones."""

DSP_STAGE_FF = {True: 90.0, False: 3.0}
"""Flip-flops around a product in a DSP: 7-series parts pipeline it over three cycles at 5 ns."""

FF_PER_LEVEL = 1.2
"""Flip-flops per adder bit when every level of the tree is registered."""

FF_PER_SHARED_PRODUCT = 10.0
"""Flip-flops that hold a product while others use its multiplier (latency strategy, RF > 1)."""

LUT_PER_PRODUCT_BIT = 1.1
"""LUTs per bit of an array multiplier (width times width) that is not in a DSP."""

LUT_PER_COMPARED_BIT = 3.5
"""LUTs per bit to compare two values and keep one (pooling)."""

MULTIPLIER_SELECT_LUT = 290.0
"""LUTs that bring one of few inputs to a multiplier (resource strategy, RF <= n_in)."""

MANY_INPUTS = 128
"""Inputs from which their selection no longer costs LUTs for every multiplier."""

RESOURCE_DSP_FF = 60.0
"""Flip-flops more per DSP of the resource strategy on 7-series parts (six layers, 56 to 80)."""

STREAM_COPIES = 2.7
"""Registers per bit of the inputs that a streamed resource layer gathers (eight layers, 1 to 4)."""

CHAIN_PRODUCTS = 4096
"""Nonzero products from which Vitis HLS adds in a chain of two-term steps, not in a tree.

Two layers of ArgyKokk/hls4ml_MLP_estimator with 5876 and 6839 took 48 and 192 cycles; six with up
to 2648 took 3 to 6.
"""


def is_7_series(part: str) -> bool:
    """Return whether the part is of AMD's 7 series (28 nm), which is about three times slower."""
    return part.lower().startswith(("xc7", "xa7", "xq7"))


def lut_unrolled(products: Products, n_out: int, accum_bits: int) -> float:
    """Return the LUTs of an unrolled constant matrix product, in adder bits times a constant."""
    sums = products.sum_adders * accum_bits + OUTPUT_WEIGHT * n_out * accum_bits
    return LUT_PER_ADDER_BIT * (sums + SHIFT_ADD_WEIGHT * products.shift_add_bits)


def lut_resource(n_in: int, n_out: int, n: int, reuse_factor: int) -> float:
    """Return the LUTs of a resource-strategy product with RF > n_in.

    Input and output multiplexers, and for every multiplier the choice of its accumulator: of two
    at RF = 2 n_in, of all beyond. 811 of 871 layers of wa-hls4ml-search are within 5 %, 603
    within 1 %.
    """
    mux = next((lut for most, lut in MUX_LUT if n_out <= most), MUX_LUT[-1][1] * n_out / 256)
    if reuse_factor <= 2 * n_in:
        mux = MUX_OF_TWO_LUT
    return 4680.0 + 32.1 * n_in + 24.0 * n_out + n / reuse_factor * mux


def ff_resource(n_in: int, n_out: int, n: int, reuse_factor: int) -> float:
    """Return the flip-flops of a resource-strategy product: 6 % off on wa-hls4ml-search."""
    late = 2.4 * n_out if reuse_factor > 2 * n_in else 0.0
    return 128.0 + 13.7 * n_out + 10.2 * n / reuse_factor + late


def adder_levels(fan_in: int) -> int:
    """Return the depth of a balanced tree that adds ``fan_in`` terms."""
    return ceil(log2(fan_in)) if fan_in > 1 else 0


def cycles_unrolled(fan_in: int, products: Products, target: Target) -> float:
    """Return the cycles of an unrolled product: its delay over the usable clock period.

    The delay is one multiplier and the levels of the adder tree, or of the chain.
    """
    old = is_7_series(target.part)
    levels = float(adder_levels(fan_in))
    if target.backend == "Vitis" and products.n - products.zeros > CHAIN_PRODUCTS:
        levels = fan_in / 2.0
    delay = ADDER_NS[target.backend, old] * levels
    delay += MULTIPLIER_NS[old] if products.dsp_products else 0.0
    return float(int(delay / (target.clock_period_ns * USABLE_PERIOD[target.backend])))


def ff_unrolled(
    products: Products,
    *,
    n_out: int,
    accum_bits: int,
    fan_in: int,
    cycles: float,
    part: str,
) -> float:
    """Return the flip-flops of an unrolled product: the registered share of the adder tree."""
    if cycles == 0:
        return 0.0
    bits = lut_unrolled(products, n_out, accum_bits) / LUT_PER_ADDER_BIT
    share = min(1.0, FF_PER_LEVEL * cycles / (adder_levels(fan_in) + 1))
    return bits * share + DSP_STAGE_FF[is_7_series(part)] * products.dsp_products


def lut_cast(in_bits: int, out_t: FixedType) -> float:
    """Return the LUTs of a comparison and cast of one element (relu, clip, Quant).

    28 for 16 to 16 bits, truncating; 43 to 73 for 16 to 6 or 8 bits, rounding and saturating
    (relu layers of eight repositories).
    """
    luts = 0.75 * in_bits + out_t.width
    if out_t.rounding is not Rounding.TRN:
        luts += out_t.width + 7.0
    if out_t.overflow is not Overflow.WRAP:
        luts += 1.5 * in_bits
    return luts


def lut_narrowing(out_t: FixedType) -> float:
    """Return the LUTs of rounding and saturating one result; a plain cast is wires."""
    return lut_cast(out_t.width, out_t) - 1.75 * out_t.width


def lut_select(choices: int) -> float:
    """Return the LUTs per bit that choose one of several values: a 6-input LUT chooses of 4."""
    return (choices - 1) / 3.0


def line_buffer_luts(shape: tuple[int, ...], kernel: tuple[int, ...], bits: int) -> float:
    """Return the LUTs of the line buffers of a streamed window, as 32-bit shift registers.

    Args:
        shape: padded feature map, channels last.
        kernel: extent along each spatial axis.
        bits: width of an element.
    """
    lines = kernel[0] - 1 if len(kernel) > 1 else 0
    return lines * shape[-1] * bits * ceil(shape[-2] / 32) if lines else 0.0


def cycles_per_pixel(
    strategy: str, reuse_factor: int, n: int, core_ii: float, backend: str
) -> float:
    """Return cycles per input pixel of a streamed convolution.

    Latency strategy: 1.0 (Vivado) and 3.0 (Vitis) at RF = 1, else the II of the product and 2.
    Resource strategy: RF + 4.5 with one multiplier and RF >= 100, else RF + 10 (18 layers of five
    repositories).
    """
    if strategy == "resource" and reuse_factor > 1:
        return reuse_factor + (4.5 if reuse_factor >= max(n, 100) else 10.0)
    if reuse_factor > 1:
        return core_ii + 2.0
    return 3.0 if backend == "Vitis" else 1.0


def lut_resource_small(n_in: int, n_out: int, multipliers: int, input_bits: int) -> float:
    """Return the LUTs of a resource-strategy product with one multiplier, or with RF <= n_in.

    One multiplier: 80 an output (seven layers of four repositories). RF <= n_in: 55 a
    16-bit input for the selection, and per multiplier 290, or 16 where the inputs are many enough
    to be kept in memory (eleven layers of two repositories, 0.7 to 1.2 of real over estimated).
    """
    if multipliers == 1:
        return 80.0 * n_out + 0.4 * n_in
    each = MULTIPLIER_SELECT_LUT if n_in <= MANY_INPUTS else 16.0
    return (55.0 * n_in + each * multipliers) * input_bits / 16.0


def resource_cost(
    *,
    n_in: int,
    n_out: int,
    n: int,
    input_bits: int,
    weight_bits: int,
    reuse_factor: int,
    part: str,
) -> Cost:
    """Return the cost of a resource-strategy product with RF > 1 and ``n`` stored weights.

    II = RF (871 of 871 layers of wa-hls4ml-search), latency RF + 1 or RF + 2 (95 %).
    """
    multipliers = ceil(n / reuse_factor)
    if reuse_factor > n_in and multipliers > 1:
        luts = lut_resource(n_in, n_out, n, reuse_factor)
    else:
        luts = lut_resource_small(n_in, n_out, multipliers, input_bits)
    blocks = multipliers * dsp_per_multiplier(input_bits, weight_bits)
    if not blocks:
        luts += multipliers * LUT_PER_PRODUCT_BIT * input_bits * weight_bits
    staged = RESOURCE_DSP_FF * blocks if is_7_series(part) else 0.0
    return make_cost(
        RESOURCE if reuse_factor > n_in else SELECTED,
        lut=luts,
        ff=ff_resource(n_in, n_out, n, reuse_factor) + staged,
        dsp=float(blocks),
        bram=float(weight_brams(n_in, n, weight_bits, reuse_factor)),
        cycles=reuse_factor + 1.5,
        ii=float(reuse_factor),
    )
