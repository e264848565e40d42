"""A packaged block: description, C++, benches and vectors, in memory until it is proven."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import hwflow
from hwflow.codegen.bench import HlsPort, hls_ports
from hwflow.codegen.project import Project
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.cost import Estimate
from hwflow.ir.op import Op
from hwflow.package.benches import bench_files
from hwflow.package.catalog.files import catalog_files
from hwflow.package.classes import lane_values, orders_of, scores_of
from hwflow.package.description import (
    DESCRIPTION_FILE,
    SCHEMA,
    Description,
    Figure,
    Figures,
    Port,
    Target,
    Vectors,
)
from hwflow.package.drivers.files import driver_files
from hwflow.package.page import page_files
from hwflow.package.ports import block_ports
from hwflow.package.reals import reals_of
from hwflow.package.registers import control_window, end_of, window, windows
from hwflow.package.reload.code import FIRMWARE
from hwflow.package.reload.form import WORD_BYTES, Reload
from hwflow.package.reload.image import image_file
from hwflow.package.reload.layers import Writable, make_writable
from hwflow.package.reload.names import OWN_IMAGE, reload_files, reload_names
from hwflow.package.scripts import script_files, tool_names
from hwflow.package.untouched import open_untouched
from hwflow.package.vectors import frame_bytes, mantissas
from hwflow.package.wishes import Wishes, check_wishes
from hwflow.package.wrapper import code_names, wrapper_files
from hwflow.project.design import Design
from hwflow.project.stored import StoredProject
from hwflow.report.manifest.fields import cut

VERSION = "1.0"
"""Version of the IP in Vivado's catalogue."""

MOST_AXI_LITE_BYTES = 64 * 1024
"""Largest control window: what Vivado's address editor gives a slave without being asked."""


@dataclass(frozen=True, eq=False)
class Block:
    """A block in memory.

    Attributes:
        description: what it is.
        files: all its files by path.
    """

    description: Description
    files: Mapping[str, bytes]

    def write(self, folder: Path) -> Path:
        """Write the block to a folder at once: it holds all of it or is left as it was.

        Raises:
            CompileError: the folder cannot be used.
        """
        return Project(self.description.top, self.files).write(folder)


def make_block(
    folder: Path, wishes: Wishes, plugins: Sequence[str | Path | ModuleType | type[Op]] = ()
) -> Block:
    """Return the block of a written project.

    Args:
        folder: folder of the project.
        wishes: how the block is to be.
        plugins: operators that the project was made with, as for ``compile``.

    Raises:
        CompileError: HW574, the project is not as hwflow wrote it; HW575 to HW582 and HW599, it
            cannot be packaged as wished; and what opening a project finds.
        ToolError: hls4ml, or da4ml for distributed arithmetic, is missing.
    """
    check_wishes(wishes)
    stored = open_untouched(folder, plugins)
    writable = make_writable(stored.design, wishes.reloadable) if wishes.reloadable else None
    return block_of(stored, wishes, writable)


def block_of(stored: StoredProject, wishes: Wishes, writable: Writable | None = None) -> Block:
    """Return the block of a project that is as hwflow wrote it.

    Args:
        stored: the project.
        wishes: how the block is to be.
        writable: its design with weights that can be written; None where all are constants.

    Raises:
        CompileError: HW575 to HW579 and HW599, it cannot be packaged as wished.
    """
    design = writable.design if writable else stored.design
    graph, graph_ports = design.graph, (*design.graph.inputs, *design.graph.outputs)
    scores = {p.value: scores_of(graph, p) for p in graph.outputs if wishes.argmax}
    ports = block_ports(
        design, wishes.interface, wishes.edge, wishes.data_width, argmax=wishes.argmax
    )
    values = mantissas(stored, ports)
    vectors = {
        f"vectors/{p.name}.bin": frame_bytes(lane_values(graph, own, p, values[p.name]), p)
        for own, p in zip(graph_ports, ports, strict=True)
    }
    sources = writable.files if writable else design.project.files
    hls = {f"hls/{path}": text for path, text in sources.items() if path.startswith(FIRMWARE)}
    frames = len(next(iter(values.values())))
    description = _described(design, wishes, ports, frames, writable)
    if writable and description.reload:
        vectors[OWN_IMAGE] = image_file(description.design_id, writable.image)
    description = description.model_copy(update={"files": _digests(hls | vectors)})
    pairs = _pairs(design, description.ports)
    reals = {
        p.name: reals_of(graph, own, p)
        for own, p in zip(graph_ports, ports, strict=True)
        if wishes.edge == "float32" and p.classes is None
    }
    reals |= orders_of(graph, ports, scores)
    names = code_names(description, pairs, reals) | tool_names(description)
    names |= reload_names(description, names, writable)
    code = wrapper_files(description, names) | reload_files(names)
    made = {f"hls/{path}": content for path, content in code.items()}
    made |= bench_files(description, names)
    digests = description.files | _digests(made)
    whole = description.model_copy(update={"files": dict(sorted(digests.items()))})
    made |= script_files(description, names) | page_files(description, names)
    made |= driver_files(description) | catalog_files(description, design)
    return Block(whole, {**hls, **vectors, **made, DESCRIPTION_FILE: whole.to_json().encode()})


def _pairs(design: Design, ports: tuple[Port, ...]) -> list[tuple[Port, HlsPort]]:
    inputs, outputs = hls_ports(design.graph, design.target, design.project.files)
    return list(zip(ports, (*inputs, *outputs), strict=True))


def _described(
    design: Design,
    wishes: Wishes,
    ports: tuple[Port, ...],
    frames: int,
    writable: Writable | None,
) -> Description:
    reload = writable.reload if writable else None
    identity = _identity(design, wishes, ports, reload)
    registers = control_window(
        wishes.interface, ports, identity, kernel=wishes.kernel, reload=reload is not None
    )
    end = end_of(registers)
    if reload is not None:
        address, end = window(end, reload.window_words * WORD_BYTES)
        reload = reload.model_copy(update={"window_address": address})
    if wishes.interface == "axi-lite":
        ports = windows(ports, end)
        _check_window(design, ports)
    top = f"{design.graph.name}_ip"
    return Description(
        form=SCHEMA,
        name=design.graph.name,
        top=top,
        vlnv=f"hwflow:nn:{top}:{VERSION}",
        hwflow=hwflow.__version__,
        interface=wishes.interface,
        edge=wishes.edge,
        target=_target(design, kernel=wishes.kernel),
        ports=ports,
        registers=registers,
        figures=_figures(design, ports),
        vectors=tuple(
            Vectors(port=p.name, path=f"vectors/{p.name}.bin", frames=frames) for p in ports
        ),
        project_sha256=design.project.digest,
        design_id=identity,
        files={},
        reload=reload,
    )


def _identity(
    design: Design, wishes: Wishes, ports: tuple[Port, ...], reload: Reload | None
) -> int:
    """Return 32 bits that differ where a driver for another block would not do."""
    content = [design.project.digest, wishes.interface, wishes.edge]
    content += [port.model_dump_json() for port in ports]
    content += [reload.model_dump_json()] if reload else []
    return int(hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8], 16)


def _target(design: Design, *, kernel: bool) -> Target:
    return Target(
        board=cut(design.board.name),
        part=cut(design.target.part),
        family=cut(design.board.family),
        backend=design.target.backend,
        io_type=design.target.io_type,
        clock_period_ns=design.target.clock_period_ns,
        kind="vitis-kernel" if kernel else "ip",
    )


def _figures(design: Design, ports: tuple[Port, ...]) -> Figures:
    total = design.estimated.total
    return Figures(
        basis="estimated",
        latency_cycles=_figure(total.latency_cycles),
        ii_cycles=_figure(total.ii),
        bus_cycles=max(p.packing.words for p in ports),
        lut=_figure(total.lut_synth),
        ff=_figure(total.ff_synth),
        dsp=_figure(total.dsp),
        bram_18k=_figure(total.bram_18k),
    )


def _figure(estimate: Estimate) -> Figure:
    value, low, high = (round(float(getattr(estimate, end)), 3) for end in ("value", "low", "high"))
    return Figure(value=value, low=low, high=high)


def _check_window(design: Design, ports: tuple[Port, ...]) -> None:
    end = max((p.address or 0) + p.packing.stride_bytes for p in ports)
    if end > MOST_AXI_LITE_BYTES:
        raise CompileError(
            [
                Diagnostic(
                    code="HW577",
                    title="frames too large for an AXI4-Lite window",
                    where=design.source,
                    found=f"a window of {end:,} bytes",
                    supported=f"{MOST_AXI_LITE_BYTES:,} bytes",
                    help="--interface axis, or --interface memory",
                )
            ]
        )


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
