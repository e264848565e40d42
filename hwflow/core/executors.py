"""Opens what computes tasks: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from hwflow.core.workers import Executor, Processes


@contextmanager
def open_executor(workers: int, scheduler: str | None) -> Iterator[Executor]:
    """Yield what computes.

    Args:
        workers: processes of this machine.
        scheduler: address of a Dask cluster that computes instead, or None.

    Raises:
        ToolError: HW607, Dask is not installed; HW611, no scheduler answers.
    """
    if scheduler is None:
        yield Processes(workers)
        return
    from hwflow.core.cluster.client import open_cluster

    with open_cluster(scheduler) as cluster:
        yield cluster
