"""Tcl, Makefile and page of blocks: scripts run to their end, and name what is there."""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from hwflow.core.errors import CompileError
from hwflow.package.block import Block, make_block
from hwflow.package.wishes import Wishes
from tests.package.builds import build, two_ports

STUBS = """
# Commands of HLS and Vivado are written down; what the tools make of files is made up.
set log [open commands.log w]
proc note {words} { global log; puts $log $words; flush $log }
proc unknown {args} {
    note $args
    switch [lindex $args 0] {
        get_board_parts { return {vendor:board:part0:1.0 vendor:board:part0:1.1} }
        get_runs { return impl_1 }
        get_property {
            if {[lindex $args 1] eq "PROGRESS"} { return "100%" }
            if {[lindex $args 1] eq "STATS.WNS"} { return 0.1 }
        }
        get_bd_cells - get_bd_intf_pins { return [lindex $args 1] }
        csynth_design {
            file mkdir build/hls/solution/impl/verilog
            close [open build/hls/solution/impl/verilog/top.v w]
        }
        write_hw_platform {
            set handoff build/vivado/a.gen/sources_1/bd/design_1/hw_handoff
            file mkdir build/vivado/a.runs/impl_1 $handoff
            close [open build/vivado/a.runs/impl_1/design_1_wrapper.bit w]
            close [open $handoff/design_1.hwh w]
        }
    }
    return ""
}
rename exit leave
proc exit {{status 0}} { note "exit $status"; leave $status }
"""

tclsh = pytest.mark.skipif(shutil.which("tclsh") is None, reason="no tclsh: apt-get install tcl")


def run(folder: Path, script: str, **variables: str) -> list[str]:
    """Run a script of a block in a real Tcl shell; return the tools' commands that it gave."""
    (folder / "stubs.tcl").write_text(f"{STUBS}\nsource {script}\n")
    shell = ["tclsh", "stubs.tcl"]
    done = subprocess.run(
        shell, cwd=folder, capture_output=True, text=True, check=False, timeout=60, env=variables
    )
    assert done.returncode == 0, done.stderr
    lines = (folder / "commands.log").read_text().splitlines()
    assert lines[-1] == "exit 0"
    return lines


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the project of the network of two ports for a board, written once."""
    made: dict[str, Path] = {}

    def project(board: str) -> Path:
        if board not in made:
            folder = tmp_path_factory.mktemp(board) / "net"
            made[board] = build(folder, two_ports(), board=board, io_type="io_stream")
        return made[board]

    return project


BOARDS = ["pynq-z2", "kv260", "rfsoc4x2", "zcu104"]


@tclsh
@pytest.mark.parametrize("board", BOARDS)
@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
def test_scripts_run_to_their_end(
    board: str, interface: str, projects: Callable[[str], Path], tmp_path: Path
) -> None:
    made = make_block(projects(board), Wishes(interface=interface))
    ip = made.write(tmp_path / "ip")
    description = made.description
    hls = run(ip, "tcl/hls.tcl")
    for command in (line for line in hls if line.startswith("add_files")):
        file = command.replace("-tb ", "").split()[1]
        assert (ip / file).exists(), file
    assert not any(line.startswith("cosim_design") for line in hls)
    assert any(line.startswith("cosim_design") for line in run(ip, "tcl/hls.tcl", COSIM="1"))
    run(ip, "tcl/synth.tcl")
    design = run(ip, "tcl/bitstream.tcl")
    text = "\n".join(design)
    assert (ip / f"build/{description.top}.bit").exists()
    for port in description.ports:
        pin = re.compile(rf"^(connect|apply)_.*\bnet/(m_axi_gmem_)?{port.name}\b")
        assert sum(map(bool, map(pin.search, design))) == (interface != "axi-lite")
    assert "Slave /net/s_axi_control" in text
    used = set(re.findall(r"/ps/S_AXI_HP(\d)", text))
    enabled = re.findall(r"CONFIG\.(?:PCW_USE_S_AXI_HP|PSU__USE__S_AXI_GP)(\d) 1", text)
    assert used == {str(int(n) - (0 if board == "pynq-z2" else 2)) for n in enabled}


@tclsh
def test_a_kernel_is_exported_for_vitis(projects: Callable[[str], Path], tmp_path: Path) -> None:
    wishes = Wishes(interface="memory", kernel=True)
    made = make_block(projects("alveo-u250"), wishes)
    ip = made.write(tmp_path / "ip")
    assert f"build/{made.description.top}.xo" in "\n".join(run(ip, "tcl/hls.tcl"))
    top = (ip / f"hls/{made.description.top}.cpp").read_text()
    assert "offset=0x" not in top  # Vitis gives the addresses
    assert [(r.address, r.bits) for r in made.description.registers] == [
        (0x10, 64), (0x1C, 64), (0x28, 64), (0x34, 64), (0x40, 32)
    ]  # fmt: skip
    assert not (ip / "tcl/bitstream.tcl").exists()


@pytest.mark.parametrize("interface", ["axis", "axi-lite"])
def test_a_kernel_needs_memory(interface: str, projects: Callable[[str], Path]) -> None:
    project = projects("kv260")
    with pytest.raises(CompileError) as caught:
        make_block(project, Wishes(interface=interface, kernel=True))
    (finding,) = caught.value.diagnostics
    assert (finding.code, finding.help) == ("HW578", "--interface memory")
    assert make_block(project, Wishes(interface="memory", kernel=True)).files


@pytest.mark.parametrize(
    ("board", "words"),
    [("alveo-u250", "vitis-kernel"), ("arty-a7-35t", "no processor")],
)
def test_boards_without_a_design_say_so(
    board: str, words: str, projects: Callable[[str], Path], tmp_path: Path
) -> None:
    ip = make_block(projects(board), Wishes()).write(tmp_path / "ip")
    command = ["make", "bitstream"]
    done = subprocess.run(command, cwd=ip, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert words in done.stderr
    assert words in (ip / "README.md").read_text()


def page_of(made: Block) -> str:
    return made.files["README.md"].decode()


def test_the_page_and_scripts_are_as_they_were(
    projects: Callable[[str], Path], golden: Callable[[str, str], None]
) -> None:
    made = make_block(projects("kv260"), Wishes(data_width=64))
    page = re.sub(r"\d[\d,]* \([\d,]+ to [\d,]+\)", "FIGURE", page_of(made))  # of the estimate
    page = re.sub(r"(`design` \| 32 \| r \|) 0x\w+", r"\1 DIGEST", page)
    golden("package/README.md", page)
    for name in ("tcl/hls.tcl", "tcl/synth.tcl", "tcl/bitstream.tcl", "Makefile", "packing.svg"):
        golden(f"package/{Path(name).name}", made.files[name].decode())
    versal = make_block(projects("vck190"), Wishes(data_width=64))
    golden("package/versal.tcl", versal.files["tcl/bitstream.tcl"].decode())


@tclsh
def test_a_versal_without_board_files_is_refused(
    projects: Callable[[str], Path], tmp_path: Path
) -> None:
    ip = make_block(projects("vck190"), Wishes()).write(tmp_path / "ip")
    (ip / "stubs.tcl").write_text(
        f"{STUBS}\nproc get_board_parts args {{}}\nsource tcl/bitstream.tcl"
    )
    shell = ["tclsh", "stubs.tcl"]
    done = subprocess.run(shell, cwd=ip, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "no board files of VCK190" in done.stderr
    assert "create_bd_design" not in (ip / "commands.log").read_text()


def test_the_picture_shows_each_element_once(projects: Callable[[str], Path]) -> None:
    made = make_block(projects("kv260"), Wishes(data_width=128))
    assert all(p.packing.words <= 3 for p in made.description.ports)  # none is left out
    root = ET.fromstring(made.files["packing.svg"])
    texts = [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]
    numbers = [int(t) for t in texts if t and t.isdigit()]
    assert sorted(numbers) == sorted(n for p in made.description.ports for n in range(p.elements))


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
def test_the_page_names_every_port_and_register(
    interface: str, projects: Callable[[str], Path]
) -> None:
    made = make_block(projects("kv260"), Wishes(interface=interface))
    page = page_of(made)
    for entry in (*made.description.ports, *made.description.registers):
        assert f"`{entry.name}`" in page
    paths = re.findall(r"^\| (?:`([\w./]+)`(?:, )?)+ \|", page.split("## Files")[1], re.M)
    assert all(any(f.startswith(path) for f in made.files) for path in paths)
