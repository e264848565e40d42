"""Bit-accurate simulation of the hardware graph in numpy, with counters of what got lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray, FixedType, Rounding, quantize_values
from hwflow.ir.graph import Graph, Port
from hwflow.ops.input import Input
from hwflow.real.host import host_levels

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

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


def prepare_inputs(
    graph: Graph, data: Mapping[str, npt.NDArray[np.generic]]
) -> dict[str, FloatArray]:
    """Return what enters the ports, by input node name, channels last, after checking the data.

    Real numbers where the port rounds them, whole numbers where the host quantises.

    Raises:
        CompileError: as for ``original_inputs``.
    """
    arrays = original_inputs(graph, data)
    return {p.value: channels_last(at_port(graph, p, arrays[p.name]), p) for p in graph.inputs}


def at_port(graph: Graph, port: Port, real: Array) -> Array:
    """Return what enters a port: real numbers, or their levels where the host quantises."""
    op = graph.by_name[port.value].op
    if isinstance(op, Input) and op.quantizer is not None:
        return host_levels(op.quantizer, real.astype(np.float64, copy=False))
    return real


def original_inputs(
    graph: Graph, data: Mapping[str, npt.NDArray[np.generic]]
) -> dict[str, FloatArray]:
    """Return the data as float64 arrays by input name, in the original axes, after checking it.

    Raises:
        CompileError: as for ``checked_inputs``.
    """
    return {name: a.astype(np.float64) for name, a in checked_inputs(graph, data).items()}


def checked_inputs(graph: Graph, data: Mapping[str, npt.NDArray[np.generic]]) -> dict[str, Array]:
    """Return the data by input name in the shape of the original axes, after checking it.

    Raises:
        CompileError: an input is missing, or has a wrong shape, a wrong dtype or NaNs.
    """
    findings: list[Diagnostic] = []
    arrays: dict[str, Array] = {}
    lengths: dict[str, int] = {}
    for port in graph.inputs:
        shape = original_shape(graph.types[port.value].shape, port)
        array = data.get(port.name)
        if array is None:
            wanted = f"(N, {', '.join(map(str, shape))})"
            findings.append(
                _finding(
                    "HW401",
                    "data for an input is missing",
                    f"input {port.name!r}",
                    found=f"arrays {sorted(data)}",
                    help=f"add an array {port.name!r} of shape {wanted}",
                )
            )
            continue
        problem = _problem(array, shape)
        if problem is not None:
            findings.append(replace(problem, where=f"input {port.name!r}"))
            continue
        lengths[port.name] = len(array)
        arrays[port.name] = array.reshape(len(array), *shape)
    if len(set(lengths.values())) > 1:
        findings.append(
            _finding(
                "HW404",
                "inputs differ in the number of samples",
                "data",
                found=", ".join(f"{n}: {k}" for n, k in lengths.items()),
                help="give every input the same first axis",
            )
        )
    if findings:
        raise CompileError(findings)
    return arrays


def _problem(array: npt.NDArray[np.generic], shape: tuple[int, ...]) -> Diagnostic | None:
    wanted = f"(N, {', '.join(map(str, shape))})"
    if array.dtype.kind not in "fiub":
        return _finding(
            "HW402",
            "data is not numeric",
            "",
            found=f"dtype {array.dtype}",
            supported="floating-point, integer or boolean arrays",
        )
    size = int(np.prod(shape))
    if (
        array.ndim < 2
        or array.shape[0] == 0
        or array[0].size != size
        or (array.ndim == len(shape) + 1 and array.shape[1:] != shape)
    ):
        flat = f", or (N, {size}) in the same order" if len(shape) > 1 else ""
        return _finding(
            "HW403",
            "data has the wrong shape",
            "",
            found=f"shape {array.shape}",
            supported=f"shape {wanted}{flat}, with N of at least 1",
        )
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return _finding(
            "HW405",
            "data holds NaN or infinity",
            "",
            found=f"{int((~np.isfinite(array)).sum())} such values",
            help="clean the data: fixed-point hardware has no such values",
        )
    return None


def _finding(code: str, title: str, where: str, **parts: str) -> Diagnostic:
    return Diagnostic(code=code, title=title, where=where, **parts)


def original_shape(shape: tuple[int, ...], port: Port) -> tuple[int, ...]:
    """Return a hardware shape (no batch) in the original order of axes."""
    order = np.argsort(port.axes)
    return tuple(shape[i] for i in order)


def channels_last(values: Array, port: Port) -> Array:
    """Return batch-first values in the original order of axes as the hardware orders them."""
    return values.transpose(0, *port.axes)


def real_values(values: FixedArray, port: Port) -> FloatArray:
    """Return the real numbers of a hardware value, batch first, in the original order of axes."""
    return to_original(port.grid.real(values), port)


def to_original(values: Array, port: Port) -> Array:
    """Return batch-first values in the original order of axes, of which there may be none."""
    if not port.axes:
        return values.reshape(len(values))
    order = np.argsort(port.axes)
    return values.transpose(0, *(1 + i for i in order))


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
