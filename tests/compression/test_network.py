"""What is trained, what is written, and what the hardware computes are the same bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.compression.exporting import exported
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import save_model
from tests.compression.trainings import bits_of, network, request, same

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.torch

GRANULARITIES = [
    {"weights": "weight", "activations": "channel"},
    {"weights": "channel", "activations": "layer"},
    {"weights": "layer", "activations": "channel"},
]


@pytest.mark.parametrize("granularity", GRANULARITIES)
@pytest.mark.parametrize("name", ["mlp", "residual", "branches"])
def test_design_computes_what_was_trained(
    name: str, granularity: dict[str, Any], tmp_path: Path
) -> None:
    made, samples = network(request(tmp_path, name), **granularity)
    x = samples.held_out["x"]
    exact = made.double()({"x": torch.from_numpy(x).double()})
    design = hwflow.compile(exported(made.skeleton, made.learned()), io_type="io_stream")
    for output, ours in exact.items():
        found = design.simulate({"x": x}).outputs[output]
        assert np.array_equal(found, ours.detach().numpy().reshape(found.shape))
        assert len(np.unique(found)) > 10


@pytest.mark.parametrize("name", ["mlp", "residual"])
def test_file_is_lossless_by_exact_arithmetic(name: str, tmp_path: Path) -> None:
    made, samples = network(request(tmp_path, name))
    path = save_model(exported(made.skeleton, made.learned()), tmp_path / "learned.onnx")
    design = hwflow.compile(path, io_type="io_stream")
    verification = design.verify({"x": samples.held_out["x"]}, cpp=False)
    assert verification.lossless.mismatches == 0
    assert not verification.lossless.float32_only


def test_state_is_restored(tmp_path: Path) -> None:
    made, samples = network(request(tmp_path, "residual"))
    other, _ = network(request(tmp_path, "residual"))
    kept = made.learned()
    with torch.no_grad():
        for bits in other.parameters_named("fraction"):
            bits.add_(1)
    assert not same(other.learned(), kept)
    other.restore(kept)
    assert same(other.learned(), kept)
    x = {"x": torch.from_numpy(samples.held_out["x"])}
    for name, value in made(x).items():
        assert torch.equal(other(x)[name], value)


def test_effective_bit_operations_are_counted_by_hand(tmp_path: Path) -> None:
    from hwflow.compression.training.cost import ebops

    made, _ = network(request(tmp_path))
    made.refresh()
    learned, total = made.learned(), 0
    formats = {}
    for site in made.skeleton.sites:
        bits = learned.whole[site.node] + learned.fraction[site.node]
        formats[site.node] = np.maximum(bits, 0).astype(int).ravel()
    for site, layer in zip(made.skeleton.sites, made.layers, strict=True):
        matrix, bias = learned.weights[layer.step.node]
        fractions = _fractions(made, layer.matrix)
        for (i, j), weight in np.ndenumerate(matrix):
            total += formats[site.node][i] * bits_of(weight, fractions[i, j])
        fractions = _fractions(made, layer.bias)
        total += sum(bits_of(b, f) for b, f in zip(bias, fractions, strict=True))
    assert total > 300
    assert float(ebops(made).detach()) == total


def _fractions(made: Any, name: str) -> np.ndarray[Any, Any]:
    bits = made.constants[made._learned[name]].fraction
    return np.floor(bits.detach().numpy() + 0.5).astype(int)


def test_operator_that_cannot_be_trained_is_named(tmp_path: Path) -> None:
    import onnx

    asked = request(tmp_path)
    proto = onnx.load(asked.model)
    for node in proto.graph.node:
        if node.op_type == "Relu":
            node.op_type = "Softplus"
    onnx.save(proto, asked.model)
    with pytest.raises(CompileError) as refused:
        network(asked)
    assert {d.code for d in refused.value.diagnostics} == {"HW350"}
    assert "Softplus" in refused.value.diagnostics[0].where
