"""The walk-through runs as it stands: its files are written, its commands run, in order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "walkthrough.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)
    return str(found)


def commands() -> list[tuple[str, list[str]]]:
    """Return each command of the page, and the lines that it shows below."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.M | re.S)
    parts = "".join(blocks).split("$ ")[1:]
    return [(lines[0], lines[1:]) for lines in (part.splitlines() for part in parts)]


@pytest.mark.cpp
@pytest.mark.torch
def test_the_walk_through_ends_in_a_verified_project(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(block("python"), "utf-8")
    (tmp_path / "hwflow.toml").write_text(block("toml"), "utf-8")
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    assert len(commands()) == 8
    for command, shown in commands():
        done = subprocess.run(
            ["bash", "-ec", command], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        for line in shown:
            assert line in done.stdout, f"{command}\n{done.stdout}"
    assert 'failures="0"' in (tmp_path / "mlp.xml").read_text("utf-8")
