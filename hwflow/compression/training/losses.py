"""What a network in training is asked for: its teacher's answers, and right ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from hwflow.compression.material import LABELS, Part, Task

Tensor = Any


class Wanted:
    """One part of the samples as tensors.

    Attributes:
        inputs: one tensor for each input, by name.
        size: samples.
    """

    def __init__(self, part: Part, task: Task) -> None:
        """Convert samples.

        Args:
            part: the samples.
            task: what the outputs are.
        """
        self.task = task
        self.inputs = {name: torch.from_numpy(array).float() for name, array in part.inputs.items()}
        self.taught = {name: torch.from_numpy(array).float() for name, array in part.taught.items()}
        self.labels = None
        if part.labels is not None:
            self.labels = torch.from_numpy(part.labels).to(torch.int64)
        self.size = part.size

    def batch(self, which: Any) -> dict[str, Tensor]:
        """Return the inputs of some samples."""
        return {name: array[which] for name, array in self.inputs.items()}

    def loss(self, found: Mapping[str, Tensor], which: Any, temperature: float) -> Tensor:
        """Return the mean loss of some samples.

        Classes: the divergence from the teacher's probabilities at a temperature (Hinton et al.
        2015), and with labels the cross entropy as well. Real numbers: squared differences, of
        an autoencoder from its input, else from the teacher.

        Args:
            found: outputs for these samples.
            which: the samples.
            temperature: what logits are divided by before they are compared.
        """
        if self.task == "classification":
            return self._class_loss(found, which, temperature)
        if self.task == "autoencoder":
            pairs = zip(found.values(), self.batch(which).values(), strict=True)
            return sum(functional.mse_loss(a, b.reshape(a.shape)) for a, b in pairs)
        return sum(functional.mse_loss(a, self.taught[n][which]) for n, a in found.items())

    def _class_loss(self, found: Mapping[str, Tensor], which: Any, temperature: float) -> Tensor:
        name, scores = next(iter(found.items()))
        log = functional.log_softmax
        ours, theirs = (log(v / temperature, 1) for v in (scores, self.taught[name][which]))
        kept = functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")
        kept = kept * temperature**2
        if self.labels is None:
            return kept
        right = functional.cross_entropy(scores, self.labels[which])
        return LABELS * right + (1 - LABELS) * kept
