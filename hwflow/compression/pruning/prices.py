"""What each weight of a network costs, by hwflow's relations between integers and hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.compression.rough import Hardware, Rough, integers_of, operations
from hwflow.compression.target import EBOPS, WEIGHTS
from hwflow.core.board import load_board
from hwflow.estimate import fabric, products
from hwflow.estimate.device import fabric_of
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.runs import clone
from hwflow.frontends.quantization.work import input_bits
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prices:
    """Prices of weights in one measure.

    Attributes:
        weights: the price of each weight, like ``Layer.matrix``, by the name of the layer's node.
        fixed: what the network costs without any weight.
        total: what it costs with all of them: ``fixed`` and the weights' prices, added up.
    """

    weights: Mapping[str, Floats]
    fixed: float
    total: float


def prices_of(model: QonnxModel, rough: Rough, measures: tuple[str, ...]) -> dict[str, Prices]:
    """Return the prices of a network's weights in some measures.

    LUTs and DSP blocks of the whole network and of the same with zeros for all weights are
    estimated; the difference is shared out by the relations of ``hwflow.estimate`` for single
    products. What equal constants share and what layers around them take is so in all prices.

    Args:
        model: a float network, prepared.
        rough: estimates.
        measures: names of figures.
    """
    made = rough.quantized(model)
    totals = rough.figures(model, measures)
    empty = without_weights(model)
    fixed = rough.figures(empty, tuple(m for m in measures if m not in (WEIGHTS, EBOPS)))
    found = {}
    for measure in measures:
        raw = _raw(made, model, rough.hardware, measure)
        whole = sum(float(part.sum()) for part in raw.values())
        base = fixed.get(measure, 0.0)
        ratio = max(totals[measure] - base, 0.0) / whole if whole else 0.0
        scaled = {name: ratio * part for name, part in raw.items()}
        found[measure] = Prices(scaled, min(base, totals[measure]), totals[measure])
    return found


def without_weights(model: QonnxModel) -> QonnxModel:
    """Return a network with zeros for all weights."""
    empty = clone(model)
    for layer in list(layers_of(empty)):
        layer.set_matrix(0 * layer.matrix())
    return empty


def _raw(
    made: QonnxModel, model: QonnxModel, hardware: Hardware, measure: str
) -> dict[str, Floats]:
    """Return what weights cost in relation to each other; 0 for those that are 0."""
    if measure == EBOPS:
        return operations(made)
    if measure == WEIGHTS:
        return {
            layer.node.name or "": (layer.matrix() != 0).astype(np.float64)
            for layer in layers_of(model)
        }
    bits, found = input_bits(made), {}
    target = Target(part=load_board(hardware.board).part, io_type=hardware.io_type)
    for layer in layers_of(made):
        name = layer.node.name or ""
        whole = integers_of(layer).astype(np.int64)
        found[name] = _product_prices(whole, bits.get(name, 8), target, hardware, measure)
    return found


def _product_prices(
    whole: npt.NDArray[np.int64], bits: int, target: Target, hardware: Hardware, measure: str
) -> Floats:
    """Return the LUTs or DSP blocks of each product of one layer by a constant.

    Args:
        whole: integers, ``(groups, outputs, inputs)``.
        bits: width of what they are multiplied with.
        target: back end and part.
        hardware: strategy and reuse factor.
        measure: ``dsp``, or LUTs.
    """
    live, digits = whole != 0, products.csd_digits(whole)
    width = products.constant_bits(whole)
    if hardware.reuse_factor > 1:
        in_dsp = live
        blocks = live / hardware.reuse_factor
    else:
        in_dsp = live & products.goes_to_dsp(digits, width + bits, target.backend)
        tiles = products.dsp_tiles(np.full_like(width, bits), width, fabric_of(target).ports)
        blocks = in_dsp * tiles / _sharing(whole)
    if measure == "dsp":
        return np.asarray(blocks, np.float64)
    rows = np.abs(whole).sum(axis=2, keepdims=True)
    accum = bits + np.ceil(np.log2(np.maximum(rows, 1)))
    inside = np.maximum(digits - 1, 0) * (width + bits) * ~in_dsp
    luts = live * (accum + fabric.SHIFT_ADD_WEIGHT * inside)
    return np.asarray(fabric.LUT_PER_ADDER_BIT * luts, np.float64)


def _sharing(whole: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return how many equal constants one input is multiplied with, which is done once."""
    found = np.ones_like(whole)
    for group, part in enumerate(whole):
        for column in range(part.shape[1]):
            _, places, counts = np.unique(part[:, column], return_inverse=True, return_counts=True)
            found[group, :, column] = counts[places.ravel()]
    return found
