"""Dask clusters of this machine: a scheduler in this process, workers in their own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask


@contextmanager
def local_cluster(workers: int) -> Iterator[Any]:
    """Yield a cluster whose workers are started again when they are lost."""
    from distributed import LocalCluster

    settings = {"distributed.admin.system-monitor.gil.enabled": False}
    with (
        dask.config.set(settings),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=":0",
            memory_limit=0,
        ) as cluster,
    ):  # fmt: skip
        yield cluster


def pids(cluster: Any) -> list[int]:
    """Return the processes of a cluster's workers."""
    return [nanny.pid for nanny in cluster.workers.values()]


def kill(cluster: Any) -> int:
    """End one worker as the kernel does where memory runs out; return its process."""
    pid = pids(cluster)[0]
    os.kill(pid, signal.SIGKILL)
    return pid
