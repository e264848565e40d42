"""Generated Tcl in a real Tcl shell, whose commands take legal arguments only."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwflow.package.block import Wishes, make_block
from tests.package.builds import build, two_ports

STUBS = Path(__file__).with_name("stubs.tcl")

pytestmark = pytest.mark.skipif(
    shutil.which("tclsh") is None, reason="no Tcl shell: apt-get install tcl"
)

Written = Callable[[str, str, str], Path]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return the folder of a block by board, interface and backend."""
    made: dict[tuple[str, str], Path] = {}

    def block(board: str, interface: str, backend: str) -> Path:
        if (board, backend) not in made:
            folder = tmp_path_factory.mktemp("project") / "net"
            made[board, backend] = build(folder, two_ports(), board=board, backend=backend)
        kernel = interface == "kernel"
        wishes: Any = Wishes(interface="memory" if kernel else interface, kernel=kernel)  # type: ignore[arg-type]
        return make_block(made[board, backend], wishes).write(
            tmp_path_factory.mktemp("block") / "ip"
        )

    return block


def run(folder: Path, tool: str, script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a block among commands that check what they are given."""
    return subprocess.run(
        ["tclsh", str(STUBS), tool, script, "commands.log"],
        cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=variables,
    )  # fmt: skip


def ends(folder: Path, tool: str, script: str, **variables: str) -> list[str]:
    """Return the commands of a script that ran to its end."""
    done = run(folder, tool, script, **variables)
    assert done.returncode == 0, done.stderr
    lines = (folder / "commands.log").read_text().splitlines()
    assert lines[-1] == "exit"
    return lines


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
@pytest.mark.parametrize(
    ("board", "backend"),
    [("pynq-z2", "Vitis"), ("pynq-z2", "Vivado"), ("kv260", "Vitis"), ("rfsoc4x2", "Vitis")],
)
def test_every_argument_is_legal(
    board: str, backend: str, interface: str, written: Written
) -> None:
    folder = written(board, interface, backend)
    assert any(line.startswith("export_design") for line in ends(folder, backend, "tcl/hls.tcl"))
    assert any(
        line.startswith("cosim_design") for line in ends(folder, backend, "tcl/hls.tcl", COSIM="1")
    )
    assert any(line.startswith("synth_design") for line in ends(folder, "vivado", "tcl/synth.tcl"))
    design = ends(folder, "vivado", "tcl/bitstream.tcl")
    assert any(line.startswith("write_hw_platform") for line in design)


def test_a_kernel_is_legal(written: Written) -> None:
    ends(written("alveo-u250", "kernel", "Vitis"), "Vitis", "tcl/hls.tcl")


@pytest.mark.parametrize(
    ("script", "found", "replacement", "said"),
    [
        ("hls", "open_project -reset", "open_project -rest", "open_project has no option -rest"),
        ("hls", "-reset state", "-reset most", "config_rtl -reset most"),
        ("hls", "csim_design", "csim_desing", "unknown command csim_desing"),
        ("hls", "tb/test_bench.cpp", "tb/gone.cpp", "no file tb/gone.cpp"),
        ("hls", "\nexit", "", "did not end with exit"),
        ("bitstream", "c_include_sg 0", "c_include_sg 2", "c_include_sg 2"),
        ("bitstream", "c_include_mm2s_dre", "c_mm2s_dre", "has no parameter c_mm2s_dre"),
        ("bitstream", "bd_rule:axi4", "bd_rule:axi5", "no rule xilinx.com:bd_rule:axi5"),
        ("bitstream", "Clk_xbar", "Clk_bar", "has no Clk_bar"),
        ("bitstream", "ip_repo_paths", "ip_paths", "project has no property ip_paths"),
        ("bitstream", "-to_step", "-until", "launch_runs has no option -until"),
        ("bitstream", "net/s_axis_x", "nets/s_axis_x", "no cell of nets/s_axis_x"),
    ],
)  # fmt: skip
def test_what_is_illegal_is_found(
    script: str, found: str, replacement: str, said: str, written: Written
) -> None:
    folder = written("pynq-z2", "axis", "Vitis")
    ends(folder, "Vitis", "tcl/hls.tcl")
    file = folder / "tcl" / f"{script}.tcl"
    text = file.read_text()
    assert found in text
    file.write_text(text.replace(found, replacement))
    done = run(folder, "Vitis" if script == "hls" else "vivado", f"tcl/{script}.tcl")
    assert done.returncode != 0
    assert f"ILLEGAL: {said}" in done.stderr or said in done.stderr
