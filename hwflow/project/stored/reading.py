"""Files in a folder of anybody's: regular ones inside of it, and no more of them than is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath


class UnreadableError(Exception):
    """Why a file of a folder is not read, in a few words."""


def regular_size(folder: Path, path: str) -> int:
    """Return the bytes that a regular file in a folder has.

    Args:
        folder: where it lies; this itself may be a link.
        path: relative to it; it may come from anybody.

    Raises:
        UnreadableError: it is not there, no regular file, behind a link, or outside.
    """
    pure = PurePosixPath(path)
    if not pure.parts or pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UnreadableError("outside of the folder")
    place = folder
    try:
        for part in pure.parts:
            place = place / part
            found = place.lstat()
            if stat.S_ISLNK(found.st_mode):
                raise UnreadableError("a link")
    except OSError:  # not there, or a name that no file system has
        raise UnreadableError("gone") from None
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableError("no regular file")
    return found.st_size


def read_regular(folder: Path, path: str, most: int) -> bytes:
    """Return the content of a regular file in a folder.

    Args:
        folder: see ``regular_size``.
        path: see ``regular_size``.
        most: bytes that it may have.

    Raises:
        UnreadableError: what ``regular_size`` finds; it has more; or the system refuses.
    """
    if regular_size(folder, path) > most:
        raise UnreadableError(f"more than {most:,} bytes")
    try:
        return (folder / path).read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or "cannot be read") from None


def paths_in(folder: Path, inside: str) -> Iterator[str]:
    """Yield the paths of everything but folders in a part of a folder, links not followed.

    Args:
        folder: what the paths are relative to.
        inside: the part, a path relative to it.
    """
    for place, folders, names in os.walk(folder / inside):
        links = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *links]):
            yield Path(place, name).relative_to(folder).as_posix()
