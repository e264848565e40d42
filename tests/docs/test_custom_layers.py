"""The commands of docs/custom-layers.md run as they stand, and print what the page shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "custom-layers.md").read_text("utf-8")
EXAMPLE = ROOT / "examples" / "custom_layer"


def commands() -> list[tuple[str, str]]:
    """Return each command of the shell blocks, and what the page shows below it."""
    blocks = re.findall(r"^```console\n(.*?)^```", PAGE, re.M | re.S)
    found = []
    for part in "".join(blocks).split("$ ")[1:]:
        command, _, shown = part.partition("\n")
        found.append((command, shown))
    return found


def included() -> list[tuple[str, str]]:
    """Return file and text of each code block that is headed by a file of the example."""
    return re.findall(r"`examples/custom_layer/([\w.]+)`:\n\n```\w+\n(.*?)^```", PAGE, re.M | re.S)


def test_there_are_commands_and_files() -> None:
    assert len(commands()) >= 5
    assert {name for name, _ in included()} == {
        "complex_magnitude.py", "complex_magnitude.h.j2", "make_model.py",
    }  # fmt: skip


@pytest.mark.parametrize(("name", "text"), included())
def test_code_on_the_page_is_that_of_the_example(name: str, text: str) -> None:
    """Blocks show files in parts; three dots stand for what is left out."""
    content = (EXAMPLE / name).read_text("utf-8")
    position = 0
    for part in re.split(r"^ *(?:#|//)? ?\.\.\.\n", text, flags=re.M):
        assert part in content[position:], part
        position = content.index(part, position) + len(part)


@pytest.mark.slow
@pytest.mark.cpp
def test_commands_run_and_print_what_the_page_shows(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "custom_layer")
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    for command, shown in commands():
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path / "custom_layer",
            capture_output=True,
            text=True,
            env=environment,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        for line in filter(None, shown.split("\n")):
            assert line.strip() in done.stdout, f"{command}\n{line}\n{done.stdout}"
