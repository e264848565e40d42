"""Real numbers at the edge of blocks: floats get hwflow's mantissas, results their floats."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.errors import CompileError
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.package import reals
from hwflow.package.block import make_block
from hwflow.package.reals import float_of, key_of, thresholds
from hwflow.package.wishes import Wishes
from tests.fixtures import model
from tests.networks import DOMAIN, Builder
from tests.package.builds import EXAMPLES, build, two_ports, wide
from tests.package.drivers.boards import opened, packaged
from tests.package.test_benches import passes

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)
MODES = ("ROUND", "CEIL", "FLOOR", "UP", "DOWN", "HALF_UP", "HALF_DOWN")


@given(FINITE, FINITE)
def test_keys_keep_the_order_of_floats(a: float, b: float) -> None:
    pair = np.array([a, b], np.float32)
    x, y = key_of(pair)
    assert (x < y) == (a < b or (a == b and np.signbit(pair[0]) > np.signbit(pair[1])))
    assert float_of(key_of(pair)).tobytes() == pair.tobytes()


def level(x: Fraction, mode: str, low: int, high: int) -> int:
    """Return a number clamped and rounded by the definitions of QONNX's modes, independently."""
    x = min(max(x, Fraction(low)), Fraction(high))
    down, up = x.__floor__(), x.__ceil__()
    zero, away = (down, up) if x >= 0 else (up, down)
    half = abs(x - zero) == Fraction(1, 2)
    near = zero if abs(x - zero) < Fraction(1, 2) else away
    return {
        "ROUND": (zero if zero % 2 == 0 else away) if half else near,
        "CEIL": up, "FLOOR": down, "UP": away, "DOWN": zero,
        "HALF_UP": away if half else near, "HALF_DOWN": zero if half else near,
    }[mode]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.integers(2, 5),
    st.booleans(),
    st.sampled_from(MODES),
    st.floats(2.0**-20, 2.0**20, width=32),
    st.integers(-3, 40),
    st.lists(FINITE, max_size=20),
)
def test_thresholds_give_the_exact_level_of_every_float(
    bits: int, signed: bool, mode: str, scale: float, zero: int, others: list[float]
) -> None:
    zero = min(max(zero, 0), 2**bits - 1) if not signed else min(zero, 3)
    quantizer = Quantizer(
        kind="Quant", scale=np.array(scale), zero_point=np.array(float(zero)), bit_width=bits,
        signed=signed, narrow=False, rounding=mode,
    )  # fmt: skip
    found = thresholds(quantizer, scale, zero)
    assert (np.diff(found.astype(np.int64)) >= 0).all()
    near = [k + d for k in found.astype(np.int64) for d in (-1, 0, 1)]
    ends = key_of(np.array([np.finfo(np.float32).min, np.finfo(np.float32).max], np.float32))
    keys = np.clip(near, *ends.astype(np.int64)).astype(np.uint32)
    floats = [*float_of(keys).tolist(), *others, 0.0]
    for x in floats:
        key = key_of(np.array([x + 0.0], np.float32))[0]
        right = level(
            Fraction(x) / Fraction(scale) + zero, mode, quantizer.raw_min, quantizer.raw_max
        )
        assert quantizer.raw_min + int((found <= key).sum()) == right, (x, mode)


@settings(deadline=None, max_examples=60)
@given(st.floats(2.0**-20, 2.0**20, width=32), st.integers(-3, 3), st.lists(FINITE, max_size=20))
def test_a_sign_changes_at_the_exact_float(scale: float, zero: int, others: list[float]) -> None:
    quantizer = Quantizer(
        kind="BipolarQuant", scale=np.array(scale), zero_point=np.array(float(zero)), bit_width=1,
        signed=True, narrow=False, rounding="ROUND",
    )  # fmt: skip
    (found,) = thresholds(quantizer, scale, zero)
    near = float_of(np.array([int(found) + d for d in (-1, 0, 1)], np.uint32)).tolist()
    for x in [*near, *others, 0.0, -zero * scale]:
        key = key_of(np.array([x + 0.0], np.float32))[0]
        exact = Fraction(float(np.float32(x))) + zero * Fraction(scale) >= 0
        assert (found <= key) == exact, x


def signs() -> onnx.ModelProto:
    """Return a network whose input is a sign, as a bipolar quantiser gives it."""
    b = Builder(np.random.default_rng(8))
    x = b.node("BipolarQuant", ["x", b.constant(0.3)], DOMAIN)
    return model(b, b.node("MatMul", [x, b.weight((6, 4), 3, 0.25)]), (1, 6), (1, 4))


@pytest.mark.cpp
def test_bipolar_inputs_are_signs_of_real_numbers(tmp_path: Path) -> None:
    """Floats next to 0 on a board made of software, against the simulation of the model."""
    found = packaged(tmp_path, signs(), Wishes(edge="float32", interface="axi-lite"))
    assert found.description.inputs[0].quantize is not None
    tiny = np.float32(2.0**-149)
    x = np.array([0.0, -0.0, tiny, -tiny, 3e38, -3e38], np.float32)
    x = np.stack([np.roll(x, n) for n in range(6)])
    driver, _ = opened(found)
    wanted = hwflow.compile(signs()).simulate({"x": x.astype(np.float64)}).outputs
    (values,) = wanted.values()
    assert np.array_equal(driver.predict(x), values.astype(np.float32))


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_blocks_with_bipolar_inputs_pass(io_type: str, tmp_path: Path) -> None:
    passes(build(tmp_path / "net", signs(), io_type=io_type), Wishes(edge="float32"))


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("residual") / "net"
    model, data = EXAMPLES / "digits_residual.onnx", EXAMPLES / "digits.npz"
    return build(folder, model, data, board="kv260", io_type="io_stream")


def test_vectors_are_off_the_grid_and_results_are_those_of_simulate(residual: Path) -> None:
    made = make_block(residual, Wishes(edge="float32"))
    x, y = made.description.ports
    lanes = {
        p.name: np.frombuffer(made.files[f"vectors/{p.name}.bin"], "<f4")
        .reshape(-1, p.packing.stride_bytes // 4)[:, : p.elements]
        for p in (x, y)
    }  # fmt: skip
    steps = lanes[x.name] / np.float32(x.scale[0])
    assert np.mean(steps != np.rint(steps)) > 0.5
    real = np.load(residual / f"sim/vectors/output_{y.argument}.npy")
    assert lanes[y.name].tobytes() == real.astype(np.float32).tobytes()


def refused(project: Path, wishes: Wishes) -> str:
    with pytest.raises(CompileError) as caught:
        make_block(project, wishes)
    (finding,) = caught.value.diagnostics
    assert finding.code == "HW579"
    assert finding.help.startswith("--edge raw")
    return finding.found


@pytest.mark.parametrize(
    ("limit", "found"), [("MOST_THRESHOLDS", "32 levels"), ("MOST_RESULTS", "scaled results")]
)
def test_what_is_too_large_to_be_shown_is_refused(
    limit: str, found: str, residual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reals, limit, 10)
    assert found in refused(residual, Wishes(edge="float32"))
    assert make_block(residual, Wishes(edge="raw")).files  # the help


def test_a_result_that_would_round_twice_is_refused(
    residual: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = reals.exact_floats

    def off(*given: object) -> np.ndarray:
        right = exact(*given)  # type: ignore[arg-type]
        right[5, 2] = np.nextafter(right[5, 2], np.float32(np.inf))
        return right

    monkeypatch.setattr(reals, "exact_floats", off)
    assert "channel 2" in refused(residual, Wishes(edge="float32"))


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("interface", ["axis", "memory", "axi-lite"])
def test_blocks_of_real_numbers_pass(interface: str, residual: Path) -> None:
    passes(residual, Wishes(edge="float32", interface=interface))


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_real_numbers_of_several_ports(io_type: str, tmp_path: Path) -> None:
    passes(build(tmp_path / "net", two_ports(), io_type=io_type), Wishes(edge="float32"))
    passes(build(tmp_path / "wide", wide(), io_type=io_type), Wishes(edge="float32"))
