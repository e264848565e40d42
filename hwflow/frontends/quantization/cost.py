"""What quantisation cost: outputs and layers of the quantised model against the float one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.distance import Distance, classes_of, share_of
from hwflow.frontends.quantization.runs import values_of
from hwflow.ir.qonnx.model import QonnxModel

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """One layer with weights.

    Attributes:
        name: name that its author knows it by.
        operator: ONNX operator.
        weight_bits: bits of its integer weights.
        input_bits: bits of the activations that enter it.
        scales: number of scales of its weights: 1, or one for each output.
        compensated: rounding errors were made up for with the calibration data.
        sqnr_db: signal power over noise power of its results, in dB, held-out data; the noise of
            the layers before included. None where there is no noise or no signal.
    """

    name: str
    operator: str
    weight_bits: int
    input_bits: int
    scales: int
    compensated: bool
    sqnr_db: float | None


@dataclass(frozen=True)
class OutputCost:
    """One output of the model, on held-out data.

    Attributes:
        name: name of the output.
        sqnr_db: signal power over noise power, in dB, as for layers.
        agreement: share of samples whose greatest value is at the same place; None where an output
            is a single value.
        accuracy: share of samples whose greatest value is at the label; None without labels.
        float_accuracy: the same of the float model, or of the trained one.
    """

    name: str
    sqnr_db: float | None
    agreement: float | None
    accuracy: float | None
    float_accuracy: float | None


@dataclass(frozen=True)
class Cost:
    """What quantisation cost.

    Attributes:
        layers: what each layer cost, in order of computation.
        outputs: outputs of the model.
        calibration: samples that scales and weights were chosen with.
        held_out: other samples, on which the cost is measured.
        reference: what it is measured against: the ``float`` model, or the one that was
            ``trained`` quantised.
    """

    layers: tuple[LayerCost, ...]
    outputs: tuple[OutputCost, ...]
    calibration: int
    held_out: int
    reference: str = "float"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        return asdict(self)


def layer_sqnr(
    before: QonnxModel, after: QonnxModel, data: Mapping[str, Array], names: Sequence[str]
) -> list[float | None]:
    """Return the signal-to-noise ratio of values that both models have, in dB.

    The formula is 10 log10(sum of squares of the float values / sum of squares of the differences).
    """
    distances = [Distance() for _ in names]
    for a, b in zip(values_of(before, data, names), values_of(after, data, names), strict=True):
        for name, distance in zip(names, distances, strict=True):
            distance.add(a[name], b[name])
    ratios = [distance.sqnr_db for distance in distances]
    return [ratio if isfinite(ratio) else None for ratio in ratios]


def output_costs(
    before: QonnxModel, after: QonnxModel, data: Mapping[str, Array], labels: Array | None
) -> tuple[OutputCost, ...]:
    """Return what each output of the float model lost."""
    names = [v.name or "" for v in before.ir.graph.outputs]
    ratios = layer_sqnr(before, after, data, names)
    pairs = list(zip(values_of(before, data, names), values_of(after, data, names), strict=True))
    found = []
    for name, ratio in zip(names, ratios, strict=True):
        real, ours = (classes_of(np.concatenate([p[i][name] for p in pairs])) for i in (0, 1))
        usable = labels if real is not None and labels is not None else None
        found.append(
            OutputCost(
                name, ratio, share_of(ours, real), share_of(ours, usable), share_of(real, usable)
            )
        )
    return tuple(found)
