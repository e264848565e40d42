"""Every code that is documented is raised by a test."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "errors.md"


def test_every_documented_code_is_raised_by_a_test() -> None:
    documented = re.findall(r"^\| (HW\d{3}) \|", PAGE.read_text("utf-8"), re.M)
    texts = [p.read_text("utf-8") for p in TESTS.rglob("*.py")]
    tested = {code.upper() for code in re.findall(r"\b[Hh][Ww]\d{3}\b", "\n".join(texts))}
    assert set(documented) <= tested
