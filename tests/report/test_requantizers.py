"""The report names every requantiser's implementation and its proof."""

import json

import numpy as np
import pytest

from hwflow.core.config import Config
from hwflow.core.errors import CompileError
from hwflow.estimate.graph import estimate
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ir.step_function import StepFunction
from hwflow.ops.input import Input
from hwflow.ops.requantize import Requantize
from hwflow.passes.graph.choose_requantizers import choose_requantizers
from hwflow.passes.graph.legalize import legalize
from hwflow.report.data import Subject, report_data
from hwflow.report.html import to_html
from hwflow.report.json import to_json
from hwflow.report.markdown import to_markdown
from hwflow.report.schema import ReportData

RAW = np.arange(-128, 128)


def graph(**settings: str) -> Graph:
    function = StepFunction.of(np.array([-128]), [np.clip((RAW + 5) >> 3, -8, 7)])
    nodes = [
        Node("x", Input(shape=(3,), dtype=FixedType(8, 4))),
        Node("q", Requantize(function=function, **settings), ("x",), "block.act"),  # type: ignore[arg-type]
    ]
    return Graph.build("tiny", nodes, [Port("x", "x", (1,))], [Port("q", "y", (1,))])


def report(net: Graph) -> ReportData:
    target = Target()
    return report_data(Subject(
        graph=net, target=target, board=None, estimate=estimate(net, target), verification=None,
        warnings=[], digests={}, seconds={}, source="tiny.onnx",
    ))  # fmt: skip


def test_all_forms_show_the_implementation_and_its_proof() -> None:
    data = report(choose_requantizers(graph(implementation="multiply_add_shift"), Target()))
    found = data.layers[1].requantizer
    assert found is not None
    assert (found.implementation, found.shift, found.points) == ("multiply_add_shift", 3, 32)
    assert data.layers[0].requantizer is None
    assert json.loads(to_json(data))["layers"][1]["requantizer"]["points"] == 32
    for page, name in ((to_html(data), "multiply add shift"), (to_markdown(data), "Requantisers")):
        assert name in page
        assert "both ends of every run" in page


def test_reports_without_requantisers_have_no_section() -> None:
    plain = report(Graph.build("tiny", graph().nodes[:1], graph().inputs, []))
    assert "Requantisers" not in to_html(plain)
    assert "Requantisers" not in to_markdown(plain)


def test_the_cheapest_is_chosen_and_carries_its_proof() -> None:
    op = choose_requantizers(graph(), Target()).by_name["q"].op
    assert isinstance(op, Requantize)
    assert op.plan is not None
    assert op.plan.implementation == "shift"
    assert op.plan.proof is not None


@pytest.mark.parametrize("name", ["piecewise", "no such thing"])
def test_what_cannot_be_pinned_is_refused_with_what_can(name: str) -> None:
    net = choose_requantizers(graph(implementation=name), Target())
    with pytest.raises(CompileError) as caught:
        legalize(net, Target(), Config())
    (finding,) = caught.value.diagnostics
    assert finding.code == "HW231"
    assert "block.act" in finding.where
    assert name in finding.found
    for other in ("shift", "multiply_add_shift", "table", "thresholds"):
        assert f"{other} (" in finding.supported
    assert "'shift'" in finding.help
