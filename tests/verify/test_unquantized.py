"""The float reference: the network without quantisers, another model, or outputs that are given."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.passes.model.clean_model import clean_model
from hwflow.verify.references.float_model import float_values
from hwflow.verify.references.unquantized import NoFloatReferenceError, remove_quantizers
from tests.cli.command import dense
from tests.fixtures import model
from tests.networks import Builder

Golden = Callable[[str, str], None]
X = np.random.default_rng(4).uniform(-3, 3, (40, 4)).astype(np.float32)


def raw_weights(proto: onnx.ModelProto, *shape: int) -> np.ndarray:
    tensors = (onnx.numpy_helper.to_array(t) for t in proto.graph.initializer)
    return next(t for t in tensors if t.shape == shape).astype(np.float64)


def read(proto: onnx.ModelProto) -> Any:
    return clean_model(load(proto))


def output(proto: onnx.ModelProto) -> str:
    return proto.graph.output[0].name


def mlp(rounded: bool = False) -> onnx.ModelProto:
    """Return a dense layer without a relu before its unsigned quantiser."""
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 5, 1 / 4, signed=True)
    values = np.random.default_rng(2).normal(size=(4, 3))
    values = np.clip(np.rint(values * 4), -8, 7) / 4 if rounded else values
    b.tensors.append(onnx.numpy_helper.from_array(values.astype(np.float32), "w"))
    x = b.node("MatMul", [x, b.quant("w", 4, 1 / 4, signed=True)])
    return model(b, b.quant(x, 4, 1 / 4, signed=False), (1, 4), (1, 3))


def test_the_network_without_quantisers_is_the_float_network() -> None:
    proto = mlp()
    found = float_values(None, read(proto), {"x": X}, [])
    expected = np.maximum(X.astype(np.float64) @ raw_weights(proto, 4, 3), 0)
    assert found.values[output(proto)] == pytest.approx(expected, abs=1e-5)
    assert found.values[output(proto)].max() > 15 / 4  # the quantiser's upper limit is gone
    assert found.reference.endswith("unquantised weights and activations")


def test_weights_that_are_rounded_already_are_told() -> None:
    found = float_values(None, read(mlp(rounded=True)), {"x": X}, [])
    assert found.reference.endswith("except for weights: the file stores them rounded")


def test_quantised_values_keep_their_names() -> None:
    proto = mlp()
    inner = [n.output[0] for n in proto.graph.node if n.op_type == "Quant" and n.input[0] == "x"]
    found = float_values(None, read(proto), {"x": X}, inner)
    assert np.array_equal(found.values[inner[0]], X)


def test_trunc_keeps_its_factor() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.quant("x", 6, 1 / 4, signed=True)
    bits = [b.constant(np.float32(v)) for v in (1 / 4, 0, 6, 4)]
    b.nodes.append(
        onnx.helper.make_node("Trunc", [x, *bits], ["t"], domain="qonnx.custom_op.general")
    )
    found = float_values(None, read(model(b, "t", (1, 4), (1, 4))), {"x": X}, [])
    assert found.values["t"] == pytest.approx(X / 4)


def bipolar() -> onnx.ModelProto:
    return onnx.load("tests/models/bipolar.onnx")


def bare() -> onnx.ModelProto:
    b = Builder(np.random.default_rng(1))
    return model(b, b.node("Relu", ["x"]), (1, 4), (1, 4))


@pytest.mark.parametrize(("make", "why"), [(bipolar, "a sign is no rounding"), (bare, "no quant")])
def test_models_that_mean_nothing_without(make: Callable[[], onnx.ModelProto], why: str) -> None:
    with pytest.raises(NoFloatReferenceError, match=why):
        remove_quantizers(read(make()))


def float_model(*, name: str = "x", result: str | None = None) -> onnx.ModelProto:
    """Return the float network of ``mlp``, with relu, under other names."""
    b = Builder(np.random.default_rng(1))
    weights = raw_weights(mlp(), 4, 3).astype(np.float32)
    b.tensors.append(onnx.numpy_helper.from_array(weights, "w"))
    y = b.node("Relu", [b.node("MatMul", [name, "w"])])
    proto = model(b, y, (1, 4), (1, 3))
    proto.graph.input[0].name = name
    return proto


@pytest.mark.parametrize("name", ["x", "image"])
def test_a_float_model_is_matched_by_name_or_position(name: str) -> None:
    proto = mlp()
    own = float_values(None, read(proto), {"x": X}, [])
    found = float_values(float_model(name=name), read(proto), {"x": X}, [])
    assert found.values[output(proto)] == pytest.approx(own.values[output(proto)], abs=1e-6)


def test_given_outputs_are_taken(tmp_path: Any) -> None:
    proto = mlp()
    values = np.random.default_rng(3).normal(size=(40, 3))
    np.savez(tmp_path / "float.npz", anything=values)
    for given in (tmp_path / "float.npz", values, {output(proto): values}):
        found = float_values(given, read(proto), {"x": X}, [])
        assert np.array_equal(found.values[output(proto)], values)


def two_inputs() -> onnx.ModelProto:
    proto = float_model()
    proto.graph.input.append(proto.graph.input[0])
    proto.graph.input[1].name = "x2"
    return proto


BAD: dict[str, Callable[[], Any]] = {
    "float_quantised": mlp,
    "float_inputs": two_inputs,
    "float_samples": lambda: np.zeros((39, 3)),
    "float_shape": lambda: np.zeros((40, 4)),
    "float_nan": lambda: np.full((40, 3), np.nan),
    "float_text": lambda: np.full((40, 3), "a"),
    "float_names": lambda: {"a": np.zeros((40, 3)), "b": np.zeros((40, 3))},
}


@pytest.mark.parametrize("name", BAD)
def test_what_does_not_fit(name: str, golden: Golden) -> None:
    design = hwflow.compile(mlp())
    with pytest.raises(CompileError) as caught:
        design.verify(X, cpp=False, float_model=BAD[name]())
    assert {d.code for d in caught.value.diagnostics} == {"HW407"}
    golden(f"errors/{name}.txt", f"{caught.value}\n")


def test_both_budgets_of_a_design() -> None:
    proto = dense()
    found = hwflow.compile(proto).verify({"x": X, "y": np.zeros(40, int)}, cpp=False)
    assert found.budget is not None
    (loss,), (error,) = found.budget.outputs, found.errors
    assert loss.error.accuracy == error.reference_accuracy  # both the quantised model's
    assert found.budget.samples == 40
    assert {layer.layer for layer in found.budget.layers} <= set(found.simulation.layers)
    assert len(found.budget.layers) == 2  # the input's quantiser and the one behind the relu
    weights, x = raw_weights(proto, 4, 3), X.astype(np.float64)
    bias = raw_weights(proto, 3)
    real = np.maximum(x @ weights + bias, 0)
    ours = found.simulation.outputs[output(proto)]
    assert loss.error.max_abs == pytest.approx(np.abs(ours - real).max(), abs=1e-5)


def test_a_network_that_is_not_finite_without_quantisers_is_no_reference() -> None:
    b = Builder(np.random.default_rng(1))
    x = b.node("Log", [b.quant("x", 4, 1 / 4, signed=False)])
    proto = model(b, b.quant(x, 6, 1 / 8, signed=True), (1, 4), (1, 4))
    with pytest.raises(NoFloatReferenceError, match="not finite"):
        float_values(None, read(proto), {"x": X}, [])


def test_without_a_float_reference_the_reason_is_given() -> None:
    found = hwflow.compile(bipolar()).verify(cpp=False)
    assert found.budget is None
    assert "a sign is no rounding" in found.no_budget
