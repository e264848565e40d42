"""Weights of another build for a block: the image is proven before it is written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import write_file
from hwflow.ir.op import Op
from hwflow.package.benches import Outcome, Progress, run_benches
from hwflow.package.block import Block, block_of
from hwflow.package.description import Description
from hwflow.package.ports import block_ports
from hwflow.package.reading import AGAIN, StoredBlock, read_block
from hwflow.package.reload.code import FIRMWARE
from hwflow.package.reload.compare import (
    constants_owner,
    contract,
    differing_line,
    differing_ports,
    refuse_structure,
    refuse_types,
    with_block_types,
)
from hwflow.package.reload.form import Reload, digest_of
from hwflow.package.reload.image import image_file
from hwflow.package.reload.layers import Writable, writable_of
from hwflow.package.untouched import open_untouched
from hwflow.package.wishes import Wishes
from hwflow.project.stored import StoredProject
from hwflow.project.stored.reading import UnreadableError, read_regular
from hwflow.report.manifest.fields import cut

MAX_CODE_BYTES = 2**26
"""Largest file of a block's C++ that is compared line by line."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WeightImage:
    """Weights of a build for a block.

    Attributes:
        description: the block that they are for.
        content: the file.
        digest: what the register ``weights`` holds once they are in the block.
        model: the block with these weights to begin with, whose vectors are those of the build.
        outcome: what became of its bench; where it failed, nothing was written.
        path: where the file lies.
    """

    description: Description
    content: bytes
    digest: int
    model: Block
    outcome: Outcome
    path: Path


def weight_image(
    block: str | Path,
    project: str | Path,
    out: str | Path,
    plugins: Sequence[str | Path | ModuleType | type[Op]] = (),
    *,
    progress: Progress = lambda stage, done: None,
) -> WeightImage:
    """Write the weights of a build as an image for a block, if the block then computes the build.

    Args:
        block: folder that ``hwflow package --reloadable`` wrote.
        project: folder that ``hwflow build`` wrote: the same network with other weights.
        out: the file.
        plugins: operators that the project was made with, as for ``compile``.
        progress: called as stages go on.

    Raises:
        CompileError: HW552, the file cannot be written; HW574, the project is not as hwflow wrote
            it; HW583, HW584, HW588, HW589, it is no model for the block; HW585, there is no block;
            HW598, all weights of it are constants.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    held, path = read_block(Path(block)), Path(out)
    reload = _reload_of(held)
    progress("open project", 0.0)
    stored = open_untouched(Path(project), plugins)
    writable, model = matched(held, stored, reload)
    progress("open project", 1.0)
    outcome = run_benches(model.description, model.files, 0, progress, only="test_bench")
    content = image_file(held.description.design_id, writable.image)
    if outcome.passed:
        write_file(path, content, parents=True)
    return WeightImage(
        description=held.description,
        content=content,
        digest=digest_of(writable.image),
        model=model,
        outcome=outcome,
        path=path,
    )


def matched(held: StoredBlock, stored: StoredProject, reload: Reload) -> tuple[Writable, Block]:
    """Return a project with the types of a block, and the block with its weights.

    Args:
        held: the block.
        stored: the project, as hwflow wrote it.
        reload: what the block says of its weights.

    Raises:
        CompileError: the project is no model for the block.
    """
    description, design = held.description, stored.design
    for name in ("backend", "io_type"):
        own, wanted = getattr(design.target, name), getattr(description.target, name)
        if own != wanted:
            raise CompileError([_other_target(name, own, wanted)])
    graph = replace(design.graph, name=description.name)
    refuse_structure(graph, reload)
    graph = with_block_types(graph, reload)
    refuse_types(graph, reload)
    pinned = replace(design, graph=graph, stored=None, stored_golden=None)
    width = description.ports[0].packing.data_width
    wishes = Wishes(
        interface=description.interface,
        data_width=width,
        edge=description.edge,
        argmax=any(port.classes is not None for port in description.outputs),
        reloadable=reload.layers,
    )
    ports = block_ports(pinned, wishes.interface, wishes.edge, width, argmax=wishes.argmax)
    findings = list(differing_ports(ports, description.ports))
    if findings:
        raise CompileError(findings)
    writable = writable_of(pinned, reload.layers)
    findings = list(_differing_files(held, writable, reload))
    if findings:
        raise CompileError(findings)
    made = block_of(stored, wishes, writable)
    tables = f"hls/{description.top}.h"  # of real numbers, and of scores that are compared
    if made.description.files[tables] != description.files.get(tables):
        layer, found, wanted = differing_line(
            made.files[tables], _in_block(held, tables, description.files.get(tables))
        )
        raise CompileError([contract(cut(layer) or tables, cut(found), cut(wanted))])
    return writable, made


def _reload_of(held: StoredBlock) -> Reload:
    if held.description.reload is not None:
        return held.description.reload
    raise CompileError(
        [
            Diagnostic(
                code="HW598",
                title="all weights of the block are constants",
                where=str(held.folder),
                found="it was packaged without --reloadable",
                help="package it again with `hwflow package --reloadable all`",
            )
        ]
    )


def _other_target(name: str, own: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        code="HW583",
        title="the build has another structure than the block",
        where="[target]",
        found=f"{name}: {own}",
        supported=wanted,
        help=f'build the model with {name} = "{wanted}"',
    )


def _differing_files(held: StoredBlock, writable: Writable, reload: Reload) -> Iterator[Diagnostic]:
    """Yield what of the network's C++ is not as in the block, weights that are written apart."""
    names = {array.variable for array in reload.arrays}
    own_only = {f"{FIRMWARE}weights/{name}.{end}" for name in names for end in ("h", "txt")}
    network = held.description.name
    for path, content in writable.files.items():
        recorded = held.description.files.get(f"hls/{path}")
        known = path in own_only or not path.startswith(FIRMWARE)
        if known or hashlib.sha256(content).hexdigest() == recorded:
            continue
        layer, found, wanted = differing_line(content, _in_block(held, f"hls/{path}", recorded))
        if path.startswith(f"{FIRMWARE}weights/"):
            layer = constants_owner(writable.files, network, Path(path).stem) or layer
        yield contract(cut(layer) or path, f"{path}: {cut(found)}", cut(wanted))


def _in_block(held: StoredBlock, path: str, recorded: str | None) -> bytes:
    """Return a file of a block, which is as it was written."""
    try:
        content = read_regular(held.folder, path, MAX_CODE_BYTES) if recorded else b""
    except (UnreadableError, OSError) as error:
        raise CompileError([_changed(held, f"{path}: {cut(error)}")]) from error
    if recorded and hashlib.sha256(content).hexdigest() != recorded:
        raise CompileError([_changed(held, f"{path} is not as its digest says")])
    return content


def _changed(held: StoredBlock, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW586",
        title="files of a block are not as they were written",
        where=str(held.folder),
        found=found,
        help=AGAIN,
    )
