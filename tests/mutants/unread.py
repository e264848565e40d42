"""Proofs that a constant of ``parameters.h`` or the type of some constants means nothing."""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
from pathlib import Path

from hwflow.codegen.project import Project
from tests.mutants.plant import DEFINES, PARAMETERS, TYPEDEF, Mutant

DECLARATION = re.compile(r"static const [\w ]+ (\w+) = ([^;]*);")


def never_read(project: Project, mutant: Mutant) -> bool:
    """Return whether nothing that is compiled reads the mutant's constant.

    A struct of the same name takes its place, and hides a base class's; likewise for constants of
    the same configuration whose value follows from it. A type where a number ought to be is an
    error wherever a template is instantiated that reads it (C++17, [temp.res] 17.7).
    """
    text, name = project.text(PARAMETERS), mutant.name.split("::")[1]
    start = text.rindex("\nstruct ", 0, mutant.place)
    end = text.index("\n};", mutant.place)
    right = _values(text[start:end])
    wrong = _values(mutant.planted(project).text(PARAMETERS)[start:end])

    def replaced(line: re.Match[str]) -> str:
        number = right.get(line[1])
        if line[1] == name or (name in line[2] and number != wrong.get(line[1])):
            return f"struct {line[1]};"
        return f"static const unsigned {line[1]} = {number};" if name in line[2] else line[0]

    made = text[:start] + DECLARATION.sub(replaced, text[start:end]) + text[end:]
    return _compiles(project, PARAMETERS, made)


def _values(body: str) -> dict[str, int]:
    """Return the constants of a configuration that are plain arithmetic of those before them."""
    found: dict[str, int] = {}
    known = {"DIV_ROUNDUP": lambda a, b: -(-a // b)}
    for name, expression in DECLARATION.findall(body):
        if re.fullmatch(r"[\w\s()+*/,-]+", expression):
            with contextlib.suppress(NameError, SyntaxError, ZeroDivisionError):
                found[name] = eval(
                    expression.replace("/", "//"), {"__builtins__": {}}, {**known, **found}
                )
    return found


def type_never_used(project: Project, name: str) -> bool:
    """Return whether nothing that is compiled has a value of a type: it may be incomplete."""
    text = project.text(DEFINES)
    line = next(m for m in TYPEDEF.finditer(text) if m[2] == name)
    return _compiles(project, DEFINES, f"{text[: line.start()]}struct {name};{text[line.end() :]}")


def _compiles(project: Project, path: str, text: str) -> bool:
    return assembly(Project(project.name, {**project.files, path: text.encode()})) is not None


def assembly(project: Project) -> str | None:
    """Return what g++ makes of a project's top function, or None where it makes nothing."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in project.files.items():
            (Path(folder) / path).parent.mkdir(parents=True, exist_ok=True)
            (Path(folder) / path).write_bytes(content)
        source = f"{folder}/firmware/{project.name}.cpp"
        command = ["g++", "-std=c++17", "-O1", "-w", "-S", "-o", "-", source,
                   f"-I{folder}/firmware/ap_types", f"-I{folder}/firmware"]  # fmt: skip
        made = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        return made.stdout if made.returncode == 0 else None
