"""What pruning is asked for; plain values, so that a run knows what it is of."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from hwflow.compression.bench import Source
from hwflow.compression.pruning.groups import Pattern
from hwflow.compression.pruning.saliency import Method


@dataclass(frozen=True, kw_only=True)
class PruneRequest:
    """A pruning.

    Attributes:
        source: network, data, training, hardware.
        goal: ``lut=3000``, ``dsp=20``, ``ebops=8000``, ``sparsity=0.7`` or ``fits=BOARD``.
        method: how weights are valued.
        pattern: what leaves together.
        steps: times that something leaves.
    """

    source: Source
    goal: str
    method: Method = "l1"
    pattern: Pattern = "weight"
    steps: int = 5

    def to_json(self) -> str:
        """Return the request as text, the same for equal ones."""
        return json.dumps(asdict(self), sort_keys=True)

    def share(self, step: int) -> float:
        """Return the part of the way to the goal after a step, from 1: fast first, then slower.

        The cubic schedule of Zhu and Gupta, arXiv:1710.01878.
        """
        return 1 - (1 - step / self.steps) ** 3

    def epochs_of(self, step: int) -> int:
        """Return the epochs of a step, from 1; the last one has what is left."""
        total = self.source.training.epochs
        each = max(1, total // (self.steps + 1))
        return max(1, total - each * (self.steps - 1)) if step == self.steps else each
