"""Data on its way between arrays of the original model and ports: checks, axes, real numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Port
from hwflow.ir.real.host import host_levels
from hwflow.ops.input import Input

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


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
