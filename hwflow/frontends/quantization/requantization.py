"""A trained network with fewer bits: its quantisers round more away, its weights are fitted anew.

The network as it was trained takes the place of the float model: weights with fewer bits are
chosen such that a layer's results on the data stay what they were.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace

from hwflow.frontends.quantization.compensation import Moments
from hwflow.frontends.quantization.known import Known
from hwflow.frontends.quantization.layers import Layer, layers_of
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.settings import Settings
from hwflow.frontends.quantization.trained import (
    activations_of,
    quantizes,
    weights_of,
)
from hwflow.frontends.quantization.trained_layers import open_weights, per_channel, powers_of_two
from hwflow.frontends.quantization.weights import (
    COMPENSATED_BITS,
    Array,
    apply_fit,
    feeding,
    fit_layer,
    moments_of,
)
from hwflow.ir.qonnx.model import QonnxModel


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network with data.

    Attributes:
        model: as it was trained.
        real: the same with weights and biases as numbers, not quantisers.
        data: calibration samples.
        known: what was worked out for other bits.
    """

    model: QonnxModel
    real: QonnxModel
    data: Mapping[str, Array]
    known: Known = field(default_factory=Known)

    def with_fewer(
        self, settings: Settings, progress: Callable[[float], None] = lambda done: None
    ) -> tuple[QonnxModel, frozenset[str]]:
        """Return the network with the bits of settings, where they are fewer than it has.

        Returns:
            The model, and names of the nodes whose rounding errors were made up for.
        """
        after = clone(self.model)
        bits = narrow_activations(after, settings)
        originals = {layer.node.name: layer for layer in layers_of(self.real)}
        trained, compensated = weights_of(after), set()
        layers = [layer for layer in layers_of(after) if layer.name in trained]
        for i, layer in enumerate(layers):
            wanted = settings.weight(frozenset({layer.name}))
            if wanted < trained[layer.name]:
                own = replace(
                    settings,
                    per_channel=settings.per_channel or per_channel(layer),
                    scale="pow2" if settings.pow2 or powers_of_two(layer) else "float",
                )
                inputs = _Inputs(self, after, settings, bits)
                key = (layer.node.name, wanted, inputs.key(layer))
                fit = self.known.fits.get(key)
                form = Format(wanted, signed=True)
                if fit is None:
                    fit = fit_layer(
                        originals[layer.node.name], layer, inputs, form, own,
                        narrow=wanted <= COMPENSATED_BITS,
                    )  # fmt: skip
                if settings.independent:
                    self.known.fits[key] = fit
                open_weights(layer)
                apply_fit(layer, fit, form)
                if fit.compensated:
                    compensated.add(layer.node.name or "")
            progress((i + 1) / len(layers))
        return after, frozenset(compensated)


def narrow_activations(
    model: QonnxModel, settings: Settings, only: frozenset[str] | None = None
) -> dict[str, int]:
    """Give the quantisers of activations the bits of settings, where these are fewer.

    Args:
        model: changed in place.
        settings: bits by any name of a quantiser.
        only: names of the nodes that are changed; all unless given.

    Returns:
        The bits of each quantiser, by the name of its node.
    """
    found = {}
    for quantizer in activations_of(model):
        name = quantizer.node.name or ""
        bits = min(settings.activation(quantizer.names), quantizer.bits)
        found[name] = bits
        if only is None or name in only:
            quantizer.narrow(model, bits)
    return found


@dataclass(frozen=True, eq=False)
class _Inputs:
    """Gives the inputs of layers on the data.

    Attributes:
        network: as it was trained.
        model: with fewer bits, its weights so far.
        settings: the bits.
        bits: bits of each quantiser of activations.
    """

    network: Network
    model: QonnxModel
    settings: Settings
    bits: Mapping[str, int]

    def key(self, layer: Layer) -> Hashable:
        """Return what a layer's inputs depend on."""
        return tuple((name, self.bits.get(name)) for name in self._own(layer))

    def _own(self, layer: Layer) -> list[str]:
        return [node.name or "" for node in feeding(layer.node, quantizes)]

    def moments(self, original: Layer, layer: Layer) -> list[Moments]:
        """Return the moments of each group of a layer."""
        if not self.settings.independent:
            return moments_of(original, layer, self.network.data)
        known, key = self.network.known.moments, (layer.node.name, self.key(layer))
        if key not in known:
            copy = clone(self.network.model)
            narrow_activations(copy, self.settings, frozenset(self._own(layer)))
            (alone,) = (la for la in layers_of(copy) if la.node.name == layer.node.name)
            known[key] = moments_of(original, alone, self.network.data)
        return known[key]
