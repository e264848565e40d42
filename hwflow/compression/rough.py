"""What a float network costs as hardware: quantised to stated bits, quickly, and compiled."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
import numpy.typing as npt

from hwflow.compression.target import EBOPS, WEIGHTS
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import Inputs, Samples
from hwflow.frontends.quantization.settings import Settings, make_settings
from hwflow.frontends.quantization.work import input_bits, quantizes_outputs, rough
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design

Floats = npt.NDArray[np.float64]

SAMPLES = 256
"""Samples that ranges are looked for in, for estimates."""


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """What float networks are quantised and estimated as.

    Attributes:
        bits: as for ``quantize``.
        board: profile.
        io_type: ``io_parallel`` or ``io_stream``.
        strategy: that of all layers.
        reuse_factor: that of all layers.
    """

    bits: str = "w=8,a=8"
    board: str = "pynq-z2"
    io_type: str = "io_parallel"
    strategy: str = "latency"
    reuse_factor: int = 1

    def compiled(self, model: QonnxModel) -> Design:
        """Return the design of a quantised model, which is not changed."""
        return compile_model(
            clone(model), board=self.board, io_type=self.io_type, strategy=self.strategy,
            reuse_factor=self.reuse_factor,
        )  # fmt: skip

    @property
    def settings(self) -> Settings:
        """How ``quantize`` quantises by default, with these bits."""
        return make_settings(self.bits, scale="float", method="mse")


class Rough:
    """Estimates of float networks that take the same inputs."""

    def __init__(self, hardware: Hardware, samples: Samples, first: QonnxModel) -> None:
        """Find out what the networks have in common.

        Args:
            hardware: what is estimated.
            samples: data.
            first: one of the networks, prepared.

        Raises:
            CompileError: the networks cannot be quantised.
        """
        self.hardware = hardware
        self._parts = (_some(samples.calibration), _some(samples.held_out))
        self._outputs = quantizes_outputs(first, self._parts, hardware.settings)

    def quantized(self, model: QonnxModel) -> QonnxModel:
        """Return a network with the formats of ``quantize``, weights rounded to nearest."""
        return rough(model, self._parts, self.hardware.settings, outputs=self._outputs)

    def figures(self, model: QonnxModel, measures: tuple[str, ...]) -> dict[str, float]:
        """Return what a network costs.

        Args:
            model: a float network.
            measures: names of ``Cost``'s figures, ``weights`` or ``ebops``.
        """
        found: dict[str, float] = {}
        if WEIGHTS in measures:
            found[WEIGHTS] = float(count_weights(model))
        if set(measures) <= {WEIGHTS}:
            return found
        made = self.quantized(model)
        if EBOPS in measures:
            found[EBOPS] = sum(float(bits.sum()) for bits in operations(made).values())
        if set(measures) - {WEIGHTS, EBOPS}:
            total = self.hardware.compiled(made).estimate().total
            found |= {m: getattr(total, m).value for m in measures if m not in found}
        return found


def count_weights(model: QonnxModel) -> int:
    """Return the weights of a network that are not 0."""
    return sum(int(np.count_nonzero(layer.matrix())) for layer in layers_of(model))


def integers_of(layer: Layer) -> Floats:
    """Return the integers behind a layer's quantised weights, shaped as ``Layer.matrix``."""
    value = layer.node.inputs[1]
    quantizer = None if value is None else value.producer()
    assert quantizer is not None
    assert quantizer.inputs[1] is not None
    matrix, scale = layer.matrix(), array_of(quantizer.inputs[1]).ravel()
    rows = scale.reshape(matrix.shape[0], -1, 1) if scale.size > 1 else scale
    found: Floats = np.rint(matrix / rows)
    return found


def operations(model: QonnxModel) -> dict[str, Floats]:
    """Return the bit operations of each weight, by the name of the layer's node.

    The bits of its integer without the sign times those of what it is multiplied with, as often as
    a sample needs it (effective bit operations of HGQ, Sun et al. 2024, with formats of layers).

    Args:
        model: quantised.
    """
    found, bits = {}, input_bits(model)
    for layer in layers_of(model):
        whole, name = np.abs(integers_of(layer)), layer.node.name or ""
        own = np.where(whole > 0, np.floor(np.log2(np.maximum(whole, 1))) + 1, 0)
        found[name] = own * bits.get(name, 0) * uses_of(layer)
    return found


def uses_of(layer: Layer) -> int:
    """Return how often a sample is multiplied with each weight of a layer."""
    shape = layer.node.outputs[0].shape
    elements = 1 if shape is None else prod(int(d) for d in shape.numpy()[1:])
    return elements // prod(layer.matrix().shape[:2])


def _some(inputs: Inputs) -> Inputs:
    return {name: array[:SAMPLES] for name, array in inputs.items()}
