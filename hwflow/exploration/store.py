"""What an exploration has found so far, on disk: whole chunks, whatever ends the process."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic

Counts = npt.NDArray[np.int32]

SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS chunks (chunk INTEGER PRIMARY KEY, counts BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS single (number INTEGER PRIMARY KEY, right INTEGER, agree INTEGER);
"""
"""Chunks are of explorations of all configurations, single ones of those of some."""

DATABASE = "explore.db"
"""What the folder of an exploration of bits holds."""

NETWORK_FILES = (
    "nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "afs", "fuse.sshfs", "9p", "ceph",
    "glusterfs", "fuse.glusterfs", "lustre", "gpfs", "beegfs",
)  # fmt: skip
"""File systems on which locks and shared memory of SQLite's write-ahead log do not work: all
processes must be on one host (sqlite.org/wal.html)."""


@dataclass(frozen=True, eq=False)
class Store:
    """A database in a folder.

    Attributes:
        path: the file.
        connection: an open connection.
        kept: called whenever evaluations were kept.
    """

    path: Path
    connection: sqlite3.Connection
    kept: Callable[[], None] = lambda: None

    def meta(self) -> dict[str, str]:
        """Return what the exploration is of; empty for a new one."""
        return dict(self.connection.execute("SELECT key, value FROM meta"))

    def set_meta(self, values: Mapping[str, str]) -> None:
        """Keep what the exploration is of."""
        with self.connection:
            self._set(**values)

    def _set(self, **values: str) -> None:
        self.connection.executemany(
            "INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(values.items())
        )

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Keep what is going to be evaluated, and from when on."""
        before = str(self.evaluated(exhaustive=plan["exhaustive"]))
        now = repr(time.time())
        self.set_meta({"plan": json.dumps(plan), "began": now, "before": before})

    def finish(self) -> None:
        """Keep when the front was written."""
        self.set_meta({"finished": repr(time.time())})

    def evaluated(self, *, exhaustive: bool) -> int:
        """Return how many configurations are done, in chunks of all of them or single ones."""
        if exhaustive:
            query = "SELECT ifnull(sum(length(counts)), 0) / 8 FROM chunks"  # two of 4 bytes each
        else:
            query = "SELECT count(*) FROM single"
        return int(self.connection.execute(query).fetchone()[0])

    def chunks(self) -> set[int]:
        """Return the numbers of the chunks that are done."""
        return {row[0] for row in self.connection.execute("SELECT chunk FROM chunks")}

    def add(self, chunk: int, counts: Counts) -> None:
        """Keep a chunk, whole or not at all."""
        content = np.ascontiguousarray(counts, "<i4").tobytes()
        with self.connection:
            self.connection.execute("INSERT OR IGNORE INTO chunks VALUES (?, ?)", (chunk, content))
            self._set(last=repr(time.time()))
        self.kept()

    def counts(self) -> Iterator[tuple[int, Counts]]:
        """Yield number and counts of each chunk, in order."""
        rows = self.connection.execute("SELECT chunk, counts FROM chunks ORDER BY chunk")
        for chunk, content in rows:
            yield chunk, np.frombuffer(content, "<i4").reshape(-1, 2).astype(np.int32)

    def add_single(self, numbers: Iterable[int], counts: Counts) -> None:
        """Keep single configurations, all of these or none."""
        rows = [(number, *pair) for number, pair in zip(numbers, counts.tolist(), strict=True)]
        with self.connection:
            self.connection.executemany("INSERT OR IGNORE INTO single VALUES (?, ?, ?)", rows)
            self._set(last=repr(time.time()))
        self.kept()

    def single(self) -> dict[int, tuple[int, int]]:
        """Return the counts of single configurations by their numbers, ascending."""
        rows = self.connection.execute("SELECT number, right, agree FROM single ORDER BY number")
        return {number: (right, agree) for number, right, agree in rows}


@contextmanager
def open_store(folder: Path, *, new: bool) -> Iterator[Store]:
    """Open the database of a run.

    Args:
        folder: folder of the run.
        new: make it where there is none.

    Raises:
        CompileError: HW326, there is none; HW327, it lies on a network file system; HW328, it
            cannot be opened or is none of hwflow's.
    """
    path = folder / DATABASE
    if not new and not path.is_file():
        raise CompileError([_missing(folder)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _refuse_network(folder)
        connection = sqlite3.connect(path, timeout=60)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(SCHEMA)
    except (OSError, sqlite3.Error) as error:
        raise CompileError([_unusable(path, error)]) from error
    try:
        yield Store(path, connection)
    finally:
        connection.close()


def _refuse_network(folder: Path) -> None:
    kind = file_system(folder.resolve())
    if kind in NETWORK_FILES:
        raise CompileError([_networked(folder, kind)])


def file_system(path: Path, mounts: str = "/proc/self/mounts") -> str:
    """Return the kind of file system that holds a path, or nothing where the system does not say.

    Args:
        path: an absolute path.
        mounts: the table of mounted file systems (proc(5)).
    """
    try:
        lines = Path(mounts).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    best, kind = -1, ""
    for line in lines:
        parts = line.split(" ")
        if len(parts) < 3:
            continue
        where = parts[1].replace("\\040", " ")
        inside = where == "/" or str(path) == where or str(path).startswith(where + os.sep)
        if inside and len(where) >= best:
            best, kind = len(where), parts[2]
    return kind


def _missing(folder: Path) -> Diagnostic:
    return Diagnostic(
        code="HW326", title="no exploration in this folder", where=str(folder),
        found="no explore.db", help="start one: hwflow explore MODEL --data DATA --run DIR",
    )  # fmt: skip


def _networked(folder: Path, kind: str) -> Diagnostic:
    return Diagnostic(
        code="HW327", title="run folder on a network file system", where=str(folder),
        found=f"{kind}, where the locks of a database do not hold between machines",
        supported="file systems of this machine",
        help="take a folder on a local disk, such as --run /var/tmp/run, and copy it when done",
    )  # fmt: skip


def _unusable(path: Path, error: Exception) -> Diagnostic:
    return Diagnostic(
        code="HW328", title="run folder that cannot be used", where=str(path), found=str(error),
        help="take another folder for --run, or remove this one",
    )  # fmt: skip
