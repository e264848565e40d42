"""Checks as JUnit XML, the form that GitHub, GitLab and Jenkins show test results from.

There is no one standard; this is what they share: ``testsuites`` with one ``testsuite``, a
``testcase`` for each check, ``failure`` in those that fail, ``error`` in those that could not be
run (https://github.com/testmoapp/junitxml).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from hwflow.core.errors import Diagnostic
from hwflow.verify.checks import Check

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, section 2.2."""


def to_junit(
    name: str,
    checks: Sequence[Check],
    seconds: float,
    properties: Mapping[str, str],
    verb: str = "verify",
) -> str:
    """Return the XML of one run.

    Args:
        name: name of the design.
        checks: the checks in order.
        seconds: that the run took.
        properties: what the run rests on, for people.
        verb: the command that ran.
    """
    failures = sum(not check.passed for check in checks)
    title = f"{verb} {name}"
    root, suite = _suite(title, properties, seconds, tests=len(checks), failures=failures)
    for check in checks:
        _add_case(suite, name, check)
    return _text_of(root)


def errors_junit(name: str, findings: Sequence[Diagnostic], properties: Mapping[str, str]) -> str:
    """Return the XML of a run that came to no checks: an error for each finding.

    Args:
        name: name of the model or the project.
        findings: why nothing was checked.
        properties: see ``to_junit``.
    """
    title = f"verify {name}"
    root, suite = _suite(title, properties, tests=len(findings), errors=len(findings))
    for number, finding in enumerate(findings, 1):
        place = f", {finding.where}" if finding.where else ""
        attributes = {
            "classname": f"hwflow.{name}",
            "name": f"{number}: {finding.code} {finding.title}{place}",
            "time": "0.000",
        }
        case = ET.SubElement(suite, "testcase", {k: _line(v) for k, v in attributes.items()})
        said = _line(f"{finding.code}: {finding.title}{place}")
        error = ET.SubElement(case, "error", {"message": said, "type": finding.code})
        error.text = _clean(str(finding))
    return _text_of(root)


def _suite(
    title: str, properties: Mapping[str, str], seconds: float = 0.0, **counted: int
) -> tuple[ET.Element, ET.Element]:
    """Return the root and its one suite, with what was counted and the properties."""
    kinds = ("tests", "failures", "errors", "skipped")
    counts = {kind: str(counted.get(kind, 0)) for kind in kinds} | {"time": f"{seconds:.3f}"}
    root = ET.Element("testsuites", {"name": "hwflow", **counts})
    suite = ET.SubElement(root, "testsuite", {"name": _clean(f"hwflow {title}"), **counts})
    listed = ET.SubElement(suite, "properties")
    for key, value in properties.items():
        ET.SubElement(listed, "property", {"name": key, "value": _clean(value)})
    return root, suite


def _text_of(root: ET.Element) -> str:
    ET.indent(root)
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _add_case(suite: ET.Element, name: str, check: Check) -> None:
    attributes = {"classname": f"hwflow.{name}", "name": check.name, "time": "0.000"}
    case = ET.SubElement(suite, "testcase", {k: _clean(v) for k, v in attributes.items()})
    said = f"{check.about}: {check.compared}"
    if check.passed:
        ET.SubElement(case, "system-out").text = _clean(said)
        return
    failure = ET.SubElement(case, "failure", {"message": _clean(str(check))})
    failure.set("type", "limit")
    failure.text = _clean("\n".join(part for part in (said, check.detail) if part))


def _line(text: str) -> str:
    return _clean(" ".join(text.split()))


def _clean(text: str) -> str:
    return _ILLEGAL.sub("?", text)
