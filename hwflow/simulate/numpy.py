"""Bit-accurate simulation of the hardware graph in numpy, with counters of what got lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import (
    FloatArray,
    at_port,
    channels_last,
    original_inputs,
    original_shape,
    real_values,
)
from hwflow.simulate.coverage.counters import Counters, count_port, count_step
from hwflow.simulate.coverage.goals import Bits, Goals
from hwflow.simulate.coverage.meter import SampleMeter
from hwflow.simulate.coverage.ports import PortCounts, port_limits
from hwflow.simulate.coverage.step import Step

BATCH = 1024
"""Samples computed at once: enough to keep numpy busy, small enough to stay in memory."""

Data = Mapping[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Simulation:
    """The result of a simulation.

    Attributes:
        outputs: float64 results by output name of the original model, batch first, in the
            original order of axes.
        layers: values of the layers asked for, by node name, batch first, channels last.
        counters: counters by node name.
        samples: batch size.
        ports: what of the data was beyond the ends of each input port, by its name in the model.
    """

    outputs: Mapping[str, FloatArray]
    layers: Mapping[str, FixedArray]
    counters: Mapping[str, Counters]
    samples: int
    ports: Mapping[str, PortCounts] = field(default_factory=dict)

    def __repr__(self) -> str:
        """Return what there is in one line, without the values."""
        shapes = ", ".join(f"{name} {values.shape}" for name, values in self.outputs.items())
        kept = f", {len(self.layers)} layers kept" if self.layers else ""
        return f"Simulation: {self.samples:,} samples, outputs {shapes}{kept}"


def simulate(
    graph: Graph,
    data: Data,
    *,
    keep: Callable[[str], bool] = lambda name: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    see: Callable[[Step], None] = lambda step: None,
) -> Simulation:
    """Run a batch through the graph.

    Args:
        graph: the hardware graph.
        data: real numbers by input name of the original model, batch first, original axes.
        keep: which layers' values to return, by node name.
        progress: called with samples done and samples in all.
        see: called with the computation of each layer, samples in order.

    Raises:
        CompileError: the data does not suit the model's inputs.
    """
    real = original_inputs(graph, data)
    samples = len(next(iter(real.values())))
    wanted = {n.name for n in graph.nodes if keep(n.name)} | set(graph.output_values)
    parts: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in wanted}
    counters: dict[str, Counters] = {}
    ports: dict[str, PortCounts] = {}
    for start in range(0, samples, BATCH):
        batch = {name: a[start : start + BATCH] for name, a in real.items()}
        outside = count_ports(graph, batch)
        ports = {name: ports.get(name, PortCounts()) + found for name, found in outside.items()}
        for step in run_batch(graph, _at_ports(graph, batch)):
            name, counted = step.node.name, _counted(graph, step, outside)
            counters[name] = counters.get(name, Counters()) + counted
            if name in wanted:
                parts[name].append(step.value.raw)
            see(step)
        progress(min(start + BATCH, samples), samples)
    values = {
        name: FixedArray(np.concatenate(raws), graph.types[name].dtype)
        for name, raws in parts.items()
    }
    outputs = {p.name: real_values(values[p.value], p) for p in graph.outputs}
    layers = {name: v for name, v in values.items() if keep(name)}
    return Simulation(outputs, layers, counters, samples, ports)


def goals_reached(graph: Graph, goals: Goals, data: Data) -> Bits:
    """Return which goals each sample reaches, shape ``(samples, goals)``.

    Args:
        graph: the hardware graph.
        goals: goals of this graph.
        data: see ``simulate``.

    Raises:
        CompileError: the data does not suit the model's inputs.
    """
    real = original_inputs(graph, data)
    samples = len(next(iter(real.values())))
    meter = SampleMeter(goals, samples)
    for start in range(0, samples, BATCH):
        batch = {name: a[start : start + BATCH] for name, a in real.items()}
        for step in run_batch(graph, _at_ports(graph, batch)):
            meter.see(step)
    return meter.bits


def count_ports(graph: Graph, data: Data) -> dict[str, PortCounts]:
    """Return what of real data is beyond the ends of each port, by the name of the input."""
    limits, counts = port_limits(graph), {}
    for port in graph.inputs:
        array = data[port.name]
        shape = original_shape(graph.types[port.value].shape, port)
        counts[port.name] = limits[port.value].count(array.reshape(len(array), *shape))
    return counts


def _at_ports(graph: Graph, real: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return what enters the ports, by input node name, channels last."""
    return {p.value: channels_last(at_port(graph, p, real[p.name]), p) for p in graph.inputs}


def run_batch(graph: Graph, inputs: Mapping[str, FloatArray]) -> Iterator[Step]:
    """Yield the computation of every layer in order; values are freed after last use.

    Args:
        graph: the hardware graph.
        inputs: what enters the ports, by input node name, channels last.
    """
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    alive: dict[str, FixedArray] = {}
    for i, node in enumerate(graph.nodes):
        to = graph.types[node.name].dtype
        operands = tuple(alive[name] for name in node.inputs)
        if isinstance(node.op, Input):
            value = FixedArray(quantize_values(inputs[node.name], to), to)
            yield Step(
                node=node,
                inputs=(),
                full=value,
                value=value,
                pieces=None,
                entered=inputs[node.name],
            )
        else:
            full = node.op.compute(*operands)
            value = full.cast(to)
            yield Step(
                node=node, inputs=operands, full=full, value=value, pieces=graph.pieces[node.name]
            )
        alive[node.name] = value
        for name in {*node.inputs, node.name}:
            if last_use.get(name, -1) <= i:
                alive.pop(name, None)


def _counted(graph: Graph, step: Step, outside: Mapping[str, PortCounts]) -> Counters:
    """Return what a layer, or a port, did to its values."""
    if step.entered is None:
        return count_step(step)
    limits = port_limits(graph)[step.node.name]
    return count_port(step.entered, step.value, outside[limits.name], wraps=limits.wraps)
