"""The record of a comparison as plain data: its keys are public, its figures are the report's."""

import json
from dataclasses import replace

from hwflow.fixed import FixedType
from hwflow.report.json import to_json
from hwflow.verify.json import agreement_dict
from hwflow.verify.port_loss import PortLoss
from hwflow.verify.verdict import Approximation, State, Verdict
from tests.report.samples import agreement, graph, lossless_agreement, report

TANH = Approximation(
    layer="act", origin="act", why="a table of tanh", differs=12, largest=0.25, bound=None
)
FOUND = replace(
    lossless_agreement(graph(), {"fc1": 8, "fc2": 20}),
    verdict=Verdict(state=State.APPROXIMATE, because=(TANH,), at_most=0.125),
    ports=(PortLoss("image", FixedType(6, 2), 120, 3, 1),),
)


def test_keys_are_those_of_always() -> None:
    content = agreement_dict(FOUND)
    assert content is not None
    assert list(content) == [
        "holds", "samples", "elements", "mismatches", "layers", "first", "float32",
        "float32_only", "verdict", "ports",
    ]  # fmt: skip
    assert list(content["layers"][0]) == [
        "name", "origin", "elements", "mismatches", "float32_differs",
    ]  # fmt: skip
    assert list(content["first"]) == [
        "layer", "origin", "index", "expected", "found", "cause", "reproducer",
    ]  # fmt: skip
    assert list(content["float32"]) == [
        "elements", "differs", "first", "unquantized", "unquantized_differs",
    ]  # fmt: skip
    assert list(content["verdict"]) == [
        "state", "because", "at_most", "bound", "apart", "ports", "text",
    ]  # fmt: skip
    assert list(content["verdict"]["because"][0]) == [
        "layer", "origin", "why", "differs", "largest", "bound",
    ]  # fmt: skip
    assert list(content["ports"][0]) == ["name", "dtype", "elements", "rounded", "clipped"]
    assert content["ports"][0]["dtype"] == "fixed<6,2>"


def test_figures_are_those_of_the_report() -> None:
    content = json.loads(json.dumps(agreement_dict(FOUND)))
    told = json.loads(to_json(replace(report(), lossless=FOUND)))["lossless"]
    for key in ("holds", "samples", "elements", "mismatches", "float32", "float32_only"):
        assert told[key] == content[key], key
    assert told["layers"] == len(content["layers"])
    assert {k: v for k, v in told["first"].items() if k != "steps"} == content["first"]
    assert {k: v for k, v in told["verdict"].items() if k != "reasons"} == {
        k: v for k, v in content["verdict"].items() if k != "ports"
    }


def test_nothing_compared_is_null() -> None:
    assert agreement_dict(None) is None
    same = agreement_dict(agreement(graph(), {}))
    assert same is not None
    assert (same["first"], same["float32"], same["verdict"], same["ports"]) == (None,) * 3 + ([],)
