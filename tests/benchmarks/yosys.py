"""Maps Verilog to a 7-series part with Yosys and counts what it takes."""

import re
import subprocess
import tempfile
from pathlib import Path


def lut_cells(text: str, yosys: str, options: str = "") -> int:
    """Return the LUT cells and inverters that Yosys maps the module ``top`` to."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "top.v").write_text(text)
        script = (
            f"read_verilog top.v; synth_xilinx -family xc7 -flatten -noiopad {options} -top top"
        )
        command = [yosys, "-q", "-p", f"{script}; tee -q -o cells.txt stat"]
        subprocess.run(command, cwd=folder, check=True)
        cells = (Path(folder) / "cells.txt").read_text()
    return sum(int(n) for n in re.findall(r"^\s+(\d+)\s+(?:LUT\d|INV)\b", cells, re.MULTILINE))
