"""Every code that is documented is raised by a test."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "errors.md"

GUARDS = {
    "HW218": "every operator that is supported is folded where its operands are constant",
    "HW295": "no pair of 8-bit scales was found whose sum is no function of a weighted sum",
}
"""Codes that nothing is known to raise: they stand behind proofs that might not succeed."""


def test_every_documented_code_is_raised_by_a_test() -> None:
    documented = re.findall(r"^\| (HW\d{3}) \|", PAGE.read_text("utf-8"), re.M)
    texts = [p.read_text("utf-8") for p in TESTS.rglob("*.py") if p.name != Path(__file__).name]
    tested = set(re.findall(r"\b[Hh][Ww]\d{3}\b", "\n".join(texts)))
    tested = {code.upper() for code in tested}
    assert set(documented) - tested == set(GUARDS)
