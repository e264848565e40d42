"""The files of the drivers: what they are made for reads them."""

import ast
from pathlib import Path

from hwflow.package.block import make_block
from hwflow.package.wishes import Wishes
from tests.package.builds import build


def test_python_is_that_of_boards(tmp_path: Path) -> None:
    """PYNQ 2.7 has Python 3.8."""
    block = make_block(build(tmp_path / "net", board="pynq-z2"), Wishes())
    sources = {
        p: c for p, c in block.files.items() if p.startswith("drivers/") and p.endswith(".py")
    }
    assert "drivers/python/hwflow_ip/protocol.py" in sources
    for path, content in sources.items():
        tree = ast.parse(content, path, feature_version=(3, 8))
        futures = [n.names[0].name for n in tree.body if isinstance(n, ast.ImportFrom)]
        assert "annotations" in futures or path.endswith("__init__.py"), path
        assert b"hwflow." not in content.replace(b"hwflow.toml", b""), path


def test_kernels_of_vitis_have_a_host_program(tmp_path: Path) -> None:
    project = build(tmp_path / "net", board="pynq-z2")
    block = make_block(project, Wishes(interface="memory", kernel=True))
    folders = {p.split("/")[1] for p in block.files if p.startswith("drivers/")}
    assert folders == {"Makefile", "c", "xrt", "software"}
