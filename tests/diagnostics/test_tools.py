"""HW6xx, programs on the machine: what is said when one cannot start, fails or crashes."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from hwflow.core.errors import ToolError
from hwflow.core.toolchain import Limits, Tool, run, run_program
from hwflow.simulate.cpp.cache import Shelf

LIMITS = Limits(20.0)


def script(folder: Path, body: str, mode: int = 0o755) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(mode)
    return path


def said(program: Path) -> ToolError:
    with pytest.raises(ToolError) as caught:
        run_program(program, [], cwd=program.parent, limits=LIMITS, what="the bench")
    return caught.value


def test_hw601_a_program_that_is_missing_is_named_with_its_installation(tmp_path: Path) -> None:
    tool = Tool("no-such-tool", "HWFLOW_NO_SUCH_TOOL", "trying", "apt-get install no-such-tool")
    with pytest.raises(ToolError) as caught:
        run(tool, [], cwd=tmp_path, limits=LIMITS, what="trying")
    assert caught.value.code == "HW601"
    assert caught.value.help.startswith("apt-get install no-such-tool")
    os.environ["HWFLOW_NO_SUCH_TOOL"] = str(script(tmp_path, "exit 0"))  # the other half of it
    try:
        assert run(tool, [], cwd=tmp_path, limits=LIMITS, what="trying").returncode == 0
    finally:
        del os.environ["HWFLOW_NO_SUCH_TOOL"]


@pytest.mark.parametrize("memory_mb", [None, 2000])
def test_a_program_may_be_named_from_the_current_folder(
    memory_mb: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(tmp_path, "pwd")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HWFLOW_TRIED", "./program")
    tool, elsewhere = Tool("tried", "HWFLOW_TRIED", "trying", ""), tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(tool, [], cwd=elsewhere, limits=Limits(20.0, memory_mb), what="trying")
    assert Path(done.stdout.strip()) == elsewhere.resolve()


def test_hw602_a_program_that_cannot_be_started(tmp_path: Path) -> None:
    program = script(tmp_path, "exit 0", mode=0o644)
    error = said(program)
    assert error.code == "HW602"
    assert str(error).count("Permission denied") == 1
    program.chmod(0o755)  # what the reason says
    assert run_program(program, [], cwd=tmp_path, limits=LIMITS, what="it").returncode == 0


BOUNDED = Limits(20.0, memory_mb=2000)
NO_PROGRAMS = {
    "text": b"neither a program nor a script",
    "nothing": b"",
    "a script that fails": b"exit 3",
    "machine code cut off": Path(sys.executable).read_bytes()[:40],
    "another machine's code": b"\x7fELF" + bytes(200),
    "no interpreter": b"#!/nowhere/sh\nexit 0",
}


@pytest.mark.parametrize("limits", [LIMITS, BOUNDED], ids=["free", "bounded"])
@pytest.mark.parametrize("case", NO_PROGRAMS)
def test_hw602_what_is_no_program_is_not_taken_for_one(
    case: str, limits: Limits, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    program.write_bytes(NO_PROGRAMS[case])
    program.chmod(0o755)
    with pytest.raises(ToolError) as caught:
        run_program(program, [], cwd=tmp_path, limits=limits, what="the bench")
    reason = str(caught.value).split("cannot be run: ")[1].splitlines()[0]
    assert caught.value.code == "HW602"
    wanted = r"not found|No such file" if case == "no interpreter" else r"[Ee]xec format error"
    assert re.search(wanted, reason)


def test_hw602_is_what_the_system_says_for_a_bounded_program_too(tmp_path: Path) -> None:
    program = script(tmp_path, "exit 0", mode=0o644)
    with pytest.raises(ToolError) as caught:
        run_program(program, [], cwd=tmp_path, limits=BOUNDED, what="the bench")
    assert caught.value.code == "HW602"
    assert str(caught.value).count("Permission denied") == 1


@pytest.mark.parametrize("status", [126, 127])
def test_hw604_a_bounded_program_may_end_as_a_shell_does(status: int, tmp_path: Path) -> None:
    program = script(tmp_path, f"echo part: not found >&2; exit {status}")
    with pytest.raises(ToolError) as caught:
        run_program(program, [], cwd=tmp_path, limits=BOUNDED, what="the bench")
    assert caught.value.code == "HW604"
    assert caught.value.log == "part: not found"


def test_hw603_a_program_that_takes_too_long(tmp_path: Path) -> None:
    program = script(tmp_path, "exec sleep 60")
    with pytest.raises(ToolError) as caught:
        run_program(program, [], cwd=tmp_path, limits=Limits(0.3), what="the bench")
    assert caught.value.code == "HW603"
    assert "the bench took longer than 0.3 s" in str(caught.value)


def test_hw604_a_program_that_fails_shows_its_output(tmp_path: Path) -> None:
    error = said(script(tmp_path, "echo line 7 is wrong >&2; exit 3"))
    assert error.code == "HW604"
    assert "the bench failed (exit status 3)" in str(error)
    assert error.log == "line 7 is wrong"


def test_hw605_a_program_that_crashes_names_the_signal(tmp_path: Path) -> None:
    error = said(script(tmp_path, "echo before; kill -SEGV $$"))
    assert error.code == "HW605"
    assert "the bench crashed (SIGSEGV)" in str(error)
    assert error.log == "before"


def test_hw606_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path / "file" / "cache"))
    made, shelf = script(tmp_path, "exit 0"), Shelf("programs", 2)
    with pytest.raises(ToolError) as caught:
        shelf.put("digest", made)
    assert caught.value.code == "HW606"
    assert "HWFLOW_CACHE" in caught.value.help
    monkeypatch.setenv("HWFLOW_CACHE", str(tmp_path / "cache"))  # the help
    shelf.put("digest", made)
    assert shelf.path("digest").read_bytes() == made.read_bytes()
