"""Power and energy, against what was measured on boards."""

from pathlib import Path

import pytest

import hwflow
from hwflow.core.board import load_board
from hwflow.core.errors import CompileError
from hwflow.estimate.power import BOARD, DEVICE, dynamic_power, energy, power_of
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.report.power import energy_words, joules

MEASURED = [
    ("arty-a7-100t", 30685.67, 98.356), ("arty-a7-100t", 659.07, 3418.535),
    ("arty-a7-100t", 30.14, 73159.71), ("pynq-z2", 53361.93, 30.024),
    ("pynq-z2", 661.47, 2527.601), ("pynq-z2", 36.6, 44255.085), ("pynq-z2", 57268.14, 30.709),
    ("pynq-z2", 130.83, 12262.398),
]  # fmt: skip
"""Board, inferences a second, microjoules each: results of hls4ml and FINN in MLPerf Tiny v0.7 and
v1.0, Joulescope JS110 at the 5 V input."""

COST = Cost(
    ff_synth=Estimate(10_000, 8_000, 12_000), bram_18k_synth=Estimate(20, 20, 20),
    dsp_synth=Estimate(50, 50, 50), latency_cycles=Estimate(100, 90, 120), ii=Estimate(10, 10, 20),
)  # fmt: skip


@pytest.mark.parametrize(("name", "rate", "microjoules"), MEASURED)
def test_measured_energies_lie_in_the_range(name: str, rate: float, microjoules: float) -> None:
    """At an II of what was measured; the dynamic term is that of an empty design."""
    board = load_board(name)
    cycles = 1e9 / rate / 10
    cost = Cost(ii=Estimate.exact(cycles), latency_cycles=Estimate.exact(cycles))
    found = power_of(cost, board, 10.0)
    assert found is not None
    setup = 1.35 if microjoules == 98.356 else 1.02  # 33 % more than power times time was measured
    assert found.stream_uj.low * 0.98 <= microjoules <= found.stream_uj.high * setup


def test_both_terms_are_added_and_multiplied_with_the_time() -> None:
    board = load_board("pynq-z2")
    found = power_of(COST, board, 10.0)
    assert found is not None
    watts = 10_000 * 2.2e-6 + 10 * 2.3e-3 + 50 * 2.0e-3
    assert found.dynamic_w.value == pytest.approx(watts)
    assert (found.dynamic_w.low, found.dynamic_w.high) == pytest.approx((watts / 2, watts * 2))
    assert (found.idle_w.low, found.idle_w.high, found.idle_of) == (1.58, 1.76, BOARD)
    total = found.total_w
    assert (total.low, total.high) == pytest.approx((1.58 + watts / 2, 1.76 + watts * 2))
    assert found.single_uj.value == pytest.approx(total.value * 100 * 10 * 1e-3)
    assert found.stream_uj.value == pytest.approx(total.value * 10 * 10 * 1e-3)
    assert found.stream_uj.high == pytest.approx(total.high * 20 * 10 * 1e-3)


def test_dynamic_power_grows_with_the_clock_and_is_less_known_elsewhere() -> None:
    slow = dynamic_power(COST, "xc7z020clg400-1", 10.0)
    fast = dynamic_power(COST, "xc7z020clg400-1", 5.0)
    assert fast.value == pytest.approx(2 * slow.value)
    assert slow.basis is Basis.FITTED
    other = dynamic_power(COST, "xczu7ev-ffvc1156-2-e", 10.0)
    assert other.basis is Basis.EXTRAPOLATED
    assert other.high / other.low > slow.high / slow.low


def test_a_device_alone_is_said_so_and_nothing_known_gives_nothing() -> None:
    board = load_board("pynq-z2")
    device = power_of(COST, board.model_copy(update={"board_power": None}), 10.0)
    assert device is not None
    assert device.idle_of == DEVICE
    assert "static of the device alone" in energy_words(device)
    unknown = board.model_copy(update={"board_power": None, "idle_power": None})
    assert power_of(COST, unknown, 10.0) is None


def test_an_estimate_says_its_energy() -> None:
    design = hwflow.compile("examples/digits_mlp.onnx", board="pynq-z2")
    content = design.estimate().to_dict()["power"]
    assert content["idle_of"] == BOARD
    assert (
        content["single_uj"]["low"] < content["single_uj"]["value"] < content["single_uj"]["high"]
    )
    assert hwflow.compile("examples/digits_mlp.onnx", board="zcu104").estimate().power is None


def test_energy_is_power_times_time() -> None:
    found = energy(Estimate(2, 1, 4), Estimate(1000, 500, 3000))
    assert (found.value, found.low, found.high) == (2.0, 0.5, 12.0)
    assert [joules(x) for x in (0.016, 12.3, 4_500, 2.5e6)] == [
        "16 nJ",
        "12.3 µJ",
        "4.5 mJ",
        "2.5 J",
    ]


def test_a_board_with_a_range_in_the_wrong_order_is_refused(tmp_path: Path) -> None:
    text = Path("boards/pynq_z2.toml").read_text().replace("high = 1.76", "high = 1.0")
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(CompileError) as error:
        load_board(tmp_path / "mine.toml")
    assert "high is less than low" in error.value.diagnostics[0].supported
