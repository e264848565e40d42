"""Blocks in FuseSoC, edalize and LiteX: these tools read what is written, and find the Verilog."""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from hwflow.package.block import make_block
from hwflow.package.description import Description
from hwflow.package.wishes import Wishes
from tests.package.builds import build, two_ports

Blocks = Callable[[str, str], tuple[Path, Description]]


@pytest.fixture(scope="module")
def blocks(tmp_path_factory: pytest.TempPathFactory) -> Blocks:
    """Return a block of two inputs and outputs by interface and backend, with made-up Verilog."""
    made: dict[str, Path] = {}

    def block(interface: str, backend: str = "Vitis") -> tuple[Path, Description]:
        if backend not in made:
            folder = tmp_path_factory.mktemp(backend) / "net"
            made[backend] = build(folder, two_ports(), board="pynq-z2", backend=backend)
        found = make_block(made[backend], Wishes(interface=interface))  # type: ignore[arg-type]
        folder = found.write(tmp_path_factory.mktemp(interface) / "ip")
        verilog = folder / "build" / "hls" / "solution" / "impl" / "verilog"
        verilog.mkdir(parents=True)
        top = found.description.top
        (verilog / f"{top}.v").write_text(f"module {top}(); endmodule\n")
        (verilog / f"{top}_rom.dat").write_text("0\n")
        return folder, found.description

    return block


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_fusesoc_sets_a_design_up(blocks: Blocks, tmp_path: Path) -> None:
    folder, description = blocks("axis", "Vitis")
    command = Path(sys.executable).with_name("fusesoc")
    done = run(
        tmp_path, str(command), "--cores-root", str(folder), "run", "--setup", "--target",
        "default", description.vlnv,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (edam,) = tmp_path.rglob("*.eda.yml")
    said = yaml.safe_load(edam.read_text())
    assert said["toplevel"] == description.top
    assert said["tool_options"]["vivado"]["part"] == description.target.part
    kinds = {Path(f["name"]).name: f["file_type"] for f in said["files"]}
    assert kinds[f"{description.top}.v"] == "verilogSource"
    assert kinds[f"{description.top}_rom.dat"] == "user"


def test_edalize_takes_the_description(blocks: Blocks, tmp_path: Path) -> None:
    from edalize.edatool import get_edatool

    folder, description = blocks("axi-lite", "Vitis")
    done = run(tmp_path, sys.executable, str(folder / "catalog" / "sources.py"), "--edam")
    edam = json.loads(done.stdout)
    get_edatool("vivado")(edam=edam, work_root=str(tmp_path)).configure()
    text = (tmp_path / f"{description.top}.tcl").read_text()
    assert description.target.part in text
    assert f"{description.top}.v" in text


def test_without_verilog_it_says_what_to_do(blocks: Blocks) -> None:
    folder, description = blocks("axis", "Vitis")
    next(folder.rglob(f"{description.top}.v")).unlink()
    done = run(folder, sys.executable, "catalog/sources.py", "--edam")
    assert done.returncode != 0
    assert "run `make ip` in the block's folder first" in done.stderr


def wrapper(folder: Path, description: Description) -> Any:
    path = folder / "catalog" / f"{description.top}_litex.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Platform:
    """Takes sources, as a platform of LiteX does."""

    def __init__(self) -> None:
        self.sources: list[str] = []

    def add_source(self, path: str) -> None:
        self.sources.append(path)


@pytest.mark.parametrize("interface", ["axis", "axi-lite", "memory"])
@pytest.mark.parametrize("backend", ["Vitis", "Vivado"])
def test_litex_builds_an_instance(interface: str, backend: str, blocks: Blocks) -> None:
    from migen.fhdl import verilog

    folder, description = blocks(interface, backend)
    top = description.top
    module = wrapper(folder, description)
    platform = Platform()
    made = getattr(module, "".join(w.capitalize() for w in top.split("_")))(platform)
    assert [Path(p).name for p in platform.sources] == [f"{top}.v"]
    text = str(verilog.convert(made, ios=set()))
    (instance,) = re.findall(rf"^{top} {top}\(\n(.*?)\n\);", text, re.S | re.M)
    connected = set(re.findall(r"\.(\w+)\(", instance))
    assert {"ap_clk", "ap_rst_n", "interrupt"} <= connected
    lite = {"AWADDR", "AWVALID", "AWREADY", "WDATA", "WSTRB", "WVALID", "WREADY", "BRESP",
            "BVALID", "BREADY", "ARADDR", "ARVALID", "ARREADY", "RDATA", "RRESP", "RVALID",
            "RREADY"}  # fmt: skip
    assert {c.removeprefix("s_axi_control_") for c in connected if "control" in c} == lite
    for port in description.ports:
        signals = {c.split("_")[-1] for c in connected if f"{port.name}_" in c}
        if interface == "axis":
            assert {"TDATA", "TVALID", "TREADY", "TKEEP", "TLAST"} <= signals
            user = backend == "Vivado" or port.direction == "output"
            assert ("TUSER" in signals) == user
            assert ("TID" in signals) == (backend == "Vivado")
        elif interface == "memory":
            assert {"AWADDR", "WDATA", "BVALID", "ARADDR", "RDATA", "RLAST"} <= signals
            assert f"m_axi_gmem_{port.name}_AWADDR" in connected
        else:
            assert not signals
    ends = [r.address + 8 for r in description.registers]
    ends += [p.address + p.packing.stride_bytes for p in description.ports if p.address]
    bits = len(made.control.aw.addr)
    assert 2**bits >= max(ends) > 2 ** (bits - 1)


def test_kernels_are_in_no_catalogue(tmp_path: Path) -> None:
    project = build(tmp_path / "net", board="pynq-z2")
    block = make_block(project, Wishes(interface="memory", kernel=True))
    found = [path for path in block.files if path.startswith("catalog/")]
    assert found == ["catalog/hls4ml_config.yml"]


def test_settings_are_those_of_hls4mls_users(blocks: Blocks) -> None:
    from hls4ml.backends.fpga.fpga_backend import FPGABackend

    folder, description = blocks("axis", "Vitis")
    said = yaml.safe_load((folder / "catalog" / "hls4ml_config.yml").read_text())
    assert (said["Backend"], said["IOType"]) == ("Vitis", "io_parallel")
    assert said["Part"] == description.target.part
    layers = said["HLSConfig"]["LayerName"]
    parsed = FPGABackend.convert_precision_string
    code = (folder / "hls" / "firmware" / "defines.h").read_text()
    written = [parsed(text) for text in re.findall(r"typedef (ap_u?fixed\S+) \w+;", code)]
    for port in description.ports:
        found = parsed(layers[port.layer]["Precision"]["result"])
        assert found in written
        assert (found.width, found.signed) == (port.element.width, port.element.signed)
    for layer in layers.values():
        assert layer["ReuseFactor"] == 1
        assert all(parsed(text).width > 0 for text in layer["Precision"].values())
