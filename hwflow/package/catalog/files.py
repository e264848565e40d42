"""The files by which other tools know a block."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hwflow.codegen.hls.settings import hls4ml_settings
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.package.description import Description, Port
from hwflow.package.reload.form import WORD_BYTES
from hwflow.package.wrapper import SIDE_CHANNELS
from hwflow.project.design import Design

FOLDER = "catalog"
"""Folder of these files in a block's."""

SETTINGS = f"{FOLDER}/hls4ml_config.yml"
"""What hls4ml's users know settings by."""

SPACE = 8
"""Bytes of the last register of a control window: its value and its control."""


def catalog_files(description: Description, design: Design) -> dict[str, bytes]:
    """Return the files of a block by path in its folder.

    Args:
        description: the block; a Vitis kernel has its settings in the form of hls4ml's only.
        design: its network.
    """
    settings = {SETTINGS: _yaml(hls4ml_settings(design.graph, design.target))}
    if description.target.kind == "vitis-kernel":
        return settings
    names = _names(description)
    top = description.top
    made = {
        f"{top}.core": _rendered("block.core.j2", names),
        "sources.py": _rendered("sources.py.j2", names),
        f"{top}_litex.py": _rendered("litex.py.j2", names),
    }
    return settings | {f"{FOLDER}/{path}": content for path, content in made.items()}


def _yaml(content: Mapping[str, Any]) -> bytes:
    import yaml

    text: str = yaml.safe_dump(content, sort_keys=False, width=120)
    return text.encode()


def _names(description: Description) -> dict[str, Any]:
    target = description.target
    return {
        "top": description.top,
        "vlnv": description.vlnv,
        "name": description.name,
        "part": target.part,
        "board": target.board,
        "interface": description.interface,
        "class_name": "".join(word.capitalize() for word in description.top.split("_")),
        "address_bits": max(1, (_window_bytes(description) - 1).bit_length()),
        "ports": [_port(p, description) for p in description.ports],
    }


def _window_bytes(description: Description) -> int:
    """Return where the control window ends."""
    ends = [r.address + SPACE for r in description.registers]
    ends += [(p.address or 0) + p.packing.stride_bytes for p in description.ports]
    reload = description.reload
    ends += [reload.window_address + reload.window_words * WORD_BYTES] if reload else []
    return max(ends)


def _port(port: Port, description: Description) -> dict[str, Any]:
    bits = map(int, SIDE_CHANNELS[description.target.backend, port.direction].split(","))
    sides = {name: n for name, n in zip(("user", "id", "dest"), bits, strict=True) if n}
    return {
        "name": port.name,
        "input": port.direction == "input",
        "width": port.packing.data_width,
        "sides": json.dumps(list(sides)),
        "widths": "".join(f", {name}_width={n}" for name, n in sides.items()),
    }


def _rendered(template: str, names: Mapping[str, Any]) -> bytes:
    environment = template_environment(templates_dir() / "package" / "catalog")
    return environment.get_template(template).render(**names).encode()
