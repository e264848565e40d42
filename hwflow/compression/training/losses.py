"""What a network in training is asked for: its teacher's answers, and right ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from hwflow.compression.material import LABELS, Part, Task

Tensor = Any

CHECKED = 4096
"""Samples at a time where nothing is learned."""


@dataclass(frozen=True)
class Aim:
    """How answers are compared.

    Attributes:
        temperature: what logits are divided by before they are compared with the teacher's.
        hard: weight of the labels, where there are any, beside the teacher: 0 to 1.
    """

    temperature: float = 1.0
    hard: float = LABELS


class Wanted:
    """One part of the samples as tensors.

    Attributes:
        inputs: one tensor for each input, by name.
        size: samples.
    """

    def __init__(self, part: Part, task: Task, aim: Aim) -> None:
        """Convert samples.

        Args:
            part: the samples.
            task: what the outputs are.
            aim: how they are compared.
        """
        self.task, self.aim = task, aim
        self.inputs = _tensors(part.inputs)
        self.taught, self._features = _tensors(part.taught), _tensors(part.features)
        self.labels = None
        if part.labels is not None:
            kind = torch.int64 if task == "classification" else torch.float32
            self.labels = torch.from_numpy(part.labels).to(kind)
        self.size = part.size

    def batch(self, which: Any) -> dict[str, Tensor]:
        """Return the inputs of some samples."""
        return {name: array[which] for name, array in self.inputs.items()}

    def features(self, which: Any) -> dict[str, Tensor]:
        """Return the teacher's features for some samples, by the student's value."""
        return {name: array[which] for name, array in self._features.items()}

    def loss(self, found: Mapping[str, Tensor], which: Any) -> Tensor:
        """Return the mean loss of some samples.

        Classes: the divergence from the teacher's probabilities at a temperature (Hinton et al.
        2015), and with labels the cross entropy as well. Real numbers: squared differences, of
        an autoencoder from its input, else from the teacher, and with labels from these as well.

        Args:
            found: outputs for these samples, logits for classes.
            which: the samples.
        """
        if self.task == "classification":
            return self._class_loss(found, which)
        if self.task == "autoencoder":
            pairs = zip(found.values(), self.batch(which).values(), strict=True)
            return sum(functional.mse_loss(a, b.reshape(a.shape)) for a, b in pairs)
        kept = sum(functional.mse_loss(a, self.taught[n][which]) for n, a in found.items())
        if self.labels is None:
            return kept
        return self._both(functional.mse_loss(next(iter(found.values())), self.labels[which]), kept)

    def judged(self, answers: Callable[[dict[str, Tensor]], Any]) -> tuple[float, float | None]:
        """Return the mean loss, and for classes the part of the samples with the teacher's.

        Args:
            answers: returns the outputs for inputs.
        """
        total, same = 0.0, 0
        for which in torch.split(torch.arange(self.size), CHECKED):
            found = answers(self.batch(which))
            total += float(self.loss(found, which)) * len(which)
            name, scores = next(iter(found.items()))
            if self.task == "classification":
                same += int((scores.argmax(1) == self.taught[name][which].argmax(1)).sum())
        share = same / self.size if self.task == "classification" else None
        return total / self.size, share

    def _class_loss(self, found: Mapping[str, Tensor], which: Any) -> Tensor:
        name, scores = next(iter(found.items()))
        log, temperature = functional.log_softmax, self.aim.temperature
        ours, theirs = (log(v / temperature, 1) for v in (scores, self.taught[name][which]))
        kept = functional.kl_div(ours, theirs, log_target=True, reduction="batchmean")
        kept = kept * temperature**2
        if self.labels is None:
            return kept
        return self._both(functional.cross_entropy(scores, self.labels[which]), kept)

    def _both(self, right: Tensor, kept: Tensor) -> Tensor:
        return self.aim.hard * right + (1 - self.aim.hard) * kept


def _tensors(arrays: Mapping[str, Any]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array).float() for name, array in arrays.items()}
