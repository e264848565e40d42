"""The workflow in ``examples/ci``: its YAML is read, and what it runs is run here."""

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "examples" / "ci" / "hwflow.yml"


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    content: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    return content


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflow["jobs"]["verify"]["steps"]
    return found


def test_it_has_the_form_of_a_workflow(workflow: dict[Any, Any]) -> None:
    assert set(workflow) == {"name", True, "permissions", "env", "jobs"}  # YAML 1.1: on is true
    assert workflow["permissions"] == {"contents": "read"}
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step)
        assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/x@v1"))
    for path in (workflow["env"]["MODEL"], workflow["env"]["DATA"]):
        assert (ROOT / path).is_file()


def test_what_it_installs_exists(workflow: dict[Any, Any], tmp_path: Path) -> None:
    source = workflow["env"]["HWFLOW"]
    options = ["--quiet", "--no-deps", "--target", str(tmp_path / "site")]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, source],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    write = "import hwflow; hwflow.compile('examples/digits_mlp.onnx').write(r'{}')"
    done = subprocess.run(
        [sys.executable, "-c", write.format(tmp_path / "out")],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONSAFEPATH": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "hls" / "build_prj.tcl").is_file()


@pytest.mark.cpp
def test_its_commands_pass(workflow: dict[Any, Any], tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    values = {k: v for k, v in workflow["env"].items() if k != "HWFLOW_CACHE"}
    summary = tmp_path / "summary.md"
    environment = {
        **os.environ, **values, "PYTHONPATH": str(ROOT), "GITHUB_STEP_SUMMARY": str(summary),
        "PYTEST_ADDOPTS": "-p no:hwflow -p hwflow.testing.pytest_plugin -p no:cacheprovider",
    }  # fmt: skip
    commands = [step["run"] for step in steps(workflow) if "run" in step]
    assert commands[0] == 'python -m pip install "$HWFLOW" pytest'
    for command in commands[1:]:
        here = f"{shlex.quote(sys.executable)} -m {command.removeprefix('python -m ')}"
        done = subprocess.run(
            ["bash", "-ec", here], cwd=tmp_path, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in summary.read_text("utf-8").splitlines()[0]
    suites = [ET.parse(path).getroot() for path in sorted((tmp_path / "build").glob("*.xml"))]
    assert len(suites) == 2
    assert all(case.find("failure") is None for suite in suites for case in suite.iter("testcase"))
