"""The house: modules import from lower layers only, and heavy libraries stay where they belong."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hwflow"

ROOMS = (
    "fixed",
    "core",
    "ir",
    "estimate",
    "ops",
    "custom",
    "passes",
    "codegen",
    "simulate",
    "frontends",
    "verify",
    "report",
    "project",
    "testing",
    "cli",
)
"""The rooms from low to high: a module imports from its own room and from those before it."""


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__main__.py")


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
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


@pytest.mark.parametrize(
    ("maker", "place"),
    [("InferenceSession", "core/inference.py"), ("Environment", "core/templates.py")],
)
def test_sessions_and_template_environments_are_made_in_one_place(maker: str, place: str) -> None:
    made = {
        str(path.relative_to(PACKAGE))
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text()))
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
