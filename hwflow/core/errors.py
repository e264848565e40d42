"""What can go wrong, said so that the reader can act: diagnostics and the two user-facing errors.

``CompileError`` is about the user's model or settings and carries every finding of a stage;
``ToolError`` is about a program on the machine. Anything else that is raised is a bug in hwflow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

_NEXT_LINE = "\n" + 17 * " "
"""What the lines of a longer text begin with, below the first."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """One finding: a stable code, what is wrong, where, what was found and what to do.

    Attributes:
        code: ``HWnnn``; 0xx input files, 1xx layer settings, 2xx unsupported constructs,
            3xx arithmetic, 4xx data, 5xx project and board, 6xx programs on this machine.
        title: what is wrong, in a few words, lower case.
        where: the node by its framework name, its operator and the model file.
        found: the offending value, and where it was set.
        supported: the legal values or constructs.
        help: what to do about it.
        severity: ``"error"``, ``"warning"`` or ``"note"``.
    """

    code: str
    title: str
    where: str = ""
    found: str = ""
    supported: str = ""
    help: str = ""
    severity: str = "error"

    def __str__(self) -> str:
        """Return the printed form, one labelled line per part that is set."""
        lines = [f"{self.severity}[{self.code}]: {self.title}"]
        if self.where:
            lines.append(f"  --> {self.where}")
        for label in ("found", "supported", "help"):
            text = getattr(self, label)
            if text:
                lines.append(f"      {label + ':':<10} " + text.replace("\n", _NEXT_LINE))
        return "\n".join(lines)

    def as_dict(self) -> dict[str, str]:
        """Return the parts as plain strings, for ``--json``."""
        return {
            name: getattr(self, name)
            for name in ("code", "severity", "title", "where", "found", "supported", "help")
        }


class HwflowError(Exception):
    """A failure that is the user's to mend; the command line shows it without a traceback.

    Attributes:
        diagnostics: every finding, one at least.
        written: files that say so, for CI.
        kept: a sentence on what stays on disk; nothing was written without one.
    """

    diagnostics: tuple[Diagnostic, ...]
    written: tuple[str, ...] = ()
    kept: str = ""


class CompileError(HwflowError):
    """The model or the settings cannot be compiled; carries all findings of the stage."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        if not self.diagnostics:
            raise ValueError("a CompileError needs at least one diagnostic")
        super().__init__("\n\n".join(str(d) for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[CompileError], tuple[tuple[Diagnostic, ...]]]:
        """Pickle the findings, which come from other processes whole."""
        return CompileError, (self.diagnostics,)


class ToolError(HwflowError):
    """A program or a package on this machine is missing or failed.

    Args:
        tool: the program's name.
        message: what happened.
        code: ``HW6nn``.
        help: what to do: the install command, the variable that points to the program.
        log: the program's own output, or the path it was kept at.
    """

    def __init__(
        self,
        tool: str,
        message: str,
        *,
        code: str,
        help: str = "",  # noqa: A002
        log: str = "",
    ) -> None:
        self.tool = tool
        self.message = message
        self.code = code
        self.help = help
        self.log = log
        self.diagnostics = (
            Diagnostic(code=code, title=f"{tool}: {message}", found=log, help=help),
        )
        super().__init__(str(self.diagnostics[0]))


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """Return ``"did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
