"""Values inside a model on data: the part of it that they depend on, run in batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.ir.qonnx.model import QonnxModel
from hwflow.simulate.float32 import Reference

Array = npt.NDArray[Any]
Values = dict[str, Array]

CHUNK = 128
"""Samples at a time: bounds the memory for values inside the model."""


def clone(model: QonnxModel) -> QonnxModel:
    """Return a copy that shares nothing; exact values recorded beside constants are left out."""
    return QonnxModel(ir.from_proto(ir.to_proto(model.ir)), model.name, model.source)


def values_of(
    model: QonnxModel, data: Mapping[str, Array], names: Sequence[str]
) -> Iterator[Values]:
    """Yield values of a model by name, ``CHUNK`` samples at a time.

    Args:
        model: shapes inferred; it is not changed.
        data: for each graph input, batch first.
        names: ONNX values: inputs, results of nodes.
    """
    inner = [n for n in dict.fromkeys(names) if n not in data]
    reference = Reference(_part(model, inner)) if inner else None
    size = len(next(iter(data.values())))
    for start in range(0, size, CHUNK):
        chunk = {name: array[start : start + CHUNK] for name, array in data.items()}
        found = reference.run(chunk) if reference is not None else {}
        yield {name: chunk[name] if name in data else found[name] for name in names}


def _part(model: QonnxModel, names: Sequence[str]) -> QonnxModel:
    """Return a copy of what some values depend on, with these as its outputs."""
    part = clone(model)
    values = {v.name: v for node in part.ir.graph for v in node.outputs}
    part.ir.graph.outputs.clear()
    part.ir.graph.outputs.extend(values[name] for name in names)
    common.RemoveUnusedNodesPass()(part.ir)
    return part


def sampled(chunks: Iterator[Values], limit: int, total: int) -> dict[str, Array]:
    """Return up to ``limit`` elements of each value in float64, the extremes among them.

    Args:
        chunks: what ``values_of`` yields.
        limit: elements kept of each value, apart from the extremes of each chunk.
        total: samples in all chunks together.
    """
    rng = np.random.default_rng(0)
    kept: dict[str, list[Array]] = {}
    for chunk in chunks:
        for name, array in chunk.items():
            flat = np.asarray(array, np.float64).ravel()
            share = max(1, limit * len(array) // max(total, 1))
            if flat.size > share:
                extremes = np.array([flat.min(), flat.max()])
                flat = np.append(rng.choice(flat, share, replace=False), extremes)
            kept.setdefault(name, []).append(flat)
    return {name: np.concatenate(parts) for name, parts in kept.items()}
