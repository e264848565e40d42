from dataclasses import fields
from math import isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwflow.estimate.convolution import conv_cost
from hwflow.estimate.layer import (
    elementwise_cost,
    free_cost,
    matvec_cost,
    move_cost,
    pool_cost,
    product_cost,
    scale_cost,
    softmax_cost,
    table_cost,
)
from hwflow.estimate.memories import fifo_brams
from hwflow.estimate.products import count_products, csd_digits
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType

VIVADO = Target("Vivado", "io_parallel", "xcu250-figd2104-2L-e", 5.0)
VITIS = Target("Vitis", "io_parallel", "xcu250-figd2104-2L-e", 5.0)
STREAM = Target("Vivado", "io_stream", "xcu250-figd2104-2L-e", 5.0)
FIX16 = FixedType(16, 6)


def vector(n: int, dtype: FixedType = FIX16) -> TensorType:
    return TensorType.full((n,), dtype)


def dense(weight: object, target: Target = VIVADO, **settings: object) -> Cost:
    raw = np.asarray(weight, np.int64)
    return matvec_cost(raw, vector(len(raw)), FIX16, FIX16, target=target, **settings)  # type: ignore[arg-type]


def naf_weight(q: int) -> int:
    """Count the digits of the non-adjacent form, one division at a time."""
    count = 0
    while q:
        if q & 1:
            digit = 2 - (q & 3)
            q -= digit
            count += 1
        q >>= 1
    return count


def test_csd_digits_of_small_numbers() -> None:
    numbers = np.arange(-3000, 3001)
    assert csd_digits(numbers).tolist() == [naf_weight(abs(int(q))) for q in numbers]


@given(st.integers(-(2**60), 2**60))
def test_csd_digits_of_any_number(q: int) -> None:
    assert csd_digits(np.array([q])).tolist() == [naf_weight(abs(q))]


# the rule read from unrolled single layers with 16-bit inputs: see docs/estimates.md
@pytest.mark.parametrize(
    ("weights", "vivado", "vitis"),
    [
        ([[0, 1, 2, 4, -8]], 0, 0),  # powers of two are wires
        ([[3, 5, 6, 7, 9]], 0, 0),  # two signed digits are one addition
        ([[11]], 0, 1),  # 16 + 4 bits: in LUTs for Vivado HLS <= 2020.1 only
        ([[13]], 0, 1),
        ([[-11]], 1, 1),  # the sign takes a bit
        ([[43, 43, 43]], 1, 1),  # equal constants on one input are shared
        ([[43, -43]], 2, 2),  # a constant and its negative are not
        ([[43], [43]], 2, 2),  # nor are equal constants on two inputs
    ],
)
def test_dsp_of_unrolled_constants(weights: object, vivado: int, vitis: int) -> None:
    assert dense(weights, VIVADO).dsp.value == vivado
    assert dense(weights, VITIS).dsp.value == vitis


# ports of 25 x 18 (DSP48E1, UG479) and 27 x 18 bits (DSP48E2, UG579); Berk-Bilgin/ML-fpga, Vivado
# HLS 2020.1: inputs of 24 bits take one block on both families, those of 28 take two
@pytest.mark.parametrize(
    ("part", "bits", "blocks"),
    [("xc7z020clg400-1", 25, 1), ("xc7z020clg400-1", 26, 2), ("xcu250-figd2104-2L-e", 24, 1),
     ("xcu250-figd2104-2L-e", 27, 1), ("xcu250-figd2104-2L-e", 28, 2)],
)  # fmt: skip
def test_wide_inputs_take_as_many_blocks_as_the_ports_ask_for(
    part: str, bits: int, blocks: int
) -> None:
    target, x = Target("Vivado", "io_parallel", part, 5.0), vector(4, FixedType(bits, 6))
    weight = np.array([[43], [45], [51], [53]])
    settings = {"target": target, "weight_t": FixedType(8, 1)}
    unrolled = matvec_cost(weight, x, FIX16, FIX16, **settings)
    shared = matvec_cost(weight, x, FIX16, FIX16, **settings, strategy="resource", reuse_factor=4)
    assert (unrolled.dsp.value, shared.dsp.value) == (4 * blocks, blocks)


# Spehic/Diplomska-hls4ml (Vivado HLS 2020.1) and tsopeter/753-FPGA (Vitis HLS 2024.2): inputs,
# outputs, bits of inputs and weights, reuse factor, DSP
FUSED = [
    (800, 32, 4, 4, 50, 256), (288, 32, 4, 4, 72, 64), (32, 10, 4, 4, 64, 5), (9, 32, 16, 4, 72, 4),
    (125, 1, 6, 6, 25, 3), (54, 1, 6, 6, 54, 1), (50, 4, 6, 6, 50, 4), (45, 6, 6, 6, 45, 6),
]  # fmt: skip


@pytest.mark.parametrize("point", FUSED)
def test_published_narrow_multipliers_take_a_dsp_with_their_addition(
    point: tuple[int, ...],
) -> None:
    n_in, n_out, bits, weight_bits, rf, dsp = point
    weight = np.full((n_in, n_out), -(2 ** (weight_bits - 1)))
    x = vector(n_in, FixedType(bits, 1, bits == 16))
    settings = {"target": STREAM, "strategy": "resource", "reuse_factor": rf}
    types = {"weight_t": FixedType(weight_bits, 1)}
    every_bit = FixedType(30, 6)
    assert matvec_cost(weight, x, every_bit, FIX16, **settings, **types).dsp.value == dsp
    cut = FixedType(8, 6)  # a product that loses bits is no multiply-add
    assert matvec_cost(weight, x, cut, FIX16, **settings, **types).dsp.value == 0


def test_inputs_that_never_change_cost_nothing() -> None:
    weight = np.array([[43], [85]])
    bound = np.array([0, 100])
    half_dead = TensorType((2,), FIX16, np.zeros(2, np.int64), bound)
    alone = matvec_cost(
        weight[1:], TensorType((1,), FIX16, bound[:1], bound[1:]), FIX16, FIX16, target=VIVADO
    )
    both = matvec_cost(weight, half_dead, FIX16, FIX16, target=VIVADO)
    assert (both.dsp, both.lut) == (alone.dsp, alone.lut)


# csynth reports of Dendendelen/wa-hls4ml-search@8e70542 (Vivado HLS 2020.1, hls4ml 0.8.1, xcu250):
# inputs, outputs, weight bits, reuse factor, DSP, BRAM18, LUT, FF, worst latency, II
WA_SEARCH = [
    (32, 32, 2, 512, 0, 2, 6750, 641, 514, 512),
    (32, 32, 8, 512, 2, 2, 6740, 653, 514, 512),
    (64, 64, 8, 512, 8, 3, 10623, 1259, 514, 512),
    (64, 64, 8, 1024, 4, 3, 9440, 1198, 1026, 1024),
    (64, 160, 12, 512, 20, 8, 38259, 2987, 514, 512),
    (96, 96, 6, 1152, 7, 6, 15608, 1776, 1154, 1152),
    (128, 64, 14, 1024, 8, 8, 12694, 1261, 1026, 1024),
    (256, 32, 12, 512, 16, 6, 14326, 824, 514, 512),
]


@pytest.mark.parametrize("point", WA_SEARCH)
def test_published_resource_layers(point: tuple[int, ...]) -> None:
    n_in, n_out, bits, rf, dsp, bram, lut, ff, latency, ii = point
    weight = np.full((n_in, n_out), -(2 ** (bits - 1)))
    cost = dense(weight, strategy="resource", reuse_factor=rf, weight_t=FixedType(bits, 1))
    assert abs(cost.dsp.value - dsp) <= 1
    assert abs(cost.bram_18k.value - bram) <= 1
    assert cost.lut.value == pytest.approx(lut, rel=0.05)
    assert cost.ff.value == pytest.approx(ff, rel=0.15)
    assert cost.latency_cycles.value == pytest.approx(latency, abs=1)
    assert cost.ii.value == ii


# uw-acme/HLS4ML_-NeutDetector, uplane_reuse12 (Vivado HLS 2019.2, xc7vx690t, 3.33 ns): Conv1D over
# 11 x 32 with 64 filters of 9, 16-bit weights; RF, DSP, BRAM18, worst latency
@pytest.mark.parametrize(
    ("rf", "dsp", "bram", "latency"),
    [(12, 1536, 683, 253), (16, 1152, 512, 297), (48, 384, 171, 627)],
)
def test_published_streamed_convolution(rf: int, dsp: int, bram: int, latency: int) -> None:
    target = Target("Vivado", "io_stream", "xc7vx690t-ffg1761-2", 3.33)
    weight = np.full((9 * 32, 64), -(2**15))
    cost = conv_cost(
        weight, TensorType.full((11, 32), FIX16), FIX16, FIX16, target=target, kernel=(9,),
        out_positions=3, strategy="resource", reuse_factor=rf,
    )  # fmt: skip
    assert cost.dsp.value == dsp
    assert cost.bram_18k.value == bram
    assert cost.latency_cycles.low <= latency <= cost.latency_cycles.high
    assert cost.ii.value == pytest.approx(latency, rel=0.1)


# RF = 1, 32 x 32 pixels: axiotisk/Vitis_Accel_Projects (Vitis HLS 2022.2) 3 cycles each, tutorials
# of hls4ml with Vivado HLS one
@pytest.mark.parametrize(
    ("backend", "tool", "cycles"),
    [("Vitis", "", 3), ("Vitis", "vitis 2022.2", 3), ("Vitis", "vitis 2022.1", 1),
     ("Vivado", "", 1), ("Vivado", "vivado 2020.1", 1)],
)  # fmt: skip
def test_the_tools_version_decides_on_cycles_per_pixel(
    backend: str, tool: str, cycles: int
) -> None:
    target = Target(backend, "io_stream", "xcu250-figd2104-2L-e", 5.0, tool)
    cost = conv_cost(
        np.full((27, 16), 43), TensorType.full((32, 32, 3), FIX16), FIX16, FIX16, target=target,
        kernel=(3, 3), out_positions=900,
    )  # fmt: skip
    assert cost.ii.value == 1024 * cycles


# RishThakkar/PokerML, qat_hls4ml_prj_Suits (Vivado HLS 2019.2): 45 BRAM18, of which softmax 2,
# last layer 3, and the FIFOs of these values: positions, channels, bits
def test_published_fifos() -> None:
    values = [(3844, 4, 16), (3844, 4, 6), (961, 4, 16), (841, 4, 16), (841, 4, 6), (196, 4, 16)]
    assert sum(fifo_brams(*v, "Vivado") for v in values) == 40


@pytest.mark.parametrize("classes", [5, 10])
def test_published_softmax_tables(classes: int) -> None:
    # tutorials of hls4ml, Vivado HLS 2019.2 and 2020.1, io_parallel: 4 for 5 classes, 6 for 10
    cost = softmax_cost(vector(classes), 1024, 18, target=VIVADO)
    assert cost.bram_18k.value == {5: 4, 10: 6}[classes]
    assert cost.dsp.value == classes


def figures(cost: Cost) -> list[Estimate]:
    return [v for f in fields(cost) if isinstance(v := getattr(cost, f.name), Estimate)]


def assert_sound(cost: Cost) -> None:
    for figure in figures(cost):
        assert all(isfinite(v) for v in (figure.value, figure.low, figure.high))
        assert 0 <= figure.low <= figure.value <= figure.high
    assert cost.ii.value >= 1


matrices = st.builds(
    lambda n_in, n_out, bits, seed: np.random.default_rng(seed).integers(
        -(2 ** (bits - 1)), 2 ** (bits - 1), (n_in, n_out)
    ),
    st.integers(1, 40), st.integers(1, 20), st.integers(1, 12), st.integers(0, 99),
)  # fmt: skip
targets = st.builds(
    Target,
    st.sampled_from(["Vivado", "Vitis"]),
    st.sampled_from(["io_parallel", "io_stream"]),
    st.sampled_from(["xc7z020clg400-1", "xcu250-figd2104-2L-e"]),
    st.sampled_from([2.0, 5.0, 10.0]),
)


@given(
    matrices, targets, st.integers(1, 24), st.integers(1, 500),
    st.sampled_from(["latency", "resource", "distributed_arithmetic"]),
)  # fmt: skip
def test_matrix_products_are_sound(
    weight: np.ndarray, target: Target, bits: int, rf: int, strategy: str
) -> None:
    x = vector(len(weight), FixedType(bits, 3))
    settings = {"target": target, "strategy": strategy, "reuse_factor": rf}
    cost = matvec_cost(weight, x, FIX16, FIX16, **settings)
    assert_sound(cost)
    if strategy == "distributed_arithmetic":
        assert cost.dsp.high == 0


@given(matrices, st.sampled_from(["latency", "resource"]), st.data())
def test_more_reuse_never_takes_more_dsp(
    weight: np.ndarray, strategy: str, data: st.DataObject
) -> None:
    divisors = [d for d in range(1, weight.size + 1) if weight.size % d == 0]
    start = 0 if strategy == "latency" else min(1, len(divisors) - 1)
    pair = sorted(data.draw(st.tuples(*[st.sampled_from(divisors[start:])] * 2)))
    few, many = (dense(weight, strategy=strategy, reuse_factor=rf) for rf in pair)
    assert few.dsp.value >= many.dsp.value


@given(matrices)
def test_products_by_hand(weight: np.ndarray) -> None:
    bits = np.full(len(weight), 16, np.int64)
    found = count_products(weight, bits, None, "Vivado")
    pairs = {(i, int(q)) for (i, _), q in np.ndenumerate(weight) if q}
    expected = 0
    for _, q in pairs:
        width = abs(q).bit_length() if q > 0 else (-q - 1).bit_length() + 1
        expected += naf_weight(abs(q)) >= 3 and 16 + width >= 21
    assert found.dsp_products == expected
    assert found.zeros == int((weight == 0).sum())
    assert found.sum_adders == sum(max(int(c) - 1, 0) for c in (weight != 0).sum(axis=0))


@given(targets, st.integers(1, 6), st.integers(1, 8), st.integers(2, 20))
def test_other_layers_are_sound(target: Target, side: int, channels: int, bits: int) -> None:
    x = TensorType.full((side, side, channels), FixedType(bits, 2))
    saturating = FixedType(bits, 2, True, Rounding.RND_CONV, Overflow.SAT)
    scale = np.arange(1, channels + 1)
    out = (1, 1, channels)
    for cost in (
        elementwise_cost(x, saturating, target=target),
        table_cost(x, 1024, bits, target=target),
        softmax_cost(x, 1024, bits, target=target),
        pool_cost(x, out, (side, side), target=target),
        pool_cost(x, out, (side, side), target=target, average=True),
        product_cost(x, x, target=target),
        scale_cost(scale, x, saturating, target=target),
        move_cost(x, target=target),
        free_cost(),
    ):
        assert_sound(cost)


def test_depthwise_counts_only_its_blocks() -> None:
    weight = np.zeros((9 * 4, 4), np.int64)
    for tap in range(9):
        for channel in range(4):
            weight[4 * tap + channel, channel] = 43 + tap
    settings = {"kernel": (3, 3), "out_positions": 16, "groups": 4, "target": STREAM}
    x = TensorType.full((6, 6, 4), FIX16)
    latency = conv_cost(weight, x, FIX16, FIX16, **settings)
    assert latency.dsp.value == sum(naf_weight(43 + tap) >= 3 for tap in range(9)) * 4
    resource = conv_cost(weight, x, FIX16, FIX16, **settings, strategy="resource", reuse_factor=9)
    assert resource.dsp.value == 4


def test_streams_reuse_hardware_and_parallel_copies_it() -> None:
    x = TensorType.full((8, 8, 3), FIX16)
    stream = elementwise_cost(x, FIX16, target=STREAM)
    parallel = elementwise_cost(x, FIX16, target=VIVADO)
    alone = elementwise_cost(vector(3), FIX16, target=VIVADO)
    assert parallel.lut.value == 64 * alone.lut.value
    assert alone.lut.value < stream.lut.value < parallel.lut.value  # a stream has a loop besides
    assert (parallel.ii.value, stream.ii.value) == (1, 64)


@pytest.mark.parametrize("kind", sorted(Op.registry))
@pytest.mark.parametrize("target", [VIVADO, VITIS, STREAM], ids=["vivado", "vitis", "stream"])
def test_every_operator_has_a_sound_cost(kind: str, target: Target) -> None:
    for example in Op.registry[kind].examples():
        assert_sound(example.op.cost(target, *example.inputs))


# test_keras_api.py of hls4ml, test_pooling, "valid": LUTs of Vivado HLS 2020.1 and Vitis HLS 2024.1
# on 121 x 3 and 18 x 15 x 3 values of 16 bits, pool size 2 (Apache-2.0)
@pytest.mark.parametrize("average", [False, True])
@pytest.mark.parametrize(
    ("shape", "out", "window", "published"),
    [
        ((121, 3), (60, 3), (2,), {"Vivado": (5258, 4178), "Vitis": (7058, 4178)}),
        ((18, 15, 3), (9, 7, 3), (2, 2), {"Vivado": (17804, 10433), "Vitis": (22151, 10433)}),
    ],
    ids=["1d", "2d"],
)
@pytest.mark.parametrize("backend", ["Vivado", "Vitis"])
def test_published_pooling_in_io_parallel(
    shape: tuple[int, ...], out: tuple[int, ...], window: tuple[int, ...], backend: str,
    published: dict[str, tuple[int, int]], average: bool,
) -> None:  # fmt: skip
    target = Target(backend, "io_parallel", "xcvu13p-flga2577-2-e", 5.0)
    x = TensorType.full(shape, FixedType(16, 6))
    found = pool_cost(x, out, window, target=target, average=average)
    assert found.lut.value == pytest.approx(published[backend][average], rel=0.2)
