"""Fusing networks and layers, against ONNX Runtime, up to hardware."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import hwflow
from hwflow.compression.api import fuse, train
from hwflow.compression.folder import MODEL
from hwflow.core.errors import CompileError
from tests.exploration.spaces import saved
from tests.fixtures import model
from tests.networks import Builder

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch


def ran(path: Path, x: np.ndarray) -> np.ndarray:
    """Return a float model's first output by ONNX Runtime, sample by sample as its batch is."""
    session = onnxruntime.InferenceSession(path)
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[i : i + 1]})[0] for i in range(len(x))])


def members(folder: Path, count: int = 2) -> tuple[list[Path], Path, np.ndarray]:
    """Return networks of one graph with other weights, and data whose labels are the first's."""
    path, data = saved(folder, "mlp")
    paths, rng = [path], np.random.default_rng(1)
    for i in range(1, count):
        proto = onnx.load(path)
        for tensor in proto.graph.initializer:
            array = onnx.numpy_helper.to_array(tensor)
            if array.dtype == np.float32:
                moved = array + np.float32(0.2 * i) * rng.normal(size=array.shape)
                tensor.CopyFrom(onnx.numpy_helper.from_array(np.float32(moved), tensor.name))
        paths.append(folder / f"other{i}.onnx")
        onnx.save(proto, paths[-1])
    with np.load(data) as arrays:
        return paths, data, arrays["x"]


def test_ensemble_is_the_mean_of_outputs(tmp_path: Path) -> None:
    paths, data, x = members(tmp_path)
    found = fuse("ensemble", paths, data=data, run=tmp_path / "run")
    mean = (ran(paths[0], x) + ran(paths[1], x)) / 2
    assert ran(tmp_path / "run" / MODEL, x) == pytest.approx(mean, abs=1e-6)
    assert [row["name"] for row in found.result["members"]] == ["mlp.onnx", "other1.onnx"]
    assert_hardware(tmp_path, data, x)


def assert_hardware(folder: Path, data: Path, x: np.ndarray) -> None:
    """Train the fused network with few bits, and verify what is built of it."""
    found = train(folder / "run" / MODEL, data, goal="ebops=1e7", run=folder / "qat", epochs=1)
    verified = hwflow.compile(found.folder / MODEL).verify({"x": x}, cpp=False)
    assert verified.lossless.mismatches == 0


def test_soup_has_the_mean_of_weights_and_takes_who_gains(tmp_path: Path) -> None:
    paths, data, _ = members(tmp_path, 3)
    plain = fuse("soup", paths, run=tmp_path / "plain")
    arrays = [
        {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer}
        for p in paths
    ]
    for tensor in onnx.load(tmp_path / "plain" / MODEL).graph.initializer:
        mean = np.mean([np.float64(a[tensor.name]) for a in arrays], axis=0)
        assert np.array_equal(onnx.numpy_helper.to_array(tensor), np.float32(mean))
    assert not plain.result["greedy"]
    found = fuse("soup", paths, data=data, run=tmp_path / "run")
    assert found.result["greedy"]
    assert "mlp.onnx" in found.result["chosen"]
    assert found.result["fused"]["accuracy"] >= min(
        row["accuracy"] for row in found.result["members"]
    )


def test_soup_of_other_graphs_is_refused_and_the_help_works(tmp_path: Path) -> None:
    paths, _, x = members(tmp_path)
    proto = onnx.load(paths[1])
    for node in proto.graph.node:
        node.op_type = node.op_type.replace("Relu", "Tanh")
    onnx.save(proto, paths[1])
    with pytest.raises(CompileError) as refused:
        fuse("soup", paths, run=tmp_path / "run")
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW390", "Relu and Tanh")
    assert not (tmp_path / "run").exists()
    fuse("ensemble", paths, run=tmp_path / "run")
    assert ran(tmp_path / "run" / MODEL, x).shape == (len(x), 3)


def test_head_on_joined_features_begins_as_the_mean_and_alone_is_trained(tmp_path: Path) -> None:
    from hwflow import frontends
    from hwflow.compression.fusing.head import HEAD, with_one_head
    from hwflow.frontends.ensemble import save_model

    paths, data, x = members(tmp_path)
    mean = (ran(paths[0], x) + ran(paths[1], x)) / 2
    begun = save_model(with_one_head([frontends.load(p) for p in paths]), tmp_path / "begun.onnx")
    assert ran(begun, x) == pytest.approx(mean, abs=1e-5)
    fuse("features", paths, data=data, run=tmp_path / "run", epochs=20, batch=16, hard=1.0)
    before, after = (
        {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(p).graph.initializer}
        for p in (begun, tmp_path / "run" / MODEL)
    )
    changed = {name for name in before if not np.array_equal(before[name], after[name])}
    assert changed == {f"{HEAD}.weight", f"{HEAD}.bias"}
    with np.load(data) as arrays:
        right = [
            (ran(p, x).argmax(1) == arrays["y"]).mean() for p in (begun, tmp_path / "run" / MODEL)
        ]
    assert right[1] >= right[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["soup", "features"])
def test_other_fused_networks_become_hardware(kind: Any, tmp_path: Path) -> None:
    paths, data, x = members(tmp_path)
    fuse(kind, paths, data=data, run=tmp_path / "run")
    assert_hardware(tmp_path, data, x)


def test_head_needs_data_and_a_dense_layer_to_replace(tmp_path: Path) -> None:
    paths, data, _ = members(tmp_path)
    with pytest.raises(CompileError) as refused:
        fuse("features", paths, run=tmp_path / "run")
    assert [d.code for d in refused.value.diagnostics] == ["HW369"]
    for path in paths:
        proto = onnx.load(path)
        proto.graph.node.append(onnx.helper.make_node("Relu", [proto.graph.output[0].name], ["z"]))
        proto.graph.output[0].name = "z"
        onnx.save(proto, path)
    with pytest.raises(CompileError) as refused:
        fuse("features", paths, data=data, run=tmp_path / "run")
    assert {d.code for d in refused.value.diagnostics} == {"HW391"}


def chain(*, quantised: bool, narrow: int = 3) -> onnx.ModelProto:
    """Return a dense layer behind a dense layer, and a relu and one more behind both."""
    b = Builder(np.random.default_rng(4))
    x = b.quant("x", 5, 1 / 4, signed=True) if quantised else "x"

    def dense(x: str, ins: int, outs: int) -> str:
        matrix = b.rng.integers(-3, 4, (ins, outs)) / 8
        weight = b.constant(matrix if quantised else matrix + b.rng.normal(size=matrix.shape) / 50)
        if quantised:
            weight = b.quant(weight, 4, 1 / 8, signed=True)
        return b.node("Gemm", [x, weight, b.constant(b.rng.integers(-4, 5, outs) / 16)])

    x = b.node("Relu", [dense(dense(x, 6, narrow + 5), narrow + 5, 4)])
    if quantised:
        x = b.quant(x, 6, 1 / 8, signed=False)
    return model(b, dense(x, 4, 3), (1, 6), (1, 3))


def test_layer_behind_a_layer_becomes_one_with_the_same_outputs(tmp_path: Path) -> None:
    onnx.save(chain(quantised=False), tmp_path / "chain.onnx")
    found = fuse("layers", [tmp_path / "chain.onnx"], run=tmp_path / "run")
    x = np.random.default_rng(0).normal(size=(50, 6)).astype(np.float32)
    ours, theirs = ran(tmp_path / "run" / MODEL, x), ran(tmp_path / "chain.onnx", x)
    assert ours == pytest.approx(theirs, abs=1e-5)
    operators = [n.op_type for n in onnx.load(tmp_path / "run" / MODEL).graph.node]
    assert operators.count("Gemm") == 2
    assert len(found.result["merged"]) == 1
    np.savez(tmp_path / "data.npz", x=x)
    assert_hardware(tmp_path, tmp_path / "data.npz", x)


def test_quantised_layers_become_one_bit_for_bit(tmp_path: Path) -> None:
    onnx.save(chain(quantised=True), tmp_path / "chain.onnx")
    fuse("layers", [tmp_path / "chain.onnx"], run=tmp_path / "run")
    x = np.random.default_rng(0).normal(size=(80, 6)).astype(np.float32)
    designs = [hwflow.compile(p) for p in (tmp_path / "chain.onnx", tmp_path / "run" / MODEL)]
    outputs = [next(iter(d.simulate({"x": x}).outputs.values())) for d in designs]
    assert np.array_equal(outputs[0], outputs[1])
    assert len(np.unique(outputs[0])) > 20
    assert sum("Dense" in type(op).__name__ for op in ops(designs[1])) == 2
    assert designs[1].verify({"x": x}, cpp=False).lossless.mismatches == 0


def ops(design: Any) -> list[Any]:
    return [node.op for node in design.graph.nodes]


def test_layers_that_cannot_be_one_are_named(tmp_path: Path) -> None:
    onnx.save(chain(quantised=False, narrow=-4), tmp_path / "narrow.onnx")
    with pytest.raises(CompileError) as refused:
        fuse("layers", [tmp_path / "narrow.onnx"], run=tmp_path / "run")
    (finding,) = refused.value.diagnostics
    assert finding.code == "HW392"
    assert "24 products instead of 10" in (finding.found or "")
    assert not (tmp_path / "run").exists()
    assert hwflow.load(tmp_path / "narrow.onnx").source == "narrow.onnx"
