"""The command that installs an extra's packages."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from hwflow.core.machine import install_command

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))[
    "project"
]["optional-dependencies"]


@pytest.mark.parametrize("extra", ["torch", "keras", "da"])
def test_it_names_the_packages_of_the_extra(extra: str) -> None:
    found = [Requirement(text) for text in re.findall(r"'([^']+)'", install_command(extra))]
    wanted = [Requirement(text) for text in EXTRAS[extra]]
    assert sorted((r.name, str(r.specifier)) for r in found) == sorted(
        (r.name, str(r.specifier)) for r in wanted
    )


def test_pip_takes_the_command() -> None:
    command = install_command("da").removeprefix("pip ").replace("'", "").split()
    done = subprocess.run(
        [sys.executable, "-m", "pip", *command, "--dry-run", "--quiet", "--no-deps"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
