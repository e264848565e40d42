"""A Dask cluster as a place where tasks are computed, in order, whatever becomes of workers."""

from __future__ import annotations

import hashlib
import pickle
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from hwflow.core.cluster import findings
from hwflow.core.cluster.build import build
from hwflow.core.cluster.quiet import quiet
from hwflow.core.cluster.worker import OtherBuild, call

K = TypeVar("K")
T = TypeVar("T")
R = TypeVar("R")

CONNECT_SECONDS = 10
"""Seconds in which a scheduler has to answer."""

PATIENCE_SECONDS = 60.0
"""Seconds that a cluster may be without a worker: nannies start lost ones again."""

POLL_SECONDS = 0.5
"""Seconds between looks at the cluster while a result is waited for."""

AHEAD = 3
"""Groups of tasks for each thread of the cluster that are given to it at the same time."""

GROUP_SECONDS = 2.0
"""Seconds that a group of tasks takes at least, where there are enough: a worker's own time for it
was 0.005 s."""

SERIAL_SECONDS = 0.01
"""Seconds that a group takes at least for each thread of the cluster: so all are kept busy by one
scheduler and one client, which took 0.0045 s and 0.003 s for a group."""

SHARE = 20
"""Groups for each thread at least, where there are as many tasks: at the end, some threads wait for
the last groups of others."""

CALL = f"__import__({call.__module__!r}, fromlist=['']).call(wanted, content, known)"
"""What a worker evaluates: schedulers unpickle functions, and may know nothing of hwflow."""

LARGE = "distributed.admin.large-graph-warning-threshold"
"""Setting of Dask: bytes of a task from which on it warns. What is common is sent once."""


@dataclass(eq=False)
class Cluster:
    """A cluster that answers.

    Attributes:
        address: address of its scheduler.
        client: a connection to it.
    """

    address: str
    client: Any
    _seen: tuple[float, int] = field(default=(-1e9, 0))

    @property
    def slots(self) -> int:
        """Tasks that are computed at the same time, as of some seconds ago; 1 at least."""
        at, threads = self._seen
        now = time.monotonic()
        if now - at > 5 or not threads:
            threads = self._threads()
            self._seen = now, threads
        return max(1, threads)

    def group(self, tasks: int, seconds: float) -> int:
        """Return how many tasks to give a worker at once.

        Args:
            tasks: how many there are.
            seconds: that one takes about.
        """
        slots = self.slots
        wanted = max(GROUP_SECONDS, SERIAL_SECONDS * slots) / max(seconds, 1e-9)
        return max(1, min(tasks // (SHARE * slots), round(wanted)))

    def _threads(self) -> int:
        """Return how many threads the workers have.

        Raises:
            ToolError: HW611, the scheduler does not answer any more.
        """
        try:
            return sum(self.client.nthreads().values())
        except (OSError, ValueError) as error:
            raise findings.lost(self.address, error) from error

    def in_order(
        self, work: Callable[[K, T], R], known: K, tasks: Iterable[T], *, group: int = 1
    ) -> Iterator[R]:
        """Yield the result of each task, in order.

        Results of workers that are lost are computed again by others.

        Args:
            work: a function of a module of hwflow.
            known: what all tasks have in common, sent once to each worker.
            tasks: what to compute.
            group: tasks that are given to a worker at once.

        Raises:
            ToolError: HW611 to HW614.
            CompileError: what ``work`` finds.
        """
        import dask

        content = pickle.dumps(known, protocol=5)
        digest = hashlib.sha256(content).hexdigest()
        with dask.config.set({LARGE: "1TiB"}):
            shared = self.client.submit(bytes, content, key=f"hwflow-{digest}")
        left, waiting = iter(tasks), deque[Any]()
        try:
            while some := list(islice(left, group)):
                waiting.append(self._submitted(pickle.dumps((work, digest, some)), shared))
                if len(waiting) > AHEAD * self.slots:
                    yield from self._result(waiting.popleft())
            while waiting:
                yield from self._result(waiting.popleft())
        finally:
            with quiet():
                self.client.cancel([shared, *waiting])

    def _submitted(self, content: bytes, shared: Any) -> Any:
        """Return a task of the cluster, of which its scheduler needs to know nothing of hwflow."""
        given = {"wanted": (build().version, build().sources), "content": content, "known": shared}
        return self.client.submit(eval, CALL, given, pure=False)

    def _result(self, future: Any) -> list[Any]:
        """Return the results of a group when they are there."""
        from distributed import TimeoutError as NotYet

        alone = time.monotonic()
        while True:
            try:
                found = future.result(timeout=POLL_SECONDS)
            except NotYet:
                now = time.monotonic()
                if self._threads():
                    alone = now
                elif now - alone > PATIENCE_SECONDS:
                    raise findings.no_workers(self.address, PATIENCE_SECONDS) from None
            except Exception as error:
                raise findings.failed(self.address, error, self.client.status) from error
            else:
                if isinstance(found, OtherBuild):
                    raise findings.other_build(found)
                results: list[Any] = found
                return results


@contextmanager
def open_cluster(address: str) -> Iterator[Cluster]:
    """Yield a Dask cluster.

    Args:
        address: address of its scheduler, such as ``tcp://10.0.0.1:8786``.

    Raises:
        ToolError: HW607, Dask is not installed; HW611, no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise findings.missing(error) from error
    with quiet():
        try:
            _reach(address)  # a client that finds nobody leaves noise when Python ends
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise findings.unreachable(address, error) from error
        try:
            yield Cluster(address, client)
        finally:
            client.close(timeout=CONNECT_SECONDS)


def _reach(address: str) -> None:
    """Wait until somebody listens.

    Raises:
        OSError: nobody does.
        ValueError: it is no address.
    """
    from distributed.comm.addressing import get_address_host_port

    if not address:
        raise ValueError("no address")
    host, port = get_address_host_port(address)
    deadline = time.monotonic() + CONNECT_SECONDS
    while True:
        try:
            socket.create_connection((host, port), timeout=CONNECT_SECONDS).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return
