"""Which hwflow this is, to the last line."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import hwflow


@dataclass(frozen=True)
class Build:
    """An installed hwflow.

    Attributes:
        version: its version.
        sources: SHA-256 of all its Python files.
    """

    version: str
    sources: str

    def __str__(self) -> str:
        """Return version and the beginning of the digest."""
        return f"hwflow {self.version}, sources {self.sources[:12]}"


@cache
def build() -> Build:
    """Return the hwflow of this process."""
    root = Path(hwflow.__file__).parent
    total = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        content = path.read_bytes()
        total.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode())
        total.update(content)
    return Build(hwflow.__version__, total.hexdigest())
