"""The front while an exploration runs: kept on disk, and written anew now and then."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, HwflowError
from hwflow.core.files import write_file
from hwflow.exploration import fits, within
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.found import Found
from hwflow.exploration.pictures.drawing import to_svg
from hwflow.exploration.pictures.page import to_html
from hwflow.exploration.result import result_of
from hwflow.exploration.store import Store

FRONT, PAGE, PICTURE = "front.json", "front.html", "front.svg"
"""What the folder of a run holds beside its database: the front, and its pictures."""

SECONDS = 10.0
"""Least time between two fronts of a run that goes on."""

TIMES = 20.0
"""The same, in times of what writing the last one took: fronts slow a search down by 5 %."""


def written(folder: Path, result: dict[str, Any]) -> dict[str, Any]:
    """Write what was found with its page, and the picture for print once it is finished."""
    write_file(folder / FRONT, (json.dumps(result, indent=1) + "\n").encode())
    write_file(folder / PAGE, to_html(result).encode())
    if result["finished"]:
        write_file(folder / PICTURE, to_svg(result))
    return result


def so_far(store: Store, size: int, chunk: int) -> Found:
    """Return all that is on disk, whether as chunks or as single configurations.

    Args:
        store: the database.
        size: configurations in all.
        chunk: configurations of a chunk.
    """
    kept: Mapping[int, tuple[int, int]] = store.single()
    numbers = [np.array(list(kept), np.int64)]
    counts = [np.array(list(kept.values()), np.int32).reshape(-1, 2)]
    for at, found in store.counts():
        numbers.append(np.arange(at * chunk, min((at + 1) * chunk, size)))
        counts.append(found)
    every, first = np.unique(np.concatenate(numbers), return_index=True)
    return Found(every, np.concatenate(counts)[first], certified=len(every) == size)


@dataclass(eq=False, kw_only=True)
class Saving:
    """Writes the front of what is on disk, when it is called and enough time has gone.

    Attributes:
        explorer: the model.
        folder: folder of the run.
        store: its database.
        chunk: configurations of a chunk.
    """

    explorer: Explorer
    folder: Path
    store: Store
    chunk: int
    _due: float = field(default_factory=lambda: time.monotonic() + SECONDS)

    def __call__(self) -> None:
        """Write the front, if it is time; with fitted settings it is written at the end only."""
        began = time.monotonic()
        if began < self._due or self.explorer.request.fit is not None:
            return
        found = so_far(self.store, self.explorer.space.size, self.chunk)
        try:
            written(self.folder, result_of(self.explorer, found, finished=False))
        except CompileError as error:
            if any(f.code not in (within.NOTHING, fits.NOTHING) for f in error.diagnostics):
                raise
        ended = time.monotonic()
        self._due = ended + max(SECONDS, TIMES * (ended - began))


@contextmanager
def keeping(store: Store, folder: Path) -> Iterator[None]:
    """Say in errors what stays on disk."""
    try:
        yield
    except HwflowError as error:
        done = any(store.evaluated(exhaustive=way) for way in (True, False))
        said = "What was evaluated" if done else "The run, of which nothing is evaluated yet,"
        error.kept = f"{said} is kept in {folder}."
        raise
