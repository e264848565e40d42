"""Where tasks are computed: in this process, or in copies of it, each in one thread."""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
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


@dataclass(eq=False)
class Crew:
    """Copies of this process that stay: what each of them learns at a task, it knows at the next.

    They are forked when they are needed first, and know what this process knew then.

    Attributes:
        slots: how many; 1 computes in this process.
        call: what they compute.
        ahead: tasks for each that are handed out beside the one that is waited for. More keep
            those behind a long task from waiting for it, and take memory.
    """

    slots: int
    call: Callable[[Any], Any]
    ahead: int = 2
    _workers: list[ProcessPoolExecutor] = field(default_factory=list)

    @property
    def begun(self) -> bool:
        """Whether there are copies, which do not know what this process learned since."""
        return bool(self._workers)

    def in_order(self, tasks: Iterable[Any]) -> Iterator[Any]:
        """Yield the result of each task, in order; what workers learn is lost with them.

        Raises:
            ToolError: HW614, workers ended ``DEATHS`` times without a result.
        """
        left = iter(tasks)
        given = deque(islice(left, 2))
        if self.slots <= 1 or len(given) < 2:
            for task in chain(given, left):
                yield self.call(task)
            return
        for death in range(DEATHS):
            try:
                yield from self._forked(left, given)
            except BrokenProcessPool as error:
                self.close()
                if death == DEATHS - 1:
                    raise _dying(error) from error
            else:
                return

    def _forked(self, left: Iterator[Any], given: deque[Any]) -> Iterator[Any]:
        """Yield results of workers; ``given`` are tasks that were begun and gave none yet."""
        if not self._workers:
            self._workers = [self._worker() for _ in range(self.slots)]
        busy: list[list[Future[Any]]] = [[] for _ in self._workers]
        waiting = deque(self._submit(busy, task) for task in given)
        while True:
            for task in islice(left, self.ahead * self.slots + 1 - len(waiting)):
                given.append(task)
                waiting.append(self._submit(busy, task))
            if not waiting:
                return
            result = waiting.popleft().result()
            given.popleft()
            yield result

    def _submit(self, busy: list[list[Future[Any]]], task: Any) -> Future[Any]:
        """Hand a task to the worker that has least to do."""
        for own in busy:
            own[:] = [future for future in own if not future.done()]
        least = min(range(len(busy)), key=lambda i: len(busy[i]))
        future = self._workers[least].submit(_called, task)
        busy[least].append(future)
        return future

    def _worker(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(self.call,))

    def tell(self, task: Any) -> None:
        """Have every copy compute a task, such as to learn something; there may be none."""
        for future in [worker.submit(_called, task) for worker in self._workers]:
            future.result()

    def close(self) -> None:
        """End them."""
        for worker in self._workers:
            worker.shutdown(wait=True, cancel_futures=True)
        self._workers = []


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
        """Yield the result of each task, in order.

        Raises:
            ToolError: HW614, workers ended ``DEATHS`` times without a result.
        """
        crew = Crew(self.slots, partial(work, known))
        try:
            yield from crew.in_order(tasks)
        finally:
            crew.close()


def _dying(error: Exception) -> ToolError:
    return ToolError(
        "workers", "processes end while they compute the same task", code="HW614", log=str(error),
        help="where memory ran out, take fewer of them, such as --workers 1",
    )  # fmt: skip
