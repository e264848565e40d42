"""Models through the whole flow: faithful and lossless, or refused for a reason."""

import json
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.simulate.samples import mixed_data
from tests.cppsim import compare_with_cpp, merged

ROOT = Path(__file__).parents[2]
MODELS = sorted((ROOT / "tests" / "models").glob("*.onnx"))

NOT_LOSSLESS = {
    "softmax": "tables",
    "sigmoid": "tables",
    "tanh": "tables",
}
"""Models with layers that approximate by nature; the reason that the comparison gives."""


@pytest.mark.parametrize("path", MODELS, ids=lambda p: p.stem)
def test_hardware_has_the_models_own_numbers(path: Path) -> None:
    design = hwflow.compile(path)
    found = design.verify(mixed_data(design.graph, 2000), cpp=False).lossless
    assert found is not None
    if path.stem not in NOT_LOSSLESS:
        assert found.mismatches == 0, found.first


TARGETS = [
    ("Vitis", "io_parallel"),
    ("Vivado", "io_stream"),
    ("Vitis", "io_stream"),
    ("Vivado", "io_parallel"),
]


def agree(paths: list[Path], backend: str, io_type: str) -> None:
    designs = {p.stem: hwflow.compile(p, backend=backend, io_type=io_type) for p in paths}
    graph = merged({key: d.graph for key, d in designs.items()})
    target = next(iter(designs.values())).target
    found = compare_with_cpp(graph, target, mixed_data(graph, 100).inputs)
    assert [m for m in found.layers if m.mismatches] == []


@pytest.mark.cpp
@pytest.mark.parametrize("part", [0, 1])
def test_models_agree_with_their_cpp(part: int) -> None:
    """Half of them, on one of two targets, which differ in both backend and io_type."""
    agree(MODELS[part::4], *TARGETS[part])


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize(("backend", "io_type"), TARGETS)
def test_all_models_agree_with_their_cpp_on_every_target(backend: str, io_type: str) -> None:
    agree(MODELS, backend, io_type)


@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn"])
def test_digits_are_lossless_on_all_samples(name: str) -> None:
    design = hwflow.compile(ROOT / "examples" / f"{name}.onnx")
    found = design.verify(ROOT / "examples" / "digits.npz", cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
    assert found.lossless.samples == 1797
    assert found.errors[0].accuracy == found.errors[0].reference_accuracy
    assert found.errors[0].max_abs == 0


def test_digits_with_scales_of_any_size_are_lossless_on_all_samples() -> None:
    design = hwflow.compile(ROOT / "examples" / "digits_residual.onnx")
    found = design.verify(ROOT / "examples" / "digits.npz", cpp=False)
    assert found.lossless is not None
    assert (found.lossless.mismatches, found.lossless.samples) == (0, 1797), found.lossless.first
    assert found.lossless.float32_only == ""
    assert found.errors[0].accuracy is not None
    assert found.errors[0].accuracy > 0.95
    assert found.errors[0].max_abs < 1e-5


CASES = [
    ("digits_mlp", backend, io_type, strategy)
    for backend, io_type in TARGETS
    for strategy in ("latency", "resource", "distributed_arithmetic")
] + [
    ("digits_cnn", backend, io_type, strategy)
    for backend, io_type in TARGETS
    for strategy in ("latency", "resource")
]


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize(("name", "backend", "io_type", "strategy"), CASES)
def test_digits_are_faithful_on_every_target(
    name: str, backend: str, io_type: str, strategy: str
) -> None:
    design = hwflow.compile(
        ROOT / "examples" / f"{name}.onnx", backend=backend, io_type=io_type, strategy=strategy
    )
    with np.load(ROOT / "examples" / "digits.npz") as data:
        found = design.verify(data["x"][:200]).faithful
    assert found is not None
    assert found.mismatches == 0, found.first


@pytest.mark.cpp
def test_build_writes_project_and_report(tmp_path: Path) -> None:
    design = hwflow.compile(ROOT / "examples" / "digits_mlp.onnx")
    found = design.verify(ROOT / "examples" / "digits.npz")
    folder = design.write(tmp_path / "out", found)
    assert found.faithful is not None
    assert found.faithful.mismatches == 0
    report = json.loads((folder / "report.json").read_text())
    assert report["schema"] == "hwflow-report/1"
    assert (folder / "hls" / "firmware" / "digits_mlp.cpp").exists()
    assert "<html" in (folder / "report.html").read_text()
    assert "faithful" in (folder / "report.md").read_text().lower()
