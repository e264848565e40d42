"""A skeleton as a torch module: learned weights, biases and formats, and every other node as is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from hwflow.compression.exporting import Learned
from hwflow.compression.granularity import Granularity
from hwflow.compression.skeleton import Skeleton
from hwflow.compression.training.graph import NodesModule, Tensor, Values, names_of
from hwflow.compression.training.quantizers import LearnedActivation, LearnedConstant, whole_of
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.frontends.quantization.settings import Settings


class Network(NodesModule):
    """A network in training.

    Attributes:
        skeleton: what it was made from.
        steps: its nodes in order.
        layers: those with weights.
        activations: learned formats, in the order of the skeleton's sites.
        constants: learned matrices and biases.
        inputs: names of the graph's inputs.
        outputs: names of its outputs.
    """

    def __init__(self, skeleton: Skeleton, granularity: Granularity) -> None:
        """Lay out a network.

        Args:
            skeleton: the float network with its sites.
            granularity: what shares a number of bits.

        Raises:
            CompileError: HW350, operators that cannot be trained.
        """
        super().__init__(skeleton.model)
        self.skeleton = skeleton
        shared = granularity.activations == "layer"
        self.activations = torch.nn.ModuleList(
            LearnedActivation(site, shared=shared) for site in skeleton.sites
        )
        self.constants = torch.nn.ModuleList()
        self._learned: dict[str, int] = {}
        self._now: dict[str, tuple[Tensor, Tensor]] = {}
        for layer in layers_of(skeleton.model):
            self._learn(layer, granularity)
        pairs = zip(skeleton.sites, self.activations, strict=True)
        self.lay_out(skeleton.model, {site.node: (i, run) for i, (site, run) in enumerate(pairs)})

    def forward(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return the outputs for a batch, by name."""
        values = self.values(feeds)
        return {name: values[name] for name in self.outputs}

    def values(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return all values for a batch, by name."""
        self.refresh()
        numbers = {name: numbers for name, (numbers, _) in self._now.items()}
        return self.evaluate({**feeds, **numbers})

    def bits(self) -> Values:
        """Return the bits of every activation that a layer multiplies, of one sample each.

        What only moves values moves their bits, too.
        """
        found: Values = {}
        for step in self.steps:
            if step.place >= 0:
                site = self.skeleton.sites[step.place]
                bits = self.activations[step.place].bits()
                found[step.result] = bits.expand(site.shape).unsqueeze(0)
            elif step.moves and all(n in found or n in self._fixed or not n for n in step.operands):
                operands = [found.get(n, self._fixed.get(n)) for n in step.operands]
                found[step.result] = step.run(*operands)
        return found

    def numbers(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a learned matrix or bias by the name of its value, and its bits.

        They are those of the last ``refresh``.
        """
        return self._now[name]

    @torch.no_grad()
    def mean_bits(self) -> tuple[float, float]:
        """Return mean bits of weights and of activations without signs, as of the last refresh."""
        bits = [self.numbers(layer.matrix)[1] for layer in self.layers]
        weights = sum(float(b.sum()) for b in bits) / max(sum(b.numel() for b in bits), 1)
        kinds = [
            a.bits().expand(site.shape)
            for a, site in zip(self.activations, self.skeleton.sites, strict=True)
        ]
        activations = sum(float(b.sum()) for b in kinds) / max(sum(b.numel() for b in kinds), 1)
        return weights, activations

    def refresh(self) -> None:
        """Round the present weights and biases; ``forward`` begins with it."""
        self._now = {name: self.constants[i]() for name, i in self._learned.items()}

    @torch.no_grad()
    def learned(self) -> Learned:
        """Return the present state as plain numbers."""
        self.refresh()
        weights, whole, fraction = {}, {}, {}
        for layer in self.layers:
            bias = _plain(self.numbers(layer.bias)[0]) if layer.bias else None
            weights[layer.step.node] = (_plain(self.numbers(layer.matrix)[0]), bias)
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            left, right = activation.formats
            whole[site.node], fraction[site.node] = _plain(left), _plain(right)
        return Learned(weights, whole, fraction)

    @torch.no_grad()
    def restore(self, learned: Learned) -> None:
        """Return to a state that ``learned`` gave; numbers on their grids stay as they are."""
        for layer in self.layers:
            matrix, bias = learned.weights[layer.step.node]
            for name, numbers in ((layer.matrix, matrix), (layer.bias, bias)):
                if numbers is not None:
                    self.constants[self._learned[name]].settle(torch.from_numpy(numbers).float())
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            formats = (learned.whole[site.node], learned.fraction[site.node])
            activation.settle(*(torch.from_numpy(bits).float() for bits in formats))

    @torch.no_grad()
    def begin(self, bits: Mapping[str, int]) -> None:
        """Begin with given bits of weights and activations, signs counted.

        Args:
            bits: whole numbers, by the names that ``quantize`` takes: ``fc1.w``, ``fc1.a``.
        """
        asked = Settings(overrides=bits)
        for layer in layers_of(self.skeleton.model):
            constant = self.constants[self._learned[names_of(layer)[0]]]
            whole = whole_of(constant.value.abs().max())
            constant.fraction.fill_(asked.weight(frozenset({layer.name})) - 1 - float(whole))
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            whole = whole_of(activation.greatest.max())
            given = asked.activation(site.names) - int(site.signed)
            activation.fraction.fill_(given - float(whole))

    def parameters_named(self, kind: str) -> list[Tensor]:
        """Return the parameters that are numbers of bits (``fraction``), or values (``value``)."""
        return [p for name, p in self.named_parameters() if name.endswith(f".{kind}")]

    def _learn(self, layer: Layer, granularity: Granularity) -> None:
        outputs = 0 if layer.outputs_first else -1
        for value, is_matrix in ((layer.weight, True), (layer.bias_value, False)):
            if value is None:
                continue
            numbers = torch.tensor(array_of(value), dtype=torch.float32)
            shape = tuple(numbers.shape)
            bits = granularity.shape(shape, outputs % len(shape)) if is_matrix else shape
            self._learned[value.name or ""] = len(self.constants)
            self.constants.append(LearnedConstant(numbers, bits, pruned=is_matrix))


def _plain(numbers: Tensor) -> Any:
    return numbers.detach().numpy().astype(np.float64)
