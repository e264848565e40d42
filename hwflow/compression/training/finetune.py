"""``finetune``: the loop that trains float networks, whatever they are trained for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hwflow.compression.material import LABELS, Material
from hwflow.compression.training.checkpoint import load, save
from hwflow.compression.training.features import Regressors
from hwflow.compression.training.floats import FloatNetwork, Masks
from hwflow.compression.training.losses import Aim, Wanted
from hwflow.compression.training.schedule import batches, rate_at
from hwflow.ir.qonnx.model import QonnxModel

Arrays = Mapping[str, npt.NDArray[np.float32]]
Watch = Callable[[Arrays, Arrays], None]
"""Called at each step, before weights change, with weights and gradients by name."""

RATE = 2e-3
"""Learning rate (Adam, Kingma and Ba 2015) before the cosine that takes it to a hundredth."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a float network is trained.

    Attributes:
        epochs: most passes over the samples.
        batch: samples of a step.
        rate: learning rate at the beginning.
        seed: what all that is drawn begins with.
        temperature: what logits are divided by before they are compared with the teacher's.
        hard: weight of the labels, where there are any, beside the teacher.
        patience: epochs without a better validation loss that end the training; 0 for no end.
    """

    epochs: int = 30
    batch: int = 64
    rate: float = RATE
    seed: int = 0
    temperature: float = 1.0
    hard: float = LABELS
    patience: int = 0


@dataclass(frozen=True, kw_only=True)
class Passed:
    """What an epoch left.

    Attributes:
        number: which epoch, from 0; -1 for the network before the first.
        loss: on the samples for validation, features left out.
        agreement: part of them with the teacher's class; None without classes.
    """

    number: int
    loss: float
    agreement: float | None


@dataclass(frozen=True, eq=False)
class Finetuned:
    """A trained float network.

    Attributes:
        model: the network of the best epoch.
        best: that epoch: of least validation loss, the network as it was given among them.
        epochs: all, the network as it was given first.
    """

    model: QonnxModel
    best: Passed
    epochs: tuple[Passed, ...]


@dataclass
class _State:
    """What a training knows beside its tensors."""

    epochs: list[Passed] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)


class Finetuning:
    """A float network with its samples, its optimiser and its state."""

    def __init__(
        self, network: FloatNetwork, material: Material, settings: Settings, watch: Watch | None
    ) -> None:
        """Begin a training.

        Args:
            network: what is trained.
            material: samples.
            settings: how.
            watch: sees weights and gradients at each step.
        """
        self.network, self.settings, self._watch = network, settings, watch
        aim = Aim(settings.temperature, settings.hard)
        self._train = Wanted(material.train, material.task, aim)
        self._validate = Wanted(material.validate, material.task, aim)
        self._regressors = Regressors(network, self._train, settings.seed)
        learned = [p for p in network.parameters() if p.requires_grad]
        learned += self._regressors.parameters()
        self.optimiser = torch.optim.Adam(learned, lr=settings.rate)
        self.state = _State()

    def run(self) -> Iterator[Passed]:
        """Train one epoch after the other, and yield each, the state before the first as well."""
        while not self._over():
            number = len(self.state.epochs) - 1
            if number >= 0:
                self._epoch(number)
            with torch.no_grad():
                loss, agreement = self._validate.judged(self.network.logits)
            found = Passed(number=number, loss=loss, agreement=agreement)
            if not self.state.epochs or loss < self.best.loss:
                self.state.best = {n: torch.tensor(w) for n, w in self.network.weights().items()}
            self.state.epochs.append(found)
            yield found

    @property
    def best(self) -> Passed:
        """The epoch of least validation loss, the first of several."""
        return min(self.state.epochs, key=lambda e: e.loss)

    def held(self) -> dict[str, Any]:
        """Return all that a checkpoint keeps."""
        return {
            "network": self.network.state_dict(), "regressors": self._regressors.state_dict(),
            "optimiser": self.optimiser.state_dict(), "best": self.state.best,
            "epochs": [asdict(e) for e in self.state.epochs],
        }  # fmt: skip

    def resume(self, held: dict[str, Any]) -> None:
        """Take a state that ``held`` gave."""
        self.network.load_state_dict(held["network"])
        self._regressors.load_state_dict(held["regressors"])
        self.optimiser.load_state_dict(held["optimiser"])
        self.state = _State([Passed(**e) for e in held["epochs"]], held["best"])

    def _over(self) -> bool:
        epochs, settings = self.state.epochs, self.settings
        if not epochs:
            return False
        waited = epochs[-1].number - self.best.number
        return len(epochs) > settings.epochs or 0 < settings.patience <= waited

    def _epoch(self, number: int) -> None:
        settings = self.settings
        steps = batches(self._train.size, settings.batch, settings.seed, number)
        for i, which in enumerate(steps):
            done = (number + i / len(steps)) / settings.epochs
            self.optimiser.param_groups[0]["lr"] = settings.rate * rate_at(done)
            values = self.network.values(self._train.batch(which))
            loss = self._train.loss(self.network.scores(values), which)
            loss = loss + self._regressors.loss(values, which)
            self.optimiser.zero_grad()
            loss.backward()
            if self._watch is not None:
                self._watch(self.network.weights(), self.network.gradients())
            self.optimiser.step()
            self.network.prune()


def finetune(
    model: QonnxModel,
    material: Material,
    settings: Settings,
    *,
    masks: Masks | None = None,
    only: Collection[str] | None = None,
    watch: Watch | None = None,
    checkpoint: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    progress: Callable[[float], None] = lambda done: None,
) -> Finetuned:
    """Train the weights and biases of a float network, and return its best state.

    The best epoch is that of least loss on ``material.validate``; held-out samples have no part.
    The same arguments give the same bits. Features that ``material`` holds are learned as well.

    Args:
        model: a float model, prepared (``quantization.preparation.prepare``); it is not changed.
        material: samples.
        settings: how.
        masks: True where a matrix or bias is learned and False where it stays 0, by the name of
            its initializer (``Layer.weight.name``).
        only: names of the matrices and biases that are learned at all; None for all.
        watch: sees weights and gradients at each step, of what is masked as well; all are views.
        checkpoint: file that holds the state after each epoch; a training that was ended goes on
            from it with the same result.
        say: called with a line for each epoch.
        progress: called with the part of the epochs that is done.

    Raises:
        CompileError: HW350, a node cannot be trained; HW352, the checkpoint is damaged; HW552, it
            cannot be written.
    """
    training = Finetuning(FloatNetwork(model, masks or {}, only), material, settings, watch)
    if checkpoint is not None:
        load(training, checkpoint)
    for passed in training.run():
        if checkpoint is not None:
            save(training, checkpoint)
        progress((passed.number + 1) / settings.epochs)
        same = "" if passed.agreement is None else f", same class {passed.agreement:.1%}"
        say(f"epoch {passed.number + 1}/{settings.epochs}: loss {passed.loss:.4f}{same}")
    best = {name: weights.numpy() for name, weights in training.state.best.items()}
    found = training.network.exported(best)
    return Finetuned(found, training.best, tuple(training.state.epochs))
