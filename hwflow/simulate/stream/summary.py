"""What a stream came to: ranges of outputs, and accuracy where there are labels."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import inf

import numpy as np

from hwflow.core.distance import classes_of
from hwflow.ir.graph import Graph
from hwflow.ops.arg_max import ArgMax
from hwflow.simulate.stream.run import Batch


@dataclass(frozen=True)
class OutputSummary:
    """One output over all samples.

    Attributes:
        shape: shape of one sample.
        range: smallest and largest value.
        right: samples whose largest entry, or label, is the right one; None without labels, and
            for outputs that give no class.
    """

    shape: tuple[int, ...]
    range: tuple[float, float] = (inf, -inf)
    right: int | None = None

    def __add__(self, other: OutputSummary) -> OutputSummary:
        """Add other samples."""
        low, high = min(self.range[0], other.range[0]), max(self.range[1], other.range[1])
        known = self.right is not None and other.right is not None
        right = (self.right or 0) + (other.right or 0) if known else None
        return OutputSummary(self.shape, (low, high), right)


@dataclass(frozen=True)
class Summary:
    """All outputs over some samples.

    Attributes:
        samples: how many there are.
        outputs: what is known of each output, by its name.
    """

    samples: int = 0
    outputs: Mapping[str, OutputSummary] = field(default_factory=dict)

    def __add__(self, other: Summary) -> Summary:
        """Add other samples."""
        if not self.samples:
            return other
        outputs = {name: found + other.outputs[name] for name, found in self.outputs.items()}
        return Summary(self.samples + other.samples, outputs)

    def accuracy(self, output: str) -> float | None:
        """Return the share of samples whose class is right; None where that is not known."""
        right = self.outputs[output].right
        return None if right is None else right / self.samples


def summary_of(batch: Batch, graph: Graph) -> Summary:
    """Return what one batch came to."""
    labels = label_outputs(graph)
    return Summary(
        len(batch), {port.name: _output(batch, port.name, labels) for port in graph.outputs}
    )


def label_outputs(graph: Graph) -> frozenset[str]:
    """Return the outputs that are classes themselves."""
    kinds = {port.name: graph.by_name[port.value].op for port in graph.outputs}
    return frozenset(name for name, op in kinds.items() if isinstance(op, ArgMax))


def _output(batch: Batch, name: str, label_names: Collection[str]) -> OutputSummary:
    values = batch.outputs[name]
    right = None
    if batch.labels is not None:
        classes = classes_of(values, whole=name in label_names)
        right = None if classes is None else int(np.count_nonzero(classes == batch.labels))
    return OutputSummary(values.shape[1:], (float(values.min()), float(values.max())), right)
