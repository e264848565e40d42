"""What computes a stream: the golden model in ONNX Runtime, the simulation in numpy, or torch.

All give the same bits. The golden model runs on several threads with a session of one thread each,
which is faster than one batch on all cores: nothing waits for the slowest share of every operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.core.machine import cores
from hwflow.ir.graph import Graph
from hwflow.simulate.coverage.counters import Counters
from hwflow.simulate.coverage.goals import Bits, Goals
from hwflow.simulate.coverage.meter import Meter
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.numpy import simulate
from hwflow.simulate.onnxruntime import GoldenEngine

if TYPE_CHECKING:
    from hwflow.simulate.torch.engine import TorchEngine

Arrays = Mapping[str, npt.NDArray[Any]]

ENGINES = ("golden", "numpy", "torch")

CACHED_BYTES = 2 << 20
"""Bytes of the widest layer of a batch, in float32: more do not stay in the caches of a core, fewer
leave it waiting for Python. Measured on the jets MLP (8,192 samples), the digits CNN (1,024) and a
CNN of 1 M parameters (16)."""

DEVICE_BYTES = 256 << 20
"""Bytes of the widest layer on a device with memory of its own, and thousands of cores."""

MAX_BATCH = 1 << 16
"""Most samples of a batch that is not asked for."""


@dataclass(frozen=True)
class Observed:
    """What a simulation noticed.

    Attributes:
        counters: what was counted, by layer; empty where nothing is.
        bits: which goals of coverage were reached; None where that is not found out.
    """

    counters: Mapping[str, Counters] = field(default_factory=dict)
    bits: Bits | None = None


class Engine(Protocol):
    """What computes a network, batch by batch.

    Attributes:
        name: one of ``ENGINES``.
        device: where it computes.
        workers: how many batches it computes at the same time.
        batch_bytes: bytes of the widest layer of a batch that suit it.
        counters: what the simulation counted, by layer; empty where it counts nothing.
        coverage: what the data reached; None where that is not found out.
    """

    name: str
    device: str
    workers: int
    batch_bytes: int
    counters: dict[str, Counters]

    @property
    def coverage(self) -> Coverage | None:
        """What the data reached up to now."""

    @property
    def observed(self) -> Observed:
        """What was noticed up to now."""

    def uncounted(self) -> Engine:
        """Return the engine with counters at nothing; what was reached stays known to both."""

    def add(self, observed: Observed) -> None:
        """Take in what another engine of the graph noticed on other samples."""

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Return outputs, and layers as ``layer/NAME``, as real numbers in float64.

        Args:
            inputs: real numbers by input name, batch first, in the original order of axes.

        Raises:
            CompileError: the data does not suit the inputs.
        """


class NumpyEngine:
    """The simulation in numpy, which counts what gets lost."""

    name, device, workers, batch_bytes = "numpy", "cpu", 1, CACHED_BYTES

    def __init__(self, graph: Graph, *, layers: bool = False) -> None:
        """Take a graph; ``layers`` gives the values of every layer, too."""
        self.counters: dict[str, Counters] = {}
        self._graph, self._layers = graph, layers
        self._meter = Meter(Goals.of(graph))

    @property
    def coverage(self) -> Coverage:
        """What the data reached up to now."""
        return self._meter.coverage

    @property
    def observed(self) -> Observed:
        """What was noticed up to now."""
        return Observed(self.counters, self._meter.bits)

    def uncounted(self) -> NumpyEngine:
        """Return the engine with counters at nothing; what was reached stays known to both.

        A layer that has nothing left to reach costs nothing.
        """
        other = copy(self)
        other.counters = {}
        return other

    def add(self, observed: Observed) -> None:
        """Take in what another engine of the graph noticed on other samples."""
        self._count(observed.counters)
        if observed.bits is not None:
            self._meter.bits |= observed.bits

    def _count(self, counters: Mapping[str, Counters]) -> None:
        for name, counted in counters.items():
            self.counters[name] = self.counters.get(name, Counters()) + counted

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        """Return outputs, and layers, of a batch; not to be called by two threads at once."""
        found = simulate(self._graph, inputs, keep=lambda name: self._layers, see=self._meter.see)
        self._count(found.counters)
        return {
            **found.outputs,
            **{f"layer/{name}": value.values for name, value in found.layers.items()},
        }


class _Golden:
    """The golden model, in ONNX Runtime or torch."""

    coverage: Coverage | None = None
    observed = Observed()

    def __init__(self, graph: Graph, name: str, *, device: str, threads: int, layers: bool) -> None:
        self.name, self.device = name, device
        self.counters: dict[str, Counters] = {}
        names = [node.name for node in graph.nodes] if layers else []
        self._steps = {f"layer/{node}": graph.types[node].dtype.step for node in names}
        self._engine: GoldenEngine | TorchEngine
        if name == "torch":
            from hwflow.simulate.torch.engine import TorchEngine

            self.workers = 1  # its settings are the process's, and it divides a batch itself
            self.batch_bytes = CACHED_BYTES * threads if device == "cpu" else DEVICE_BYTES
            self._engine = TorchEngine(graph, layers=names, device=device, threads=threads)
        else:
            self.workers, self.batch_bytes = threads, CACHED_BYTES
            self._engine = GoldenEngine(graph, layers=names, threads=1)

    def uncounted(self) -> _Golden:
        return self  # it notices nothing

    def add(self, observed: Observed) -> None:
        pass

    def run(self, inputs: Arrays) -> dict[str, npt.NDArray[Any]]:
        found = self._engine.run(inputs)
        for name, step in self._steps.items():
            found[name] = found[name].astype(np.float64) * step
        return found


def open_engine(
    graph: Graph,
    name: str | None = None,
    *,
    device: str = "cpu",
    threads: int = 0,
    layers: bool = False,
) -> Engine:
    """Return the engine that computes a graph.

    Args:
        graph: the hardware graph.
        name: one of ``ENGINES``; None for the golden model, or the simulation in numpy where no
            standard operators compute a layer exactly.
        device: device of torch: ``cpu``, ``cuda`` or ``cuda:N``.
        threads: how many compute; 0 for one per core.
        layers: give the values of every layer, too.

    Raises:
        CompileError: HW565, there is no golden model and it was asked for; HW566, no such engine;
            HW567, the engine has no such device; what ``TorchEngine`` finds.
    """
    if name is None:
        try:
            return _engine(graph, "golden", device, threads, layers)
        except CompileError as error:
            if not _is_without_golden(error):
                raise
            return _engine(graph, "numpy", device, threads, layers)
    return _engine(graph, name, device, threads, layers)


def _engine(graph: Graph, name: str, device: str, threads: int, layers: bool) -> Engine:
    _check(name, device)
    if name == "numpy":
        return NumpyEngine(graph, layers=layers)
    try:
        return _Golden(graph, name, device=device, threads=threads or cores(), layers=layers)
    except CompileError as error:
        if not _is_without_golden(error):
            raise
        advice = "take `--engine numpy`, which gives the same bits"
        raise CompileError(replace(d, help=advice) for d in error.diagnostics) from error


def _is_without_golden(error: CompileError) -> bool:
    return all(d.code == "HW565" for d in error.diagnostics)


def _check(name: str, device: str) -> None:
    """Make sure that an engine is there, and has what it is asked for.

    Raises:
        CompileError: HW566, HW567.
    """
    if name not in ENGINES:
        finding = Diagnostic(
            code="HW566", title="no such engine", where="engine", found=name,
            supported=", ".join(ENGINES), help=did_you_mean(name, ENGINES),
        )  # fmt: skip
        raise CompileError([finding])
    if device != "cpu" and name != "torch":
        finding = Diagnostic(
            code="HW567", title="the engine computes on the CPU", where=f"engine {name}",
            found=f"device {device}", supported="other devices with `--engine torch`",
        )  # fmt: skip
        raise CompileError([finding])


def batch_size(
    engine: Engine, graph: Graph, samples: int | None, workers: int | None = None
) -> int:
    """Return how many samples to compute at once.

    Args:
        engine: what computes them.
        graph: the hardware graph.
        samples: number of samples in all, shared by the workers; None where it is not known.
        workers: how many batches are computed at the same time; None for what the engine does.
    """
    widest = max(prod(tensor.shape) for tensor in graph.types.values()) * np.float32().itemsize
    size = min(max(engine.batch_bytes // widest, 1), MAX_BATCH)
    return size if samples is None else min(size, -(-samples // (workers or engine.workers)))
