"""The page on the golden model: its Python runs, on a project that the command line wrote."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import hwflow

ROOT = Path(__file__).parents[2]
NAMES = ("digits_mlp", "digits_residual")


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "golden.md").read_text(), re.S)
    assert len(blocks) == 2
    designs = {n: hwflow.compile(ROOT / "examples" / f"{n}.onnx") for n in NAMES}
    for name, design in designs.items():
        design.write(tmp_path / "build" / name)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    images = np.asarray(names["images"])
    (expected,) = designs["digits_residual"].simulate(images).outputs.values()
    np.testing.assert_array_equal(names["real"], expected)
    labels = np.load(ROOT / "examples" / "digits.npz")["y"]
    assert (np.asarray(names["scores"]).argmax(axis=1) == labels).mean() > 0.98
