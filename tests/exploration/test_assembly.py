"""Graphs of configurations that are put together equal those that are compiled."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwflow.core.workers import Processes
from hwflow.exploration.assembly import Assembly
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.table import distinct
from hwflow.ir.graph import Graph
from hwflow.ir.text import print_graph
from hwflow.passes.lowering import lower
from tests.exploration.spaces import request


def assembly_of(explorer: Explorer) -> Assembly:
    (priced,) = explorer.boards
    return Assembly(
        bench=explorer.bench, space=explorer.space, stages=explorer.stages,
        config=explorer.request.config(priced.name), target=priced.target,
    )  # fmt: skip


def assert_same(found: Graph, wanted: Graph) -> None:
    assert print_graph(found) == print_graph(wanted)
    for ours, theirs in zip(found.outputs, wanted.outputs, strict=True):
        assert np.array_equal(ours.grid.scale, theirs.grid.scale)
        assert np.array_equal(ours.grid.offset, theirs.grid.offset)
    for name, kind in wanted.types.items():
        assert found.types[name].dtype == kind.dtype
        assert np.array_equal(found.types[name].lo, kind.lo)
        assert np.array_equal(found.types[name].hi, kind.hi)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("mlp", {"bits": "w=2,4 a=4"}), ("residual", {"bits": "w=2,3 a=3,5", "group": (".",)}),
     ("branches", {"bits": "w=3 a=3,6", "method": {"per_channel": True}, "group": (".",)})],
)  # fmt: skip
def test_assembled_graphs_are_those_of_the_pipeline(
    name: str, changes: dict[str, Any], tmp_path: Path
) -> None:
    explorer = Explorer.of(request(tmp_path, name, **changes))
    (priced,) = explorer.boards
    config = explorer.request.config(priced.name)
    found = assembly_of(explorer)
    for number in range(explorer.space.size):
        wanted = explorer.graph(number, config, priced.target)
        assert_same(found.graph(number), wanted)
    whole = found.whole
    for number in range(explorer.space.size):
        found.graph(number)
    assert found.whole == whole <= explorer.space.size


def test_few_configurations_go_through_all_passes(tmp_path: Path) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,3,4 a=4"))
    found = assembly_of(explorer)
    for number in range(explorer.space.size):
        found.graph(number)
    assert explorer.space.size == 27
    assert found.whole < 27


def test_nodes_are_lowered_once_for_the_same_constants_and_operands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,4 a=4"))
    found = assembly_of(explorer)
    met: list[str] = []
    lower_node = lower._lower_node

    def counted(walk: Any, node: Any) -> Any:
        met.append(node.name)
        return lower_node(walk, node)

    monkeypatch.setattr(lower, "_lower_node", counted)
    graphs = [found.graph(number) for number in range(explorer.space.size)]
    nodes = len(met)
    met.clear()
    again = [found.graph(number) for number in range(explorer.space.size)]
    for ours, theirs in zip(again, graphs, strict=True):
        assert_same(ours, theirs)
    met.clear()
    for number in range(explorer.space.size):
        found.graph(number)
    assert nodes > 0
    assert not met


def test_models_that_are_unlike_are_compiled_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,4 a=4"))
    found = assembly_of(explorer)
    found.graph(0)
    passed = Assembly._passed

    def renamed(self: Assembly, number: int) -> Any:
        model = passed(self, number)
        next(iter(model.ir.graph)).name = "another"
        return model

    monkeypatch.setattr(Assembly, "_passed", renamed)
    for number in (*range(1, explorer.space.size), 1):
        found.graph(number)
    assert found.whole == explorer.space.size + 1


def test_two_processes_compile_what_one_does(tmp_path: Path) -> None:
    figures = []
    for slots in (1, 2):
        explorer = Explorer.of(request(tmp_path, "mlp", bits="w=2,4 a=3,4"))
        (priced,) = explorer.boards
        numbers = np.arange(explorer.space.size)
        priced.learn(numbers, Processes(slots))
        compiled = priced.table.compiled
        figures.append(priced.figures(numbers))
        assert priced.table.compiled == compiled
    for name, found in figures[0].items():
        assert np.array_equal(found, figures[1][name])


@pytest.mark.parametrize("largest", [3, 1000, 2**40])
def test_kinds_are_those_of_numpy(largest: int) -> None:
    rng = np.random.default_rng(largest)
    for size in (1, 7, 300):
        columns = [rng.integers(0, largest, size) for _ in range(3)]
        first, kind = distinct(columns, size)
        rows = np.stack(columns, axis=1)
        wanted, at, inverse = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        assert np.array_equal(rows[first], wanted)
        assert np.array_equal(first, at)
        assert np.array_equal(kind, inverse.ravel())
