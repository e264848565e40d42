"""What a layer's products cost in hardware, against the layer as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hwflow.compression.lowrank.factors import Factors
from hwflow.compression.lowrank.fourier import fft_ratio
from hwflow.compression.lowrank.surgery import factored
from hwflow.compression.rough import Rough
from hwflow.compression.target import DSP, LUT
from hwflow.core.board import load_board
from hwflow.frontends.quantization.layers import Layer
from hwflow.ir.qonnx.model import QonnxModel


@dataclass(frozen=True, eq=False, kw_only=True)
class Trial:
    """A layer with a product that it may become.

    Attributes:
        layer: name of the layer's node.
        factors: the product.
        saved: what the whole network costs less with it, by measure; below 0 for more.
        pays: it takes a smaller share of the board.
    """

    layer: str
    factors: Factors
    saved: Mapping[str, float]
    pays: bool


@dataclass(frozen=True, eq=False)
class Judge:
    """Estimates a network with one of its layers factored.

    Attributes:
        model: the network.
        rough: estimates.
        measures: names of figures.
        figures: those of the network as it is.
        alone: those of its layers, LUTs and DSP blocks, by name and measure.
    """

    model: QonnxModel
    rough: Rough
    measures: tuple[str, ...]
    figures: Mapping[str, float]
    alone: Mapping[tuple[str, str], float]

    @classmethod
    def of(cls, model: QonnxModel, rough: Rough, measures: tuple[str, ...]) -> Judge:
        """Return a judge; LUTs and DSP blocks are always among its measures."""
        every = tuple(dict.fromkeys((LUT, DSP, *measures)))
        rows = rough.hardware.compiled(rough.quantized(model)).estimate().layers
        alone: dict[tuple[str, str], float] = {}
        for row in rows:
            for measure in (LUT, DSP):
                key = (row.origin, measure)
                alone[key] = alone.get(key, 0.0) + getattr(row.cost, measure).value
        return cls(model, rough, every, rough.figures(model, every), alone)

    def trial(self, layer: Layer, factors: Factors) -> Trial:
        """Return what a product in the place of a layer saves.

        It pays if the shares of the board's LUTs and DSP blocks, added up, get less.
        """
        name = layer.node.name or ""
        after = self.rough.figures(factored(self.model, name, factors), self.measures)
        saved = {m: self.figures[m] - after[m] for m in self.measures}
        resources = load_board(self.rough.hardware.board).resources
        blocks = resources.count("dsp")
        share = saved[LUT] / resources.count("lut") + (saved[DSP] / blocks if blocks else 0.0)
        return Trial(layer=name, factors=factors, saved=saved, pays=share > 0)

    def row(self, layer: Layer, trial: Trial, *, taken: bool, why: str) -> dict[str, Any]:
        """Return what is told of a layer: rank, error, costs, decision, and what FFT would cost."""
        before = {m: self.alone.get((layer.name, m), 0.0) for m in (LUT, DSP)}
        ratio = fft_ratio(layer)
        return {
            "layer": layer.name, "rank": trial.factors.rank, "error": trial.factors.error,
            "before": before, "after": {m: before[m] - trial.saved[m] for m in before},
            "taken": taken, "why": why, "fft": None if ratio is None else {
                "multiplications": ratio, LUT: ratio * before[LUT], DSP: ratio * before[DSP],
            },
        }  # fmt: skip
