"""Python packages that generating some designs needs, beside those that hwflow always has."""

from __future__ import annotations

from importlib.util import find_spec

from hwflow.core.errors import Diagnostic, ToolError
from hwflow.core.machine import install_command
from hwflow.ir.graph import Graph

DA_STRATEGY = "distributed_arithmetic"


def missing_packages(graph: Graph) -> tuple[Diagnostic, ...]:
    """Return a warning for each package that generating a design needs and that is missing."""
    users = [node for node in graph.nodes if getattr(node.op, "strategy", "") == DA_STRATEGY]
    if not users or find_spec("da4ml") is not None:
        return ()
    shown = ", ".join(node.name for node in users[:3]) + (", ..." if len(users) > 3 else "")
    return (
        Diagnostic(
            code="HW607",
            severity="warning",
            title="da4ml: the package is not installed, so that no C++ can be generated",
            where=shown,
            found=f'strategy = "{DA_STRATEGY}"',
            help=f"{install_command('da')}, or choose another strategy",
        ),
    )


def require_packages(graph: Graph) -> None:
    """Make sure that a design can be generated.

    Raises:
        ToolError: HW607, a package is missing.
    """
    for finding in missing_packages(graph):
        tool, message = finding.title.split(": ", 1)
        found = f"{finding.found} of {finding.where}"
        raise ToolError(tool, message, code=finding.code, log=found, help=finding.help)
