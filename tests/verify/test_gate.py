"""The gate: each check at its limit, just beyond it, and where it cannot be evaluated."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.limits import VerifySettings
from hwflow.ir.pieces import Kind
from hwflow.report.gate import errors_markdown, gate_markdown
from hwflow.simulate.coverage.record import Coverage, LayerCoverage, Reached
from hwflow.verify.checks import Check, files_check
from hwflow.verify.comparison import full_simulation
from hwflow.verify.gate import Gate
from hwflow.verify.junit import errors_junit, to_junit
from hwflow.verify.verification import Verification
from tests.report.samples import (
    HOSTILE,
    agreement,
    budget,
    error,
    estimate_of,
    graph,
    lossless_agreement,
    simulation_input,
)

Golden = Callable[[str, str], None]


REACHED = Coverage(
    (
        LayerCoverage("fc1", "block.fc1", {Kind.RANGE: Reached(3, 4)}),
        LayerCoverage("fc2", "block.fc2", {Kind.STEPS: Reached(3, 4)}),
    )
)


def verification(differing: dict[str, int] | None = None, **changes: Any) -> Verification:
    net = graph()
    made = Verification(
        faithful=agreement(net, differing or {}),
        lossless=lossless_agreement(net, {"head": 1}),
        errors=(error(),),
        simulation=full_simulation(net, simulation_input()),
        data="images.npz",
        seconds={},
        budget=budget(),
        coverage=REACHED,
    )
    return replace(made, **changes)


def checks(found: Verification, fits: str = "yes", **limits: Any) -> tuple[Check, ...]:
    return Gate(VerifySettings(**limits), found, estimate_of(graph(), fits)).checks()


def one(found: Verification, **limits: Any) -> Check:
    """Return the one check that a limit adds."""
    every_bit, check = checks(found, **limits)
    assert every_bit.name == "faithful"
    return check


@pytest.mark.parametrize(
    ("limits", "passed"),
    [  # hardware 18 of 20, float reference 19 of 20, the same class 18 of 20
        ({"min_accuracy": 0.9}, True),
        ({"min_accuracy": "90.0001%"}, False),
        ({"max_drop": "5%"}, True),
        ({"max_drop": 0.0499999}, False),
        ({"min_agreement": "90%"}, True),
        ({"min_agreement": 0.91}, False),
        ({"lossless": True}, False),
        ({"min_coverage": "75%"}, True),  # 3 of 4 range parts, 3 of 4 steps
        ({"min_coverage": 0.750001}, False),
        ({"max_saturation": "20%"}, True),  # 16 of 80 in fc2
        ({"max_saturation": 0.1999}, False),
        ({"max_lut": 500}, True),
        ({"max_lut": 499}, False),
        ({"max_lut": "20%"}, True),
        ({"max_lut": "19.9%"}, False),
        ({"max_lut": "20%:high"}, False),  # 500, at most 1000
        ({"max_lut": "1000:high"}, True),
        ({"max_dsp": 0}, True),
        ({"max_bram": "0"}, True),
        ({"max_latency_us": 0.045}, True),
        ({"max_latency_us": 0.044}, False),
        ({"max_ii": 4}, True),
        ({"max_ii": 3}, False),
    ],
    ids=str,
)
def test_a_limit_is_met_or_not(limits: dict[str, Any], passed: bool) -> None:
    assert one(verification(), **limits).passed == passed


def test_a_difference_fails_and_says_where() -> None:
    (check,) = checks(verification({"fc2": 3}))
    assert not check.passed
    assert check.value == "3 of 300 differ"
    assert "first in fc2 (block.fc2) at [3, 1]: expected 0.25, found 0.5" in check.detail


def test_checks_of_the_data_say_where() -> None:
    coverage = one(verification(), min_coverage="90%")
    assert (coverage.value, coverage.limit, coverage.passed) == ("75 %", "≥ 90 %", False)
    assert coverage.detail == "least in fc1 (range 3 of 4); fc2 (steps 3 of 4)"
    saturation = one(verification(), max_saturation="1%")
    assert (saturation.value, saturation.passed) == ("20 %", False)
    assert saturation.detail == "fc2: 16 of 80 values: 10 low, 6 high"


def test_a_golden_model_that_differs_fails() -> None:
    net = graph()
    same, other = (verification(golden=agreement(net, d)) for d in ({}, {"fc2": 3}))
    assert [(c.name, c.passed) for c in checks(same)] == [("faithful", True), ("golden", True)]
    assert [(c.name, c.passed) for c in checks(other)] == [("faithful", True), ("golden", False)]
    assert (same.bit_exact, other.bit_exact) == (True, False)
    junit = ET.fromstring(to_junit("tiny", checks(other), 1.0, {}))
    assert [
        case.get("name") for case in junit.iter("testcase") if len(case.findall("failure"))
    ] == ["golden"]
    text = gate_markdown("tiny", "tiny on a board", checks(other), other)
    assert "- **golden**: first in fc2" in text


def test_without_cpp_nothing_is_faithful() -> None:
    (check,) = checks(verification(faithful=None))
    assert (check.passed, check.value) == (False, "not run")


def test_one_check_for_each_output_that_gives_a_class() -> None:
    second = replace(error(), output="second", accuracy=0.5)
    image = replace(error(), output="image", accuracy=None)
    found = checks(verification(errors=(error(), second, image)), min_accuracy=0.9)
    assert [(c.name, c.passed) for c in found[1:]] == [
        ("accuracy of logits", True),
        ("accuracy of second", False),
    ]


NO_LABELS = replace(error(), accuracy=None, reference_accuracy=None)
UNKNOWN: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "limit_labels": ({"errors": (NO_LABELS,)}, {"min_accuracy": 0.9, "max_drop": 0.1}),
    "limit_reference": (
        {"budget": None, "no_budget": "a sign is no rounding"},
        {"max_drop": 0.1, "min_agreement": 0.9},
    ),
    "limit_coverage": ({"coverage": None}, {"min_coverage": "90%"}),
    "limit_model": ({"errors": (), "lossless": None}, {"min_accuracy": 0.9, "lossless": True}),
    "limit_board": ({}, {"max_uram": "10%"}),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_cannot_be_evaluated_is_an_error(name: str, golden: Golden) -> None:
    changes, limits = UNKNOWN[name]
    with pytest.raises(CompileError) as caught:
        checks(verification(**changes), **limits)
    assert [d.code for d in caught.value.diagnostics] == ["HW408"] * len(limits)
    golden(f"errors/{name}.txt", f"{caught.value}\n")


def test_files_of_a_project() -> None:
    assert files_check(9, ()).passed
    check = files_check(9, ("a", "b", "c", "d"))
    assert (check.passed, check.value, check.detail) == (False, "4 of 9 changed", "a; b; c; ...")


def sample(differing: dict[str, int] | None = None) -> tuple[Check, ...]:
    limits = {"min_accuracy": "95%", "max_drop": 0.05, "max_lut": "70%", "max_ii": 4}
    return (files_check(110, ()), *checks(verification(differing), **limits))


def test_junit_is_as_before(golden: Golden) -> None:
    properties = {"design": "tiny.onnx on PYNQ-Z2", "data": "images.npz"}
    golden("verify.junit.xml", to_junit("tiny", sample({"fc2": 3}), 1.25, properties))


def test_junit_has_what_its_readers_need() -> None:
    found = sample({"fc2": 3})
    root = ET.fromstring(to_junit("tiny", found, 1.25, {"design": "tiny"}))
    assert root.tag == "testsuites"
    (suite,) = root
    cases = suite.findall("testcase")
    assert [c.get("name") for c in cases] == [c.name for c in found]
    assert len({(c.get("classname"), c.get("name")) for c in cases}) == len(found)
    failed = [c.get("name") for c in cases if c.find("failure") is not None]
    assert failed == [c.name for c in found if not c.passed] == ["faithful", "accuracy"]
    for element in (root, suite):
        assert (element.get("tests"), element.get("failures")) == (str(len(found)), "2")
        assert (element.get("errors"), element.get("skipped")) == ("0", "0")
        assert float(element.get("time", "")) == 1.25


def test_junit_holds_any_name() -> None:
    bad = Check(
        name=HOSTILE + "\x00\x1b\ud800",
        about="a",
        value="<&>",
        limit="]]>",
        passed=False,
        detail="\x08",
    )
    root = ET.fromstring(to_junit(HOSTILE + "\x00", [bad], 0.0, {"design": HOSTILE}))
    case = root[0].find("testcase")
    assert case is not None
    assert (case.get("name") or "").startswith("</title><script>")


ODD = Diagnostic(
    code="HW999", title=f"bad \x1b {HOSTILE} \ud800", where=f"{HOSTILE}\n\x00",
    found="`````\n```\nlog <b>", help="do [this](javascript:x)",
)  # fmt: skip


def test_errors_as_junit_hold_any_name() -> None:
    root = ET.fromstring(errors_junit(HOSTILE + "\x00", [ODD, ODD], {"design": HOSTILE}))
    cases = root[0].findall("testcase")
    assert len({case.get("name") for case in cases}) == 2
    assert (root.get("tests"), root.get("errors"), root.get("failures")) == ("2", "2", "0")
    for case in cases:
        error = case.find("error")
        assert error is not None
        assert error.get("type") == "HW999"
        assert "do [this](javascript:x)" in str(error.text)


def test_errors_as_markdown_hold_any_name() -> None:
    text = errors_markdown(HOSTILE, [ODD])
    text.encode()
    blocks = re.split(r"^  `{6}(?:text)?$", text, flags=re.M)
    assert len(blocks) == 3, "one block, longer fences than any in the text"
    assert "do [this](javascript:x)" in blocks[1]
    for outside in (blocks[0], blocks[2]):
        assert "<script" not in outside.replace("\\<script", "")
        assert "\x1b" not in outside


def test_markdown_is_as_before(golden: Golden) -> None:
    found = sample({"fc2": 3})
    golden("verify.md", gate_markdown("tiny", "tiny.onnx on PYNQ-Z2", found, verification()))
    lost = verification(budget=None, no_budget="a sign is no rounding")
    golden("verify_passing.md", gate_markdown("tiny", "tiny.onnx", found[:1], lost))


def test_markdown_holds_any_name() -> None:
    bad = Check(
        name=HOSTILE, about=HOSTILE, value=HOSTILE, limit=HOSTILE, passed=False, detail=HOSTILE
    )
    text = gate_markdown(HOSTILE, HOSTILE, [bad], verification(data=HOSTILE))
    assert "<script" not in text.replace("\\<script", "")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert all(row.count("|") - row.count("\\|") in (6, 9) for row in rows)


@pytest.mark.parametrize(("limit", "passed"), [(800, True), (799, False)])
def test_a_number_of_blocks_is_of_the_board_s_own(limit: int, passed: bool) -> None:
    found = estimate_of(graph(), "yes")
    lut, *others = found.utilisation
    lut = replace(lut, used=found.total.lut_synth.scaled(1.6), basis="extrapolated")
    converted = replace(found, utilisation=(lut, *others))
    assert found.total.lut_synth.value == 500
    check = Gate(VerifySettings(max_lut=limit), verification(), converted).checks()[-1]
    assert check.passed is passed
