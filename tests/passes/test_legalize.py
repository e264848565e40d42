"""What cannot be generated for a target is reported, all at once, and the graph stays as it is."""

import pytest

from hwflow.config import Config, make_config
from hwflow.errors import CompileError, Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ops.relu import Relu
from hwflow.passes.apply_settings import apply_settings
from hwflow.passes.legalize import MAX_CLONES, MAX_COMPARED_WIDTH, legalize
from tests.passes.graphs import Entry, dense, graph, source

STREAMS = Target(io_type="io_stream")


def refused(of: Graph, config: Config, target: Target = STREAMS) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        legalize(apply_settings(of, config), target, config)
    return caught.value.diagnostics


def readers(count: int) -> Graph:
    layers: list[Entry] = [(f"r{i}", Relu(), ["x"]) for i in range(count)]
    return graph(source(), *layers, outputs=[f"r{i}" for i in range(count)])


def test_a_legal_graph_is_handed_on() -> None:
    before = graph(source(), ("fc", dense(), ["x"]))
    assert legalize(before, STREAMS, make_config({})) is before


def test_streams_have_few_readers() -> None:
    legalize(readers(MAX_CLONES), STREAMS, make_config({}))
    (found,) = refused(readers(MAX_CLONES + 1), make_config({}))
    assert found.code == "HW120"
    assert legalize(readers(MAX_CLONES + 1), Target(), make_config({})).nodes


def test_results_too_wide_to_verify() -> None:
    def wide(width: int) -> Graph:
        return graph(source(), ("r", Relu(result_t=FixedType(width, 10)), ["x"]))

    legalize(wide(MAX_COMPARED_WIDTH), STREAMS, make_config({}))
    (found,) = refused(wide(MAX_COMPARED_WIDTH + 1), make_config({}))
    assert found.code == "HW302"


def test_findings_say_where_a_value_was_set() -> None:
    before = graph(source(), ("fc1", dense(3, 3), ["x"]), ("fc2", dense(), ["fc1"]))
    layer = {"strategy": "resource", "reuse_factor": 7}
    found = refused(before, make_config({"layer": {"fc1": layer, "fc2": {"strategy": "fast"}}}))
    assert [d.code for d in found] == ["HW104", "HW103"]
    assert "[layer.fc1]" in found[0].found
    assert "layer 'fc1'" in found[0].where
    assert "1, 3, 9" in found[0].supported
    (everywhere, _) = refused(
        before, make_config({"target": {"strategy": "resource", "reuse_factor": 7}})
    )
    assert "[target]" in everywhere.found
