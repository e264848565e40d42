"""Quantised models of other frameworks, explored below their trained bits and built."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hwflow
from tests.cli.command import hwflow as run_hwflow
from tests.exploration.spaces import saved

ROOT = Path(__file__).parents[2]


def explored_and_built(
    capsys: pytest.CaptureFixture[str], model: Path, data: Path, bits: str, folder: Path
) -> str:
    """Explore a model with all layers alike, build the knee, and return what was said."""
    run, build = str(folder / "run"), folder / "build"
    command = ["explore", str(model), "--data", str(data), "--bits", bits, "--group", ".",
               "--samples", "60", "--run", run]  # fmt: skip
    assert run_hwflow(capsys, *command).status == 0
    picked = run_hwflow(capsys, "pick", "--run", run, "-o", str(build))
    assert picked.status == 0, picked.err
    assert "faithful  yes" in picked.out
    assert "lossless  yes" in picked.out
    assert (build / "manifest.json").is_file()
    return picked.out


@pytest.mark.slow
@pytest.mark.cpp
@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")  # torch's and Brevitas' own deprecations
def test_a_live_brevitas_module(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("brevitas")
    import torch

    from tests.frontends.test_brevitas import network

    module, model, data = network(), tmp_path / "net.onnx", tmp_path / "data.npz"
    hwflow.convert(module, model, np.zeros((1, 8)))
    x = np.random.default_rng(0).normal(size=(120, 8)).astype(np.float32)
    with torch.no_grad():
        y = module.eval()(torch.from_numpy(x)).numpy().argmax(1)
    np.savez(data, features=x, y=y)
    explored_and_built(capsys, model, data, "w=2,3 a=3", tmp_path)


@pytest.mark.slow
@pytest.mark.cpp
@pytest.mark.parametrize("symmetric", [False, True])
def test_a_qdq_file(symmetric: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    path, data = saved(tmp_path, "mlp")
    rows: Iterator[np.ndarray] = iter(np.load(data)["x"][:60, None])

    class Rows(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, np.ndarray] | None:
            row = next(rows, None)
            return None if row is None else {"x": row}

    quantize_static(
        path, tmp_path / "qdq.onnx", Rows(), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QInt8, weight_type=QuantType.QInt8,
        extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True},
    )  # fmt: skip
    explored_and_built(capsys, tmp_path / "qdq.onnx", data, "w=4 a=5", tmp_path)


@pytest.mark.slow
@pytest.mark.cpp
def test_a_qkeras_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tf_keras")
    loaded, data = np.load(ROOT / "examples" / "digits_qkeras.npz"), tmp_path / "data.npz"
    np.savez(data, x=loaded["x"][:120], y=loaded["y"][:120])
    explored_and_built(capsys, ROOT / "examples" / "digits_qkeras.h5", data, "w=2 a=3", tmp_path)
