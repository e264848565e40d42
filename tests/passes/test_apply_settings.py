"""The user's settings reach the layers they name, and nothing else."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hwflow.core.config import make_config
from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ops.relu import Relu
from hwflow.ops.softmax import Softmax
from hwflow.passes.graph.apply_settings import apply_settings
from tests.passes.graphs import dense, graph, source

if TYPE_CHECKING:
    from fractions import Fraction


def two_layers() -> Graph:
    return graph(
        source(), ("fc1", dense(3, 3), ["x"]), ("r", Relu(), ["fc1"]), ("fc2", dense(), ["r"])
    )


def applied(settings: dict[str, Any]) -> dict[str, Any]:
    after, findings = apply_settings(two_layers(), make_config(settings), Target())
    assert not findings
    return {node.name: node.op for node in after.nodes}


def refused(settings: dict[str, Any]) -> tuple[Diagnostic, ...]:
    return apply_settings(two_layers(), make_config(settings), Target())[1]


def test_defaults_leave_the_graph_as_it_is() -> None:
    before = two_layers()
    assert apply_settings(before, make_config({}), Target())[0] is before


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


@dataclass(frozen=True, kw_only=True, eq=False)
class Scaled(Relu):
    """An operator whose file imports the type of a field for type checkers alone."""

    settings: ClassVar[tuple[str, ...]] = ("steps",)
    steps: int | None = None
    other: "Fraction | None" = None


def test_other_annotations_may_name_what_is_not_there() -> None:
    made = graph(source(), ("s", Scaled(), ["x"]))
    after, findings = apply_settings(made, make_config({"layer": {"s": {"steps": 3}}}), Target())
    assert not findings
    assert after.nodes[-1].op.steps == 3
    _, findings = apply_settings(made, make_config({"layer": {"s": {"steps": "3"}}}), Target())
    assert [d.code for d in findings] == ["HW102"]


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
    after, _ = apply_settings(before.rebuild(nodes), config, Target())
    assert after.by_name["fc1"].op.reuse_factor == 3


def test_a_framework_name_that_stands_for_several_layers() -> None:
    from dataclasses import replace

    before = two_layers()
    nodes = [replace(n, origin="net.fc") for n in before.nodes]
    config = make_config({"layer": {"net.fc": {"reuse_factor": 3}}})
    _, (found,) = apply_settings(before.rebuild(nodes), config, Target())
    assert "several layers" in found.title


def test_what_is_legal_is_taken_beside_findings() -> None:
    settings = {"fc1": {"reuse_factor": "few", "strategy": "resource"}, "fc9": {"reuse_factor": 1}}
    config = make_config({"layer": settings, "input": {"y": {"type": "fixed<8,4>"}}})
    after, found = apply_settings(two_layers(), config, Target())
    assert [d.code for d in found] == ["HW101", "HW101", "HW102"]
    assert found[0].where == "[input.y] in the arguments"
    assert after.by_name["fc1"].op.strategy == "resource"


@pytest.mark.parametrize(
    ("asked", "strategy", "taken"),
    [
        ("<=8", "resource", (3, 6)),  # of 1, 3, 9 and of 1, 3, 6
        ("<= 8", "latency", (8, 6)),
        (">=4", "resource", (9, 6)),
        (">=4", "latency", (4, 4)),
        (">=7", "latency", (7, 6)),  # fc2 has 6 products, so that there is nothing more to take
        ("<=1000000", "resource", (9, 6)),
        ("<=8", "distributed_arithmetic", (1, 1)),
    ],
)
def test_a_bound_becomes_the_nearest_legal_value(
    asked: str, strategy: str, taken: tuple[int, int]
) -> None:
    ops = applied({"target": {"strategy": strategy, "reuse_factor": asked}})
    assert tuple(ops[name].reuse_factor for name in ("fc1", "fc2")) == taken


def test_a_bound_of_one_layer() -> None:
    layer = {"strategy": "resource", "reuse_factor": "<=8"}
    assert applied({"layer": {"fc1": layer}})["fc1"].reuse_factor == 3
    (found,) = refused({"layer": {"fc1": {"reuse_factor": ">=10"}}})
    assert (found.code, found.help) == ("HW104", "set reuse_factor = 9, the largest legal value")
    assert applied({"layer": {"fc1": {"reuse_factor": 9}}})["fc1"].reuse_factor == 9


@pytest.mark.parametrize("size", [1, 3, 2**70])
def test_settings_with_which_no_type_exists(size: int) -> None:
    before = graph(source((4,)), ("soft", Softmax(), ["x"]))
    config = make_config({"layer": {"soft": {"inv_table_size": size}}})
    after, found = apply_settings(before, config, Target())
    found = found or tuple(after.by_name["soft"].op.check(Target(), before.types["x"]))
    assert [d.code for d in found] == ["HW112"]
