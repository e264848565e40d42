"""How much a network needs each of its weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwflow.frontends.quantization.layers import Layer, layers_of
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]
Arrays = Mapping[str, npt.NDArray[np.float32]]
Method = Literal["l1", "gradient", "movement"]

LEAST = 1e-6
"""Value of a weight that seems worth nothing, in parts of the mean: it stays where it costs
nothing."""


def magnitudes(model: QonnxModel) -> dict[str, Floats]:
    """Return ``|w|`` of every weight, in parts of its layer's mean; layers have unlike scales."""
    found = {}
    for layer in layers_of(model):
        size = np.abs(layer.matrix())
        live = size[size > 0]
        found[layer.node.name or ""] = size / (live.mean() if live.size else 1.0)
    return found


@dataclass(eq=False)
class Watched:
    """Adds up what training says of weights; ``see`` is called at each of its steps.

    Attributes:
        model: the network in training.
        method: ``gradient`` for ``|w g|``, the change of the loss without the weight to first
            order (Molchanov et al., arXiv:1906.10771); ``movement`` for ``-w g``, positive where
            the weight moves away from 0 (Sanh et al., arXiv:2005.07683).
        sums: what was added up, by the name of the layer's initializer.
    """

    model: QonnxModel
    method: Method
    sums: dict[str, Floats] = field(default_factory=dict)

    def see(self, weights: Arrays, gradients: Arrays) -> None:
        """Add a step's weights and gradients."""
        for name, gradient in gradients.items():
            product: Floats = weights[name].astype(np.float64) * gradient
            step: Floats = np.abs(product) if self.method == "gradient" else -product
            self.sums[name] = self.sums[name] + step if name in self.sums else step

    def scores(self) -> dict[str, Floats]:
        """Return the sums by the name of the layer's node, at least a little of each weight."""
        found = {layer.node.name or "": self._of(layer) for layer in layers_of(self.model)}
        mean = float(np.mean([s.mean() for s in found.values()])) or 1.0
        return {name: np.maximum(s, 0.0) / mean + LEAST for name, s in found.items()}

    def _of(self, layer: Layer) -> Floats:
        sums, shape = self.sums[layer.weight.name or ""], layer.matrix().shape
        rows = sums if layer.outputs_first else sums.T
        found: Floats = np.asarray(rows, np.float64).reshape(shape)
        return found
