"""Screens and logs: nothing cut, nothing wrapped where there is no terminal, plain progress."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from rich.console import Console

from hwflow.cli.terminal import sample_progress, stage_progress
from hwflow.simulate import cpp
from tests.cli.command import dense, save

ROOT = Path(cpp.__file__).parents[3]
LONG = "a_layer_whose_name_is_" + "very_" * 8 + "long"


@pytest.fixture(autouse=True)
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(dense(), f"{LONG}.onnx")


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "HWFLOW_CACHE": "cache", **more}


def piped(*arguments: str, **more: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "hwflow", *arguments], env=environment(**more),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout, done.stderr


def on_terminal(columns: int, *arguments: str) -> str:
    """Return what a command prints on a terminal of so many columns."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (50, columns))
    process = subprocess.Popen(
        [sys.executable, "-m", "hwflow", *arguments], stdout=theirs, stderr=theirs, stdin=theirs,
        env={k: v for k, v in environment(TERM="xterm").items() if k not in ("COLUMNS", "LINES")},
    )  # fmt: skip
    os.close(theirs)
    read = b""
    try:
        while part := os.read(ours, 65536):
            read += part
    except OSError:  # Linux's end of file of a terminal
        pass
    os.close(ours)
    assert process.wait() == 0
    return read.decode()


@pytest.mark.parametrize(
    ("verb", "variables"),
    [("inspect", {}), ("estimate", {"FORCE_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"})],
)
def test_pipes_take_whole_lines(verb: str, variables: dict[str, str]) -> None:
    out, err = piped(verb, f"{LONG}.onnx", **variables)
    assert "…" not in out
    first = out.splitlines()[0]
    assert LONG in first, "the title is one line"
    rows = [line for line in out.splitlines() if "Dense" in line or "total" in line]
    assert len(rows) == 1, "a row is one line"
    assert err == ""


@pytest.mark.parametrize("columns", [40, 100])
def test_narrow_terminals_fold_and_cut_nothing(columns: int) -> None:
    for verb in ("inspect", "estimate"):
        shown = on_terminal(columns, verb, f"{LONG}.onnx")
        assert "…" not in shown
        assert LONG in shown


def test_an_error_in_a_pipe_is_whole() -> None:
    Path("hwflow.toml").write_text(f"[layer.{LONG}]\nreuse_factor = 2\n")
    _, err = piped("inspect", f"{LONG}.onnx", "--config", "hwflow.toml")
    assert f"  --> [layer.{LONG}] in hwflow.toml\n" in err


def test_progress_in_a_pipe_is_one_plain_line_a_stage(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    with stage_progress(quiet=False) as progress:
        for stage in ("compile", "simulate"):
            for done in range(1000):
                progress(stage, done / 1000)
    assert capsys.readouterr() == ("", "hwflow: compile\nhwflow: simulate\n")
    with stage_progress(quiet=True) as progress:
        progress("compile", 0.0)
    assert capsys.readouterr() == ("", "")


def test_samples_in_a_pipe_are_counted_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.0
    monkeypatch.setattr("hwflow.cli.terminal.progress.time.monotonic", lambda: seconds)
    with sample_progress(quiet=False) as progress:
        for done in range(0, 50_000, 10):
            seconds = done / 1000
            progress(done, 50_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["hwflow: simulate", "hwflow: simulate: 10,000 of 50,000 samples"]
    assert len(lines) == 5
    with sample_progress(quiet=True) as progress:
        progress(5, None)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("total", [50, None])
def test_samples_on_a_terminal(total: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    screen = Console(file=text, force_terminal=True, width=99)
    monkeypatch.setattr("hwflow.cli.terminal.progress.errors", screen)
    monkeypatch.setattr("hwflow.cli.terminal.progress._moves", lambda: True)
    with sample_progress(quiet=False) as progress:
        progress(1234, total)
    assert re.search(r"1,234 samples, [\d,]+ a second", text.getvalue())
