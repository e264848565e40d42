"""What was compiled, on disk: files under the digest of everything that went into them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hwflow.core.environment import cache_dir
from hwflow.core.errors import ToolError


@dataclass(frozen=True)
class Shelf:
    """Files of one kind.

    Attributes:
        name: name of the folder.
        kept: number of files that are kept, those that were used last.
    """

    name: str
    kept: int

    def path(self, digest: str) -> Path:
        """Return where the file of a digest is, whether it is there or not."""
        return cache_dir() / "csim" / self.name / digest

    def has(self, digest: str) -> bool:
        """Return whether there is a file, which from now on was used last."""
        path = self.path(digest)
        with contextlib.suppress(OSError):  # a cache that can only be read serves as well
            os.utime(path)
        return path.exists()

    def put(self, digest: str, made: Path) -> None:
        """Keep a copy of a file. Others see the whole of it or nothing.

        Raises:
            ToolError: the cache cannot be written.
        """
        path = self.path(digest)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, staged = tempfile.mkstemp(prefix=".new-", dir=path.parent)
            os.close(handle)
            try:
                shutil.copyfile(made, staged)
                Path(staged).chmod(0o755)
                Path(staged).replace(path)
            except OSError:
                Path(staged).unlink()
                raise
        except OSError as error:
            raise ToolError(
                "cache",
                f"cannot keep the compiled simulation in {path.parent}: {error.strerror}",
                code="HW606",
                help="set HWFLOW_CACHE to a folder that can be written",
            ) from error

    def forget_oldest(self) -> None:
        """Remove the files that were used longest ago, beyond the number that is kept."""

        def used(path: Path) -> float:
            try:
                return path.stat().st_mtime
            except OSError:
                return float("inf")  # another process has just removed it

        with contextlib.suppress(OSError):
            found = [p for p in self.path("").iterdir() if not p.name.startswith(".")]
            for path in sorted(found, key=used, reverse=True)[self.kept :]:
                path.unlink(missing_ok=True)


PROGRAMS = Shelf("programs", 200)
"""Linked simulations, of 0.2 to 2 MB each."""

OBJECTS = Shelf("objects", 2000)
"""Compiled translation units, of 10 to 500 kB each."""

LAYERS = Shelf("layers", 20000)
"""Digest of an object that has a layer, and those of the object's headers, by the layer's key."""

HEADERS = Shelf("headers", 6)
"""Precompiled headers, of 100 MB each: one per backend and set of compiler flags."""


def digest_of(parts: Iterable[bytes]) -> str:
    """Return a digest of some pieces, of their order, and of where one ends."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little") + part)
    return total.hexdigest()[:32]
