"""The network on this machine: what is timed is the network, and how it is timed."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

import hwflow
from hwflow.core.inference import open_session
from hwflow.project.baseline import measuring, timing
from hwflow.project.baseline.measuring import measure, on_torch
from hwflow.project.baseline.networks import (
    NoInt8NetworkError,
    float32_network,
    int8_network,
)
from hwflow.project.baseline.timing import FEWEST, filled, latency, throughput
from hwflow.project.design import Design
from tests.cli.command import hwflow as run_hwflow

MODELS = ("digits_mlp", "digits_cnn", "digits_residual")


def compiled(name: str) -> Design:
    return hwflow.compile(f"examples/{name}.onnx")


def digits(design: Design) -> dict[str, np.ndarray]:
    with np.load("examples/digits.npz") as data:
        x = data["x"]
    (port,) = design.graph.inputs
    shape = {"digits_mlp": (-1, 64)}.get(design.graph.name, (-1, 1, 8, 8))
    return {port.name: x.reshape(shape).astype(np.float32)}


def outputs(proto: object, feeds: dict[str, np.ndarray]) -> np.ndarray:
    session = open_session(proto.SerializeToString())  # type: ignore[attr-defined]
    (found,) = session.run(None, feeds)
    return np.asarray(found)


@pytest.mark.parametrize("name", MODELS)
def test_the_float_network_is_the_one_that_verify_compares_with(name: str) -> None:
    """Its outputs are those of the float reference, and any batch gives the same."""
    from hwflow.passes.model.clean_model import clean_model
    from hwflow.verify.references.float_model import float_values

    design = compiled(name)
    feeds = {k: v[:64] for k, v in digits(design).items()}
    network = float32_network(design.origin.read())
    assert network.batched
    found = outputs(network.proto, feeds)
    reference = float_values(None, clean_model(design.origin.read()), feeds, ())
    (expected,) = reference.values.values()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    single = outputs(network.proto, {k: v[5:6] for k, v in feeds.items()})
    np.testing.assert_allclose(single[0], found[5], rtol=1e-4, atol=1e-4)
    assert not any(n.op_type in ("Quant", "BipolarQuant") for n in network.proto.graph.node)


@pytest.mark.parametrize("name", MODELS)
def test_the_int8_network_is_the_same_one_in_8_bits(name: str) -> None:
    design = compiled(name)
    feeds = digits(design)
    network = float32_network(design.origin.read())
    small = int8_network(network, feeds)
    kinds = [node.op_type for node in small.proto.graph.node]
    assert kinds.count("QuantizeLinear") >= 2
    weights = [t for t in small.proto.graph.initializer if t.data_type == 3]
    assert len(weights) >= 2, "weights are INT8"
    classes = [outputs(n.proto, feeds).argmax(axis=1) for n in (network, small)]
    assert (classes[0] == classes[1]).mean() > 0.97


def test_a_model_without_quantisers_is_timed_as_it_is() -> None:
    network = float32_network(hwflow.load("examples/digits_float.onnx"))
    assert "since the model has no quantisers" in network.what


def test_a_network_that_is_not_quantised_says_why() -> None:
    network = float32_network(compiled("digits_mlp").origin.read())
    network.proto.graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(NoInt8NetworkError):
        int8_network(network, digits(compiled("digits_mlp")))


def test_medians_are_those_of_the_runs() -> None:
    def run(feeds: object) -> None:
        time.sleep(0.002)

    sample = {"x": np.zeros((1, 4), np.float32)}
    found = latency(run, sample, seconds=0.0)
    assert found.runs == FEWEST
    assert 2_000 <= found.low_us <= found.median_us <= found.high_us
    assert found.median_us < 20_000


def test_the_best_batch_is_taken() -> None:
    """A network that takes 2 ms a call, and 1 ms more a sample from 9 on."""

    def run(feeds: dict[str, np.ndarray]) -> None:
        time.sleep(0.002 + max(0, len(feeds["x"]) - 8) * 1e-3)

    samples = {"x": np.arange(8, dtype=np.float32).reshape(4, 2)}
    found = throughput(run, samples, (1, 8, 64), seconds=0.02)  # type: ignore[arg-type]
    assert found.batch == 8
    assert 1_000 < found.per_s <= 4_000


def test_a_batch_repeats_the_samples() -> None:
    array = np.arange(6).reshape(3, 2)
    np.testing.assert_array_equal(filled(array, 5), array[[0, 1, 2, 0, 1]])
    assert filled(array, 2).flags.c_contiguous


@pytest.mark.torch
def test_torch_computes_the_same_network(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from hwflow.simulate.torch.plain import plain_model

    design = compiled("digits_cnn")
    feeds = {k: v[:32] for k, v in digits(design).items()}
    network = float32_network(design.origin.read())
    with plain_model(network.proto, "cpu") as plain:
        (found,) = plain.run(feeds).values()
    np.testing.assert_allclose(found, outputs(network.proto, feeds), rtol=1e-4, atol=1e-4)
    monkeypatch.setattr(timing, "SECONDS", 0.01)
    monkeypatch.setattr(measuring, "BATCHES", (1, 8))
    row = on_torch(network, feeds, "cpu")
    assert row.reason == ""
    assert row.engine.startswith("torch 2")
    assert row.throughput is not None


def test_an_operator_that_torch_lacks_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    design = compiled("digits_mlp")
    network = float32_network(design.origin.read())
    network.proto.graph.node[0].op_type = "NoSuchOperator"
    row = on_torch(network, digits(design), "cpu")
    assert row.latency is None
    assert row.reason


def test_everything_is_in_one_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(measuring, "has_cuda", lambda: False)
    monkeypatch.setattr(timing, "SECONDS", 0.01)
    model, data = Path("examples/digits_mlp.onnx").resolve(), Path("examples/digits.npz").resolve()
    monkeypatch.chdir(tmp_path)
    ran = run_hwflow(capsys, "estimate", model, "--baseline", "--json", "--data", data)
    assert (ran.status, ran.err, ran.new) == (0, "", ())
    content = json.loads(ran.out)
    rows = {row["network"]: row for row in content["baseline"]["measured"]}
    assert set(rows) == {"float32", "int8"}
    for row in rows.values():
        assert row["reason"] == ""
        assert 0 < row["latency_us"]["p5"] <= row["latency_us"]["median"]
        assert row["latency_us"]["threads"] >= 1
        assert row["throughput"]["batch"] in timing.BATCHES
    assert content["baseline"]["data"].endswith("digits.npz")
    assert content["power"]["total_w"]["low"] > 0
    ran = run_hwflow(capsys, "estimate", model, "--baseline")
    assert "float32, measured" in ran.out
    assert "hardware, estimated" in ran.out
    ran = run_hwflow(capsys, "estimate", model, "--baseline", "--board", "pynq-z2,zcu104")
    assert ran.status == 2
    ran = run_hwflow(capsys, "estimate", model, "--json")
    assert json.loads(ran.out)["baseline"] is None


def test_a_refusal_of_the_engine_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(measuring, "has_cuda", lambda: False)
    monkeypatch.setattr(measuring, "open_session", refuse)
    rows = measure(compiled("digits_mlp")).rows
    assert [row.reason for row in rows] == ["no such kernel"] * 2
    assert all(row.latency is None for row in rows)
