"""Opens a project that was written, to check what lies there and not what would be made anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from types import ModuleType

from hwflow import frontends
from hwflow.codegen.bench import hls_ports
from hwflow.codegen.project import MARKER, Project, file_digest, recorded_digests
from hwflow.compiler import compile as compile_model
from hwflow.config import load_config
from hwflow.design import Design
from hwflow.errors import CompileError, Diagnostic
from hwflow.golden.model import GoldenModel
from hwflow.ir.op import Op
from hwflow.ir.qonnx import QonnxModel, printable
from hwflow.project_source import (
    BOARD_FILE,
    GOLDEN_FILE,
    HLS_FOLDER,
    MODEL_FILE,
    NAME,
    SETTINGS_FILE,
    SOURCE,
)

MAX_BYTES = 2 * 2**30
"""Largest generated code that is read into memory."""

MOST = 5
"""Missing files that are named."""

_FIRMWARE = f"{HLS_FOLDER}/firmware/"


@dataclass(frozen=True, eq=False)
class StoredProject:
    """A project in a folder.

    Attributes:
        design: the kept model, compiled; its ``project`` is the C++ that lies in the folder.
        files: how many files hwflow wrote.
        changed: those that are not as it wrote them, or gone.
    """

    design: Design
    files: int
    changed: tuple[str, ...]

    def compile_cpp(self) -> None:
        """Compile the C++ in the folder.

        Raises:
            CompileError: HW555, it was changed into something that hwflow does not generate.
            ToolError: g++ is missing, or refuses the C++.
        """
        try:
            _ = self.design.csim
        except (AssertionError, LookupError, ValueError) as error:
            if not self.changed:
                raise
            changed = ", ".join(map(printable, self.changed[:MOST]))
            raise CompileError([_not_ours(HLS_FOLDER, f"changed: {changed}")]) from error


def is_project(path: Path) -> bool:
    """Return whether a path is a folder that hwflow wrote."""
    return path.is_dir() and (path / MARKER).is_file()


def refuse_options(path: Path, options: Mapping[str, object], supported: str) -> None:
    """Refuse what a project has settled.

    Args:
        path: of the project.
        options: of ``compile``, by name.
        supported: the options that can be given.

    Raises:
        CompileError: HW556, for each option that is given.
    """
    given = [name for name, value in options.items() if value not in (None, False)]
    if given:
        raise CompileError(
            Diagnostic(
                code="HW556",
                title="a project has its own settings",
                where=str(path),
                found=f"--{name.replace('_', '-')}",
                supported=supported,
                help="leave it out, or give the model with it instead of the project",
            )
            for name in given
        )


def open_project(
    folder: Path, plugins: Sequence[str | Path | ModuleType | type[Op]] = ()
) -> StoredProject:
    """Read a project that ``Design.write`` wrote.

    Args:
        folder: of the project.
        plugins: operators that it was made with, as for ``compile``.

    Raises:
        CompileError: HW554, the folder holds no whole project; HW555, the C++ in it is not that of
            the model in it; and what compiling the model finds.
    """
    findings = [*_absent(folder, (MARKER, MODEL_FILE, SETTINGS_FILE))]
    if findings:
        raise CompileError(findings)
    recorded = recorded_digests(folder)
    findings = [*_absent(folder, [path for path in recorded if path.startswith(_FIRMWARE)])]
    if findings:
        raise CompileError(findings[:MOST])
    config = load_config(folder / SETTINGS_FILE)
    if config.target.board == BOARD_FILE:
        own = config.target.model_copy(update={"board": str(folder / BOARD_FILE)})
        config = replace(config, target=own)
    design = compile_model(_kept_model(folder), config=config, plugins=plugins)
    files = dict(_generated(folder / HLS_FOLDER))
    findings = list(_foreign(design, files, folder))
    if findings:
        raise CompileError(findings)
    changed = tuple(
        path for path, digest in recorded.items() if file_digest(folder, path) != digest
    )
    design = replace(
        design,
        stored=Project(design.graph.name, files),
        stored_golden=_golden(folder, written=GOLDEN_FILE in recorded, changed=changed),
    )
    return StoredProject(design, len(recorded), changed)


def _golden(folder: Path, *, written: bool, changed: Sequence[str]) -> GoldenModel:
    """Return the golden model in a folder, if it is as hwflow wrote it; what ran then runs now."""
    if not written:
        return GoldenModel(None, reason=f"the project was written without {GOLDEN_FILE}")
    if GOLDEN_FILE in changed:
        return GoldenModel(None, reason=f"{GOLDEN_FILE} is not as it was written")
    return GoldenModel((folder / GOLDEN_FILE).read_bytes())


def _kept_model(folder: Path) -> QonnxModel:
    """Return the model under the name that it was compiled with."""
    model = frontends.load(folder / MODEL_FILE)
    known = model.ir.metadata_props
    name, source = (printable(known.get(k, "")) for k in (NAME, SOURCE))
    return replace(model, name=name or model.name, source=source or model.source)


def _absent(folder: Path, paths: Sequence[str]) -> Iterator[Diagnostic]:
    """Yield which files of a project a folder lacks."""
    for path in paths:
        if not (folder / PurePosixPath(path)).is_file():
            yield Diagnostic(
                code="HW554",
                title="not a whole project",
                where=str(folder),
                found=f"no {printable(path)}",
                help="give the folder that `hwflow build` wrote, or build it again",
            )


def _generated(hls: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the generated C++ and weights by path; what is a link is left out."""
    left = MAX_BYTES
    for path in sorted((hls / "firmware").rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        left -= path.stat().st_size
        if left < 0:
            finding = Diagnostic(
                code="HW554", title="not a whole project", where=str(hls),
                found=f"more than {MAX_BYTES >> 30} GiB of generated code",
            )  # fmt: skip
            raise CompileError([finding])
        yield path.relative_to(hls).as_posix(), path.read_bytes()


def _foreign(design: Design, files: Mapping[str, bytes], folder: Path) -> Iterator[Diagnostic]:
    """Yield what shows that the code in a folder was not made from the model in it."""
    found = next(
        (f"{printable(path)} is damaged" for path in files if not _is_text(files[path])), ""
    )
    try:
        if not found:
            hls_ports(design.graph, design.target, files)
    except (AssertionError, KeyError, ValueError):
        found = f"no function {design.graph.name} with the ports of the model"
    if found:
        yield _not_ours(f"{folder}/{_FIRMWARE}", found)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _not_ours(where: str, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW555",
        title="the C++ in the project is not that of its model",
        where=where,
        found=found,
        help="build the project again",
    )
