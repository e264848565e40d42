"""A converted model is the same model, in a file that others open."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.frontends.conversion import convert
from hwflow.ir.qonnx.model import QONNX_DOMAIN
from hwflow.ir.text import print_graph
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from tests.fixtures import model
from tests.networks import Builder

ROOT = Path(__file__).parents[2]
MODELS = [
    ROOT / "examples" / "digits_cnn.onnx",
    ROOT / "examples" / "digits_mlp.onnx",
    *(
        ROOT / "tests" / "models" / f"{name}.onnx"
        for name in ("batchnorm", "bipolar", "dynamo_conv", "float_scale", "residual", "zero_point")
    ),
]


@pytest.mark.parametrize("source", MODELS, ids=lambda p: p.stem)
def test_converted_model_gives_the_same_hardware(source: Path, tmp_path: Path) -> None:
    path = tmp_path / source.name
    convert(source, path)
    assert print_graph(hwflow.compile(path).graph) == print_graph(hwflow.compile(source).graph)
    again = tmp_path / "again" / source.name
    again.parent.mkdir()
    convert(path, again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("source", MODELS, ids=lambda p: p.stem)
def test_converted_model_is_canonical(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.qonnx.onnx"
    convert(source, path)
    proto = onnx.load(path)
    onnx.checker.check_model(proto)
    assert {n.domain for n in proto.graph.node} <= {"", QONNX_DOMAIN}
    known = {v.name for v in (*proto.graph.value_info, *proto.graph.output)}
    assert known >= {o for n in proto.graph.node for o in n.output}
    names = {n.name for n in onnx.load(source).graph.node if n.name and n.op_type == "Conv"}
    assert names <= {n.name for n in proto.graph.node}


@pytest.mark.parametrize("source", MODELS, ids=lambda p: p.stem)
def test_qonnx_runs_a_converted_model(source: Path, tmp_path: Path) -> None:
    modelwrapper = pytest.importorskip("qonnx.core.modelwrapper")
    from qonnx.core.onnx_exec import execute_onnx

    path = tmp_path / "model.qonnx.onnx"
    convert(source, path)
    wrapped = modelwrapper.ModelWrapper(str(path))
    reference = Reference(infer_shapes(clean_model(hwflow.load(source))))
    rng = np.random.default_rng(0)
    feeds: dict[str, Any] = {
        i.name: (rng.integers(-16, 16, wrapped.get_tensor_shape(i.name)) / 16).astype(np.float32)
        for i in wrapped.graph.input
    }
    ours = reference.run(feeds)
    for name, value in execute_onnx(wrapped, feeds).items():
        assert np.array_equal(np.asarray(value).reshape(ours[name].shape), ours[name])


def test_shape_arithmetic_does_not_fold_the_quantisers_of_weights(tmp_path: Path) -> None:
    b = Builder(np.random.default_rng(0))
    x = b.quant("x", 5, 1 / 4, signed=True)
    target = b.node("Cast", [b.constant([1.0, -1.0])], to=onnx.TensorProto.INT64)
    x = b.node("Reshape", [x, target])
    x = b.node("Gemm", [x, b.weight((12, 3), 4, 1 / 4)])
    proto = model(b, x, (1, 3, 4), (1, 3))
    converted = convert(proto, tmp_path / "model.onnx")
    assert sum(n.op_type == "Quant" for n in converted.ir.graph) == 2
    same = hwflow.compile(tmp_path / "model.onnx"), hwflow.compile(proto)
    assert print_graph(same[0].graph).split("\n")[1:] == print_graph(same[1].graph).split("\n")[1:]


def test_nothing_is_left_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(hwflow.CompileError, match="HW552"):
        convert(MODELS[0], tmp_path / "missing" / "model.onnx")
    assert list(tmp_path.iterdir()) == []
