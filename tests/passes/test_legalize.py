"""What cannot be generated for a target is reported, all at once, and the graph stays as it is."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.core.config import Config, make_config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.relu import Relu
from hwflow.passes.graph.apply_settings import apply_settings
from hwflow.passes.graph.legalize import MAX_CLONES, MAX_COMPARED_WIDTH, legalize
from tests.passes.graphs import Entry, dense, graph, source

STREAMS = Target(io_type="io_stream")


def refused(of: Graph, config: Config, target: Target = STREAMS) -> tuple[Diagnostic, ...]:
    with pytest.raises(CompileError) as caught:
        legalize(apply_settings(of, config, target)[0], target, config)
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


def test_one_finding_about_one_reuse_factor_of_all_layers() -> None:
    before = graph(source(), ("fc1", dense(3, 3), ["x"]), ("fc2", dense(), ["fc1"]))
    target = {"strategy": "resource", "reuse_factor": 7}
    (found,) = refused(before, make_config({"target": target}))
    assert found.where == "[target] in the arguments"
    assert found.found.endswith("2 layers cannot have: fc1 (1, 3, 9), fc2 (1, 3, 6)")
    assert found.supported == "1, 3, for all layers that take it"
    assert "set reuse_factor = 3, the nearest that all of them can have" in found.help
    for legal in (3, "<=7"):
        config = make_config({"target": {**target, "reuse_factor": legal}})
        legalize(apply_settings(before, config, STREAMS)[0], STREAMS, config)


def depthwise() -> DepthwiseConv1D:
    weight = FixedArray(np.ones((1, 2), np.int64), FixedType(3, 3))
    bias = FixedArray(np.zeros(2, np.int64), FixedType(3, 3))
    return DepthwiseConv1D(weight=weight, bias=bias, strides=(1,), pads=((0, 0),))


@pytest.mark.parametrize("count", [1, 3, 10])
@pytest.mark.parametrize("strategy", ["resource", "distributed_arithmetic"])
def test_one_finding_about_one_strategy_of_all_layers(count: int, strategy: str) -> None:
    """Depthwise convolutions in a row, in io_parallel; both ways of the help are taken."""
    names = [f"dw{number}" for number in range(count)]
    layers: list[Entry] = [
        (after, depthwise(), [first]) for first, after in pairwise(["x", *names])
    ]
    before = graph(source((4, 2)), *layers)
    (found,) = refused(before, make_config({"target": {"strategy": strategy}}), Target())
    assert found.code == "HW108"
    assert found.where == "[target] in the arguments"
    assert found.found.startswith(f"strategy = {strategy!r}, io_parallel, which ")
    shown = found.found.partition("cannot have: ")[2]
    assert shown == ", ".join(names[:8]) + " and 2 more" * (count == 10)
    value = found.help.partition('strategy = "')[2].partition('"')[0]
    assert found.help.endswith(", or in [target]")
    for settings_of in (
        {"target": {"strategy": strategy}, "layer": {n: {"strategy": value} for n in names}},
        {"target": {"strategy": value}},
    ):
        config = make_config(settings_of)
        legalize(apply_settings(before, config, Target())[0], Target(), config)


def test_a_strategy_of_a_layer_is_a_finding_of_that_layer() -> None:
    before = graph(source((4, 2)), ("a", depthwise(), ["x"]), ("b", depthwise(), ["a"]))
    config = {"target": {"strategy": "resource"}, "layer": {"b": {"strategy": "resource"}}}
    own, common = refused(before, make_config(config), Target())
    assert (own.code, common.code) == ("HW108", "HW108")
    assert "layer 'b'" in own.where
    assert common.found.endswith("a layer cannot have: a")
    assert common.help.startswith('set strategy = "latency" in [layer.a], or')


SIZES = st.lists(st.integers(1, 24), min_size=2, max_size=5)
STRATEGIES = st.sampled_from(["latency", "resource"])


@settings(max_examples=60, deadline=None)
@given(SIZES, STRATEGIES, STRATEGIES, st.integers(1, 700))
def test_the_help_for_a_reuse_factor_is_taken_at_once(
    sizes: list[int], strategy: str, other: str, asked: int
) -> None:
    layers: list[Entry] = []
    for number, ends in enumerate(pairwise(sizes)):
        layers.append((f"fc{number}", dense(*ends), [f"fc{number - 1}" if number else "x"]))
    before = graph(source((sizes[0],)), *layers)

    def check(reuse_factor: int | str) -> None:
        target = {"strategy": strategy, "reuse_factor": reuse_factor}
        config = make_config({"target": target, "layer": {"fc0": {"strategy": other}}})
        legalize(apply_settings(before, config, STREAMS)[0], STREAMS, config)

    for bound in (f"<={asked}", f">={asked}"):
        check(bound)
    try:
        check(asked)
    except CompileError as error:
        (found,) = error.diagnostics
        check(int(found.help.split("reuse_factor = ")[1].split(",")[0]))
