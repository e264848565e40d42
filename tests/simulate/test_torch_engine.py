"""The torch engine beyond what ``golden_graphs.assert_same_bits`` compares for every operator."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import hwflow
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.machine import install_command
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.ops.relu import Relu
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine
from hwflow.simulate.torch.engine import TorchEngine, _device
from hwflow.simulate.torch.operators import OPERATORS
from tests.golden_graphs import DEVICES, graph_of, plain

EXAMPLES = Path(__file__).parents[2] / "examples"
BYTE = TensorType.full((4,), FixedType(8, 3))


def finding(call: Callable[[], object]) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        call()
    (diagnostic,) = caught.value.diagnostics
    return diagnostic


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_that_is_not_exact_is_refused(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwflow.simulate.torch.settings.keeps_full_precision", lambda device: False)
    found = finding(lambda: TorchEngine(graph_of(Relu(), BYTE), device=device))
    assert (found.code, found.where) == ("HW571", device)


class Exponential(Relu):
    """An operator of a plugin that no library computes to the last bit."""

    def golden(self, *inputs: TensorType) -> str:
        return "e = Exp(x0)\nf = Floor(e)\ny = Tan(f)"


def test_every_unknown_operator_of_a_plugin_is_named() -> None:
    with pytest.raises(CompileError) as caught:
        TorchEngine(graph_of(Exponential(), BYTE))
    where = [d.where for d in caught.value.diagnostics]
    assert where == ["Exponential_y: Exp", "Exponential_y: Tan"]
    assert all(d.supported == ", ".join(sorted(OPERATORS)) for d in caught.value.diagnostics)


@pytest.mark.parametrize("device", ["mps", "gpu", "cpu:1", "cuda:", "cuda:9", "cuda:-1", "\x1b[2J"])
def test_devices_that_are_not_there_are_named(device: str) -> None:
    found = finding(lambda: TorchEngine(graph_of(Relu(), BYTE), device=device))
    assert found.code == "HW570"
    assert torch.__version__ in found.found
    assert "cpu" in found.found
    assert "\x1b" not in found.where


def test_cuda_without_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    found = finding(lambda: TorchEngine(graph_of(Relu(), BYTE), device="cuda"))
    assert (found.code, found.where) == ("HW570", "--device cuda")
    assert found.found == f"torch {torch.__version__}, which sees cpu"


def test_what_cuda_there_is_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda i: f"Card {i}")
    found = finding(lambda: TorchEngine(graph_of(Relu(), BYTE), device="cuda:2"))
    assert found.found.endswith("which sees cpu, cuda:0 (Card 0), cuda:1 (Card 1)")
    assert _device("cuda:1") == torch.device("cuda:1")


def test_a_batch_that_does_not_fit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TorchEngine(graph_of(Relu(), BYTE))

    def full(feeds: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20.00 GiB")

    monkeypatch.setattr(engine._program, "run", full)
    found = finding(lambda: engine.run({"in0": np.zeros((3, 4))}))
    assert (found.code, found.where) == ("HW573", "cpu")
    assert found.found.startswith("CUDA out of memory.?Tried to allocate 20.00 GiB")


def test_torch_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwflow.simulate.torch.engine.find_spec", lambda name: None)
    found = finding(lambda: TorchEngine(graph_of(Relu(), BYTE)))
    assert (found.code, found.help) == ("HW035", install_command("torch"))


def test_data_of_any_kind_is_taken(tmp_path: Path) -> None:
    graph = graph_of(Relu(), BYTE)
    values = np.arange(-64, 64).reshape(-1, 4) / 8
    np.save(tmp_path / "x.npy", values.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    kinds = [values, mapped, values.astype(">f4"), values[::-1], values.astype(np.float16),
             np.asfortranarray(values.astype(np.float32)), values.astype(int),
             values.astype(np.float32)[::2], values + 1e-12]  # fmt: skip
    engine, other = TorchEngine(graph), GoldenEngine(graph)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for data in kinds:
            before = data.copy()
            found = engine.run({"in0": data})
            np.testing.assert_array_equal(found["y"], other.run({"in0": data})["y"])
            np.testing.assert_array_equal(data, before)


@pytest.mark.parametrize("device", DEVICES)
def test_values_are_freed_after_their_last_use(
    device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def relu(x: torch.Tensor) -> torch.Tensor:
        alive.append(sum(ref() is not None for ref in seen))
        seen.append(weakref.ref(x))
        return torch.relu(x)

    monkeypatch.setattr(
        "hwflow.simulate.torch.program.OPERATORS", {**OPERATORS, "Relu": lambda call: relu}
    )
    nodes = [Node("in0", Input(shape=(4,), dtype=BYTE.dtype))]
    nodes += [Node(f"r{i}", Relu(), (nodes[-1].name if i == 0 else f"r{i - 1}",)) for i in range(6)]
    graph = Graph.build("chain", nodes, [plain("in0", BYTE)], [plain("r5", BYTE)])
    TorchEngine(graph, device=device).run({"in0": np.zeros((3, 4))})
    assert len(alive) == 6
    assert max(alive) == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["digits_mlp", "digits_cnn", "digits_residual"])
def test_networks_have_the_outputs_of_the_other_engines(name: str, device: str) -> None:
    design = hwflow.compile(EXAMPLES / f"{name}.onnx")
    (port,) = design.graph.inputs
    images = np.load(EXAMPLES / "digits.npz")["x"][:200].astype(np.float32)
    shape = design.graph.types[port.value].shape
    data = {port.name: images.reshape(-1, *(shape[i] for i in np.argsort(port.axes)))}
    found = TorchEngine(design.graph, device=device, threads=2).run(data)
    golden = GoldenEngine(design.graph).run(data)
    assert found.keys() == golden.keys()
    for output, expected in simulate(design.graph, data).outputs.items():
        assert found[output].dtype == golden[output].dtype
        np.testing.assert_array_equal(found[output], expected)
        np.testing.assert_array_equal(found[output], golden[output])
