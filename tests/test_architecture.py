"""The house: modules import from lower layers only, and heavy libraries stay where they belong."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "hwflow"

LAYERS = [
    {"errors", "fixed", "resources", "debug", "distance", "toml_text", "machine"},
    {"files", "limits", "doubles"},
    {"board", "config"},
    {"ir"},
    {"real"},
    {"ops"},
    {"plugins", "custom"},
    {"passes"},
    {"frontends"},
    {"reference", "exact"},
    {"port_data"},
    {"coverage"},
    {"simulate", "estimate", "codegen"},
    {"advice"},
    {"golden"},
    {"data", "engines"},
    {"samples"},
    {"stream"},
    {"ports"},
    {"ptq"},
    {"unquantised", "budget"},
    {"float_model"},
    {"toolchain"},
    {"csim"},
    {"verdict", "verify", "lossless", "golden_check"},
    {"model_check", "gate", "project_source"},
    {"junit"},
    {"report", "vectors"},
    {"manifest"},
    {"build_files"},
    {"workbench"},
    {"design"},
    {"compiler"},
    {"stored"},
    {"verified", "simulated"},
    {"testing", "pytest_plugin"},
    {"terminal"},
    {
        "show",
        "show_catalog",
        "show_operator",
        "show_diff",
        "show_quantize",
        "show_simulate",
        "show_vectors",
        "show_verify",
    },
    {"cli"},
]
"""Top-level modules from low to high."""


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p.name != "__main__.py")


def layer(module: str) -> int:
    return next(i for i, names in enumerate(LAYERS) if module in names)


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
def test_modules_import_from_lower_layers_only(path: Path) -> None:
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        return  # the public API names everything, lazily
    too_high = {name for name in imported(path) if name != own and layer(name) > layer(own)}
    assert not too_high, f"{path.name} ({own}) imports {too_high}"


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
