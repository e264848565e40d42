"""The user's settings reach the layers they name, and nothing else."""

from typing import Any

import pytest

from hwflow.config import make_config
from hwflow.errors import CompileError, Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ops.relu import Relu
from hwflow.passes.apply_settings import apply_settings
from tests.passes.graphs import dense, graph, source


def two_layers() -> Graph:
    return graph(
        source(), ("fc1", dense(3, 3), ["x"]), ("r", Relu(), ["fc1"]), ("fc2", dense(), ["r"])
    )


def applied(settings: dict[str, Any]) -> dict[str, Any]:
    after = apply_settings(two_layers(), make_config(settings))
    return {node.name: node.op for node in after.nodes}


def refused(settings: dict[str, Any]) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        applied(settings)
    return caught.value.diagnostics


def test_defaults_leave_the_graph_as_it_is() -> None:
    before = two_layers()
    assert apply_settings(before, make_config({})) is before


def test_one_layer() -> None:
    ops = applied({"layer": {"fc2": {"strategy": "resource", "reuse_factor": 3}}})
    assert (ops["fc2"].strategy, ops["fc2"].reuse_factor) == ("resource", 3)
    assert (ops["fc1"].strategy, ops["fc1"].reuse_factor) == ("latency", 1)


def test_target_settings_go_to_every_layer_that_has_them() -> None:
    ops = applied({"target": {"strategy": "resource"}, "layer": {"fc1": {"strategy": "latency"}}})
    assert (ops["fc1"].strategy, ops["fc2"].strategy) == ("latency", "resource")


def test_types() -> None:
    to = FixedType(9, 4)
    assert applied({"layer": {"fc1": {"result_t": str(to)}}})["fc1"].result_t == to


def test_unknown_layers_and_settings_are_named_at_once() -> None:
    found = refused({"layer": {"fc3": {"reuse_factor": 2}, "fc1": {"reuse_facto": 2, "table": 1}}})
    assert [d.code for d in found] == ["HW101", "HW101", "HW101"]
    assert found[0].help in ("did you mean 'fc1'?", "did you mean 'fc2'?")
    assert found[1].help == "did you mean 'reuse_factor'?"


@pytest.mark.parametrize("value", [0, -4, 1.5, "2", True, [1]])
def test_values_of_the_wrong_kind(value: object) -> None:
    (found,) = refused({"layer": {"fc1": {"reuse_factor": value}}})
    assert found.code == "HW102"


def test_a_framework_name_that_stands_for_one_layer() -> None:
    from dataclasses import replace

    before = two_layers()
    nodes = [replace(n, origin="net.fc" if n.name == "fc1" else n.origin) for n in before.nodes]
    config = make_config({"layer": {"net.fc": {"reuse_factor": 3}}})
    after = apply_settings(before.rebuild(nodes), config)
    assert after.by_name["fc1"].op.reuse_factor == 3  # type: ignore[attr-defined]


def test_a_framework_name_that_stands_for_several_layers() -> None:
    from dataclasses import replace

    before = two_layers()
    nodes = [replace(n, origin="net.fc") for n in before.nodes]
    config = make_config({"layer": {"net.fc": {"reuse_factor": 3}}})
    with pytest.raises(CompileError, match="several layers"):
        apply_settings(before.rebuild(nodes), config)
