"""Bit-accurate simulation of the hardware graph in numpy, with counters of what got lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.doubles import quantize_values
from hwflow.fixed import FixedArray, FixedType, Rounding
from hwflow.ir.graph import Graph
from hwflow.ops.input import Input
from hwflow.port_data import FloatArray, prepare_inputs, real_values

BATCH = 1024
"""Samples computed at once: enough to keep numpy busy, small enough to stay in memory."""


@dataclass(frozen=True)
class Counters:
    """What happened to one layer's values over the data.

    Attributes:
        elements: how many values the layer gave.
        saturated: values that were out of range and clipped.
        wrapped: values that were out of range and wrapped around.
        near_ties: values within 1/64 of a step of the point where rounding changes the result.
        observed: smallest and largest result, as real numbers.
    """

    elements: int = 0
    saturated: int = 0
    wrapped: int = 0
    near_ties: int = 0
    observed: tuple[float, float] = (np.inf, -np.inf)

    def __add__(self, other: Counters) -> Counters:
        """Add the counts of another batch."""
        return Counters(
            self.elements + other.elements,
            self.saturated + other.saturated,
            self.wrapped + other.wrapped,
            self.near_ties + other.near_ties,
            (
                min(self.observed[0], other.observed[0]),
                max(self.observed[1], other.observed[1]),
            ),
        )


@dataclass(frozen=True, eq=False)
class Simulation:
    """The result of a simulation.

    Attributes:
        outputs: float64 results by output name of the original model, batch first, in the
            original order of axes.
        layers: values of the layers asked for, by node name, batch first, channels last.
        counters: by node name.
        samples: batch size.
    """

    outputs: Mapping[str, FloatArray]
    layers: Mapping[str, FixedArray]
    counters: Mapping[str, Counters]
    samples: int


def simulate(
    graph: Graph,
    data: Mapping[str, npt.NDArray[np.generic]],
    *,
    keep: Callable[[str], bool] = lambda name: False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Simulation:
    """Run a batch through the graph.

    Args:
        graph: the hardware graph.
        data: real numbers by input name of the original model, batch first, original axes.
        keep: which layers' values to return, by node name.
        progress: called with samples done and samples in all.

    Raises:
        CompileError: the data does not suit the model's inputs.
    """
    arrays = prepare_inputs(graph, data)
    samples = len(next(iter(arrays.values())))
    wanted = {n.name for n in graph.nodes if keep(n.name)} | set(graph.output_values)
    parts: dict[str, list[npt.NDArray[np.int64]]] = {name: [] for name in wanted}
    counters: dict[str, Counters] = {}
    for start in range(0, samples, BATCH):
        batch = {name: a[start : start + BATCH] for name, a in arrays.items()}
        for name, value, counted in run_batch(graph, batch):
            counters[name] = counters.get(name, Counters()) + counted
            if name in wanted:
                parts[name].append(value.raw)
        progress(min(start + BATCH, samples), samples)
    values = {
        name: FixedArray(np.concatenate(raws), graph.types[name].dtype)
        for name, raws in parts.items()
    }
    outputs = {p.name: real_values(values[p.value], p) for p in graph.outputs}
    layers = {name: v for name, v in values.items() if keep(name)}
    return Simulation(outputs, layers, counters, samples)


def run_batch(
    graph: Graph, inputs: Mapping[str, FloatArray]
) -> Iterator[tuple[str, FixedArray, Counters]]:
    """Yield name, value and counters of every layer in order; values are freed after last use."""
    last_use = {name: i for i, node in enumerate(graph.nodes) for name in node.inputs}
    alive: dict[str, FixedArray] = {}
    for i, node in enumerate(graph.nodes):
        to = graph.types[node.name].dtype
        if isinstance(node.op, Input):
            value = FixedArray(quantize_values(inputs[node.name], to), to)
            counted = _count_values(inputs[node.name], value)
        else:
            full = node.op.compute(*(alive[name] for name in node.inputs))
            value = full.cast(to)
            counted = _count(full, value)
        yield node.name, value, counted
        alive[node.name] = value
        for name in {*node.inputs, node.name}:
            if last_use.get(name, -1) <= i:
                alive.pop(name, None)


def _count(full: FixedArray, value: FixedArray) -> Counters:
    """Count what the cast from the exact result to the layer's type did."""
    to = value.dtype
    low, high = _extremes(value)
    dropped = full.dtype.fractional - to.fractional
    if full.dtype == to or (dropped <= 0 and to.holds(*_raw_extremes(full), full.dtype.fractional)):
        return Counters(value.raw.size, observed=(low, high))
    lo, hi = to.raw_min, to.raw_max
    scaled = np.ldexp(full.raw.astype(np.float64), -dropped)
    outside = int(((scaled < lo - 1) | (scaled > hi + 1)).sum())
    wraps = to.overflow == "WRAP"
    return Counters(
        value.raw.size,
        0 if wraps else outside,
        outside if wraps else 0,
        _near_ties(scaled, to) if dropped > 0 else 0,
        (low, high),
    )


def _count_values(real: FloatArray, value: FixedArray) -> Counters:
    """Count what the cast of real input data to the input's type did."""
    to = value.dtype
    scaled = np.ldexp(real, to.fractional)
    outside = int(((scaled <= to.raw_min - 1) | (scaled >= to.raw_max + 1)).sum())
    wraps = to.overflow == "WRAP"
    return Counters(
        value.raw.size,
        0 if wraps else outside,
        outside if wraps else 0,
        _near_ties(scaled, to),
        _extremes(value),
    )


def _near_ties(scaled: FloatArray, to: FixedType) -> int:
    """Count values so close to a rounding boundary that float arithmetic may decide otherwise."""
    truncates = to.rounding in (Rounding.TRN, Rounding.TRN_ZERO)
    rest = scaled - np.floor(scaled)
    distance = np.minimum(rest, 1.0 - rest) if truncates else np.abs(rest - 0.5)
    on_grid = (scaled == np.floor(scaled)) if truncates else np.zeros(scaled.shape, bool)
    inside = (scaled > to.raw_min - 1) & (scaled < to.raw_max + 1)
    return int(((distance < 1 / 64) & inside & ~on_grid).sum())


def _raw_extremes(array: FixedArray) -> tuple[int, int]:
    return (int(array.raw.min()), int(array.raw.max())) if array.raw.size else (0, 0)


def _extremes(array: FixedArray) -> tuple[float, float]:
    low, high = _raw_extremes(array)
    return low * array.dtype.step, high * array.dtype.step
