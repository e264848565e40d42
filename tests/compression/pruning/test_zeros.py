"""Weights that are 0 in a float network stay 0 in what is quantised, and cost nothing."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import hwflow
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from tests.exploration.spaces import saved


def pruned(folder: Path, name: str) -> tuple[Path, Path]:
    """Write a network half of whose weights are 0, and its data."""
    path, data = saved(folder, name)
    proto, rng = onnx.load(path), np.random.default_rng(2)
    used = {i: n for n in proto.graph.node for i in n.input[1:2] if n.op_type in ("Conv", "Gemm")}
    for tensor in proto.graph.initializer:
        if tensor.name in used:
            array = numpy_helper.to_array(tensor)
            array = np.where(rng.random(array.shape) < 0.5, 0, array).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    onnx.save(proto, path)
    return path, data


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mlp", {}), ("mlp", {"independent": True}), ("mlp", {"bits": "w=4,a=6"}),
        ("mlp", {"bits": "w=10,a=10", "per_channel": True}), ("residual", {"bits": "w=3,a=4"}),
    ],
)  # fmt: skip
def test_quantisation_keeps_zeros(name: str, options: dict[str, object], tmp_path: Path) -> None:
    path, data = pruned(tmp_path, name)
    before = {x.name: x.matrix() for x in layers_of(prepare(hwflow.load(path)))}
    found = hwflow.quantize(path, data, **options)  # type: ignore[arg-type]
    for layer in layers_of(found.model):
        zeros = before[layer.name] == 0
        assert zeros.mean() > 0.3
        assert not layer.matrix()[zeros].any()
        assert layer.matrix()[~zeros].any()


@pytest.mark.torch
def test_training_with_learned_bits_keeps_zeros_and_they_have_no_bits(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from hwflow.compression.qat import train
    from hwflow.compression.request import Request

    path, data = pruned(tmp_path, "mlp")
    before = {x.name: x.matrix() for x in layers_of(prepare(hwflow.load(path)))}
    asked = Request(
        model=str(path), data=str(data), goal="ebops=1e6", epochs=3, batch=16, io_type="io_stream"
    )
    found = train(asked, tmp_path / "run")
    for layer in layers_of(found.model):
        zeros = before[layer.name] == 0
        assert not layer.matrix()[zeros].any()
        assert layer.matrix()[~zeros].any()
    design = hwflow.compile(found.model, io_type="io_stream")
    stored = sum(int((n.op.weight.raw == 0).sum()) for n in design.graph.nodes
                 if hasattr(n.op, "weight"))  # fmt: skip
    assert stored >= sum(int((w == 0).sum()) for w in before.values())
