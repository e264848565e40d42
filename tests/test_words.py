"""Docstrings say at once what they describe; names and spelling are the same everywhere."""

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "hwflow"

DANGLING = (
    "of", "by", "as", "in", "with", "to", "at", "above", "below", "behind", "between", "on",
    "both", "likewise", "raised", "stands", "its", "their", "these", "those", "it", "they", "not",
    "all of", "up to",
)  # fmt: skip
"""Beginnings that lean on a name or a line before, which a reader has not read yet."""

ENTRY = re.compile(r"^\s+\w+: (.*)$", re.M)
LEANING = re.compile(r"(of|by|likewise|to be|to write)\b")
AMERICAN = re.compile(
    r"(?<![\w./:-])(re|un)?quantiz(e[ds]?|ers?|ing|ations?)\b(?![(/:]|\.\w)", re.I
)
JSON_KEYS = {"quantisation", "no_quantisation", "QuantisationData"}
"""Names in the report's schema, which programs know them by."""


def in_package(find: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Return what is found in the package's files, by path."""
    paths = sorted(PACKAGE.rglob("*.py"))
    found = {str(p.relative_to(PACKAGE)): find(p.read_text("utf-8")) for p in paths}
    return {path: texts for path, texts in found.items() if texts}


def documented(source: str) -> Iterator[str]:
    """Yield the docstrings of modules, classes and functions, and those behind variables."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            yield ast.get_docstring(node) or ""
            for before, after in pairwise(node.body):
                if isinstance(before, (ast.Assign, ast.AnnAssign)):
                    match after:
                        case ast.Expr(value=ast.Constant(value=str(text))):
                            yield text


def dangling(source: str) -> list[str]:
    """Return docstrings, and entries of arguments and attributes, that have no subject."""
    found = []
    for text in documented(source):
        start = text.strip().lower()
        found += [text] if any(re.match(rf"{word}\b", start) for word in DANGLING) else []
        found += [entry for entry in ENTRY.findall(text) if LEANING.match(entry)]
    return found


def test_docstrings_begin_with_what_they_describe() -> None:
    assert in_package(dangling) == {}


def test_dangling_docstrings_are_found() -> None:
    source = '"""Of a thing."""\nA = 1\n"""Likewise."""\nB = 2\n"""Officers of a thing."""\n'
    source += 'def f():\n    """Return it.\n\n    Args:\n        a: of b.\n        c: one.\n"""'
    assert dangling(source) == ["Of a thing.", "Likewise.", "of b."]


def american(source: str) -> list[str]:
    """Return docstrings and comments with a word that is spelt as identifiers are."""
    texts = [*documented(source)]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        texts += [token.string] if token.type == tokenize.COMMENT else []
    quoted = r"``.*?``|`[^`]*`|\"[^\"\n]*\"|https?://\S+"
    return [t for t in texts if AMERICAN.search(re.sub(quoted, "", t, flags=re.S))]


def test_prose_is_spelt_one_way() -> None:
    assert in_package(american) == {}


def test_american_prose_is_found() -> None:
    source = '"""Quantizes, ``quantize`` and quantized."""\nquantized = 1  # quantised\n'
    assert american(source) == ["Quantizes, ``quantize`` and quantized."]


def british(source: str) -> list[str]:
    """Return identifiers that are spelt as prose is."""
    names = {
        str(getattr(node, field))
        for node in ast.walk(ast.parse(source))
        for field in ("id", "attr", "name", "arg")
        if isinstance(getattr(node, field, None), str)
    }
    return sorted(n for n in names - JSON_KEYS if "quantis" in n.lower())


def test_identifiers_are_spelt_another_way() -> None:
    assert in_package(british) == {}
    assert [p for p in PACKAGE.rglob("*quantis*") if p.suffix == ".py"] == []


def test_british_identifiers_are_found() -> None:
    assert british("def f(unquantised):\n    quantised.quantisation = quantized\n") == [
        "quantised", "unquantised",
    ]  # fmt: skip


def renamed_modules(source: str) -> list[str]:
    """Return imports of this package's modules under names that are not theirs."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hwflow"):
            folder = PACKAGE.parent.joinpath(*str(node.module).split("."))
            found += [
                f"{alias.name} as {alias.asname}"
                for alias in node.names
                if alias.asname not in (None, alias.name)
                and ((folder / alias.name).is_dir() or (folder / f"{alias.name}.py").exists())
            ]
    return found


def test_modules_are_called_by_their_names() -> None:
    assert in_package(renamed_modules) == {}
    tests = sorted(Path(__file__).parent.rglob("*.py"))
    assert [p for p in tests if renamed_modules(p.read_text("utf-8"))] == []


def test_renamed_modules_are_found() -> None:
    assert renamed_modules("from hwflow.simulate import cpp as csim, numpy") == ["cpp as csim"]
