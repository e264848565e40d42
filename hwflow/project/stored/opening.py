"""Opens a project that was written, to check what lies there and not what would be made anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from hwflow import frontends
from hwflow.codegen.bench import hls_ports
from hwflow.codegen.golden.model import GoldenModel
from hwflow.codegen.project import MARKER, Project, file_digest, record_is_whole, recorded_digests
from hwflow.core.config import Config, load_config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.custom.plugins import unasked_plugins
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.project.source import (
    BOARD_FILE,
    CALIBRATION_FILE,
    GOLDEN_FILE,
    HLS_FOLDER,
    MODEL_FILE,
    NAME,
    SETTINGS_FILE,
    SOURCE,
)
from hwflow.project.stored.findings import absent, not_ours, not_whole, other_file, unasked
from hwflow.project.stored.project import StoredProject
from hwflow.project.stored.reading import UnreadableError, paths_in, read_regular, regular_size

MAX_BYTES = 2 * 2**30
"""Largest generated code that is read into memory."""

MAX_TEXT_BYTES = 64 * 2**20
"""Longest list of digests, and longest settings, that are read."""

MOST = 5
"""Missing files that are named."""

_FIRMWARE = f"{HLS_FOLDER}/firmware/"


def open_project(
    folder: Path,
    plugins: Sequence[str | Path | ModuleType | type[Op]] = (),
    *,
    trust: bool = False,
) -> StoredProject:
    """Read a project that ``Design.write`` wrote.

    Args:
        folder: folder of the project.
        plugins: operators that it was made with, as for ``compile``.
        trust: load plugins that the settings in the folder name, and run the C++ and the golden
            model that lie there, whatever they are. Without it only what hwflow generates is run.

    Raises:
        CompileError: HW554, the folder holds no whole project; HW555, the C++ in a trusted one is
            not that of the model in it; HW557, its settings lead out of it; and what compiling the
            model finds.
    """
    recorded = _recorded(folder)
    if trust:
        missing = [*absent(folder, [path for path in recorded if path.startswith(_FIRMWARE)])]
        if missing:
            raise CompileError(missing[:MOST])
    config = _settings(folder)
    refused = () if trust else unasked_plugins(config, plugins)
    if refused:
        config = replace(config, plugins=())
    with _explained_by(folder, refused):
        design = compile_model(_kept_model(folder), config=config, plugins=plugins)
    changed = tuple(
        path for path, digest in recorded.items() if file_digest(folder, path) != digest
    )
    if not changed and not record_is_whole(folder, recorded):
        changed = (MARKER,)
    if trust:
        design = _as_it_lies(folder, design, recorded, changed)
    return StoredProject(
        folder=folder,
        design=design,
        files=len(recorded),
        recorded=changed,
        plugins=refused,
        trusted=trust,
    )


def _recorded(folder: Path) -> dict[str, str]:
    """Return the recorded digests of a project that has all that it is opened with."""
    findings = [*absent(folder, (MARKER, MODEL_FILE, SETTINGS_FILE))]
    if findings:
        raise CompileError(findings)
    for path in (MARKER, SETTINGS_FILE):
        if regular_size(folder, path) > MAX_TEXT_BYTES:
            found = f"{path} has more than {MAX_TEXT_BYTES >> 20} MiB"
            raise CompileError([not_whole(folder, found)])
    return recorded_digests(folder)


def _settings(folder: Path) -> Config:
    """Return the settings in a project; profiles of one's own lie beside them."""
    config = load_config(folder / SETTINGS_FILE)
    board, calibration = config.target.board, config.target.calibration
    if board.lower().endswith(".toml"):
        _beside(folder, "board", board, BOARD_FILE)
    if calibration is not None:
        _beside(folder, "calibration", calibration, CALIBRATION_FILE)
    return config


def _beside(folder: Path, setting: str, named: str, file: str) -> None:
    """Refuse a profile that the settings name elsewhere, or that is not there."""
    if named != str(folder / file):
        raise CompileError([other_file(folder, setting, named)])
    findings = [*absent(folder, [file])]
    if findings:
        raise CompileError(findings)


@contextmanager
def _explained_by(folder: Path, refused: Sequence[str]) -> Iterator[None]:
    """Let a model be compiled; an error tells of plugins that were not loaded, too."""
    try:
        yield
    except CompileError as error:
        if not refused:
            raise
        raise CompileError([*error.diagnostics, unasked(folder, refused)]) from error


def _kept_model(folder: Path) -> QonnxModel:
    """Return the model under the name that it was compiled with."""
    model = frontends.load(folder / MODEL_FILE)
    known = model.ir.metadata_props
    name, source = (printable(known.get(k, "")) for k in (NAME, SOURCE))
    return replace(model, name=name or model.name, source=source or model.source)


def _as_it_lies(
    folder: Path, design: Design, recorded: Mapping[str, str], changed: Sequence[str]
) -> Design:
    """Return a design with the C++ and the golden model that lie in a folder."""
    files = dict(_generated(folder))
    findings = list(_foreign(design, files, folder))
    if findings:
        raise CompileError(findings)
    return replace(
        design,
        stored=Project(design.graph.name, files),
        stored_golden=_golden(folder, recorded, changed),
    )


def _golden(folder: Path, recorded: Mapping[str, str], changed: Sequence[str]) -> GoldenModel:
    """Return the golden model in a folder, if it is as hwflow wrote it; what ran then runs now."""
    if GOLDEN_FILE not in recorded:
        return GoldenModel(None, reason=f"the project was written without {GOLDEN_FILE}")
    if GOLDEN_FILE in changed:
        return GoldenModel(None, reason=f"{GOLDEN_FILE} is not as it was written")
    return GoldenModel((folder / GOLDEN_FILE).read_bytes())


def _generated(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the C++ and weights in a folder by path in the HLS project; links are left out."""
    left = MAX_BYTES
    for path in paths_in(folder, _FIRMWARE):
        try:
            if regular_size(folder, path) > left:
                found = f"more than {MAX_BYTES >> 30} GiB of generated code"
                raise CompileError([not_whole(folder, found)])
            content = read_regular(folder, path, left)
        except UnreadableError:
            continue
        left -= len(content)
        yield path.removeprefix(f"{HLS_FOLDER}/"), content


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
        yield not_ours(f"{folder}/{_FIRMWARE}", found)


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
