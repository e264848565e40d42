"""Packages a written project: a block that was proven before it is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from hwflow.codegen.project import check_folder
from hwflow.ir.op import Op
from hwflow.package.benches import WORDS, Outcome, Progress, run_benches
from hwflow.package.block import Block, make_block
from hwflow.package.wishes import Wishes


@dataclass(frozen=True, eq=False)
class Packaged:
    """A block with what its benches found.

    Attributes:
        block: the block.
        outcome: what became of the benches; where one failed, nothing was written.
        folder: where the block lies.
    """

    block: Block
    outcome: Outcome
    folder: Path


def block_folder(project: Path) -> Path:
    """Return where the block of a project goes unless somebody says otherwise: beside the project.

    Args:
        project: folder that ``hwflow build`` wrote.
    """
    place = project if project.name not in ("", "..") else project.resolve()
    end = "-block" if place.name.lower().endswith(("-ip", "_ip")) else "-ip"
    return place.with_name(f"{place.name}{end}")


def package_project(
    project: Path,
    out: Path,
    wishes: Wishes,
    plugins: Sequence[str | Path | ModuleType | type[Op]] = (),
    *,
    words: int = WORDS,
    progress: Progress = lambda stage, done: None,
) -> Packaged:
    """Write the block of a project to a folder, if its benches pass.

    Args:
        project: folder that ``hwflow build`` wrote.
        out: folder of the block: new, empty, or written by hwflow before.
        wishes: how the block is to be.
        plugins: operators that the project was made with, as for ``compile``.
        words: how many go through the ports of the block in its bench.
        progress: called as stages go on.

    Raises:
        CompileError: the folder cannot be used; HW574 to HW582 and HW599, the project cannot be
            packaged, or not as wished.
        ToolError: g++ is missing, or the C++ does not compile.
    """
    check_folder(out)
    progress("open project", 0.0)
    block = make_block(project, wishes, plugins)
    progress("open project", 1.0)
    outcome = run_benches(block.description, block.files, words, progress)
    if outcome.passed:
        block.write(out)
    return Packaged(block, outcome, out)
