"""The generated project: the same for the same model, free of this machine, whole or not there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import hwflow
from hwflow.codegen.project import MARKER, Project
from hwflow.core.errors import CompileError

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "examples" / "digits_mlp.onnx"
MODELS = sorted((ROOT / "tests" / "models").glob("*.onnx"))


def digests_elsewhere(seed: str, folder: Path) -> list[str]:
    """Return the digests that another process, with another hash seed and folder, computes."""
    code = """if True:
        import hwflow, sys
        for backend, io_type, path in (line.split(",", 2) for line in sys.argv[1:]):
            print(hwflow.compile(path, backend=backend, io_type=io_type).project.digest)
    """
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "TZ": "UTC-9"}
    done = subprocess.run(
        [sys.executable, "-c", code, f"Vitis,io_parallel,{MODEL}",
         *(f"Vivado,io_stream,{path}" for path in MODELS)],
        capture_output=True, text=True, env=environment, cwd=folder, check=True,
    )  # fmt: skip
    return done.stdout.split()


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    here = digests_elsewhere("1", ROOT)
    assert len(set(here)) == 1 + len(MODELS)
    assert digests_elsewhere("3", tmp_path) == here


def test_the_digest_covers_paths_and_contents() -> None:
    one = Project("net", {"a": b"1", "b": b"2"})
    assert one.digest == Project("net", {"b": b"2", "a": b"1"}).digest
    for other in ({"a": b"12", "b": b""}, {"a": b"1", "c": b"2"}, {"a": b"1"}):
        assert Project("net", other).digest != one.digest


MACHINE = re.compile(
    rb"/(tmp|home|root|work|usr|Users)/\w|\b20[23]\d[-/](0\d|1[0-2])[-/]\d\d\b|\b\d\d:\d\d:\d\d\b"
)
"""Absolute paths, dates, times."""


def test_no_path_and_no_date_of_this_machine() -> None:
    for io_type in ("io_parallel", "io_stream"):
        project = hwflow.compile(MODEL, io_type=io_type).project
        own = {p: c for p, c in project.files.items() if not p.startswith("firmware/ap_types/")}
        found = {p: m.group() for p, c in own.items() if (m := MACHINE.search(c))}
        assert found == {}


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../b"])
def test_paths_may_not_leave_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="leaves the project folder"):
        Project("net", {path: b""})


def test_writing_again_replaces_the_project(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    Project("net", {"a/b.txt": b"1", "run.sh": b"#!/bin/sh"}).write(folder)
    assert (folder / "run.sh").stat().st_mode & 0o111
    Project("net", {"c.txt": b"2"}).write(folder)
    assert {p.name for p in folder.rglob("*")} == {"c.txt", MARKER}
    assert {p.name for p in folder.parent.iterdir()} == {"out"}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert Project("net", {"a": b""}).write(tmp_path) == tmp_path
    assert (tmp_path / "a").exists()


def test_a_failed_swap_puts_the_old_project_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    Project("net", {"a": b"old"}).write(folder)
    rename, calls = Path.rename, []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 2:
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(CompileError, match="HW552"):
        Project("net", {"a": b"new"}).write(folder)
    assert (folder / "a").read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} == {"out"}
