"""A float model on the bench: prepared once, quantised with many different bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hwflow import frontends
from hwflow.frontends.quantization.equalization import equalize
from hwflow.frontends.quantization.known import Known
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.places import Place, Tie, find_places
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.samples import Samples, split
from hwflow.frontends.quantization.settings import Settings
from hwflow.frontends.quantization.work import quantizes_outputs, work_out
from hwflow.ir.qonnx.model import QonnxModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """A float model with its data, to be quantised with one method and any bits.

    What layers with the same bits have in common is worked out once. The models are those that
    ``quantize(..., independent=True)`` gives.

    Attributes:
        reference: the float model as it was prepared.
        before: the same, equalised where that was asked for.
        samples: calibration and held-out data.
        settings: the method; bits are the widest that will be asked for.
        outputs: quantise outputs that are curves of integers, too.
        known: what was worked out so far.
    """

    reference: QonnxModel
    before: QonnxModel
    samples: Samples
    settings: Settings
    outputs: bool
    known: Known = field(default_factory=Known)

    @classmethod
    def of(cls, source: Any, data: Any, settings: Settings) -> Bench:
        """Read and prepare a model.

        Raises:
            CompileError: the model cannot be read, is quantised already, or does not fit the data.
        """
        settings = replace(settings, independent=True)
        before = prepare(frontends.load(source))
        samples = split(before, data)
        reference = clone(before)
        outputs = quantizes_outputs(before, (samples.calibration, samples.held_out), settings)
        if settings.equalize:
            equalize(before)
        return cls(
            reference=reference, before=before, samples=samples, settings=settings,
            outputs=outputs,
        )  # fmt: skip

    def layers(self) -> list[str]:
        """Return the names of the layers with weights, in order."""
        return [layer.name for layer in layers_of(self.before)]

    def places(self) -> tuple[list[Place], list[Tie]]:
        """Return what is quantised, and what of it shares a scale."""
        return find_places(self.before, outputs=self.outputs)

    def quantized(self, bits: Mapping[str, int]) -> QonnxModel:
        """Return the model with bits by ``NAME.w`` and ``NAME.a``."""
        settings = replace(self.settings, overrides=dict(bits))
        parts = (self.samples.calibration, self.samples.held_out)
        return work_out(self.before, parts, settings, outputs=self.outputs, known=self.known).model
