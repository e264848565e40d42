"""The end of a training: bits stay as they are, and numbers that swing between two stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from hwflow.compression.training.quantizers import LearnedConstant
from hwflow.compression.training.schedule import rate_at

Tensor = Any

SHARE = 0.1
"""Part of the epochs that settle the network."""

RATE = 5e-4
"""Learning rate of the numbers at the beginning of it."""

MEMORY = 0.01
"""Part of the last step in the means of swings and of numbers."""

FIRST, LAST = 0.03, 0.003
"""Swings for each step above which a number stops, at the beginning and at the end."""


class Settling:
    """Stops the weights and biases that swing between two numbers of their grids.

    A straight-through gradient pushes a number over the middle between two others again and again;
    the network is another one after each step, however small steps are. A number that swings more
    often than a limit that goes down becomes the nearer one of the two for good (Nagel et al.,
    "Overcoming Oscillations in Quantization-Aware Training", 2022, algorithm 1).
    """

    def __init__(self, constants: Sequence[LearnedConstant]) -> None:
        """Begin with the present numbers.

        Args:
            constants: what is settled; their bits do not change any more.
        """
        self._constants = constants
        self._states = [_begun(c.whole_numbers()) for c in constants]

    @torch.no_grad()
    def step(self, done: float) -> None:
        """Look at the numbers behind a step, and stop some.

        Args:
            done: part of the settling that is done, 0 to 1.
        """
        most = LAST + (FIRST - LAST) * rate_at(done)
        for constant, state in zip(self._constants, self._states, strict=True):
            present = torch.where(state["still"], state["last"], constant.whole_numbers())
            moved = torch.sign(present - state["last"])
            swung = ((moved != 0) & (moved == -state["moved"])).float()
            state["moved"] = torch.where(moved != 0, moved, state["moved"])
            state["swings"] += MEMORY * (swung - state["swings"])
            state["mean"] += MEMORY * (present - state["mean"])
            stopped = (state["swings"] > most) & ~state["still"]
            state["last"] = torch.where(stopped, torch.floor(state["mean"] + 0.5), present)
            state["still"] |= stopped
            constant.hold(state["still"], state["last"])

    def held(self) -> list[dict[str, Tensor]]:
        """Return the state, for a checkpoint."""
        return self._states

    def resume(self, held: list[dict[str, Tensor]]) -> None:
        """Take a state that ``held`` gave."""
        self._states = held


def _begun(numbers: Tensor) -> dict[str, Tensor]:
    zeros = torch.zeros_like(numbers)
    return {
        "last": numbers, "mean": numbers.clone(), "moved": zeros, "swings": zeros.clone(),
        "still": torch.zeros_like(numbers, dtype=torch.bool),
    }  # fmt: skip
