"""A model on the bench: prepared once, quantised with many different bits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from hwflow.frontends.quantization.known import Known
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.places import Place, find_places
from hwflow.frontends.quantization.samples import Samples
from hwflow.frontends.quantization.settings import Settings
from hwflow.frontends.quantization.work import work_out
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

    def layers(self) -> list[str]:
        """Return the names of the layers with weights, in order."""
        return [layer.name for layer in layers_of(self.before)]

    def activations(self) -> list[tuple[str, ...]]:
        """Return one setting of each activation, those that share a scale together."""
        named = self._named()
        return [tuple(named[id(p)] for p in members) for members in self._ties]

    def settings_of_values(self) -> dict[str, str]:
        """Return the setting of each value that is quantised, by the name of the value."""
        named = self._named()
        return {p.value.name or "": named[id(p)] for members in self._ties for p in members}

    @property
    def kind(self) -> str:
        """What stands as reference: the ``float`` model, or the one that was ``trained``."""
        return "float"

    @property
    def most(self) -> Mapping[str, int]:
        """The most bits of each setting, where they are fewer than what can be asked for."""
        return {}

    @cached_property
    def _ties(self) -> list[list[Place]]:
        ties = find_places(self.before, outputs=self.outputs)[1]
        return [[place for group in tie.groups for place in group] for tie in ties]

    def _named(self) -> dict[int, str]:
        """Return the setting of each place: a name that no other has."""
        counted = Counter(n for members in self._ties for p in members for n in p.names)
        layers = set(self.layers())
        return {
            id(place): min(
                (n for n in place.names if counted[n] == 1),
                key=lambda n: (n not in layers, len(n), n),
            )
            + ".a"
            for members in self._ties
            for place in members
        }

    def quantized(self, bits: Mapping[str, int]) -> QonnxModel:
        """Return the model with bits by ``NAME.w`` and ``NAME.a``."""
        settings = replace(self.settings, overrides=dict(bits))
        parts = (self.samples.calibration, self.samples.held_out)
        return work_out(self.before, parts, settings, outputs=self.outputs, known=self.known).model
