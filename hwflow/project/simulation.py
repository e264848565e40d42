"""Simulates a model or a written project on a stream of data: what ``hwflow simulate`` does."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.core.errors import Diagnostic
from hwflow.core.executors import open_executor
from hwflow.core.workers import Executor
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.project.stored import is_project, open_project, refuse_options
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.coverage.findings import data_findings
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.engines import Engine, batch_size, open_engine
from hwflow.simulate.stream.results import Results, results
from hwflow.simulate.stream.run import Batch, stream
from hwflow.simulate.stream.sources import Source, open_source
from hwflow.simulate.stream.spread import Judged, Simulator, judged, refuse_spread, spread
from hwflow.simulate.stream.summary import Summary

Progress = Callable[[int, int | None], None]
"""A function that is called with samples done, and samples in all where that is known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedDesign:
    """A design with what it gave.

    Attributes:
        design: the model, compiled; or the project, as it lies in its folder.
        summary: summary of all samples.
        engine: the name of what computed.
        device: where.
        workers: how many batches were computed at the same time.
        place: what computed, where it was not threads of this process; or nothing.
        batch: samples of a batch.
        seconds: seconds of reading, computing and writing.
        data: where the samples come from.
        made_up: whether nobody gave data.
        counters: what numpy counted, by layer; empty with other engines.
        coverage: what the data reached, with numpy; None with other engines.
        ports: what of the data was beyond the ends of each input port, by its name.
        fallback: whether numpy was taken because there is no golden model.
    """

    design: Design
    summary: Summary
    engine: str
    device: str
    workers: int
    place: str
    batch: int
    seconds: float
    data: str
    made_up: bool
    counters: Mapping[str, Counters]
    coverage: Coverage | None
    ports: Mapping[str, PortCounts]
    fallback: bool

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """Warnings about the data: it tries little of the design, or saturates at a port."""
        return data_findings(
            self.design.graph, self.coverage, self.ports, data=self.data, made_up=self.made_up
        )

    @property
    def rate(self) -> float:
        """Samples per second."""
        return self.summary.samples / self.seconds


def simulate_path(
    path: Path,
    data: Any = None,
    *,
    engine: str | None = None,
    device: str = "cpu",
    threads: int = 0,
    batch: int | None = None,
    workers: int = 1,
    scheduler: str | None = None,
    out: Path | None = None,
    layers: bool = False,
    plugins: Sequence[str | Path] = (),
    trust: bool = False,
    progress: Progress = lambda done, total: None,
    **options: Any,
) -> SimulatedDesign:
    """Run a stream of data through a model, or through a project with the model beside it.

    Args:
        path: a model file, or a folder that ``Design.write`` wrote.
        data: see ``open_source``.
        engine: see ``open_engine``.
        device: see ``open_engine``.
        threads: see ``open_engine``.
        batch: samples computed at once; None for what suits model and engine.
        workers: processes that compute, each in one thread; 1 computes in this one.
        scheduler: address of a Dask cluster that computes instead.
        out: where to write results, ``.npz`` or ``.npy``.
        layers: write the values of every layer, too.
        plugins: see ``compile``.
        trust: see ``compile`` and ``open_project``.
        progress: called after every batch.
        options: options of ``compile``; a project has its own.

    Raises:
        CompileError: what ``compile``, ``open_project``, ``open_source``, ``open_engine`` and
            ``refuse_spread`` find; HW552 and HW568, the results cannot be written; HW556, options
            are given for a project.
        ToolError: HW607, HW611 to HW614, the cluster cannot be used.
    """
    design = _design(path, data, plugins=plugins, trust=trust, **options)
    with (
        open_executor(workers, scheduler) as executor,
        closing(open_source(data, design.graph)) as source,
    ):
        place = _Place(executor, scheduler, layers) if workers > 1 or scheduler else None
        threads = 1 if place else threads
        found = open_engine(design.graph, engine, device=device, threads=threads, layers=layers)
        slots = place.admit(design, found) if place else found.workers
        size = batch or batch_size(found, design.graph, source.samples, slots)
        batches = _batches(design, found, source, size, place)
        started, total = time.perf_counter(), source.samples
        summary, counts = _run(design, batches, total, out=out, layers=layers, progress=progress)
    return SimulatedDesign(
        design=design, summary=summary, engine=found.name, device=found.device, workers=slots,
        place=str(place or ""), batch=size, seconds=time.perf_counter() - started,
        data=source.name, made_up=data is None, counters=found.counters, coverage=found.coverage,
        ports=counts, fallback=engine is None and found.name == "numpy",
    )  # fmt: skip


@dataclass(frozen=True)
class _Place:
    """Other processes that compute.

    Attributes:
        executor: what gives them tasks.
        scheduler: address of their cluster; None for copies of this process.
        layers: give the values of every layer, too.
    """

    executor: Executor
    scheduler: str | None
    layers: bool

    def admit(self, design: Design, engine: Engine) -> int:
        """Return how many batches are computed at the same time.

        Raises:
            CompileError: HW569, the processes cannot compute the design.
        """
        refuse_spread(design.graph, engine.name, copies=self.scheduler is None)
        return self.executor.slots

    def __str__(self) -> str:
        """Return what they are, in words."""
        return "processes" if self.scheduler is None else f"threads of {self.scheduler}"


def _design(
    path: Path, data: Any, *, plugins: Sequence[str | Path], trust: bool, **options: Any
) -> Design:
    """Return a model compiled, or a project as it lies in its folder."""
    if not is_project(path):
        return compile_model(path, plugins=plugins, trust=trust, data=data, **options)
    refuse_options(path, options, "--data, --plugin, and how to simulate")
    project = open_project(path, plugins, trust=trust)
    project.refuse_plugins()
    return project.design


def _batches(
    design: Design, engine: Engine, source: Source, size: int, place: _Place | None
) -> Iterator[Judged]:
    """Yield every batch with what it came to."""
    graph = design.graph
    if place is None:
        return stream(engine, source, size, lambda batch: (batch, *judged(batch, graph)))
    simulator = Simulator(graph, engine.name, place.layers)
    return spread(place.executor, simulator, engine, source, size)


def _run(
    design: Design,
    batches: Iterator[Judged],
    total: int | None,
    *,
    out: Path | None,
    layers: bool,
    progress: Progress,
) -> tuple[Summary, dict[str, PortCounts]]:
    """Compute every batch, and write it where that is asked for; return what was counted."""
    ports = {port.name for port in design.graph.outputs}
    arrays = len(ports) + (len(design.graph.nodes) if layers else 0)
    summary = Summary()
    counts: dict[str, PortCounts] = {}
    with results(out, arrays, total) if out is not None else nullcontext() as file:
        for batch, part, outside in batches:
            summary += part
            counts = {name: counts.get(name, PortCounts()) + n for name, n in outside.items()}
            if file is not None:
                _write(file, batch, ports)
            progress(summary.samples, total)
    return summary, counts


def _write(file: Results, batch: Batch, ports: Collection[str]) -> None:
    named = {
        f"output/{name}" if name in ports else name: values
        for name, values in batch.outputs.items()
    }
    file.write(named)
