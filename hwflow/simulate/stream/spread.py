"""Sends samples to processes or to a cluster: bits, counts and order are those of one process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from uuid import uuid4

from hwflow.core.data import Array, Data
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.workers import Executor
from hwflow.ir.graph import Graph
from hwflow.simulate.coverage.ports import PortCounts
from hwflow.simulate.engines import Engine, Observed, open_engine
from hwflow.simulate.numpy import count_ports
from hwflow.simulate.stream.parts import length
from hwflow.simulate.stream.run import Batch, located, nothing
from hwflow.simulate.stream.sources import Source
from hwflow.simulate.stream.summary import Summary, summary_of

GROUP = 4
"""Batches that a worker of a cluster is given at once: more take memory, fewer take time."""

HOME = "hwflow."
"""What the modules of the operators begin with that every worker knows."""

Judged = tuple[Batch, Summary, dict[str, PortCounts]]
"""A batch, what it came to, and what of it was beyond the ends of each port."""


@dataclass(eq=False)
class Simulator:
    """What computes batches in another process.

    Attributes:
        graph: the hardware graph.
        name: name of the engine.
        layers: give the values of every layer, too.
        run: tells one simulation from others: what an engine noticed is that of one.
    """

    graph: Graph
    name: str
    layers: bool
    run: str = field(default_factory=lambda: uuid4().hex)

    def __reduce__(self) -> tuple[type[Simulator], tuple[Graph, str, bool, str]]:
        """Pickle the graph; each process opens its own engine."""
        return Simulator, (replace(self.graph), self.name, self.layers, self.run)

    @cached_property
    def engine(self) -> Engine:
        """The engine of this process, which counts nothing itself."""
        return open_engine(self.graph, self.name, threads=1, layers=self.layers)


@dataclass(frozen=True, eq=False)
class Part:
    """What became of a batch.

    Attributes:
        outputs: results.
        summary: what they came to.
        ports: what of the data was beyond the ends of each port.
        observed: what the engine counted.
    """

    outputs: dict[str, Array]
    summary: Summary
    ports: dict[str, PortCounts]
    observed: Observed


def computed(simulator: Simulator, data: Data) -> Part | CompileError:
    """Return what becomes of a batch, or what is wrong with it."""
    engine = simulator.engine.uncounted()
    try:
        outputs = engine.run(data.inputs)
    except CompileError as error:
        return error
    summary, ports = judged(Batch(data.inputs, outputs, data.labels, 0), simulator.graph)
    return Part(outputs, summary, ports, engine.observed)


def judged(batch: Batch, graph: Graph) -> tuple[Summary, dict[str, PortCounts]]:
    """Return what a batch came to, and what of it was beyond the ends of each port."""
    return summary_of(batch, graph), count_ports(graph, batch.inputs)


def spread(
    executor: Executor, simulator: Simulator, engine: Engine, source: Source, size: int
) -> Iterator[Judged]:
    """Yield each batch with what it came to, in order.

    Samples are read, and results taken, in the caller's thread, no more of them than the executor
    has soon use for.

    Args:
        executor: what computes.
        simulator: with what.
        engine: gets what was counted.
        source: where samples come from; it is closed in the end.
        size: samples of a batch.

    Raises:
        CompileError: a sample does not suit the model; or what the source finds, when all before
            it was taken.
        ToolError: HW611 to HW614, what computes is lost.
    """
    waiting: deque[Data] = deque()
    failures: list[Exception] = []
    start = 0

    def tasks() -> Iterator[Data]:
        while True:
            try:
                data = source.read(size)
            except Exception as error:
                failures.append(error)
                return
            if data is None:
                return
            waiting.append(data)
            yield data

    try:
        for part in executor.in_order(computed, simulator, tasks(), group=GROUP):
            data = waiting.popleft()
            if isinstance(part, CompileError):
                raise located(part, source, data, start) from part
            engine.add(part.observed)
            yield Batch(data.inputs, part.outputs, data.labels, start), part.summary, part.ports
            start += length(data)
    finally:
        source.close()
    if failures:
        raise failures[0]
    if start == 0:
        raise CompileError([nothing(source.name)])


def refuse_spread(graph: Graph, engine: str, *, copies: bool) -> None:
    """Refuse a simulation that other processes cannot do.

    Args:
        graph: the hardware graph.
        engine: name of the engine.
        copies: whether they are copies of this process, which know its plugins.

    Raises:
        CompileError: HW569.
    """
    if engine == "torch":
        raise CompileError([_here_only("engine torch", "engines golden and numpy")])
    for node in graph.nodes:
        if not copies and not type(node.op).__module__.startswith(HOME):
            found = f"{node.op.kind}, an operator of a plugin"
            finding = _here_only(found, "operators of hwflow, or --workers")
            raise CompileError([replace(finding, where=node.origin or node.name)])


def _here_only(found: str, supported: str) -> Diagnostic:
    return Diagnostic(
        code="HW569", title="simulation that other processes cannot do", found=found,
        supported=supported, help="compute in this process, without --workers and --scheduler",
    )  # fmt: skip
