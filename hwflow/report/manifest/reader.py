"""Reads builds of anybody: a manifest that breaks its form is refused with every finding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from hwflow.codegen.project import file_digest
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.report.manifest.fields import cut
from hwflow.report.manifest.schema import SCHEMA, Manifest
from hwflow.report.manifest.writer import MANIFEST_FILE

MAX_BYTES = 64 * 2**20
"""Largest manifest that is read; a layer takes about 1.5 kB."""

MOST = 20
"""Findings that are shown of one manifest."""

BUILD_AGAIN = "build it again with this version of hwflow"


@dataclass(frozen=True, eq=False)
class StoredBuild:
    """A build as it was found.

    Attributes:
        source: the folder, or the manifest's path.
        manifest: what it says.
        edited: what became of files that are not as they were built, by path; empty where only a
            manifest was given.
    """

    source: str
    manifest: Manifest
    edited: dict[str, str]


def read_build(path: Path) -> StoredBuild:
    """Return what a folder that hwflow wrote, or a manifest alone, says.

    Raises:
        CompileError: HW560, there is no manifest; HW561, it cannot be read; HW562, it is of
            another version; HW563, it breaks the form.
    """
    folder = path.is_dir()
    manifest = _manifest(path / MANIFEST_FILE if folder else path)
    edited = dict(_edited(path, manifest)) if folder else {}
    return StoredBuild(str(path), manifest, edited)


def _manifest(path: Path) -> Manifest:
    if not path.is_file():
        help_ = "give a folder that hwflow build wrote, or the manifest in it"
        raise CompileError([_finding("HW560", path, "no such file", help_)])
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CompileError([_unreadable(path, f"more than {MAX_BYTES >> 20} MiB")])
        content = path.read_bytes()
    except OSError as error:
        raise CompileError([_unreadable(path, error.strerror or str(error))]) from error
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        raise CompileError([*_explain(error, path)][:MOST]) from None


def _explain(error: ValidationError, path: Path) -> Iterator[Diagnostic]:
    """Yield a diagnostic for each of pydantic's findings; a wrong version explains all others."""
    findings = error.errors(include_url=False)
    for item in findings:
        if item["type"] == "json_invalid":
            yield _unreadable(path, f"not JSON: {cut(item['msg'])}")
            return
        if item["loc"] == ("schema",):
            found = "none" if item["type"] == "missing" else _shown(item["input"])
            yield Diagnostic(
                code="HW562", title="manifest of another version", where=str(path),
                found=f"schema = {found}", supported=SCHEMA, help=BUILD_AGAIN,
            )  # fmt: skip
            return
    for item in findings:
        place = ".".join(cut(part) for part in item["loc"]) or "top level"
        missing = item["type"] == "missing"
        yield Diagnostic(
            code="HW563",
            title="manifest breaks its form",
            where=f"{path}, {cut(place)}",
            found="nothing" if missing else _shown(item["input"]),
            supported=item["msg"].removeprefix("Value error, "),
            help=BUILD_AGAIN,
        )


def _shown(value: object) -> str:
    text = cut(repr(value))
    return text if len(text) <= 80 else text[:77] + "..."


def _unreadable(path: Path, found: str) -> Diagnostic:
    return _finding("HW561", path, found, BUILD_AGAIN)


def _finding(code: str, path: Path, found: str, help_: str) -> Diagnostic:
    title = "no manifest of a build" if code == "HW560" else "manifest cannot be read"
    return Diagnostic(code=code, title=title, where=str(path), found=found, help=help_)


def _edited(folder: Path, manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the files of a build that are not as they were built."""
    for path, built in manifest.files.items():
        found = file_digest(folder, path)
        if not found:
            yield path, "gone"
        elif built is not None and found != built:
            yield path, "edited"
