"""The law of all graph passes: outputs stay the same, on random networks."""

from collections import Counter

import pytest

from hwflow.core.errors import CompileError
from hwflow.frontends import load
from hwflow.ir.graph import Graph
from hwflow.ops.lookup import Lookup
from hwflow.ops.shared.table_activation import _TableActivation
from hwflow.ops.softmax import Softmax
from hwflow.passes import PIPELINE, Context
from hwflow.passes.graph.settle_inputs import settle_inputs
from tests.networks import random_network
from tests.passes.graphs import CONTEXT, assert_same

SEEDS = range(50_000, 50_060)


MERGE_ROUNDINGS = ("fuse_casts", "fuse_relus", "hoist_casts")
"""Passes that hand a table the type of the quantiser behind it: the function is then rounded once,
as the model has it, and no longer twice."""


def has_tables(graph: Graph) -> bool:
    return any(isinstance(n.op, (_TableActivation, Lookup, Softmax)) for n in graph.nodes)


def stages(seed: int, context: Context = CONTEXT) -> list[tuple[str, Graph]]:
    """Return the graph after each graph pass; less where a pass refuses the network."""
    state, found = load(random_network(seed)), []
    for step in PIPELINE:
        try:
            state = step.run(state, context)
        except CompileError:
            break
        if isinstance(state, Graph):
            found.append((step.name, state))
    return found


def test_no_pass_changes_a_number() -> None:
    fired: Counter[str] = Counter()
    for seed in SEEDS:
        graphs = stages(seed)
        start = next(i for i, (name, _) in enumerate(graphs) if name == "settle_inputs")
        for (_, before), (name, after) in zip(graphs[start:], graphs[start + 1 :], strict=False):
            if after is not before:
                fired[name] += 1
                if not (name in MERGE_ROUNDINGS and has_tables(before)):
                    assert_same(before, after, 40)
    assert {"drop_idle_casts", "fuse_bias", "fuse_casts", "fuse_relus"} <= set(fired)


@pytest.mark.parametrize("seed", SEEDS[:10])
def test_passes_on_a_settled_graph_have_nothing_left_to_do(seed: int) -> None:
    graphs = dict(stages(seed))
    last = list(graphs.values())[-1]
    assert settle_inputs(last) is last
    for step in PIPELINE:
        if step.name in ("drop_idle_casts", "fuse_bias", "fuse_casts", "absorb_transposes"):
            again = step.run(last, CONTEXT)
            assert_same(last, again, 20)
