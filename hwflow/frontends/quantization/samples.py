"""The data that a model is quantised with, and the part that is held out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.data import read_data
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, printable

Array = npt.NDArray[Any]
Inputs = dict[str, Array]

HELD_OUT = 0.2
"""Share of the samples that the cost is measured on, and nothing is chosen with."""

FEWEST = 10
"""Samples, so that at least two are held out."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples of one data set, in two parts.

    Attributes:
        calibration: what scales and weights are chosen with, by input.
        held_out: what nothing is chosen with.
        calibration_labels: class of each sample, or None.
        labels: the same of the held-out samples.
    """

    calibration: Inputs
    held_out: Inputs
    calibration_labels: Array | None
    labels: Array | None


def split(model: QonnxModel, data: Any) -> Samples:
    """Return calibration data and held-out data.

    Which samples are held out is drawn with a fixed seed.

    Args:
        model: shapes known.
        data: what ``read_data`` takes.

    Raises:
        CompileError: HW400 to HW406, the data cannot be used; HW314, it is too little.
    """
    shapes = {
        v.name or "": tuple(int(d) for d in v.shape.numpy()[1:])
        for v in model.ir.graph.inputs
        if v.shape is not None
    }
    given = read_data(data, list(shapes))
    findings = list(_unusable(given.inputs, shapes, model.source))
    if findings:
        raise CompileError(findings)
    size = len(next(iter(given.inputs.values())))
    order = np.random.default_rng(0).permutation(size)
    count = max(2, round(HELD_OUT * size))
    out, kept = np.sort(order[:count]), np.sort(order[count:])
    arrays = {n: np.asarray(a).reshape(size, *shapes[n]) for n, a in given.inputs.items()}
    labels = None if given.labels is None else np.asarray(given.labels)
    return Samples(
        {name: array[kept] for name, array in arrays.items()},
        {name: array[out] for name, array in arrays.items()},
        None if labels is None else labels[kept],
        None if labels is None else labels[out],
    )


def _unusable(
    inputs: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]], source: str
) -> Iterator[Diagnostic]:
    """Yield what is wrong with the data."""
    if set(inputs) != set(shapes):
        yield Diagnostic(
            code="HW401",
            title="the data does not name the inputs of the model",
            where=f"in {source}",
            found=", ".join(map(printable, sorted(inputs))) or "nothing",
            supported=", ".join(map(printable, shapes)),
        )
        return
    for name, array in inputs.items():
        yield from _bad_array(array, shapes[name], f"data for input {printable(name)!r}")
    sizes = {name: len(array) for name, array in inputs.items() if array.ndim}
    if len(set(sizes.values())) > 1:
        found = ", ".join(f"{printable(n)}: {size}" for n, size in sizes.items())
        yield Diagnostic(
            code="HW404", title="the inputs differ in the number of samples", found=found
        )


def _bad_array(array: Array, shape: tuple[int, ...], where: str) -> Iterator[Diagnostic]:
    """Yield what is wrong with one array; a row may be given, or asked for, as any shape."""
    row = (math.prod(shape),)
    if array.dtype.kind not in "fiub":
        yield Diagnostic(
            code="HW402", title="data is not numeric", where=where, found=f"dtype {array.dtype}"
        )
    elif array.ndim == 0 or (
        array.shape[1:] not in (shape, row)
        and not (shape == row and (math.prod(array.shape[1:]),) == row)
    ):
        yield Diagnostic(
            code="HW403",
            title="data has the wrong shape",
            where=where,
            found=f"shape {array.shape}",
            supported=f"(samples, {', '.join(map(str, shape))})",
        )
    elif len(array) < FEWEST:
        yield Diagnostic(
            code="HW314",
            title="too little data to quantise with",
            where=where,
            found=f"{len(array)} samples",
            supported=f"at least {FEWEST}",
        )
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        yield Diagnostic(
            code="HW405",
            title="data holds NaN or infinity",
            where=where,
            found=f"{int((~np.isfinite(array)).sum())} such values",
            help="clean the data: fixed-point hardware has no such values",
        )
