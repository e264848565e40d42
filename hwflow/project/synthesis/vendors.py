"""The HLS tools that synthesize a project: where they are, and the script that runs them."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.core.toolchain import VITIS, VIVADO_HLS, Tool

SCRIPT = "synth.sh"
"""Name of the script beside the project."""


@dataclass(frozen=True)
class Vendor:
    """An HLS tool.

    Attributes:
        name: as in ``--tool``.
        backend: the hls4ml backend whose projects it takes.
        tool: its program.
        older: what the program was called before.
        settings: environment variable that names the script which sets up the installation.
    """

    name: str
    backend: str
    tool: Tool
    older: tuple[str, ...]
    settings: str

    @property
    def programs(self) -> tuple[str, ...]:
        """Names of the program, the newest first."""
        return (self.tool.name, *self.older)

    def missing(self) -> str:
        """Return what is not there that a run needs; an empty string where all is there.

        With a settings script only the script tells whether the program is there.
        """
        script = os.environ.get(self.settings)
        if script:
            return "" if Path(script).is_file() else f"{self.settings} names {script}, no file"
        override = os.environ.get(self.tool.variable)
        names = (override,) if override else self.programs
        if any(shutil.which(name) for name in names):
            return ""
        which = f" ({self.tool.variable})" if override else ""
        return f"{' and '.join(names)}{which} not found on PATH, and {self.settings} is not set"


VENDORS = {
    vendor.name: vendor
    for vendor in (
        Vendor("vitis", "Vitis", VITIS, ("vitis_hls",), "HWFLOW_VITIS_SETTINGS"),
        Vendor("vivado", "Vivado", VIVADO_HLS, (), "HWFLOW_VIVADO_SETTINGS"),
    )
}
"""The tools by name."""

STEPS = {"reset": 0, "csim": 0, "synth": 1, "cosim": 0, "validation": 0, "export": 0, "fifo_opt": 0}
"""Steps of hls4ml's script; ``vsynth``, logic synthesis, is on where it is asked for."""


def files_to_run(
    name: str, files: Mapping[str, bytes], vendor: Vendor, *, logic: bool
) -> dict[str, bytes]:
    """Return a project whose script does C synthesis, and the script that runs it.

    Args:
        name: name of the top function.
        files: the project.
        vendor: the tool.
        logic: synthesize the Verilog with Vivado as well.
    """
    steps = STEPS | {"vsynth": int(logic)}
    switches = next(path for path in ("build_opt.tcl", "build_prj.tcl") if path in files)
    template = template_environment(templates_dir() / "synthesis").get_template(f"{SCRIPT}.j2")
    script = template.render(
        top=name,
        logic=logic,
        programs=vendor.programs,
        settings=vendor.settings,
        variable=vendor.tool.variable,
    )
    switched = _switched(files[switches].decode(), steps).encode()
    return {**files, switches: switched, SCRIPT: script.encode()}


def _switched(script: str, steps: Mapping[str, int]) -> str:
    """Return a script with other steps in its table of them."""
    head, table, rest = re.split(r"(array set opt \{[^}]*\})", script, maxsplit=1)
    for step, on in steps.items():
        table = re.sub(rf"\b{step}(\s+)[01]\b", rf"{step}\g<1>{on}", table)
    return head + table + rest
