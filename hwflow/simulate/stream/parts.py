"""Samples in memory: the part of a stream that is looked at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hwflow.core.data import Data
from hwflow.ir.graph import Graph
from hwflow.ops.shared.port_data import original_shape


def length(data: Data) -> int:
    """Return the number of samples."""
    return len(next(iter(data.inputs.values())))


def rows(data: Data, wanted: slice) -> Data:
    """Return some of the samples; nothing is copied."""
    inputs = {name: array[wanted] for name, array in data.inputs.items()}
    labels = None if data.labels is None else data.labels[wanted]
    return Data(inputs, labels, data.source, data.seed)


def joined(parts: Sequence[Data], source: str) -> Data | None:
    """Return samples that follow each other as one batch; None where there are none."""
    if len(parts) < 2:
        return parts[0] if parts else None
    inputs = {
        name: np.concatenate([part.inputs[name] for part in parts]) for name in parts[0].inputs
    }
    labels = [part.labels for part in parts if part.labels is not None]
    return Data(inputs, np.concatenate(labels) if labels else None, source)


def shaped(data: Data, graph: Graph) -> Data:
    """Return samples in the shapes of the model's inputs, where they may have come flat.

    Args:
        data: data of a form that was checked.
        graph: the hardware graph.
    """
    inputs = {}
    for port in graph.inputs:
        array = data.inputs[port.name]
        shape = original_shape(graph.types[port.value].shape, port)
        inputs[port.name] = array.reshape(len(array), *shape)
    return Data(inputs, data.labels, data.source, data.seed)
