"""The files of a block's drivers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.package.description import Description
from hwflow.package.drivers.tables import block_tables
from hwflow.package.hil import protocol

FOLDER = "drivers"
"""Folder of the drivers in a block's."""

STATIC = (
    "c/hwflow_ip.h", "c/hwflow_ip.c", "c/hwflow_numbers.c", "c/hwflow_mmio.c", "c/hwflow_linux.h",
    "c/hwflow_linux.c",
)  # fmt: skip
"""Files of C that are the same for all blocks."""


def driver_files(description: Description) -> dict[str, bytes]:
    """Return the drivers of a block in Python and C, by path in the block's folder.

    Args:
        description: the block; a Vitis kernel has no drivers, since its runtime drives it.
    """
    if description.target.kind == "vitis-kernel":
        return {}
    tables = block_tables(description)
    top = description.top
    templates = templates_dir() / "package" / "drivers"
    python = (templates / "python" / "hwflow_ip").glob("*.py")
    files = {f"python/hwflow_ip/{path.name}": path.read_bytes() for path in sorted(python)}
    files["python/hwflow_ip/protocol.py"] = Path(protocol.__file__).read_bytes()
    files |= {path: (templates / path).read_bytes() for path in STATIC}
    files |= {
        f"c/{top}_driver.h": _rendered("c/driver.h.j2", tables),
        f"c/{top}_driver.c": _rendered("c/driver.c.j2", tables),
        "software/board.cpp": _rendered("software/board.cpp.j2", tables),
        "software/check.c": _rendered("software/check.c.j2", tables),
        "Makefile": _rendered("software/Makefile.j2", tables),
    }
    return {f"{FOLDER}/{path}": content for path, content in files.items()}


def _rendered(template: str, names: dict[str, Any]) -> bytes:
    environment = template_environment(templates_dir() / "package" / "drivers")
    return environment.get_template(template).render(**names).encode()
