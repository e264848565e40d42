"""Kernels of Vitis: `make xclbin` runs to its end with tools that check what they are given."""

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwflow.package.block import make_block
from hwflow.package.wishes import Wishes
from tests.package.builds import build, two_ports
from tests.package.tcl.test_options import STUBS
from tests.package.test_scripts import tclsh

LINKER = f"""#!{sys.executable}
\"\"\"v++ that does nothing but check its arguments, against AMD UG1702.\"\"\"
import argparse, pathlib
p = argparse.ArgumentParser(allow_abbrev=False)
p.add_argument("--link", action="store_true", required=True)
p.add_argument("--target", choices=["hw", "hw_emu", "sw_emu"], required=True)
for option in ("--platform", "--config", "--temp_dir", "--output"):
    p.add_argument(option, required=True)
p.add_argument("objects", nargs="+", type=pathlib.Path)
given = p.parse_args()
assert all(o.suffix == ".xo" and o.exists() for o in given.objects), given.objects
assert pathlib.Path(given.config).exists()
pathlib.Path(given.output).write_text(given.platform)
"""

BANKS = {
    "alveo-u50": ["HBM[0]", "HBM[1]", "HBM[2]", "HBM[3]"],
    "alveo-u55c": ["HBM[0]", "HBM[1]", "HBM[2]", "HBM[3]"],
    "alveo-u200": ["DDR[1]"] * 4,
    "alveo-u250": ["DDR[0]"] * 4,
    "alveo-u280": ["HBM[0]", "HBM[1]", "HBM[2]", "HBM[3]"],
    "kv260": [],
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a kernel for a board."""

    def made(board: str) -> Path:
        place = tmp_path_factory.mktemp(board)
        project = build(place / "net", two_ports(), board=board)
        return make_block(project, Wishes(interface="memory", kernel=True)).write(place / "ip")

    return made


def link(folder: Path, tools: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `make xclbin` with stand-ins for the tools."""
    (tools / "v++").write_text(LINKER)
    (tools / "v++").chmod(0o755)
    hls = f"HLS=tclsh {STUBS} Vitis"
    return subprocess.run(
        ["make", "xclbin", hls, *words], cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )  # fmt: skip


@tclsh
@pytest.mark.parametrize("board", BANKS)
def test_a_kernel_is_linked(board: str, kernel: Callable[[str], Path], tmp_path: Path) -> None:
    folder = kernel(board)
    done = link(folder, tmp_path)
    xclbin = folder / "build" / "two_ports_ip.xclbin"
    if not BANKS[board]:
        assert (done.returncode, "make xclbin PLATFORM=" in done.stderr) == (2, True)
        done = link(folder, tmp_path, "PLATFORM=mine")
        assert xclbin.read_text() == "mine"
    else:
        assert re.fullmatch(
            rf"xilinx_{board.removeprefix('alveo-')}_gen3x16_xdma_[\d_]+", xclbin.read_text()
        )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("board", BANKS)
def test_every_master_has_a_bank(board: str, kernel: Callable[[str], Path]) -> None:
    folder = kernel(board)
    text = (folder / "link" / "connectivity.cfg").read_text()
    config = configparser.ConfigParser(strict=False)
    config.read_string("[general]\n" + text)
    assert config.sections() == ["general", "connectivity"]
    assert set(config["general"]) == {"kernel_frequency"}
    period = 1000 / int(config["general"]["kernel_frequency"])
    code = (folder / "hls" / "two_ports_ip.cpp").read_text()
    wanted = float(
        re.findall(r"create_clock -period (\S+)", (folder / "tcl/hls.tcl").read_text())[0]
    )
    assert 0 <= period - wanted < 0.02 * wanted
    (unit,) = re.findall(r"^nk=two_ports_ip:1:(\w+)$", text, re.M)
    assert f"two_ports_ip:{{{unit}}}" in (folder / "drivers/xrt/host.cpp").read_text()
    masters = [f"m_axi_{bundle}" for bundle in re.findall(r"m_axi port=\w+ .*bundle=(\w+)", code)]
    assert len(masters) == 4
    found = re.findall(rf"^sp={unit}\.(\w+):(\S+)$", text, re.M)
    assert found == list(zip(masters, BANKS[board], strict=bool(BANKS[board])))
