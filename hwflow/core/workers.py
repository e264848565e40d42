"""Where tasks are computed: in this process, or in copies of it, each in one thread."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Protocol, TypeVar

from hwflow.core.errors import ToolError

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")

DEATHS = 3
"""Times that workers may be lost before the work ends: a task may be what kills them."""


class Executor(Protocol):
    """What computes tasks that do not depend on each other."""

    @property
    def slots(self) -> int:
        """Tasks that are computed at the same time; 1 at least."""

    def group(self, tasks: int, seconds: float) -> int:
        """Return how many tasks to hand over at once.

        Args:
            tasks: how many there are.
            seconds: that one takes about.
        """

    def in_order(
        self, work: Callable[[K, T], R], known: K, tasks: Iterable[T], *, group: int = 1
    ) -> Iterator[R]:
        """Yield the result of each task, in order, whatever becomes of single workers.

        Args:
            work: a function of a module, which depends on its arguments alone.
            known: what all tasks have in common.
            tasks: what to compute; no more of them are taken than are soon needed.
            group: tasks that are handed over at once.
        """


_call: Callable[[Any], Any] | None = None
"""What a copy of this process computes."""


def _begin(call: Callable[[Any], Any]) -> None:
    global _call
    _call = call


def _called(task: Any) -> Any:
    assert _call is not None
    return _call(task)


@dataclass(frozen=True)
class Processes:
    """Copies of this process. They are forked, so that they have what it knows.

    Attributes:
        slots: how many; 1 computes in this process.
    """

    slots: int

    def group(self, tasks: int, seconds: float) -> int:
        """Return 1: a pipe is fast."""
        return 1

    def in_order(
        self, work: Callable[[K, T], R], known: K, tasks: Iterable[T], *, group: int = 1
    ) -> Iterator[R]:
        """Yield the result of each task, in order; what workers learn is lost with them.

        Raises:
            ToolError: HW614, workers ended ``DEATHS`` times without a result.
        """
        left = iter(tasks)
        given = deque(islice(left, 2))
        if self.slots <= 1 or len(given) < 2:
            for task in chain(given, left):
                yield work(known, task)
            return
        for death in range(DEATHS):
            try:
                yield from self._forked(partial(work, known), left, given)
            except BrokenProcessPool as error:
                if death == DEATHS - 1:
                    raise _dying(error) from error
            else:
                return

    def _forked(self, call: Callable[[T], R], left: Iterator[T], given: deque[T]) -> Iterator[R]:
        """Yield results of a pool; ``given`` are tasks that were begun and gave none yet."""
        context = multiprocessing.get_context("fork")
        pool = ProcessPoolExecutor(
            self.slots, mp_context=context, initializer=_begin, initargs=(call,)
        )
        try:
            waiting: deque[Future[R]] = deque(pool.submit(_called, task) for task in given)
            while True:
                for task in islice(left, 2 * self.slots + 1 - len(waiting)):
                    given.append(task)
                    waiting.append(pool.submit(_called, task))
                if not waiting:
                    return
                result = waiting.popleft().result()
                given.popleft()
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _dying(error: Exception) -> ToolError:
    return ToolError(
        "workers", "processes end while they compute the same task", code="HW614", log=str(error),
        help="where memory ran out, take fewer of them, such as --workers 1",
    )  # fmt: skip
