"""Tcl, constraints and Makefile of a block: from C++ to an IP, a kernel or a bitstream."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from hwflow.codegen.hls.model import CLOCK_UNCERTAINTY
from hwflow.package.benches import WORDS, benches_of
from hwflow.package.cards import link_files, link_names
from hwflow.package.description import Description
from hwflow.package.page import no_design
from hwflow.package.wrapper import rendered

PROCESSORS = {"Zynq-7000": "zynq", "Zynq UltraScale+": "zynq_ultrascale", "Versal": "versal"}
"""Processor of a reference design, by how the name of a device family begins; RFSoC and Kria have
that of Zynq UltraScale+."""

HLS_TOOLS = {"Vitis": "Vitis HLS", "Vivado": "Vivado HLS"}
"""The HLS tools by hls4ml's name of the backend."""

DESIGNS = {"zynq": "bitstream", "zynq_ultrascale": "bitstream", "versal": "versal"}
"""Template of the reference design of a processor."""

MEMORY_PORTS = 4
"""Ports into memory: S_AXI_HP0 to HP3 (UG585), HP0_FPD to HP3_FPD (UG1085); a NoC has more."""

LPDDR_BOARDS = ("VEK280", "VPK120")
"""Versal boards whose only memory is LPDDR4 (UG1612, UG1568); others have DDR4."""


def processor_of(description: Description) -> str:
    """Return the processor of a block's board, or nothing where there is no reference design."""
    family = description.target.family
    return next((kind for name, kind in PROCESSORS.items() if family.startswith(name)), "")


def tool_names(description: Description) -> dict[str, Any]:
    """Return what templates refer to that tell of tools."""
    target = description.target
    processor = "" if target.kind == "vitis-kernel" else processor_of(description)
    return {
        "benches": benches_of(description),
        "words": WORDS,
        "part": target.part,
        "backend": target.backend,
        "hls_tool": HLS_TOOLS[target.backend],
        "clock_period": f"{target.clock_period_ns:g}",
        "uncertainty": CLOCK_UNCERTAINTY[target.backend],
        "vlnv": description.vlnv.split(":"),
        "processor": processor,
        "image": "pdi" if processor == "versal" else "bit",
        "no_design": no_design(description),
        **link_names(description),
    }


def script_files(description: Description, names: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the scripts by path in the block's folder.

    Args:
        description: the block.
        names: what its templates refer to.
    """
    target, top = description.target, description.top
    processor = names["processor"]
    made = {
        "tcl/hls.tcl": rendered("tcl/hls.tcl.j2", names),
        "Makefile": rendered("Makefile.j2", names),
    }
    if target.kind == "vitis-kernel":
        made |= link_files(description)
    else:
        made["tcl/synth.tcl"] = rendered("tcl/synth.tcl.j2", names)
        made[f"constraints/{top}_ooc.xdc"] = rendered("ooc.xdc.j2", names)
    if processor:
        made["tcl/bitstream.tcl"] = rendered(
            f"tcl/{DESIGNS[processor]}.tcl.j2", {**names, **_design(description, processor)}
        )
    return made


def _design(description: Description, processor: str) -> dict[str, Any]:
    """Return what the block design consists of."""
    pairs: list[dict[str, str]] = []
    masters: list[str] = []
    if description.interface == "axis":
        sides = ([p.name for p in side] for side in (description.inputs, description.outputs))
        pairs = [{"give": a, "take": b} for a, b in zip_longest(*sides, fillvalue="")]
        masters = [
            f"/dma_{n}/{port}"
            for n, pair in enumerate(pairs)
            for side, port in (("give", "M_AXI_MM2S"), ("take", "M_AXI_S2MM"))
            if pair[side]
        ]
    elif description.interface == "memory":
        masters = [f"/net/m_axi_gmem_{p.name}" for p in description.ports]
    used = min(len(masters), MEMORY_PORTS)
    suffix = "_FPD" if processor == "zynq_ultrascale" else ""
    words = re.findall(r"[a-z0-9]+", description.target.board.lower())
    return {
        "dmas": pairs,
        "masters": [
            {"master": master, "slave": f"/ps/S_AXI_HP{n % used}{suffix}"}
            for n, master in enumerate(masters)
        ],
        "memory_ports": used,
        "memory": "LPDDR" if description.target.board in LPDDR_BOARDS else "DDR",
        "megahertz": f"{1000 / description.target.clock_period_ns:.6g}",
        "board_pattern": "*" + "*".join(words) + "*",
    }
