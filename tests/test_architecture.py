"""The house: modules import from lower layers only, and heavy libraries stay where they belong."""

import ast
import itertools
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hwflow"

ROOMS = (
    "fixed",
    "core",
    "dataflow",
    "ir",
    "estimate",
    "ops",
    "custom",
    "passes",
    "codegen",
    "simulate",
    "frontends",
    "verify",
    "synthesis",
    "report",
    "project",
    "package",
    "fitting",
    "exploration",
    "compression",
    "testing",
    "cli",
)
"""The rooms from low to high: a module imports from its own room and from those before it."""


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__main__.py")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("hwflow"):
            parts = node.module.split(".")
            names = [parts[1]] if len(parts) > 1 else [a.name for a in node.names]
            found.update(n for n in names if n != "__version__")
        elif isinstance(node, ast.Import):
            found.update(a.name.split(".")[1] for a in node.names if a.name.startswith("hwflow."))
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_from_lower_rooms_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0]
    if own == "__init__.py":
        return  # the public API names everything, lazily
    above = ROOMS[ROOMS.index(own) + 1 :]
    too_high = imported(path).intersection(above)
    assert not too_high, f"{path.relative_to(PACKAGE)} imports {too_high}"


def test_the_top_level_has_rooms_only() -> None:
    entries = {p.name for p in PACKAGE.iterdir() if p.name not in {"__pycache__", "_data"}}
    assert entries == {*ROOMS, "__init__.py", "__main__.py", "py.typed"}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def run_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all inside it but what only type checkers read."""
    yield node
    for inner in ast.iter_child_nodes(node):
        if not (isinstance(inner, ast.If) and ast.unparse(inner.test) == "TYPE_CHECKING"):
            yield from run_nodes(inner)


def import_graph() -> dict[str, set[str]]:
    """Return what every module imports when it runs, late imports included, by module."""
    trees = {name_of(path): tree_of(path) for path in modules()}
    graph: dict[str, set[str]] = {name: set() for name in trees}
    for name, tree in trees.items():
        for node in run_nodes(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = {f"{node.module}.{alias.name}" for alias in node.names}
                graph[name] |= {i if i in trees else node.module for i in inner} & trees.keys()
            elif isinstance(node, ast.Import):
                graph[name] |= {alias.name for alias in node.names} & trees.keys()
    graph["hwflow"] = set()  # the public API names everything, lazily
    return graph


def test_no_module_imports_itself_through_others() -> None:
    sorter = TopologicalSorter(import_graph())
    try:
        sorter.prepare()
    except CycleError as error:
        pytest.fail(f"imports in a circle: {' <- '.join(error.args[1])}")


def test_what_finds_circles_finds_late_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "hwflow"
    (package / "core").mkdir(parents=True)
    (package / "core" / "a.py").write_text("import hwflow.core.b\n")
    (package / "core" / "b.py").write_text("def f():\n    from hwflow.core import a\n")
    monkeypatch.setattr(f"{__name__}.PACKAGE", package)
    assert import_graph() == {
        "hwflow": set(), "hwflow.core.a": {"hwflow.core.b"}, "hwflow.core.b": {"hwflow.core.a"}
    }  # fmt: skip
    with pytest.raises(pytest.fail.Exception, match="in a circle"):
        test_no_module_imports_itself_through_others()


MOST_LINES = 300
"""Lines of a file."""

MOST_FUNCTION_LINES = 60
"""Lines of a function, its documentation included."""

MOST_COMPLEXITY = 12
"""McCabe's complexity of a function, which ruff holds."""


MOST_POSITIONAL = 5
"""Arguments that a function or a constructor takes by position."""


def functions(path: Path) -> Iterator[ast.FunctionDef]:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.FunctionDef):
            yield node


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in modules()}
    assert not {name: length for name, length in lengths.items() if length > MOST_LINES}


def test_functions_are_short() -> None:
    lengths = {
        f"{name_of(path)}.{function.name}": (function.end_lineno or 0) - function.lineno + 1
        for path in modules()
        for function in functions(path)
    }
    assert not {name: length for name, length in lengths.items() if length > MOST_FUNCTION_LINES}


def test_no_function_is_let_off_the_limit_of_complexity() -> None:
    lint = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "C90" in lint["select"]
    assert lint["mccabe"]["max-complexity"] <= MOST_COMPLEXITY
    let_off = [*lint["ignore"], *itertools.chain(*lint["per-file-ignores"].values())]
    assert not [code for code in let_off if code.startswith("C")]
    assert not [path for path in modules() if re.search("noqa(?!:)|noqa:.*C90", path.read_text())]


def positional(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the functions of a module, and its dataclasses, with what they take by position."""
    for function in functions(path):
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        yield function.name, len(names) - (names[:1] in (["self"], ["cls"]))
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ClassDef):
            made = [ast.unparse(d) for d in node.decorator_list if "dataclass" in ast.unparse(d)]
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign)]
            taken = [
                f
                for f in fields
                if "ClassVar" not in ast.unparse(f.annotation)
                and "init=False" not in ast.unparse(f)
            ]
            if made and "kw_only=True" not in made[0]:
                yield node.name, len(taken)


def test_many_arguments_are_given_by_name() -> None:
    assert not [
        f"{name_of(path)}.{name}"
        for path in modules()
        for name, taken in positional(path)
        if taken > MOST_POSITIONAL
    ]


@pytest.mark.parametrize(
    ("maker", "place"),
    [("InferenceSession", "core/inference.py"), ("Environment", "core/templates.py")],
)
def test_sessions_and_template_environments_are_made_in_one_place(maker: str, place: str) -> None:
    made = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == maker
    }
    assert made == {place}


def run(code: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = ("torch", "tensorflow", "keras", "hls4ml", "onnxruntime", "matplotlib", "pydantic", "numpy")


def test_help_imports_nothing_heavy() -> None:
    loaded = run(
        "import sys\nfrom hwflow.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY} if m in sys.modules])"
    )
    assert loaded.endswith("[]")


@pytest.mark.parametrize("verb", ["inspect", "estimate"])
def test_inspect_and_estimate_never_import_a_framework(verb: str) -> None:
    model = PACKAGE.parent / "examples" / "digits_mlp.onnx"
    loaded = run(
        "import sys\nfrom hwflow.cli import main\n"
        f"try: main([{verb!r}, {str(model)!r}, '--json'])\nexcept SystemExit: pass\n"
        "print([m for m in ('torch', 'tensorflow', 'keras', 'hls4ml') if m in sys.modules])"
    )
    assert loaded.endswith("[]")


def test_writing_a_project_never_imports_a_framework(tmp_path: Path) -> None:
    model = PACKAGE.parent / "examples" / "digits_mlp.onnx"
    loaded = run(
        f"import sys, hwflow\nhwflow.compile({str(model)!r}).write({str(tmp_path / 'out')!r})\n"
        "print([m for m in ('torch', 'tensorflow', 'keras') if m in sys.modules])"
    )
    assert loaded.endswith("[]")
