"""Ensembles: what is shared, what is named how, what is refused; the numbers are the networks'."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends.ensemble import ensemble, save_model
from hwflow.ops.arg_max import ArgMax
from hwflow.ops.mean import Mean
from hwflow.ops.sum import Sum
from hwflow.simulate.float32 import Reference
from hwflow.simulate.samples import mixed_data
from tests.fixtures import model
from tests.networks import Builder


def network(
    seed: int, *, bits: int = 5, classes: int = 3, inputs: int = 4, opset: int = 18
) -> onnx.ModelProto:
    """Return two dense layers; the weights depend on the seed, the quantisers do not."""
    b = Builder(np.random.default_rng(seed))
    x = b.quant("x", bits, 1 / 8, signed=True)
    x = b.node("MatMul", [x, b.weight((inputs, 6), 4, 1 / 4)])
    x = b.quant(b.node("Relu", [x]), 4, 1 / 4, signed=False)
    x = b.node("Gemm", [x, b.weight((6, classes), 4, 1 / 4), b.bias(classes)])
    proto = model(b, x, (1, inputs), (1, classes))
    proto.opset_import[0].version = opset
    return proto


def codes(problem: Callable[[], object]) -> list[str]:
    with pytest.raises(CompileError) as refusal:
        problem()
    assert all(d.found and (d.supported or d.help) for d in refusal.value.diagnostics)
    return [d.code for d in refusal.value.diagnostics]


@pytest.mark.parametrize(
    ("count", "vote", "label"),
    [
        (2, "mean", False),
        (4, "mean", False),
        (3, "sum", False),
        (3, "mean", True),
        (2, "sum", True),
    ],
)
def test_the_hardware_has_the_numbers_of_the_networks(count: int, vote: str, label: bool) -> None:
    networks = [network(seed) for seed in range(count)]
    design = hwflow.compile(hwflow.ensemble(networks, vote=vote, label=label))
    data = mixed_data(design.graph, 500)
    found = design.verify(data, cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
    alone = [Reference(hwflow.load(n)).run(data.inputs) for n in networks]
    outputs = np.stack([next(iter(a.values())) for a in alone]).astype(np.float64)
    votes = outputs.sum(axis=0) / (count if vote == "mean" and not label else 1)
    (ours,) = found.simulation.outputs.values()
    np.testing.assert_array_equal(ours, votes.argmax(1) if label else votes)


def test_inputs_and_their_quantisers_are_shared() -> None:
    merged = ensemble([network(1), network(2), network(3)])
    readers = [n.op_type for n in merged.ir.graph if "x" in [v.name for v in n.inputs if v]]
    assert readers == ["Quant"]
    assert [v.name for v in merged.ir.graph.inputs] == ["x"]
    graph = hwflow.compile(merged).graph
    assert Counter(n.op.kind for n in graph.nodes) == {"Input": 1, "Dense": 6, "Mean": 1}
    assert graph.nodes[0].op.parameters()["assumed"] is False


def test_quantisers_that_differ_stay() -> None:
    merged = ensemble([network(1), network(2, bits=4)])
    assert sum("x" in [v.name for v in n.inputs if v] for n in merged.ir.graph) == 2


def test_one_network_twice_is_there_once() -> None:
    design = hwflow.compile(ensemble([network(1), network(1)]))
    assert sum(n.op.kind == "Dense" for n in design.graph.nodes) == 2


@pytest.mark.parametrize(("vote", "label", "kind"), [("mean", False, Mean), ("sum", False, Sum)])
def test_the_vote_is_one_operator(vote: str, label: bool, kind: type) -> None:
    graph = hwflow.compile(ensemble([network(s) for s in range(3)], vote=vote, label=label)).graph
    assert isinstance(graph.by_name["vote"].op, kind)


def test_a_label_is_that_of_the_sum() -> None:
    graph = hwflow.compile(ensemble([network(s) for s in range(3)], label=True)).graph
    assert isinstance(graph.by_name["vote"].op, Sum)
    assert isinstance(graph.by_name["label"].op, ArgMax)
    assert [p.name for p in graph.outputs] == ["label"]


def test_names_say_which_network_a_layer_is_of(tmp_path: Path) -> None:
    for name, seed in (("small.onnx", 1), ("x y;$(z).onnx", 2)):
        onnx.save(network(seed), tmp_path / name)
    files = sorted(tmp_path.iterdir())
    design = hwflow.compile(ensemble([*files, files[0]]))
    origins = [n.origin for n in design.graph.nodes if n.op.kind == "Dense"]
    assert origins[0].startswith("small.")
    assert {o.split(".")[0] for o in origins} == {"small", "x_y_z"}


def test_names_never_meet() -> None:
    first, second = network(1), network(2)
    first.graph.name = second.graph.name = "x"
    for proto in (first, second):  # the prefix x/ and the value v10 could make the input x/v10
        proto.graph.input[0].name = "x/v10"
        proto.graph.node[0].input[0] = "x/v10"
    design = hwflow.compile(ensemble([first, second], label=True))
    found = design.verify(mixed_data(design.graph, 50), cpp=False)
    assert found.lossless is not None
    assert found.lossless.holds


def test_networks_are_not_changed() -> None:
    networks = [network(1), network(2)]
    before = [n.SerializeToString() for n in networks]
    loaded = [hwflow.load(n) for n in networks]
    names = [[n.name for n in m.ir.graph] for m in loaded]
    ensemble(networks)
    ensemble(loaded)
    assert [n.SerializeToString() for n in networks] == before
    assert [[n.name for n in m.ir.graph] for m in loaded] == names


def with_label() -> onnx.ModelProto:
    proto = network(1)
    out = proto.graph.output.pop()
    proto.graph.node.append(helper.make_node("ArgMax", [out.name], ["label"], axis=1))
    proto.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, None))
    return proto


def test_what_does_not_fit_is_refused_all_at_once() -> None:
    assert codes(lambda: ensemble([network(1)])) == ["HW260"]
    assert codes(lambda: ensemble([], vote="max")) == ["HW260", "HW264"]
    assert codes(lambda: ensemble([network(1), network(2, inputs=5)])) == ["HW261"]
    assert codes(lambda: ensemble([network(1), network(2, opset=17)])) == ["HW263"]
    others = [network(1), network(2, inputs=5, classes=2), network(3, classes=4)]
    assert codes(lambda: ensemble(others)) == ["HW261", "HW262", "HW262"]
    assert codes(lambda: ensemble([with_label(), with_label()])) == ["HW265"]


def test_all_files_that_cannot_be_read_are_named() -> None:
    with pytest.raises(CompileError) as refusal:
        ensemble([Path("a.onnx"), Path("b.onnx")])
    assert [d.found for d in refusal.value.diagnostics] == ["a.onnx", "b.onnx"]


def test_the_file_is_valid_and_the_same_model(tmp_path: Path) -> None:
    merged = ensemble([network(1), network(2)], label=True)
    path = save_model(merged, tmp_path / "both.onnx")
    onnx.checker.check_model(onnx.load(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["both.onnx"]
    designs = [hwflow.compile(path), hwflow.compile(merged)]
    data = mixed_data(designs[0].graph, 100)
    one, other = (d.simulate(data).outputs["label"] for d in designs)
    np.testing.assert_array_equal(one, other)
    content = path.read_bytes()
    save_model(ensemble([network(1), network(2)], label=True), path)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    merged = ensemble([network(1), network(2)])
    (tmp_path / "taken").mkdir()
    assert codes(lambda: save_model(merged, tmp_path / "taken")) == ["HW552"]
    assert codes(lambda: save_model(merged, tmp_path / "no" / "folder.onnx")) == ["HW552"]
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
