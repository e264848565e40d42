"""Writes the files of a new operator: a class, its kernel's template and its test."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from hwflow.codegen.hls.kernels import header_name
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.custom.plugins import operator_file
from hwflow.ir.op import Op

LONGEST = 40
_NAME = re.compile(r"[A-Z][A-Za-z0-9]*", re.ASCII)


def write_skeleton(name: str, folder: Path) -> list[Path]:
    """Write a working operator to start from, and return its files.

    Args:
        name: name of the class, e.g. ``HalfWave``; the files are ``half_wave.py``,
            ``half_wave.h.j2`` and ``test_half_wave.py``.
        folder: made if it is not there.

    Raises:
        CompileError: HW249, no operator can have this name; HW253, one has it; HW255, a kernel has
            it; HW551, a file of that name exists; HW552, the folder cannot be written to.
    """
    findings = [*_check_name(name)]
    if findings:
        raise CompileError(findings)
    stem = file_stem(name)
    targets = {
        folder / f"{stem}.py": "operator.py.j2",
        folder / f"{stem}.h.j2": "kernel.h.j2",
        folder / f"test_{stem}.py": "test_operator.py.j2",
    }
    environment = template_environment(templates_dir() / "skeleton")
    texts = {
        path: environment.get_template(source).render(name=name, stem=stem)
        for path, source in targets.items()
    }
    _write_new(texts, folder)
    return list(texts)


def file_stem(name: str) -> str:
    """Return the name of files for a class: ``half_wave`` for ``HalfWave``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _check_name(name: str) -> list[Diagnostic]:
    """Return why no new operator can have a name."""
    if not _NAME.fullmatch(name) or len(name) > LONGEST or keyword.iskeyword(name):
        return [
            Diagnostic(
                code="HW249",
                title="not the name of an operator",
                found=repr(name[: 2 * LONGEST]),
                supported=f"a Python class name of at most {LONGEST} letters and digits",
                help="for example HalfWave",
            )
        ]
    if name in Op.registry:
        return [
            Diagnostic(
                code="HW253",
                title="there is an operator of this name already",
                found=f"{name}, in {operator_file(Op.registry[name])}",
                help="`hwflow ops` lists them; choose another name",
            )
        ]
    stem = file_stem(name)
    if (templates_dir() / "ops" / f"{stem}.h.j2").exists():
        return [
            Diagnostic(
                code="HW255",
                title="two kernels have one name",
                found=f"hwflow has a kernel {stem!r}, which would be {header_name(stem)}, too",
                help="choose another name",
            )
        ]
    return []


def _write_new(texts: dict[Path, str], folder: Path) -> None:
    """Write files where there are none; all of them or none."""
    there = [path for path in texts if path.exists() or path.is_symlink()]
    if there:
        raise CompileError([_exists(path) for path in there])
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            with path.open("x", encoding="utf-8") as file:
                written.append(path)
                file.write(text)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        finding = Diagnostic(
            code="HW552",
            title="cannot write the output",
            where=str(folder),
            found=error.strerror or str(error),
            help="choose a folder that you may write to; nothing was left",
        )
        raise CompileError([finding]) from error


def _exists(path: Path) -> Diagnostic:
    return Diagnostic(
        code="HW551",
        title="output folder cannot be used",
        where=str(path),
        found="a file of that name exists",
        help="choose another folder with --out, or move the file away",
    )
