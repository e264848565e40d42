"""``hwflow synth`` with stand-ins for the vendors' tools."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from hwflow.core.durations import parse_duration
from hwflow.core.errors import CompileError, ToolError
from hwflow.project.synthesis.reporting import report_project
from hwflow.project.synthesis.running import LOG, Request, synthesize
from tests.project.synthesis.stand_in import asked, executable, install, settings_script
from tests.synthesis.designs import LAYERS, TOTAL, design

VARIABLES = ("HWFLOW_VITIS", "HWFLOW_VITIS_SETTINGS", "HWFLOW_VIVADO_HLS", "HWFLOW_VIVADO_SETTINGS")


@pytest.fixture(autouse=True)
def _no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return written projects, by back end."""

    @cache
    def written(backend: str) -> Path:
        return design(backend).write(tmp_path_factory.mktemp("projects") / backend.lower())

    return written


def steps(seen: Path) -> dict[str, int]:
    table = re.search(r"array set opt \{([^}]*)\}", asked(seen)["options"])
    assert table is not None
    return {name: int(on) for name, on in re.findall(r"(\w+)\s+([01])", table[1])}


@pytest.mark.parametrize(
    ("backend", "program", "settings", "arguments"),
    [
        ("Vitis", "vitis-run", "HWFLOW_VITIS_SETTINGS", "--mode hls --tcl build_prj.tcl"),
        ("Vitis", "vitis_hls", "HWFLOW_VITIS_SETTINGS", "-f build_prj.tcl"),
        ("Vivado", "vivado_hls", "HWFLOW_VIVADO_SETTINGS", "-f build_prj.tcl"),
    ],
)
def test_the_tool_is_found_by_its_settings_script(
    backend: str, program: str, settings: str, arguments: str,
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _, seen = install(tmp_path, design(backend), program)
    monkeypatch.setenv(settings, str(settings_script(tmp_path, tmp_path / "bin")))
    found = synthesize(project(backend), Request(out=tmp_path / "run"))
    assert asked(seen)["arguments"] == arguments.split()
    assert steps(seen) | {"fifo_opt": 0} == {
        "reset": 0, "csim": 0, "synth": 1, "cosim": 0, "validation": 0, "export": 0, "vsynth": 0,
        "fifo_opt": 0,
    }  # fmt: skip
    (stage,) = found.comparison.stages
    assert (stage.name, stage.tool.split()[0]) == ("C synthesis", backend.lower())
    rows = {row.figure: row for row in stage.figures}
    assert rows["lut"].synthesized == TOTAL["lut"]
    assert rows["lut"].estimated == found.design.estimate().total.lut
    assert {n.name: n.figures[0].synthesized for n in found.comparison.layers if n.figures} == {
        name: layer["lut"] for name, layer in LAYERS.items()
    }
    assert "INFO: [HLS 200-10] Running" in found.log.read_text()
    assert found.comparison.notes == ()


def test_the_tool_is_found_by_its_own_variable_and_runs_vivado_too(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, seen = install(tmp_path, design(), "vitis-run", logic=True)
    monkeypatch.setenv("HWFLOW_VITIS", str(program))
    found = synthesize(project("Vitis"), Request(out=tmp_path / "run", logic=True, tool="vitis"))
    assert steps(seen)["vsynth"] == 1
    names = [stage.name for stage in found.comparison.stages]
    assert names == ["C synthesis", "logic synthesis", "implementation"]
    logic, routed = found.comparison.stages[1:]
    total = found.design.estimate().total
    figures = ["lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth"]
    assert [row.figure for row in logic.figures] == figures
    assert logic.figures[0].estimated == total.lut_synth
    assert (logic.figures[0].synthesized, routed.slack_ns) == (24_000, 0.417)


def test_without_a_tool_the_script_is_written_and_runs_where_one_is(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with pytest.raises(ToolError) as error:
        synthesize(project("Vitis"), Request(out=out))
    (finding,) = error.value.diagnostics
    assert finding.code == "HW610"
    assert "vitis-run and vitis_hls not found" in finding.title
    assert "HWFLOW_VITIS_SETTINGS" in finding.help
    assert error.value.written == (str(out / "synth.sh"),)
    program, _ = install(tmp_path, design(), "vitis-run")
    path = f"{program.parent}:{os.environ['PATH']}"
    subprocess.run([out / "synth.sh"], env={**os.environ, "PATH": path}, check=True)
    found = report_project(project("Vitis"), out, out=tmp_path / "report")  # what the help says
    assert found.comparison.stages[0].figures[0].synthesized == TOTAL["lut"]
    monkeypatch.setenv("HWFLOW_VITIS_SETTINGS", str(tmp_path / "gone.sh"))
    with pytest.raises(ToolError, match=r"HWFLOW_VITIS_SETTINGS names .*gone.sh"):
        synthesize(project("Vitis"), Request(out=tmp_path / "other"))


def test_results_of_another_run_are_never_replaced(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, seen = install(tmp_path, design(), "vitis-run")
    monkeypatch.setenv("HWFLOW_VITIS", str(program))
    out = tmp_path / "run"
    synthesize(project("Vitis"), Request(out=out))
    seen.unlink()
    with pytest.raises(CompileError) as error:
        synthesize(project("Vitis"), Request(out=out))
    assert error.value.diagnostics[0].code == "HW594"
    assert not seen.exists()
    assert report_project(project("Vitis"), out, out=tmp_path / "report").comparison.stages


def test_a_project_for_another_tool_is_refused(
    project: Callable[[str], Path], tmp_path: Path
) -> None:
    for tool in ("vivado", "quartus"):
        with pytest.raises(CompileError) as error:
            synthesize(project("Vitis"), Request(tool=tool, out=tmp_path / "run"))
        assert error.value.diagnostics[0].code == "HW593"
    assert not (tmp_path / "run").exists()


def test_what_the_tool_says_last_is_shown_where_it_fails(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = (
        "#!/bin/sh\nfor i in $(seq 500); do echo line $i; done\necho ERROR: no license\nexit 3\n"
    )
    monkeypatch.setenv("HWFLOW_VITIS", str(executable(tmp_path / "vitis-run", failing)))
    with pytest.raises(ToolError) as error:
        synthesize(project("Vitis"), Request(out=tmp_path / "run"))
    assert error.value.code == "HW604"
    assert "ERROR: no license" in error.value.log
    assert "line 1\n" not in error.value.log
    assert (tmp_path / "run" / LOG).read_text().startswith("line 1\n")


def test_a_tool_that_leaves_no_report_is_told_so(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = executable(tmp_path / "vitis-run", "#!/bin/sh\nexit 0\n")
    monkeypatch.setenv("HWFLOW_VITIS", str(silent))
    with pytest.raises(CompileError) as error:
        synthesize(project("Vitis"), Request(out=tmp_path / "run"))
    assert error.value.diagnostics[0].code == "HW590"


SLEEPER = "#!/bin/sh\nsleep 600 &\necho $! > {pid}\nwait\n"
"""A tool that starts another program and waits for it."""


def gone(pid: int) -> bool:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


def test_a_tool_that_takes_too_long_ends_with_all_that_it_started(
    project: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    tool = executable(tmp_path / "vitis-run", SLEEPER.format(pid=pid))
    monkeypatch.setenv("HWFLOW_VITIS", str(tool))
    with pytest.raises(ToolError) as error:
        synthesize(project("Vitis"), Request(out=tmp_path / "run", timeout_s=1.5))
    assert error.value.code == "HW603"
    assert "--timeout" in error.value.diagnostics[0].help
    assert gone(int(pid.read_text()))


def test_ctrl_c_ends_the_tool_with_all_that_it_started(
    project: Callable[[str], Path], tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    tool = executable(tmp_path / "vitis-run", SLEEPER.format(pid=pid))
    command = [sys.executable, "-m", "hwflow", "synth", str(project("Vitis"))]
    process = subprocess.Popen(
        [*command, "-o", str(tmp_path / "run")],
        env={**os.environ, "HWFLOW_VITIS": str(tool)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for _ in range(600):
        if pid.exists() and pid.read_text().strip():
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=20) == 128 + signal.SIGINT
    assert gone(int(pid.read_text()))


def test_edited_scripts_are_not_run_unless_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = design().write(tmp_path / "net")
    script = written / "hls" / "build_opt.tcl"
    script.write_text(script.read_text() + "exec touch /tmp/of-a-stranger\n")
    program, seen = install(tmp_path, design(), "vitis-run")
    monkeypatch.setenv("HWFLOW_VITIS", str(program))
    found = synthesize(written, Request(out=tmp_path / "run"))
    assert "of-a-stranger" not in asked(seen)["options"]
    assert any("--trust" in note for note in found.comparison.notes)
    code = written / "hls" / "firmware" / "digits_mlp.cpp"
    code.write_text(code.read_text() + "// of the user\n")
    trusted = synthesize(written, Request(out=tmp_path / "trusted"), trust=True)
    assert (trusted.folder / "firmware" / code.name).read_text().endswith("// of the user\n")
    assert not any("--trust" in note for note in trusted.comparison.notes)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("15m", 900), ("2h", 7200), ("1.5d", 129_600), (" 2 H ", 7200), ("30", 30)],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "0s", "-1h", "2 weeks", "1e9h", "nan", "9" * 30])
def test_what_is_no_length_of_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_duration(text)
