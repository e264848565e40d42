"""A command line that is not understood, said in JSON and in the files for CI where they are asked.

Typer's own words, on standard error, are for people; they stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from typer.core import TyperGroup


class Group(TyperGroup):
    """The commands; arguments are kept to see what a refusal of them is to be written to."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Read the options before the command."""
        self.given = tuple(args)
        with _said(self.given):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Read the arguments of the command and run it."""
        with _said(self.given):
            return super().invoke(ctx)


@contextmanager
def _said(given: Sequence[str]) -> Iterator[None]:
    """Turn a usage error into a finding, if JSON is asked for; write it to the files for CI.

    Raises:
        CompileError: HW580, what was not understood.
    """
    try:
        yield
    except Exception as error:
        # typer has click's classes of its own from some version on: both know their message
        if getattr(error, "exit_code", None) != 2 or not hasattr(error, "format_message"):
            raise
        files = {name: _path_of(f"--{name}", given) for name in ("junit", "summary")}
        if "--json" not in given and not any(files.values()):
            raise
        from hwflow.core.errors import CompileError
        from hwflow.project.verification import errors_written

        with errors_written(Path("command line"), **files):
            raise CompileError([_finding(error)]) from error


def _finding(error: Any) -> Any:
    from hwflow.core.errors import Diagnostic

    command = getattr(getattr(error, "ctx", None), "command_path", "hwflow")
    return Diagnostic(
        code="HW580",
        title="the command line is not understood",
        where=command,
        found=error.format_message(),
        help=f"`{command} --help` lists arguments and options",
    )


def _path_of(option: str, given: Sequence[str]) -> Path | None:
    """Return the file that an option names, if it is there, as the parser would have read it."""
    for at, word in enumerate(given):
        if word == option and at + 1 < len(given):
            return Path(given[at + 1])
        if word.startswith(f"{option}="):
            return Path(word.removeprefix(f"{option}="))
    return None
