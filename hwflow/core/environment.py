"""Every environment variable that hwflow reads, declared and documented once.

``HWFLOW_CACHE``  folder for compiled simulations; default ``$XDG_CACHE_HOME/hwflow``.
``HWFLOW_DUMP``   folder; gets what each pass changed: the model as ONNX, then the graph as text.
``HWFLOW_DEBUG``  1 stages and times, 2 passes and why one did nothing, 3 the graph after each pass.
``HWFLOW_CXX_TIMEOUT``  seconds that one compilation of C++ may take; default 300.
``HWFLOW_CXX_MEMORY``   megabytes that one compilation of C++ may take; default 3000.
``CXX``           the C++ compiler (see ``toolchain`` for the other programs).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """Return the folder for what can be made again."""
    chosen = os.environ.get("HWFLOW_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hwflow"


def dump_dir() -> Path | None:
    """Return the folder for dumps between passes, or None."""
    chosen = os.environ.get("HWFLOW_DUMP")
    return Path(chosen) if chosen else None


def level() -> int:
    """Return how much to say on standard error, 0 to 3."""
    text = os.environ.get("HWFLOW_DEBUG", "0")
    return int(text) if text.isdigit() else 0


def explain(who: str, why: str) -> None:
    """Say on standard error, at level 2, why a pass did nothing."""
    if level() >= 2:
        print(f"{who}: skipped {why}", file=sys.stderr)  # noqa: T201
