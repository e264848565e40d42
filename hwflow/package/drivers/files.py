"""The files of a block's drivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.package.cards import link_names
from hwflow.package.description import Description
from hwflow.package.drivers.tables import block_tables
from hwflow.package.hil import protocol

FOLDER = "drivers"
"""Folder of the drivers in a block's."""

C = ("c/hwflow_ip.h", "c/hwflow_ip.c", "c/hwflow_numbers.c")
"""Files of C that are the same for all blocks."""

BUS = ("c/hwflow_weights.c", "c/hwflow_mmio.c", "c/hwflow_linux.h", "c/hwflow_linux.c")
"""How the C driver reaches a block, bare metal and under Linux."""

XRT = (
    "xrt/hwflow_xrt.h", "software/xrt/xrt_device.h", "software/xrt/xrt_bo.h",
    "software/xrt/xrt_kernel.h",
)  # fmt: skip
"""How a kernel of Vitis is reached, and a card made of software."""


def driver_files(description: Description) -> dict[str, bytes]:
    """Return the drivers of a block in Python and C, by path in the block's folder.

    Args:
        description: the block; a Vitis kernel has a host program on XRT in the place of Python.
    """
    tables = {**block_tables(description), **link_names(description)}
    top = description.top
    files = {
        f"c/{top}_driver.h": _rendered("c/driver.h.j2", tables),
        f"c/{top}_driver.c": _rendered("c/driver.c.j2", tables),
        "software/board.cpp": _rendered("software/board.cpp.j2", tables),
    }
    if description.target.kind == "vitis-kernel":
        files |= _static(*C, *XRT)
        files["xrt/host.cpp"] = _rendered("xrt/host.cpp.j2", tables)
        files["Makefile"] = _rendered("xrt/Makefile.j2", tables)
    else:
        files |= _static(*C, *BUS) | _python()
        files["software/check.c"] = _rendered("software/check.c.j2", tables)
        files["Makefile"] = _rendered("software/Makefile.j2", tables)
    return {f"{FOLDER}/{path}": content for path, content in files.items()}


def _templates() -> Path:
    return templates_dir() / "package" / "drivers"


def _static(*paths: str) -> dict[str, bytes]:
    return {path: (_templates() / path).read_bytes() for path in paths}


def _python() -> dict[str, bytes]:
    """Return the Python driver: files of its own, and the protocol that the host has, too."""
    found = sorted((_templates() / "python" / "hwflow_ip").glob("*.py"))
    files = {f"python/hwflow_ip/{path.name}": path.read_bytes() for path in found}
    files["python/hwflow_ip/protocol.py"] = Path(protocol.__file__).read_bytes()
    return files


def _rendered(template: str, names: dict[str, Any]) -> bytes:
    environment = template_environment(_templates())
    return environment.get_template(template).render(**names).encode()
