"""Copies of this process that compute: each in one thread, results in order."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

DEATHS = 3
"""Times that workers may be lost before the work ends: a task may be what kills them."""

_work: Callable[[Any], Any] | None = None


def _call(task: Any) -> Any:
    assert _work is not None
    return _work(task)


def in_order(work: Callable[[T], R], tasks: Sequence[T], workers: int) -> Iterator[R]:
    """Yield the result of each task, in order, whatever becomes of single workers.

    Workers are forked, so that they have what ``work`` knows; what they learn is lost with them.

    Args:
        work: computes a result that can be pickled; it depends on its task alone.
        tasks: what to compute.
        workers: processes; 1 computes in this one.

    Raises:
        BrokenProcessPool: workers ended ``DEATHS`` times without a result.
    """
    if workers <= 1 or len(tasks) < 2:
        yield from map(work, tasks)
        return
    global _work
    done = 0
    for death in range(DEATHS):
        _work = work
        try:
            for result in _forked(tasks[done:], workers):
                yield result
                done += 1
        except BrokenProcessPool:
            if death == DEATHS - 1:
                raise
        else:
            return
        finally:
            _work = None


def _forked(tasks: Iterable[Any], workers: int) -> Iterator[Any]:
    """Yield results of a pool that is given no more tasks than it soon needs."""
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(workers, mp_context=context)
    waiting: list[Future[Any]] = []
    try:
        for task in tasks:
            waiting.append(pool.submit(_call, task))
            if len(waiting) > 2 * workers:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
