"""Factored networks: the same outputs at full rank, decisions by the estimate both ways."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.compression.folder import MODEL
from hwflow.compression.lowrank.factors import svd, tucker2
from hwflow.compression.lowrank.fourier import fft_ratio
from hwflow.compression.lowrank.lowrank import Factored
from hwflow.compression.lowrank.surgery import factored, weights_of
from hwflow.compression.reductions import lowrank
from hwflow.core.errors import CompileError
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.simulate.float32 import Reference
from tests.exploration.spaces import saved
from tests.fixtures import model
from tests.networks import Builder


def wide(folder: Path, rank: int) -> tuple[Path, Path]:
    """Write a network whose 16 x 24 layer has a rank, and its data."""
    b = Builder(np.random.default_rng(4))
    x = b.node("Relu", [b.node("Gemm", ["x", b.constant(b.rng.normal(size=(6, 24)) / 3)])])
    low = b.rng.normal(size=(24, rank)) @ b.rng.normal(size=(rank, 16)) / (4 * np.sqrt(rank))
    x = b.node("Relu", [b.node("Gemm", [x, b.constant(low), b.constant(b.rng.normal(size=16))])])
    x = b.node("Gemm", [x, b.constant(b.rng.normal(size=(16, 3)))])
    path, data = folder / "wide.onnx", folder / "wide.npz"
    onnx.save(model(b, x, (1, 6), (1, 3)), path)
    inputs = b.rng.normal(size=(120, 6)).astype(np.float32)
    outputs = next(iter(Reference(hwflow.load(path)).run({"x": inputs}).values()))
    np.savez(data, x=inputs, y=outputs.argmax(1))
    return path, data


def ran(paths: tuple[Path, Path], run: Path, **changes: Any) -> Factored:
    pytest.importorskip("torch")
    return lowrank(*paths, run=run, **{"epochs": 4, "batch": 16, **changes})


def outputs(made: QonnxModel, x: np.ndarray) -> np.ndarray:
    return next(iter(Reference(made).run({"x": x}).values()))


@pytest.mark.parametrize("name", ["mlp", "residual", "branches"])
def test_full_rank_gives_the_same_outputs(name: str, tmp_path: Path) -> None:
    path, data = saved(tmp_path, name)
    before = prepare(hwflow.load(path))
    with np.load(data) as arrays:
        x = arrays["x"]
    wanted, made, changed = outputs(before, x), before, 0
    for layer in list(layers_of(before)):
        weights = weights_of(layer)
        if layer.groups > 1:
            continue
        full = min(weights.shape), weights.shape[:2]
        factors = svd(weights, full[0]) if weights.ndim == 2 else tucker2(weights, full[1])
        made = factored(made, layer.node.name or "", factors)
        changed += 1
    assert len(list(layers_of(made))) > len(list(layers_of(before))) >= changed
    for node in made.ir.graph:  # training wants to know the size of every window
        if node.op_type == "Conv":
            weight = node.inputs[1]
            assert weight is not None
            assert weight.shape is not None
            assert list(node.attributes["kernel_shape"].as_ints()) == list(weight.shape.numpy()[2:])
    # float32 weights: each product of factors is off by about 1e-7 of its terms
    np.testing.assert_allclose(outputs(made, x), wanted, atol=1e-4 * np.abs(wanted).max())


@pytest.mark.torch
def test_a_layer_of_low_rank_is_factored_and_one_of_full_rank_is_not(tmp_path: Path) -> None:
    paths = wide(tmp_path, 2)
    found = ran(paths, tmp_path / "run", energy=0.999)
    rows = {row["rank"]: row for row in found.result["layers"]}
    taken = [row for row in rows.values() if row["taken"]]
    assert [row["rank"] for row in taken] == ["2"]
    assert found.reached
    assert found.result["after"]["lut_synth"] < found.result["before"]["lut_synth"]
    assert all(row["after"]["lut_synth"] > row["before"]["lut_synth"]
               for row in rows.values() if not row["taken"])  # fmt: skip
    shapes = [layer.matrix().shape[1:] for layer in layers_of(hwflow.load(found.folder / MODEL))]
    assert shapes == [(24, 6), (2, 24), (16, 2), (3, 16)]


@pytest.mark.torch
@pytest.mark.slow
def test_nothing_that_pays_leaves_the_network_as_it_is(tmp_path: Path) -> None:
    paths = wide(tmp_path, 16)
    found = ran(paths, tmp_path / "run", energy=0.9999)
    assert not found.reached
    assert not any(row["taken"] for row in found.result["layers"])
    again = prepare(hwflow.load(found.folder / MODEL))
    with np.load(paths[1]) as arrays:
        x = arrays["x"]
    assert np.array_equal(outputs(again, x), outputs(prepare(hwflow.load(paths[0])), x))


@pytest.mark.torch
@pytest.mark.slow
def test_goal_chooses_ranks_and_the_result_is_built_and_faithful(tmp_path: Path) -> None:
    paths = wide(tmp_path, 8)
    first = ran(paths, tmp_path / "first", energy=0.5, epochs=1).result
    goal = (first["before"]["lut_synth"] + first["after"]["lut_synth"]) / 2
    found = ran(paths, tmp_path / "run", goal=f"lut={goal:.0f}")
    assert found.reached
    assert found.result["after"]["lut_synth"] <= goal
    quantized = hwflow.quantize(found.folder / MODEL, paths[1])
    design = hwflow.compile(quantized.model)
    assert design.estimate().total.lut_synth.value == found.result["after"]["lut_synth"]
    with np.load(paths[1]) as arrays:
        assert design.verify(arrays["x"][:20]).faithful


@pytest.mark.torch
@pytest.mark.slow
def test_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    paths = wide(tmp_path, 2)
    whole = ran(paths, tmp_path / "run", energy=0.99)
    kept = {name: (whole.folder / name).read_bytes() for name in (MODEL, "front.json")}
    for name in kept:
        (whole.folder / name).unlink()
    ran(paths, tmp_path / "run", energy=0.99)
    assert {name: (whole.folder / name).read_bytes() for name in kept} == kept
    with pytest.raises(CompileError) as refused:
        ran(paths, tmp_path / "run", rank=1)
    assert [d.code for d in refused.value.diagnostics] == ["HW355"]


REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("HW362", {"layers": ["fc9"]}, {"layers": []}),
    ("HW362", {"method": "tucker2"}, {"method": ""}),
    ("HW363", {"rank": 2, "energy": 0.5}, {"rank": 2}),
    ("HW363", {"energy": 1.5}, {}),
    ("HW363", {"goal": "sparsity=0.5"}, {"energy": 0.95}),
    ("HW364", {"rank": 99}, {"rank": 16}),
    ("HW356", {"method": "cp"}, {"method": "qr"}),
]


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("options", [helped for _, _, helped in REFUSED])
def test_what_the_refusals_say_to_do_works(options: dict[str, Any], tmp_path: Path) -> None:
    found = ran(wide(tmp_path, 2), tmp_path / "run", epochs=1, **options)
    assert (found.folder / MODEL).is_file()


@pytest.mark.torch
@pytest.mark.parametrize(("code", "options"), [r[:2] for r in REFUSED])
def test_what_cannot_be_factored_is_refused(
    code: str, options: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    paths = wide(tmp_path, 2)
    with pytest.raises(CompileError) as refused:
        ran(paths, tmp_path / "run", **options)
    (finding,) = refused.value.diagnostics
    assert finding.code == code
    assert not (tmp_path / "run" / MODEL).exists()


def test_fft_takes_more_products_than_small_kernels() -> None:
    def ratio(size: int, kernel: int, channels: int) -> float:
        b = Builder(np.random.default_rng(0))
        weight = b.constant(b.rng.normal(size=(channels, channels, kernel, kernel)))
        pads = (kernel // 2,) * 4
        y = b.node("Conv", ["x", weight], kernel_shape=(kernel, kernel), pads=pads)
        shape = (1, channels, size, size)
        (layer,) = layers_of(prepare(hwflow.load(model(b, y, shape, shape))))
        found = fft_ratio(layer)
        assert found is not None
        return found

    # 8 x 8 map, 3 x 3 kernel, 8 channels: 16 x 16 points
    points, pairs = 256, 64
    transforms, between = 16 * points / 2 * 8 * 1.5, pairs * points * 1.5
    assert ratio(8, 3, 8) == pytest.approx((transforms + between) / (64 * 9 * pairs))
    assert ratio(8, 3, 8) > 0.5
    assert ratio(18, 15, 16) < 0.2


def test_fft_is_for_kernels() -> None:
    b = Builder(np.random.default_rng(0))
    y = b.node("Gemm", ["x", b.constant(b.rng.normal(size=(6, 3)))])
    (layer,) = layers_of(prepare(hwflow.load(model(b, y, (1, 6), (1, 3)))))
    assert fft_ratio(layer) is None
