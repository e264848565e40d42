"""Measures a design's network in float32 and int8 ONNX Runtime, and on a GPU where there is one."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError
from hwflow.core.inference import open_session
from hwflow.ir.qonnx.model import printable
from hwflow.ops.shared.port_data import original_inputs
from hwflow.project.baseline.networks import (
    CALIBRATION,
    Feeds,
    Network,
    NoInt8NetworkError,
    float32_network,
    int8_network,
)
from hwflow.project.baseline.timing import BATCHES, Latency, Run, Throughput, latency, throughput
from hwflow.project.design import Design
from hwflow.project.verifier import Progress
from hwflow.simulate.samples import as_data, mixed_data
from hwflow.simulate.torch.plain import has_cuda


@dataclass(frozen=True, kw_only=True)
class Timed:
    """One way to compute the network on this machine.

    Attributes:
        network: ``float32`` or ``int8``.
        what: what that network is.
        engine: the program that computes it, with its version.
        device: the processor.
        latency: time for one sample; None where it was not measured.
        latency_threads: threads of that.
        throughput: samples per second at the best batch; None where it was not measured.
        throughput_threads: threads of that.
        reason: why it was not measured; empty where it was.
    """

    network: str
    what: str
    engine: str
    device: str
    latency: Latency | None = None
    latency_threads: int = 0
    throughput: Throughput | None = None
    throughput_threads: int = 0
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, for JSON."""
        time, rate = self.latency, self.throughput
        return {
            "network": self.network,
            "what": self.what,
            "engine": self.engine,
            "device": self.device,
            "latency_us": time and {
                "median": round(time.median_us, 3),
                "p5": round(time.low_us, 3),
                "p95": round(time.high_us, 3),
                "runs": time.runs,
                "threads": self.latency_threads,
            },
            "throughput": rate and {
                "inferences_per_s": round(rate.per_s, 1),
                "batch": rate.batch,
                "threads": self.throughput_threads,
            },
            "reason": self.reason,
        }  # fmt: skip


@dataclass(frozen=True)
class Baseline:
    """Everything that was measured.

    Attributes:
        rows: one entry for each way.
        data: where the samples come from.
    """

    rows: tuple[Timed, ...]
    data: str

    def to_dict(self) -> dict[str, Any]:
        """Return the figures as plain data, for JSON."""
        return {"data": self.data, "measured": [row.to_dict() for row in self.rows]}


def measure(
    design: Design,
    data: Any = None,
    *,
    progress: Progress = lambda stage, done: None,
) -> Baseline:
    """Time the network of a design on this machine.

    Args:
        design: the design; its model is read anew.
        data: see ``Design.simulate``; None for made-up samples over the ranges of the ports.
        progress: called as stages go on.

    Raises:
        CompileError: the data does not suit the inputs; HW033, ONNX Runtime refuses the model.
    """
    graph = design.graph
    given = mixed_data(graph, CALIBRATION) if data is None else as_data(data, graph)
    network = float32_network(design.origin.read())
    samples = _as_taken(network, original_inputs(graph, given.inputs))
    rows = []
    for number, row in enumerate(_rows(network, samples)):
        progress("measure on this machine", number / 3)
        rows.append(row)
    progress("measure on this machine", 1.0)
    return Baseline(tuple(rows), given.source)


def _rows(network: Network, samples: Feeds) -> Iterator[Timed]:
    yield _on_cpu(network, samples)
    try:
        yield _on_cpu(int8_network(network, samples), samples)
    except NoInt8NetworkError as error:
        yield _cpu("int8", "static quantisation of ONNX Runtime", reason=str(error))
    if has_cuda():
        yield on_torch(network, samples, "cuda")


def _as_taken(network: Network, inputs: Feeds) -> dict[str, npt.NDArray[Any]]:
    """Return samples in the types that the model takes."""
    import onnx

    found = {}
    for value in network.proto.graph.input:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        found[value.name] = np.ascontiguousarray(inputs[value.name], dtype)
    return found


def _cpu(network: str, what: str, **figures: Any) -> Timed:
    import onnxruntime

    engine = f"ONNX Runtime {onnxruntime.__version__}"
    return Timed(network=network, what=what, engine=engine, device=cpu_name(), **figures)


def _on_cpu(network: Network, samples: Feeds) -> Timed:
    """Time a network with one thread and with one for each core, and keep the faster of both."""
    sample = {name: array[:1] for name, array in samples.items()}
    batches = BATCHES if network.batched else (1,)
    content = network.proto.SerializeToString()
    times: list[tuple[Latency, int]] = []
    rates: list[tuple[Throughput, int]] = []
    for threads in dict.fromkeys((1, cores())):
        try:
            session = open_session(content, threads=threads)
            run: Run = partial(_run, session)
            times.append((latency(run, sample), threads))
            rates.append((throughput(run, samples, batches), threads))
        except Exception as error:  # ONNX Runtime's exceptions share no public base class
            return _cpu(network.name, network.what, reason=printable(str(error).split("\n")[0]))
    time, time_threads = min(times, key=lambda found: found[0].median_us)
    rate, rate_threads = max(rates, key=lambda found: found[0].per_s)
    return _cpu(
        network.name, network.what, latency=time, latency_threads=time_threads,
        throughput=rate, throughput_threads=rate_threads,
    )  # fmt: skip


def _run(session: Any, feeds: Feeds) -> object:
    return session.run(None, feeds)


def on_torch(network: Network, samples: Feeds, device: str) -> Timed:
    """Time a network on torch; copies to the device and back are part of it.

    Args:
        network: the network in float32.
        samples: for each input, batch first.
        device: ``cuda``, or ``cpu``.
    """
    from hwflow.simulate.torch.plain import plain_model

    batches = BATCHES if network.batched else (1,)
    row = Timed(network=network.name, what=network.what, engine="torch", device=device)
    try:
        with plain_model(network.proto, device) as model:
            time = latency(model.run, {name: array[:1] for name, array in samples.items()})
            rate = throughput(model.run, samples, batches)
    except (CompileError, RuntimeError) as error:  # torch's exceptions are RuntimeErrors
        return replace(row, reason=printable(str(error).split("\n")[0]))
    return replace(row, engine=model.engine, device=model.device, latency=time, throughput=rate)


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_name() -> str:
    """Return the name of the CPU, as far as the system says, with the cores there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    name = printable(next(names, "") or platform.processor() or platform.machine())
    return f"{name}, {cores()} core{'s' * (cores() > 1)}"
