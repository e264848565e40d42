"""The machine that hwflow runs on, and what is installed there."""

from __future__ import annotations

import os


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def install_command(extra: str) -> str:
    """Return the command that installs the packages of an extra of hwflow.

    It names the packages themselves, so that it works however hwflow was installed.

    Args:
        extra: a name under ``[project.optional-dependencies]`` in ``pyproject.toml``.
    """
    from importlib.metadata import requires

    needed = []
    for requirement in requires("hwflow") or ():
        package, _, marker = requirement.partition(";")
        if marker.replace('"', "'").strip() == f"extra == '{extra}'":
            needed.append(f"'{package.strip()}'")
    return f"pip install {' '.join(needed)}"
