"""Documentation and docstrings: what they name exists, and they are written to be read."""

import importlib
import re
from pathlib import Path

import pytest

from tests.test_words import AMERICAN

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
ROOMS = sorted(p.name for p in (ROOT / "hwflow").iterdir() if (p / "__init__.py").exists())
LONGEST_PARAGRAPH = 120
"""Words of a paragraph or list item."""

LONGEST_SENTENCE = 45
"""Words up to a full stop, a colon or a semicolon."""

NOT_PYTHON = {
    "hwflow.toml": "the settings file",
    "hwflow.xml": "a file of JUnit results",
    "hwflow.yml": "a workflow of GitHub Actions",
    "hwflow.contract": "a key of the golden model's metadata",
    "hwflow.plugins": "a group of entry points",
    "hwflow.tflite": "a domain of ONNX functions",
}
"""Dotted names that belong to no module, and what they name."""


each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


def paragraphs(text: str) -> list[str]:
    """Return paragraphs, list items and rows of tables, without blocks of code."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    found: list[str] = []
    for block in re.split(r"\n\s*\n", text):
        for number, line in enumerate(block.split("\n")):
            if number and not re.match(r"\s*([-*]|\d+\.)\s|[|#]", line):
                found[-1] += " " + line
            else:
                found.append(line)
    return [p for p in found if not p.startswith("    ")]


@each_page
def test_paragraphs_are_short(page: Path) -> None:
    long = [p for p in paragraphs(page.read_text("utf-8")) if len(p.split()) > LONGEST_PARAGRAPH]
    assert long == []


def sentences(text: str) -> list[str]:
    """Return the parts of paragraphs that stand between stops, without rows of tables."""
    prose = [p for p in paragraphs(text) if not p.startswith("|")]
    return [s for p in prose for s in re.split(r"(?<=[.:;!?)])\s", p)]


@each_page
def test_sentences_are_short(page: Path) -> None:
    long = [s for s in sentences(page.read_text("utf-8")) if len(s.split()) > LONGEST_SENTENCE]
    assert long == []


def american(text: str) -> list[str]:
    """Return paragraphs with a word that is spelt as identifiers are, outside of code and links."""
    prose = [p for p in paragraphs(text) if not p.startswith("|")]
    return [p for p in prose if AMERICAN.search(re.sub(r"`[^`]*`|\]\([^)]*\)|\S+\.md", "", p))]


@each_page
def test_prose_is_spelt_one_way(page: Path) -> None:
    assert american(page.read_text("utf-8")) == []


def test_american_prose_is_found() -> None:
    assert american("A quantized model.\n\n`quantize` quantises.\n") == ["A quantized model."]


def test_a_long_paragraph_is_found() -> None:
    text = "# Title\n\n" + "one two\n" * 60 + "\n- item\n" + "  word\n" * 121
    assert [len(p.split()) > LONGEST_PARAGRAPH for p in paragraphs(text)] == [False, False, True]


def is_missing(path: str) -> bool:
    """Return whether a path that a page names is one of this repository that does not exist."""
    if "NAME" in path:
        return False  # stands for any name
    if "/" not in path:
        return path.endswith(".py") and any((ROOT / "hwflow").rglob(path))  # say where it is
    if path.split("/")[0] in {"hwflow", "templates", "tests", "boards", "examples", *ROOMS}:
        return not any(ROOT.glob(path.rstrip("/")))
    return path.endswith((".py", ".j2")) and not any(ROOT.glob(path))


def paths(text: str) -> list[str]:
    quoted = re.findall(r"`([\w./*-]+)`", text)
    return [p for p in quoted if "/" in p.rstrip("/") or p.endswith(".py")]


@each_page
def test_paths_exist(page: Path) -> None:
    assert [p for p in paths(page.read_text("utf-8")) if is_missing(p)] == []


def test_a_path_that_is_gone_is_found() -> None:
    text = "`hwflow/ops/dense.py`, `hwflow/gone.py`, `ops/dense.py`, `agreement.py`, `train.py`"
    gone = ["hwflow/gone.py", "ops/dense.py", "agreement.py"]
    assert [p for p in paths(text) if is_missing(p)] == gone


def resolves(name: str) -> bool:
    """Return whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def names(text: str) -> set[str]:
    """Return the dotted names of hwflow in a text, those of import statements among them."""
    found = set(re.findall(r"(?<![\w/.-])hwflow(?:\.[A-Za-z_]\w*)+", text))
    for module, imported in re.findall(r"from (hwflow[\w.]*) import ([\w, ]+)", text):
        found.update(f"{module}.{name.strip()}" for name in imported.split(","))
    return found - set(NOT_PYTHON)


def new_paths(text: str) -> str:
    """Return a page; of a table of moved modules the last column alone."""
    return re.sub(r"^\| `hwflow\.[^|]*\| ", "| ", text, flags=re.M)


@each_page
def test_dotted_names_resolve(page: Path) -> None:
    found = names(new_paths(page.read_text("utf-8")))
    assert sorted(n for n in found if not resolves(n)) == []


def test_a_name_that_is_gone_is_found() -> None:
    text = "hwflow.load, hwflow.toml; from hwflow.report.html import to_html, to_pdf; hwflow.gone.x"
    gone = ["hwflow.gone.x", "hwflow.report.html.to_pdf"]
    assert sorted(n for n in names(text) if not resolves(n)) == gone
