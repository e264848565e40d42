"""Models that were trained quantised are explored with fewer bits than they were trained with."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.pick import Choice, pick
from hwflow.exploration.request import Request
from hwflow.exploration.run import explore
from tests.exploration.test_tree import check_all

ROOT = Path(__file__).parents[2]


def small(folder: Path, name: str, **changes: Any) -> Request:
    """Return a request for a quantised model of the tests, with noise as data."""
    path = ROOT / "tests" / "models" / f"{name}.onnx"
    (value,) = hwflow.load(path).ir.graph.inputs
    assert value.shape is not None
    shape = [int(d) for d in value.shape.numpy()[1:]]
    rng = np.random.default_rng(0)
    data = folder / "data.npz"
    np.savez(data, x=rng.normal(size=(60, *shape)).astype(np.float32), y=rng.integers(0, 2, 60))
    given: dict[str, Any] = {"boards": ("pynq-z2",), "bits": "w=2 a=3", **changes}
    return Request(model=str(path), data=str(data), **given)


def digits(folder: Path, name: str, count: int = 100, **changes: Any) -> Request:
    """Return a request for a trained example, with some of its data."""
    kind = Path(name).stem
    archive = kind if (ROOT / "examples" / f"{kind}.npz").is_file() else "digits"
    loaded, data = np.load(ROOT / "examples" / f"{archive}.npz"), folder / "data.npz"
    np.savez(data, x=loaded["x"][:count], y=loaded["y"][:count])
    given: dict[str, Any] = {"boards": ("pynq-z2",), "bits": "w=3 a=3", **changes}
    return Request(model=str(ROOT / "examples" / name), data=str(data), **given)


@pytest.mark.parametrize("name", ["residual", "concat", "per_channel", "zero_point"])
def test_tree_equals_requantising_compiling_and_simulating(name: str, tmp_path: Path) -> None:
    check_all(Explorer.of(small(tmp_path, name, group=(".",))), most=3)


def test_formats_of_elements_are_explored(tmp_path: Path) -> None:
    check_all(Explorer.of(digits(tmp_path, "digits_hgq.keras", group=(".",))), most=2)


ALL = ("digits_mlp.onnx", "digits_cnn.onnx", "digits_residual.onnx", "digits_qkeras.h5",
       "digits_hgq.keras")  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_examples_equal_the_slow_way(name: str, tmp_path: Path) -> None:
    if name.endswith(".h5"):
        pytest.importorskip("tf_keras")
    explorer = Explorer.of(digits(tmp_path, name, bits="w=2,3 a=3", group=("2|flat",)))
    assert 32 <= explorer.space.size <= 729
    check_all(explorer)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["residual", "concat"])
def test_joined_branches_equal_the_slow_way(name: str, tmp_path: Path) -> None:
    explorer = Explorer.of(small(tmp_path, name))
    assert explorer.space.size == 256
    check_all(explorer)


def test_options_end_with_the_trained_network(tmp_path: Path) -> None:
    asked = digits(tmp_path, "digits_residual.onnx", bits="w=2:8 a=2,3,8", fix=("fc:w=3",))
    explorer = Explorer.of(asked)
    options = {v.name: v.options for v in explorer.space.variables}
    assert options["conv1.w"] == (2, 3, 4)  # four were trained
    assert options["quant_in.a"] == (2, 3, 5)
    assert options["fc.w"] == (3,)
    free = Explorer.of(digits(tmp_path, "digits_residual.onnx"))
    last = free.bench.quantized(free.space.bits(free.space.size - 1))
    x = free.bench.samples.held_out["x"]
    ours, trained = (
        next(iter(hwflow.compile(m).simulate(x).outputs.values()))
        for m in (last, ROOT / "examples" / "digits_residual.onnx")
    )
    assert np.array_equal(ours, trained)


def test_more_bits_than_were_trained_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW316") as refused:
        Explorer.of(digits(tmp_path, "digits_residual.onnx", fix=("conv1:w=3:8",)))
    assert "up to 4" in str(refused.value)
    Explorer.of(digits(tmp_path, "digits_residual.onnx", fix=("conv1:w=3:4",)))


def test_a_picked_point_is_built(tmp_path: Path) -> None:
    asked = digits(tmp_path, "digits_mlp.onnx", bits="w=2 a=3", group=(".",))
    found = explore(asked, tmp_path / "run")
    assert found.result["reference"] == "trained"
    picked = pick(tmp_path / "run", tmp_path / "build", Choice(), cpp=False)
    assert picked.point["id"] == found.result["fronts"][0]["knee"]
    assert picked.verification.lossless is not None
    assert picked.verification.lossless.holds
