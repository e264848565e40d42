"""What of a quantisation holds for other bits of other layers, too, kept for the next one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.frontends.quantization.compensation import Moments
from hwflow.frontends.quantization.ranges import Format

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LayerFit:
    """The quantised weights of a layer.

    Attributes:
        matrix: integers times scales, (groups, outputs of a group, inputs of a group).
        scale: what its quantiser stores: one number, or one an output in the weights' shape.
        bias: one number an output; None where the layer keeps the bias that it has.
        compensated: rounding errors were made up for with the data.
    """

    matrix: Floats
    scale: npt.NDArray[Any]
    bias: Floats | None
    compensated: bool


@dataclass(frozen=True, eq=False)
class Known:
    """Results of quantisations of one float model with one set of data and one method.

    Only what layers do not learn from each other is kept: ``Settings.independent``.

    Attributes:
        values: samples of what is quantised, from the float model, by whether outputs are.
        scales: integers and scale of tied activations, by the bits of each.
        moments: moments of a layer's inputs, by the layer and the quantisers before it.
        fits: weights, by the layer, its bits and the quantisers before it.
    """

    values: dict[bool, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)
    scales: dict[Hashable, dict[str, tuple[Format, float]]] = field(default_factory=dict)
    moments: dict[Hashable, list[Moments]] = field(default_factory=dict)
    fits: dict[Hashable, LayerFit] = field(default_factory=dict)
