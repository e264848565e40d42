"""Generated Tcl in a real Tcl shell, whose commands take legal arguments only."""

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hwflow.package.block import make_block
from hwflow.package.wishes import Wishes
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
    [
        ("pynq-z2", "Vitis"),
        ("pynq-z2", "Vivado"),
        ("kv260", "Vitis"),
        ("rfsoc4x2", "Vitis"),
        ("vck190", "Vitis"),
        ("vek280", "Vitis"),
    ],
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
    image = "pdi" if board.startswith("v") else "bit"
    assert list((folder / "build").glob(f"*.{image}"))


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
def test_what_a_versal_needs_is_connected(interface: str, written: Written) -> None:
    """Every clock, reset, register window and master of the block and its DMAs has its net."""
    folder = written("vck190", interface, "Vitis")
    ends(folder, "Vitis", "tcl/hls.tcl")
    lines = ends(folder, "vivado", "tcl/bitstream.tcl")
    nets = [line.split()[1:] for line in lines if line.startswith("connect_bd_")]
    assert all(len(net) == 2 for net in nets)
    ends_of = [pin.lstrip("/") for net in nets for pin in net]
    sources = {"ps/pl0_ref_clk", "reset/peripheral_aresetn"}
    assert all(ends_of.count(pin) == 1 for pin in {*ends_of} - sources)
    wanted = {"ps/m_axi_fpd_aclk", "reset/slowest_sync_clk", "reset/ext_reset_in", "control/aclk"}
    wanted |= {"control/aresetn", "net/ap_clk", "net/ap_rst_n", "net/s_axi_control"}
    description = json.loads((folder / "ip.json").read_text())
    if interface == "axis":
        for number in range(2):
            pins = ("s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk", "axi_resetn")
            pins += ("S_AXI_LITE", "M_AXI_MM2S", "M_AXI_S2MM", "M_AXIS_MM2S", "S_AXIS_S2MM")
            wanted |= {f"dma_{number}/{pin}" for pin in pins}
        wanted |= {f"net/{port['name']}" for port in description["ports"]}
    if interface == "memory":
        wanted |= {f"net/m_axi_gmem_{port['name']}" for port in description["ports"]}
    masters = 0 if interface == "axi-lite" else 4
    noc = [pin for pin in ends_of if pin.startswith("axi_noc_0/S")]
    assert noc == [f"axi_noc_0/S{number:02}_AXI" for number in range(6, 6 + masters)]
    assert wanted <= {*ends_of}


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
    refuses("pynq-z2", script, found, replacement, said, written)


@pytest.mark.parametrize(
    ("found", "replacement", "said"),
    [
        ("mc_type DDR", "mc_kind DDR", "xilinx.com:bd_rule:cips has no mc_kind"),
        ("PS_USE_M_AXI_FPD", "PS_USE_M_AXI_FPT", "PS_PMC_CONFIG has no parameter"),
        ("CONFIG.CATEGORY pl", "CONFIG.CATEGORY ps", "CATEGORY ps"),
        ("read_bw 500 ", "", "CONNECTIONS MC_0"),
        ("CONFIG.NUM_MI 3", "CONFIG.NUM_MI 2", "smartconnect has no pin M02_AXI"),
        ("+ [llength $masters]", "+ 1", "axi_noc has no pin S07_AXI"),
        ("net/ap_clk", "nets/ap_clk", "no cell of nets/ap_clk"),
        ("axi_resetn", "aresetn", "axi_dma has no pin aresetn"),
    ],
)
def test_what_is_illegal_on_a_versal_is_found(
    found: str, replacement: str, said: str, written: Written
) -> None:
    refuses("vck190", "bitstream", found, replacement, said, written)


def refuses(
    board: str, script: str, found: str, replacement: str, said: str, written: Written
) -> None:
    folder = written(board, "axis", "Vitis")
    ends(folder, "Vitis", "tcl/hls.tcl")
    file = folder / "tcl" / f"{script}.tcl"
    text = file.read_text()
    assert found in text
    file.write_text(text.replace(found, replacement))
    done = run(folder, "Vitis" if script == "hls" else "vivado", f"tcl/{script}.tcl")
    assert done.returncode != 0
    assert f"ILLEGAL: {said}" in done.stderr or said in done.stderr
