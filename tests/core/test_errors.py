"""Codes of findings: each is documented, and documented ones exist."""

import re
from pathlib import Path

import pytest

from hwflow.core.errors import CompileError, Diagnostic, ToolError, did_you_mean

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"\bHW\d{3}\b")


def in_source() -> set[str]:
    texts = (p.read_text("utf-8") for p in (ROOT / "hwflow").rglob("*.py"))
    return {code for text in texts for code in CODE.findall(text)}


def documented() -> list[str]:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    return re.findall(r"^\| (HW\d{3}) \|", text, re.M)


def test_every_code_is_documented_once() -> None:
    assert len(documented()) == len(set(documented()))
    assert in_source() == set(documented())


def test_codes_are_listed_in_order() -> None:
    assert documented() == sorted(documented())


def test_golden_errors_use_documented_codes() -> None:
    texts = (p.read_text("utf-8") for p in (ROOT / "tests" / "golden" / "errors").glob("*.txt"))
    assert {code for text in texts for code in CODE.findall(text)} <= set(documented())


def test_printed_form() -> None:
    finding = Diagnostic(code="HW999", title="a problem", where="here", help="do this")
    assert str(finding) == "error[HW999]: a problem\n  --> here\n      help:      do this"
    assert set(finding.as_dict()) == {
        "code", "severity", "title", "where", "found", "supported", "help",
    }  # fmt: skip
    assert str(CompileError([finding, finding])) == f"{finding}\n\n{finding}"
    with pytest.raises(ValueError, match="at least one"):
        CompileError([])


def test_tool_errors_show_log_and_help() -> None:
    error = ToolError("g++", "failed", code="HW999", help="install it", log="line 1\nline 2")
    assert str(error).splitlines() == [
        "error[HW999]: g++: failed",
        "      found:     line 1",
        "                 line 2",
        "      help:      install it",
    ]


def test_did_you_mean() -> None:
    assert did_you_mean("strateg", ["strategy", "reuse_factor"]) == "did you mean 'strategy'?"
    assert did_you_mean("zzz", ["strategy"]) == ""
