"""Pages whose files are written and whose commands are run, in order, as they stand."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text("utf-8")


def block(text: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)
    return str(found)


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return each command of a page, and the lines that it shows below."""
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.M | re.S)
    parts = "".join(blocks).split("$ ")[1:]
    return [(lines[0], lines[1:]) for lines in (part.splitlines() for part in parts)]


def run_commands(text: str, folder: Path) -> None:
    """Run a page's commands in a folder; each must succeed and print what the page shows."""
    scripts = Path(sys.executable).parent
    environment = {
        **os.environ,
        "PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COLUMNS": "200",
    }
    for command, shown in commands(text):
        done = subprocess.run(
            ["bash", "-ec", command], cwd=folder, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        for line in shown:
            assert line in done.stdout, f"{command}\n{done.stdout}"
