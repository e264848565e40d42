"""What the comparison of packages says of hls4ml is what the installed hls4ml writes."""

import json
import re
import subprocess
from pathlib import Path

import onnx
import pytest

from tests.benchmarks.hls4ml_model import Hls4mlModel
from tests.docs.pages import ROOT, page

PAGE = page("package-comparison.md")
VERSION = "1.3.0"

BOARDS = {
    "pynq-z2": "PYNQ-Z2", "zcu102": "ZCU102", "alveo-u50": "U50", "alveo-u200": "U200",
    "alveo-u250": "U250", "alveo-u280": "U280",
}  # fmt: skip

EARLY = """
#include "firmware/myproject_axi.h"
#include <cstdio>
int main() {
    static input_axi_t in[N_IN];
    static output_axi_t out[N_OUT];
    in[0].last = 1;
    myproject_axi(in, out);
    for (unsigned i = 0; i < N_OUT; i++) std::printf("%d", (int)out[i].last);
}
"""
"""A packet that ends with its first beat."""


def row(name: str) -> list[str]:
    """Return the cells of a row of the page: hwflow, VivadoAccelerator, VitisUnified, FINN."""
    (found,) = re.findall(rf"^\| \**{name}\** \| (.*) \|$", PAGE, re.M)
    return str(found).split(" | ")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return what the back end writes of an example: twice, and with streams."""
    model = onnx.load(ROOT / "examples" / "digits_mlp.onnx")
    folders = []
    for io_type in ("io_parallel", "io_parallel", "io_stream"):
        folder = tmp_path_factory.mktemp("accelerator") / "net"
        target = {"backend": "VivadoAccelerator", "board": "pynq-z2"}
        Hls4mlModel(model, folder, io_type, **target).write()
        folders.append(folder)
    return folders


def test_the_page_names_what_is_pinned() -> None:
    assert f"hls4ml=={VERSION}" in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"hls4ml {VERSION}, back end VivadoAccelerator" in PAGE


@pytest.mark.slow
def test_the_release_has_one_back_end_for_boards() -> None:
    import hls4ml
    from hls4ml.backends import get_available_backends

    assert hls4ml.__version__ == VERSION
    assert [b for b in get_available_backends() if "accel" in b or "unified" in b] == [
        "vivadoaccelerator"
    ]
    folder = Path(hls4ml.__file__).parent / "backends" / "vivado_accelerator"
    boards = json.loads((folder / "supported_boards.json").read_text())
    assert set(boards) == set(BOARDS)
    assert all(name in row("boards with a design")[1] for name in BOARDS.values())
    streams = {
        board for board, made in boards.items() if set(made["tcl_scripts"]) == {"axi_stream"}
    }
    assert streams == set(BOARDS) - {"pynq-z2"}
    assert "Only models with one input" in (folder / "vivado_accelerator_config.py").read_text()


@pytest.mark.cpp
@pytest.mark.slow
def test_what_the_wrapper_does_with_packets(written: list[Path]) -> None:
    for folder in written[1:]:
        header = (folder / "firmware" / "myproject_axi.h").read_text()
        assert re.findall(r"^ +(\w+|ap_uint<1>) (\w+);$", header, re.M) == [
            ("T_in", "data"), ("ap_uint<1>", "last"), ("T_out", "data"), ("ap_uint<1>", "last")
        ]  # fmt: skip
        assert re.findall(r"typedef (\w+) T_(?:in|out);", header) == ["float", "float"]
        code = (folder / "firmware" / "myproject_axi.cpp").read_text()
        assert re.findall(r"INTERFACE (\w+) port=return", code) == ["ap_ctrl_none"]
        (folder / "early.cpp").write_text(EARLY)
        weights = f'-DWEIGHTS_DIR="{folder}/firmware/weights"'
        sources = ["early.cpp", "firmware/myproject.cpp", "firmware/myproject_axi.cpp"]
        flags = ["-std=c++11", "-w", "-Ifirmware/ap_types", weights]
        done = subprocess.run(
            ["g++", *flags, *sources, "-o", "early"], cwd=folder, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        said = subprocess.run(["./early"], cwd=folder, capture_output=True, text=True, check=True)
        assert said.stdout == "0000000001"  # the end of the result, as if the packet were whole


@pytest.mark.slow
def test_what_stands_around_the_wrapper(written: list[Path]) -> None:
    folder = written[0]
    driver = (folder / "axi_stream_driver.py").read_text()
    assert re.search(r"def __init__\(\s*self, bitfile_name, x_shape, y_shape, dtype", driver)
    assert "encode=None, decode=None" in driver
    bench = (folder / "myproject_test.cpp").read_text()
    assert re.findall(r"\breturn (\w+);", bench) == ["0"]  # whatever it finds
    names = {p.name for p in folder.iterdir()}
    assert names >= {"design.tcl", "hls4ml_config.yml"}
    assert not {n for n in names if n.lower().startswith("readme") or n == "Makefile"}
    stamps = {
        re.findall(r"Stamp: '?(\w+)", (f / "hls4ml_config.yml").read_text())[0] for f in written
    }
    assert len(stamps) == 3
