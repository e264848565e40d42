"""Pipeline depths and flip-flops against published C synthesis reports of unrolled layers."""

import numpy as np
import pytest

from hwflow.estimate.device import device_of, fabric_of, speed_grade
from hwflow.estimate.layer import matvec_cost
from hwflow.estimate.memories import fifo_brams
from hwflow.estimate.schedule import adder_levels, cuts_of, stages_of
from hwflow.fixed import FixedType
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType

SLOW, MIDDLE, FAST = "xc7z020clg400-1", "xc7z007sclg225-2", "xc7vx690tffg1930-3"
ULTRASCALE = "xcu250-figd2104-2L-e"


def target(backend: str, part: str, clock: float) -> Target:
    return Target(backend, "io_parallel", part, clock)


# back end, part, clock, most terms of a sum, products in a DSP, cycles. The reports, in order:
# tanvirana (two), camillaMiao (two), Hector-Plata (two), pominiq, axiotisk, ArgyKokk (two)
DEPTHS = [
    ("Vivado", SLOW, 5.0, 31, True, 5), ("Vivado", SLOW, 5.0, 15, True, 4),
    ("Vivado", SLOW, 5.0, 17, True, 5), ("Vivado", FAST, 5.0, 17, True, 2),
    ("Vivado", ULTRASCALE, 5.0, 32, True, 1), ("Vivado", ULTRASCALE, 5.0, 12, False, 0),
    ("Vivado", SLOW, 25.0, 129, True, 1), ("Vitis", ULTRASCALE, 5.0, 59, True, 1),
    ("Vitis", MIDDLE, 5.0, 50, False, 5), ("Vitis", MIDDLE, 5.0, 19, False, 4),
]  # fmt: skip


@pytest.mark.parametrize("report", DEPTHS)
def test_published_depths(report: tuple[str, str, float, int, bool, int]) -> None:
    backend, part, clock, terms, multiplies, cycles = report
    cuts = cuts_of(fabric_of(target(backend, part, clock)), multiplies, adder_levels(terms))
    assert len(cuts) == cycles


# camillaMiao/Hls-and-bambu, one dense layer of 16 x 4 (Vivado HLS 2019.2, 5 ns): DSP, FF, by part
@pytest.mark.parametrize(("part", "dsp", "ff"), [(SLOW, 50, 5741), (FAST, 55, 1605)])
def test_published_flip_flops_of_a_slow_and_a_fast_part(part: str, dsp: int, ff: int) -> None:
    rng = np.random.default_rng(0)
    few = 64 - dsp  # weights of two digits stay in look-up tables
    weight = np.concatenate([np.full(few, 3), 600 + 2 * rng.permutation(dsp) + 85]).reshape(16, 4)
    x = TensorType.full((16,), FixedType(16, 6))
    types = (FixedType(16, 6), FixedType(16, 6))
    cost = matvec_cost(weight, x, *types, target=target("Vivado", part, 5.0))
    assert cost.ff.value == pytest.approx(ff, rel=0.25)


def test_a_slower_clock_never_takes_more_registers() -> None:
    rng = np.random.default_rng(1)
    weight = rng.integers(-200, 200, (32, 8))
    x, t = TensorType.full((32,), FixedType(16, 6)), FixedType(16, 6)
    for part in (SLOW, ULTRASCALE):
        for backend in ("Vivado", "Vitis"):
            costs = [
                matvec_cost(weight, x, t, t, target=target(backend, part, clock))
                for clock in (2.0, 3.0, 5.0, 10.0, 25.0, 200.0)
            ]
            cycles = [cost.latency_cycles.value for cost in costs]
            assert cycles == sorted(cycles, reverse=True)
            assert cycles[-1] == costs[-1].ff.value == 0
            assert costs[0].ff.value > costs[3].ff.value


def test_slow_operators_take_several_stages() -> None:
    assert stages_of([1.0, 1.0, 1.0], 3.0) == 0
    assert stages_of([1.0, 1.0, 1.5], 3.0) == 1
    assert stages_of([7.0], 3.0) == 2
    assert stages_of([], 3.0) == 0


def test_names_of_parts() -> None:
    assert [speed_grade(p) for p in (SLOW, MIDDLE, FAST, ULTRASCALE)] == [1, 2, 3, 2]
    assert speed_grade("xc7vx690t-3ffg1930") == 3
    assert speed_grade("xczu5ev-sfvc784-2LV-e") == 2
    assert speed_grade("LFE5U-85F") == 1
    parts = ("xc7z020clg400-1", "xc7z020-clg400-1", "xczu7ev-ffvc1156-2-e", "xcu250-figd2104-2L-e")
    assert [device_of(p) for p in parts] == ["xc7z020", "xc7z020", "xczu7ev", "xcu250"]
    assert device_of("xc7s25csga324-1") == "xc7s25"


# positions, channels and bits of the values between layers, and the BRAM18 that the reports have
# beside those of the layers: uw-acme, Spehic, pominiq, Berk-Bilgin; alex-yang-upenn (Vitis HLS)
FIFOS = {
    48: ("Vivado", [(99, 16, 16), (99, 16, 16), (49, 16, 16), (23, 32, 16), (23, 32, 16)]),
    160: ("Vivado", [(676, 32, 25), (676, 32, 4), (169, 32, 4), (121, 32, 18), (121, 32, 4),
                     (25, 32, 4)]),
    12: ("Vivado", [(676, 4, 16), (676, 4, 16), (36, 4, 16), (16, 8, 16), (16, 8, 16), (4, 8, 16)]),
    81: ("Vivado", [(66, 1, 16), (64, 8, 28), (68, 8, 28), (64, 8, 28), (67, 8, 28), (32, 4, 28),
                    (35, 4, 28), (16, 4, 28)]),
    40: ("Vitis", [(900, 16, 16), (900, 16, 6), (225, 16, 16), (169, 16, 16), (169, 16, 6),
                   (36, 16, 16), (16, 24, 16), (16, 24, 6), (4, 24, 16)]),
}  # fmt: skip


@pytest.mark.parametrize("blocks", FIFOS)
def test_published_fifos_of_whole_designs(blocks: int) -> None:
    backend, values = FIFOS[blocks]
    assert sum(fifo_brams(*value, backend) for value in values) == blocks
