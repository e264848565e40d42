"""A float network with a place for every number of bits that is learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.places import find_places
from hwflow.frontends.quantization.ports import quantize_inputs
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.runs import clone, values_of
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer, origin

Array = npt.NDArray[Any]

PLACEHOLDER = Format(8, signed=True)
"""What stands where a format is learned, until it is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Site:
    """An activation whose format is learned.

    Attributes:
        node: name of the quantiser in the skeleton.
        name: what the author of the model calls the value by.
        names: the same, and what else it may be called by.
        shape: axes of the value, without the batch.
        signed: it was negative somewhere.
        greatest: greatest magnitude of each channel, ``(channels,)``.
    """

    node: str
    name: str
    names: frozenset[str]
    shape: tuple[int, ...]
    signed: bool
    greatest: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Skeleton:
    """A float network with quantisers at its activations, and none at its weights.

    Attributes:
        model: at the QONNX level; the quantisers of ``sites`` stand for those that are learned.
        before: the float network, prepared.
        sites: activations in order.
    """

    model: QonnxModel
    before: QonnxModel
    sites: tuple[Site, ...]

    @property
    def layers(self) -> dict[str, str]:
        """Names of the layers with weights by the name of their node."""
        return {layer.node.name or "": layer.name for layer in layers_of(self.model)}


def skeleton_of(model: QonnxModel, data: Mapping[str, Array]) -> Skeleton:
    """Return the skeleton of a float network.

    Args:
        model: a float model; it is not changed.
        data: samples by input, which say what ranges activations have.

    Raises:
        CompileError: HW313, it has no layer with weights; HW357, it holds quantisers.
    """
    refuse_quantizers(model)
    before = prepare(model)
    after = clone(before)
    places = find_places(after)[0]
    extremes = _extremes(before, data, [p.value.name or "" for p in places])
    sites = []
    for place in places:
        name = place.value.name or ""
        low, high = extremes[name]
        node = insert_quantizer(
            after, place.value, place.uses, PLACEHOLDER, np.float32(1), outward=place.outward
        )
        shape = tuple(int(d) for d in place.value.shape.numpy()[1:]) if place.value.shape else ()
        site = Site(
            node=node.name or "", name=_name(place.value), names=place.names, shape=shape,
            signed=bool(low.min() < 0), greatest=np.maximum(np.abs(low), np.abs(high)),
        )  # fmt: skip
        sites.append(site)
    quantize_inputs(after, [data])
    return Skeleton(after, before, tuple(sites))


def refuse_quantizers(model: QonnxModel) -> None:
    """Make sure that a network is a float one.

    Raises:
        CompileError: HW357, it holds quantisers.
    """
    found = [n for n in model.ir.graph if is_quantizer(n) or is_fixed_quant(n)]
    if found:
        finding = Diagnostic(
            code="HW357", title="a network that is quantised already is not trained",
            where=model.where(found[0]), found=f"{len(found)} quantisers",
            supported="float networks",
            help="train the float network, or give this one fewer bits: hwflow explore",
        )  # fmt: skip
        raise CompileError([finding])


def _name(value: ir.Value) -> str:
    producer = value.producer()
    return origin(producer) if producer is not None else value.name or ""


def _extremes(
    before: QonnxModel, data: Mapping[str, Array], names: list[str]
) -> dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """Return the least and greatest value of each channel (the axis behind the batch)."""
    found: dict[str, tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]] = {}
    for chunk in values_of(before, data, names):
        for name, array in chunk.items():
            rest = (0, *range(2, array.ndim))
            low = np.asarray(array.min(axis=rest), np.float64)
            high = np.asarray(array.max(axis=rest), np.float64)
            if name in found:
                low, high = np.minimum(low, found[name][0]), np.maximum(high, found[name][1])
            found[name] = low, high
    return found
