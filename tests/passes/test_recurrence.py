"""Recurrent operators become steps that give what ONNX Runtime's operators give."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.frontends.quantization.preparation import prepare
from tests.recurrent_networks import INPUTS, network

WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"direction": "reverse", "steps": 1},
    {"direction": "bidirectional", "initial": True},
    {"clip": 0.5, "bias": False},
    {"steps": 9, "lengths": 9},
)
LSTM: tuple[dict[str, Any], ...] = (
    {"peepholes": True, "initial": True, "clip": 0.4},
    {"input_forget": 1, "peepholes": True},
    {"input_forget": 1},
    {"activations": ["HardSigmoid", "LeakyRelu", "Affine"], "activation_alpha": [0.3, 0.2, 0.7],
     "activation_beta": [0.4, 0.1]},
    {"activations": ["sigmoid", "Softplus", "relu"]},
)  # fmt: skip
GRU: tuple[dict[str, Any], ...] = (
    {"linear_before_reset": 1},
    {"activations": ["HardSigmoid", "Softsign", "Sigmoid", "ScaledTanh"],
     "direction": "bidirectional", "activation_alpha": [0.3, 0.9], "activation_beta": [0.4, 1.1]},
)  # fmt: skip
CASES = [
    *((op, way) for op in ("RNN", "LSTM", "GRU") for way in WAYS),
    *(("LSTM", more) for more in LSTM),
    *(("GRU", more) for more in GRU),
    ("RNN", {"activations": ["Relu"]}),
]


def run(proto: onnx.ModelProto, x: Any) -> list[Any]:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return list(session.run(None, {"x": x}))


def unrolled(proto: onnx.ModelProto) -> onnx.ModelProto:
    return ir.to_proto(prepare(load(proto)).ir)


@pytest.mark.parametrize(("op", "settings"), CASES)
def test_steps_give_what_the_operator_gives(op: str, settings: dict[str, Any]) -> None:
    """Up to float32, which both round in."""
    proto = network(op, **settings)
    steps = proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    x = np.random.default_rng(1).normal(0, 1, (1, steps, INPUTS)).astype(np.float32)
    ours = unrolled(proto)
    assert not {n.op_type for n in ours.graph.node} & {"RNN", "LSTM", "GRU", "Transpose"}
    for found, wanted in zip(run(ours, x), run(proto, x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_the_batch_may_be_the_first_axis(direction: str) -> None:
    """ONNX Runtime has no ``layout = 1``: the same weights with the steps first are the judge."""
    x = np.random.default_rng(1).normal(0, 1, (1, 5, INPUTS)).astype(np.float32)
    ours = run(unrolled(network("GRU", layout=1, direction=direction)), x)
    for found, wanted in zip(ours, run(network("GRU", direction=direction), x), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)


def test_a_stack_of_layers_keeps_the_batch_in_front() -> None:
    """As torch writes ``num_layers=2`` and the last step's states: no transpose is left."""
    torch = pytest.importorskip("torch")

    class Stack(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.cells = torch.nn.LSTM(INPUTS, 4, num_layers=2, bidirectional=True)
            self.last = torch.nn.Linear(8, 2)

        def forward(self, x: Any) -> Any:
            states, (h, _) = self.cells(x.transpose(0, 1))
            return self.last(states[-1]) + self.last(torch.cat([h[-2], h[-1]], 1))

    torch.manual_seed(0)
    module = Stack().eval()
    x = torch.randn(1, 6, INPUTS)
    ours = ir.to_proto(prepare(load(module, x)).ir)
    assert "Transpose" not in {n.op_type for n in ours.graph.node}
    (found,) = run(ours, x.numpy())
    np.testing.assert_allclose(found, module(x).detach().numpy(), rtol=0, atol=2e-6)


def with_input(proto: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return a model in which an initializer is an input."""
    (tensor,) = (t for t in proto.graph.initializer if t.name == name)
    proto.graph.initializer.remove(tensor)
    info = helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
    proto.graph.input.append(info)
    return proto


@pytest.mark.parametrize(
    ("proto", "found"),
    [
        (network("GRU", lengths=3), "sequence_lens = [3]"),
        (network("LSTM", activations=["Sigmoid", "Sinus", "Tanh"]), "activation Sinus"),
        (network("LSTM", activations=["Sigmoid"]), "1 activations"),
        (with_input(network("GRU", initial=True), "h"), "initial_h that is computed at run time"),
        (with_input(network("LSTM"), "R"), "R that is computed at run time"),
    ],
)
def test_what_is_not_unrolled_is_named(proto: onnx.ModelProto, found: str) -> None:
    with pytest.raises(CompileError) as refused:
        prepare(load(proto))
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW384", found)
    assert finding.where.startswith("cell: ")


def test_unknown_attributes_are_refused_by_their_name() -> None:
    with pytest.raises(CompileError) as refused:
        load(network("RNN", more=1))
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW034", "more = 1")


def test_long_sequences_are_refused() -> None:
    with pytest.raises(CompileError) as refused:
        prepare(load(network("GRU", steps=1025)))
    (finding,) = refused.value.diagnostics
    assert (finding.code, finding.found) == ("HW381", "1025 steps")


def test_first_states_of_zeros_are_none() -> None:
    """They are left out of the sums, as is what would be multiplied by them."""
    proto = network("LSTM", initial=True)
    for tensor in proto.graph.initializer:
        if tensor.name in "hc":
            zeros = np.zeros(tuple(tensor.dims), np.float32)
            tensor.CopyFrom(numpy_helper.from_array(zeros, tensor.name))
    count = [len(unrolled(p).graph.node) for p in (proto, network("LSTM"))]
    assert count[0] == count[1]
