"""How far a verb is: bars on a terminal, one plain line for each stage in pipes and logs."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal.console import errors

if TYPE_CHECKING:
    from rich.progress import Progress

SECONDS = 10.0
"""Seconds between two lines about the same stage."""


@contextmanager
def stage_progress(*, quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """Yield a callback that shows each stage, and the share of it done, on standard error."""
    if quiet:
        yield lambda stage, done: None
    elif not _moves():
        yield _stage_lines()
    else:
        with _bars("{task.description}") as bars:
            tasks: dict[str, Any] = {}

            def update(stage: str, done: float) -> None:
                if stage not in tasks:
                    tasks[stage] = bars.add_task(stage, total=None if done == 0 else 1.0)
                if done > 0:
                    bars.update(tasks[stage], total=1.0, completed=done)

            yield update


@contextmanager
def sample_progress(*, quiet: bool) -> Iterator[Callable[[int, int | None], None]]:
    """Yield a callback that shows samples done, in all and per second, on standard error."""
    if quiet:
        yield lambda done, total: None
    elif not _moves():
        yield _sample_lines()
    else:
        text = "{task.completed:,.0f} samples, {task.fields[rate]:,.0f} a second"
        with _bars(text) as bars:
            task = bars.add_task("simulate", total=None, rate=0.0)

            def update(done: int, total: int | None) -> None:
                seconds = bars.tasks[0].elapsed or 0.0
                rate = done / seconds if seconds else 0.0
                bars.update(task, completed=done, total=total, rate=rate)

            yield update


def _moves() -> bool:
    """Return whether lines can be drawn over; colours alone, as some CI logs have, do not do."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") not in ("", "dumb", "unknown")


def _line(text: str) -> None:
    print(f"hwflow: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _stage_lines() -> Callable[[str, float], None]:
    seen: set[str] = set()

    def update(stage: str, done: float) -> None:
        if stage not in seen:
            seen.add(stage)
            _line(stage)

    return update


def _sample_lines() -> Callable[[int, int | None], None]:
    last = time.monotonic()
    _line("simulate")

    def update(done: int, total: int | None) -> None:
        nonlocal last
        if time.monotonic() - last < SECONDS:
            return
        last = time.monotonic()
        _line(f"simulate: {done:,}{'' if total is None else f' of {total:,}'} samples")

    return update


def _bars(text: str) -> Progress:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn(text), BarColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True)
