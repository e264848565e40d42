"""Sends samples through an engine, batch by batch: reading, computing and taking overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from hwflow.core.data import Array, Data
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.simulate.engines import Engine
from hwflow.simulate.stream.parts import length
from hwflow.simulate.stream.sources import Source

T = TypeVar("T")

AHEAD = 2
"""Batches that wait for a worker, so that none waits for a batch."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Samples that follow each other, and what the hardware makes of them.

    Attributes:
        inputs: arrays by input name, batch first, as they were given.
        outputs: float64 results by output name, batch first, in the original order of axes; values
            of layers as ``layer/NAME``, channels last.
        labels: class of each sample, or None.
        start: how many samples came before, in all.
    """

    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]
    labels: Array | None
    start: int

    def __repr__(self) -> str:
        """Return the shapes in one line, without the values."""
        shapes = ", ".join(f"{name} {values.shape}" for name, values in self.outputs.items())
        return f"Batch: samples from {self.start:,} on, outputs {shapes}"

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(next(iter(self.inputs.values())))


def stream(engine: Engine, source: Source, size: int, finish: Callable[[Batch], T]) -> Iterator[T]:
    """Yield what ``finish`` makes of each batch, in order.

    Samples are read, and results taken, in the caller's thread; in the meantime the engine's
    workers compute. At most ``workers + AHEAD`` batches are in memory.

    Args:
        engine: what computes.
        source: where samples come from; it is closed in the end.
        size: samples of a batch.
        finish: called in the thread of a worker.

    Raises:
        CompileError: a sample does not suit the model; or what the source finds, when all before
            it was taken.
        ValueError: a batch has no samples.
    """
    if size < 1:
        raise ValueError(f"batches of {size} samples")
    start = 0
    waiting: deque[Future[T]] = deque()
    failure: Exception | None = None
    pool = ThreadPoolExecutor(engine.workers)
    try:
        while True:
            try:
                data = source.read(size)
            except Exception as error:
                failure = error
                break
            if data is None:
                break
            waiting.append(pool.submit(_computed, engine, source, data, start, finish))
            start += length(data)
            if len(waiting) >= engine.workers + AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
        source.close()
    if failure is not None:
        raise failure
    if start == 0:
        raise CompileError([nothing(source.name)])


def _computed(
    engine: Engine, source: Source, data: Data, start: int, finish: Callable[[Batch], T]
) -> T:
    try:
        outputs = engine.run(data.inputs)
    except CompileError as error:
        raise located(error, source, data, start) from error
    return finish(Batch(data.inputs, outputs, data.labels, start))


def located(error: CompileError, source: Source, data: Data, start: int) -> CompileError:
    """Return findings about a batch with the first sample that each is about.

    Args:
        error: what an engine found.
        source: where the samples come from.
        data: the batch.
        start: how many samples came before.
    """
    return CompileError([_located(d, source, data, start) for d in error.diagnostics])


def _located(finding: Diagnostic, source: Source, data: Data, start: int) -> Diagnostic:
    if finding.code != "HW405":
        return replace(finding, where=f"{source.name}, {finding.where}")
    first: list[int] = []
    for array in data.inputs.values():
        odd: Any = ~np.isfinite(array.reshape(len(array), -1)).all(1)
        first += np.flatnonzero(odd)[:1].tolist()
    return replace(finding, where=f"{source.locate(start + min(first))}, {finding.where}")


def nothing(name: str) -> Diagnostic:
    """Return the finding that a source has no samples."""
    return Diagnostic(
        code="HW403",
        title="data has the wrong shape",
        where=name,
        found="no samples",
        supported="at least 1",
    )
