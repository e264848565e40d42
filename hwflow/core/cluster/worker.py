"""What runs on a worker of a cluster: tasks, with what they have in common unpacked once."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from hwflow.core.cluster.build import Build, build

_local = threading.local()


@dataclass(frozen=True)
class OtherBuild:
    """The answer of a worker whose hwflow is another one.

    Attributes:
        build: the hwflow of the worker.
        worker: its address.
    """

    build: Build
    worker: str


def call(wanted: tuple[str, str], content: bytes, known: bytes) -> list[Any] | OtherBuild:
    """Return the results of tasks.

    Args:
        wanted: version and digest of the client's hwflow.
        content: a pickled function, which takes what all tasks have in common and a task; the
            digest of what they have in common; the tasks.
        known: what they have in common, pickled.
    """
    if build() != Build(*wanted):
        from distributed import get_worker

        return OtherBuild(build(), get_worker().address)
    work: Callable[[Any, Any], Any]
    work, digest, tasks = pickle.loads(content)
    common = _unpacked(known, digest)
    with _blas().limit(limits=1):
        return [work(common, task) for task in tasks]


def _unpacked(known: bytes, digest: str) -> Any:
    """Return what tasks have in common, of which each thread has its own and keeps the last."""
    if getattr(_local, "digest", None) != digest:
        _local.common, _local.digest = pickle.loads(known), digest
    return _local.common


@cache
def _blas() -> Any:
    """Return what sets the threads of the BLAS that numpy has loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
