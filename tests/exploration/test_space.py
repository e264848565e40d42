"""Options are read, names are known, and what shares a scale shares its bits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from hwflow.core.errors import CompileError
from hwflow.exploration import space
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.space import Space, Variable, read_wish
from hwflow.exploration.stages import Stage, pieces_of
from hwflow.exploration.table import covering
from hwflow.fixed import FixedType
from hwflow.frontends.quantization import quantize
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.ops.relu import Relu
from hwflow.report.manifest.digests import model_digest
from tests.exploration.spaces import request
from tests.fixtures import model
from tests.frontends.quantization.networks import weights
from tests.networks import Builder


def test_ranges_lists_and_single_layers_are_read() -> None:
    wish = read_wish("w=2:4 a=3,8", ["fc1:w=6", "fc2:w=4:5,a=3"], ["fc[12]"])
    assert wish.bits == {"w": (2, 3, 4), "a": (3, 8)}
    assert wish.fixed == {"fc1.w": (6,), "fc2.w": (4, 5), "fc2.a": (3,)}


@pytest.mark.parametrize(
    "given", [("w=1:4",), ("b=3",), ("w",), ("w=2 a=4", ["fc:w=99"]), ("w=2", [], ["("])]
)
def test_options_that_cannot_be_read_are_refused(given: tuple[str, ...]) -> None:
    with pytest.raises(CompileError, match="HW320"):
        read_wish(*given)  # type: ignore[arg-type]
    read_wish("w=2:8 a=4,6,8")  # what is supported


def test_unknown_layers_and_costs_are_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(CompileError, match="HW321") as refused:
        Explorer.of(request(tmp_path, "mlp", fix=("n9:w=4",)))
    known = str(refused.value).split("supported:")[1].split(",")[-1].split()[0]
    name, _, kind = known.rpartition(".")
    explorer = Explorer.of(request(tmp_path, "mlp", fix=(f"{name}:{kind}=4",)))
    assert (known, (4,)) in [(v.name, v.options) for v in explorer.space.variables]
    with pytest.raises(CompileError, match="HW323"):
        request(tmp_path, "mlp", cost=("money",)).check()
    request(tmp_path, "mlp", cost=("lut", "latency_ns")).check()


def test_operands_of_sums_have_the_same_bits(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "residual"))
    (shared,) = (v for v in explorer.space.variables if len(v.members) > 1)
    assert all(name.endswith(".a") for name in shared.members)


def test_groups_have_the_same_bits(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", group=(".",)))
    assert [len(v.members) for v in explorer.space.variables] == [3, 3]
    assert explorer.space.size == 4


def test_numbers_and_digits_are_one_to_one() -> None:
    space = Space((Variable("a", ("a",), (2, 3)), Variable("b", ("b",), (1, 4, 6))))
    found = [space.digits(n) for n in range(space.size)]
    assert sorted(set(found)) == found
    assert [space.number(d) for d in found] == list(range(6))
    assert space.bits(4) == {"a": 3, "b": 4}
    assert space.options(np.arange(6), 1).tolist() == [0, 1, 2, 0, 1, 2]


def test_covering_choices_have_every_choice_of_each_stage() -> None:
    variables = [(0, 1), (1, 2, 3), (3, 4)]
    found = covering([[3, 2], [2, 4, 3], [3, 2]], variables, 5)
    for own, sizes in zip(variables, ([3, 2], [2, 4, 3], [3, 2]), strict=True):
        assert {tuple(d[v] for v in own) for d in found} == set(np.ndindex(*sizes))
    assert len(found) == 24


def test_configurations_are_what_quantize_gives(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "branches", method={"per_channel": True}))
    for number in (0, explorer.space.size - 1):
        ours = explorer.bench.quantized(explorer.space.bits(number))
        theirs = quantize(
            explorer.request.model, explorer.request.data, explorer.space.bits(number),
            independent=True, per_channel=True,
        )  # fmt: skip
        assert model_digest(ours) == model_digest(theirs.model)


def test_values_that_stages_share_unnamed_are_refused() -> None:
    kind = TensorType.full((2,), FixedType(4, 4))
    nodes = [Node("x", Input(shape=(2,), dtype=kind.dtype), source=Port("x", "q", (1,)))]
    nodes += [Node("a", Relu(), ("x",)), Node("b", Relu(), ("a",)), Node("c", Relu(), ("a",))]
    graph = Graph.build("g", nodes, [Port("x", "x", (1,))], [Port(n, n, (1,)) for n in "bc"])
    stages = [Stage("q", (), (), ()), Stage("b", (0,), (), (), 0), Stage("c", (0,), (), (), 1)]
    with pytest.raises(CompileError, match="HW322"):
        pieces_of(graph, stages)
    named = replace(nodes[1], source=Port("a", "a", (1,)))
    held = Graph.build("g", [nodes[0], named, *nodes[2:]], graph.inputs, graph.outputs)
    found = [stages[0], Stage("a", (0,), (), ()), *(replace(s, feeds=(1,)) for s in stages[1:])]
    assert [len(piece.nodes) for piece in pieces_of(held, found)] == [1, 1, 1, 1]


def test_spaces_that_have_no_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(space, "MOST", 4)
    with pytest.raises(CompileError, match="HW330"):
        Explorer.of(request(tmp_path, "mlp"))
    assert Explorer.of(request(tmp_path, "mlp", group=(".",))).space.size == 4  # the help


def test_models_without_classes_are_refused(tmp_path: Path) -> None:
    b = Builder(np.random.default_rng(0))
    asked = request(tmp_path, "mlp")
    onnx.save(model(b, b.node("Gemm", ["x", weights(b, 6, 1)]), (1, 6), (1, 1)), asked.model)
    np.savez(asked.data, x=b.rng.normal(size=(40, 6)).astype(np.float32))
    with pytest.raises(CompileError, match="HW325"):
        _ = Explorer.of(asked).search
    quantize(asked.model, asked.data)  # the help
