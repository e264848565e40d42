"""Puts a model on the bench: a float model, or one that was trained quantised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from hwflow import frontends
from hwflow.frontends.quantization.bench import Bench
from hwflow.frontends.quantization.equalization import equalize
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.requantization import Network
from hwflow.frontends.quantization.requantized import check_trained
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import split
from hwflow.frontends.quantization.settings import Settings
from hwflow.frontends.quantization.trained import (
    Trained,
    activations_of,
    is_trained,
    tied,
    weights_of,
)
from hwflow.frontends.quantization.trained_layers import prepare_trained, real_weights
from hwflow.frontends.quantization.work import quantizes_outputs
from hwflow.ir.qonnx.model import QonnxModel


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainedBench(Bench):
    """A network that was trained quantised, to be given fewer bits.

    ``reference`` is the network as it was trained, ``before`` the same with weights as numbers.
    The models are those that ``quantize(..., independent=True)`` gives.
    """

    @property
    def kind(self) -> str:
        """What stands as reference."""
        return "trained"

    def layers(self) -> list[str]:
        """Return the names of the layers whose weights can have fewer bits, in order."""
        return list(weights_of(self.reference))

    def activations(self) -> list[tuple[str, ...]]:
        """Return the settings of quantisers, those that share a scale together."""
        return [tuple(f"{q.name}.a" for q in group) for group in tied(self._quantizers)]

    def settings_of_values(self) -> dict[str, str]:
        """Return the setting of each value that is quantised, by the name of the value."""
        return {q.node.outputs[0].name or "": f"{q.name}.a" for q in self._quantizers}

    @cached_property
    def most(self) -> Mapping[str, int]:
        """The bits that were trained, by setting."""
        weights = {f"{name}.w": bits for name, bits in weights_of(self.reference).items()}
        return {**weights, **{f"{q.name}.a": q.bits for q in self._quantizers}}

    def quantized(self, bits: Mapping[str, int]) -> QonnxModel:
        """Return the model with bits by ``NAME.w`` and ``NAME.a``, at most those trained."""
        settings = replace(self.settings, overrides={**self.most, **bits})
        return self._network.with_fewer(settings)[0]

    @cached_property
    def _quantizers(self) -> list[Trained]:
        return activations_of(self.reference)

    @cached_property
    def _network(self) -> Network:
        return Network(self.reference, self.before, self.samples.calibration, self.known)


def open_bench(source: Any, data: Any, settings: Settings) -> Bench:
    """Read and prepare a model.

    Raises:
        CompileError: the model cannot be read, does not fit the data, or is quantised in a way
            that the settings cannot change (HW315).
    """
    settings = replace(settings, independent=True)
    model = frontends.load(source)
    if is_trained(model):
        check_trained(settings, model.source)
        reference = prepare_trained(model)
        return TrainedBench(
            reference=reference, before=real_weights(reference), samples=split(reference, data),
            settings=settings, outputs=False,
        )  # fmt: skip
    before = prepare(model)
    samples = split(before, data)
    reference = clone(before)
    outputs = quantizes_outputs(before, (samples.calibration, samples.held_out), settings)
    if settings.equalize:
        equalize(before)
    return Bench(
        reference=reference, before=before, samples=samples, settings=settings, outputs=outputs
    )
