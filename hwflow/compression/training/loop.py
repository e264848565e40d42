"""The training: epochs, each kept on disk before the next begins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hwflow.compression.exporting import Learned
from hwflow.compression.material import Material
from hwflow.compression.request import Request
from hwflow.compression.training.cost import ebops, lut
from hwflow.compression.training.features import Regressors
from hwflow.compression.training.graph import chunks
from hwflow.compression.training.losses import CHECKED, Aim, Wanted
from hwflow.compression.training.network import Network
from hwflow.compression.training.quantizers import LearnedConstant
from hwflow.compression.training.schedule import batches, rate_at
from hwflow.compression.training.settling import RATE, SHARE, Settling
from hwflow.compression.training.steering import Steering
from hwflow.frontends.quantization.samples import Inputs

Tensor = Any

VALUE_RATE, BIT_RATE = 3e-3, 1e-2
"""Learning rates of weights and bits (Adam) before the cosine that takes them to a hundredth."""

CALIBRATIONS = 20
"""How often in a training the cost in the loss is set right by the estimate of what is built."""


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What an epoch left.

    Attributes:
        number: which epoch, from 0.
        ebops: effective bit operations.
        lut: LUTs of the products as the loss sees them, before it is set right.
        cost: what the goal limits.
        loss: on the samples for validation.
        agreement: part of them with the teacher's class; None without classes.
        factor: what the cost counted in the loss.
        weight_bits: mean bits of weights without their signs, zeros among them; None if not kept.
        activation_bits: the same of activations.
    """

    number: int
    ebops: float
    lut: float
    cost: float
    loss: float
    agreement: float | None
    factor: float
    weight_bits: float | None = None
    activation_bits: float | None = None


@dataclass
class State:
    """What a training knows beside its tensors; goes into the checkpoint.

    Attributes:
        steering: the factor of the cost.
        fixed: LUTs of the design that no weight has a part in.
        ratio: what the other LUTs are to those in the loss.
        epochs: those that are over.
    """

    steering: Steering
    fixed: float = -1.0
    ratio: float = 1.0
    epochs: list[Epoch] = field(default_factory=list)


class Training:
    """A network with its samples, its optimiser and its state."""

    def __init__(
        self, network: Network, material: Material, request: Request,
        measured: Callable[[Learned], float],
    ) -> None:  # fmt: skip
        """Begin a training.

        Args:
            network: what is trained.
            material: samples.
            request: how.
            measured: returns the estimated LUTs of what would be built.
        """
        self.network, self.request, self.goal = network, request, request.aim
        self.material, self._measured = material, measured
        aim = Aim(request.temperature, request.hard)
        self._train = Wanted(material.train, material.task, aim)
        self._validate = Wanted(material.validate, material.task, aim)
        self.state = State(Steering(self.goal.most))
        self._regressors = Regressors(network, self._train, request.seed)
        groups = [
            (network.parameters_named("value"), VALUE_RATE),
            (network.parameters_named("fraction"), BIT_RATE),
            (list(self._regressors.parameters()), VALUE_RATE),
        ]
        self.optimiser = torch.optim.Adam([{"params": some, "lr": rate} for some, rate in groups])
        self._rates = [rate for _, rate in groups]
        self._settling: Settling | None = None

    def run(self) -> Iterator[Epoch]:
        """Train one epoch after the other, and yield each."""
        while len(self.state.epochs) < self.request.epochs:
            self.set_right()
            self._epoch(len(self.state.epochs))
            found = self._judged(len(self.state.epochs))
            self.state.epochs.append(found)
            yield found

    def held(self) -> dict[str, Any]:
        """Return all that a checkpoint keeps."""
        return {
            "network": self.network.state_dict(),
            "regressors": self._regressors.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "state": asdict(self.state),
            "settling": self._settling.held() if self._settling is not None else [],
        }

    def resume(self, held: dict[str, Any]) -> None:
        """Take a state that ``held`` gave."""
        self.network.load_state_dict(held["network"])
        self._regressors.load_state_dict(held["regressors"])
        self.optimiser.load_state_dict(held["optimiser"])
        if held["settling"]:
            self._settling = self._settled()
            self._settling.resume(held["settling"])
        state = held["state"]
        self.state = State(
            Steering(**state["steering"]), state["fixed"], state["ratio"],
            [Epoch(**e) for e in state["epochs"]],
        )  # fmt: skip

    def cost(self) -> Tensor:
        """Return the cost of the goal's measure, with gradients."""
        if self.goal.measure == "ebops":
            return ebops(self.network)
        seen = lut(self.network, parallel=self.request.parallel)
        return self.state.fixed + self.state.ratio * seen

    @torch.no_grad()
    def exact(self, inputs: Inputs) -> npt.NDArray[Any]:
        """Return the first output for some samples in float64, where every sum is exact."""
        self.network.refresh()
        network = copy.deepcopy(self.network).double().eval()
        feeds = {name: torch.from_numpy(array).double() for name, array in inputs.items()}
        found = [network(batch)[network.outputs[0]].numpy() for batch in chunks(feeds, CHECKED)]
        return np.concatenate(found)

    def set_right(self) -> None:
        """Compare the cost in the loss with the estimate, from time to time."""
        every = max(self.request.epochs // CALIBRATIONS, 1)
        if self.goal.measure == "lut_synth" and len(self.state.epochs) % every == 0:
            self.network.refresh()
            with torch.no_grad():
                seen = float(lut(self.network, parallel=self.request.parallel))
            learned = self.network.learned()
            if self.state.fixed < 0:
                self.state.fixed = self._measured(learned.without_weights())
            moved = self._measured(learned) - self.state.fixed
            self.state.ratio = max(moved, 1.0) / max(seen, 1.0)

    def _epoch(self, number: int) -> None:
        self.network.train()
        request, last = self.request, round(SHARE * self.request.epochs)
        steps = batches(self._train.size, request.batch, request.seed, number)
        first = request.epochs - last
        if number >= first and self._settling is None:
            self._settling = self._settled()
        for i, which in enumerate(steps):
            passed = number + i / len(steps)
            if self._settling is None:
                self._step(which, passed / first)
            else:
                self._settle(self._settling, which, (passed - first) / last)

    def _settled(self) -> Settling:
        return Settling([c for c in self.network.constants if isinstance(c, LearnedConstant)])

    def _settle(self, settling: Settling, which: Tensor, done: float) -> None:
        """Train the numbers alone: bits, and with them the cost, stay."""
        rate = RATE * rate_at(done)
        for group, some in zip(self.optimiser.param_groups, (rate, 0.0, rate), strict=True):
            group["lr"] = some
        self.optimiser.zero_grad()
        self._loss(which).backward()
        self.optimiser.step()
        settling.step(done)

    def _loss(self, which: Tensor) -> Tensor:
        values = self.network.values(self._train.batch(which))
        loss = self._train.loss(self.network.scores(values), which)
        return loss + self._regressors.loss(values, which)

    def _step(self, which: Tensor, done: float) -> None:
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * rate_at(done)
        loss, cost = self._loss(which), self.cost()
        weight = self.state.steering.step(float(cost.detach()), float(loss.detach()), done)
        self.optimiser.zero_grad()
        (loss + weight * cost).backward()
        self.optimiser.step()

    @torch.no_grad()
    def _judged(self, number: int) -> Epoch:
        self.network.eval()
        loss, agreement = self._validate.judged(self.network.logits)
        operations = float(ebops(self.network))
        weights, activations = self.network.mean_bits()
        return Epoch(
            number=number, ebops=operations,
            lut=float(lut(self.network, parallel=self.request.parallel)), cost=float(self.cost()),
            loss=loss, agreement=agreement, factor=self.state.steering.factor,
            weight_bits=weights, activation_bits=activations,
        )  # fmt: skip
