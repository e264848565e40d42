"""A float network as a torch module: weights and biases are learned, with no quantiser."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hwflow.compression.training.graph import NodesModule, Tensor, Values, names_of
from hwflow.frontends.quantization.layers import array_of, layers_of, store
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel

Masks = Mapping[str, npt.NDArray[np.bool_]]


class FloatNetwork(NodesModule):
    """A float network in training.

    Attributes:
        model: that it was made from.
        names: names of the matrices and biases that are learned.
        masks: 1 where a matrix or bias is learned and 0 where it stays 0, by name.
    """

    def __init__(
        self, model: QonnxModel, masks: Masks, only: Collection[str] | None = None
    ) -> None:
        """Lay out a network.

        Args:
            model: a float model, prepared.
            masks: True where a matrix or bias is learned, False where it stays 0, by the name of
                its initializer; all of those without one are learned.
            only: names of the matrices and biases that are learned at all; None for all.

        Raises:
            CompileError: HW350, operators that cannot be trained.
        """
        super().__init__(model)
        self.model = model
        values = model.ir.graph.initializers
        self.names = list(
            dict.fromkeys(n for layer in layers_of(model) for n in names_of(layer) if n)
        )
        self.numbers = torch.nn.ParameterList(
            torch.nn.Parameter(
                torch.tensor(array_of(values[name]), dtype=torch.float32),
                requires_grad=only is None or name in only,
            )
            for name in self.names
        )
        self.masks = {name: torch.tensor(mask, dtype=torch.float32) for name, mask in masks.items()}
        self.lay_out(model, {})
        self.prune()

    def values(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return all values for a batch, by name."""
        return self.evaluate({**feeds, **dict(zip(self.names, self.numbers, strict=True))})

    @torch.no_grad()
    def prune(self) -> None:
        """Put zeros where the masks have them."""
        for name, number in zip(self.names, self.numbers, strict=True):
            if name in self.masks:
                number.mul_(self.masks[name])

    def weights(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the present matrices and biases by name; views, which change with the network."""
        return {n: p.detach().numpy() for n, p in zip(self.names, self.numbers, strict=True)}

    def gradients(self) -> dict[str, npt.NDArray[np.float32]]:
        """Return the gradients of the last step by name, of what is masked as well; views."""
        pairs = zip(self.names, self.numbers, strict=True)
        return {n: p.grad.numpy() for n, p in pairs if p.grad is not None}

    def exported(self, weights: Mapping[str, Any]) -> QonnxModel:
        """Return the model with other matrices and biases."""
        made = clone(self.model)
        for name, array in weights.items():
            store(made.ir.graph.initializers[name], array)
        return made
