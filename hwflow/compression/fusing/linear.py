"""Layers without anything between them become one layer: batch norms, and products of products."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.frontends.conversion import canonical
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of, new_constant, store
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel, attributes, is_quantizer, origin

Floats = npt.NDArray[np.float64]

EXACT = 2**24
"""Whole numbers up to it are float32 numbers."""


@dataclass(frozen=True)
class Fused:
    """What became of places where layers follow each other.

    Attributes:
        merged: names of layers that are part of another now, and of that one.
        left: names of layers that stay, and why.
    """

    merged: tuple[tuple[str, str], ...]
    left: tuple[tuple[str, str], ...]


def fuse_layers(model: QonnxModel) -> tuple[QonnxModel, Fused]:
    """Return a network in which layers that follow each other directly are one.

    A matrix behind a matrix is their product; a layer that would have more products than both is
    left as it is. Weights that are quantised are multiplied as whole numbers, which is exact bit
    for bit, or left.

    Args:
        model: at the QONNX level, float networks prepared; it is not changed.
    """
    made = canonical(model)
    merged: list[tuple[str, str]] = []
    left: dict[str, str] = {}
    while True:
        pairs = [p for p in _pairs(made) if p[0].name not in left]
        if not pairs:
            break
        first, second = pairs[0]
        reason = _merge(made, first, second)
        if reason:
            left[first.name] = f"before {second.name}: {reason}"
        else:
            merged.append((first.name, second.name))
    common.RemoveUnusedNodesPass()(made.ir)
    left |= {origin(node): _why_norm(node) for node in _norms(made)}
    return clone(made), Fused(tuple(merged), tuple(left.items()))


def _norms(model: QonnxModel) -> Iterator[ir.Node]:
    yield from (n for n in model.ir.graph if n.op_type == "BatchNormalization" and not n.domain)


def _why_norm(node: ir.Node) -> str:
    before = node.inputs[0].producer() if node.inputs[0] is not None else None
    if before is not None and len(before.inputs) > 1 and before.inputs[1] is not None:
        weight = before.inputs[1].producer()
        if weight is not None and is_quantizer(weight):
            return f"its factors are on no grid that the weights of {origin(before)} have"
    return "no layer with weights stands alone before it"


def _pairs(model: QonnxModel) -> Iterator[tuple[Layer, Layer]]:
    """Yield dense layers that alone take the result of another one; 1x1 convolutions as well."""
    layers = {layer.node: layer for layer in layers_of(model)}
    outputs = {v.name for v in model.ir.graph.outputs}
    for first in layers.values():
        result = first.output
        users = [use.node for use in result.uses()]
        if len(users) != 1 or result.name in outputs or users[0].inputs[0] is not result:
            continue
        second = layers.get(users[0])
        if second is not None and _is_linear(first, second):
            yield first, second


def _is_linear(first: Layer, second: Layer) -> bool:
    """Return whether the second layer multiplies the channels of the first at each place alone."""
    if first.node.op_type == "Conv" and second.node.op_type == "Conv":
        given = attributes(second.node)
        shape = second.weight.shape.numpy() if second.weight.shape is not None else ()
        plain = all(s == 1 for s in (*shape[2:], *(given.get("strides") or ())))
        padded = any(given.get("pads") or ()) or given.get("auto_pad", "NOTSET") == "SAME"
        return plain and not padded and first.groups == second.groups == 1
    return "Conv" not in (first.node.op_type, second.node.op_type)


def _merge(model: QonnxModel, first: Layer, second: Layer) -> str:
    """Put the product of two layers in the place of the second; return why not, or nothing."""
    a, b = first.matrix()[0], second.matrix()[0]
    if b.shape[0] * a.shape[1] > a.size + b.size:
        return f"{b.shape[0] * a.shape[1]:,} products instead of {a.size + b.size:,}"
    scales = [_scale(layer) for layer in (first, second)]
    if scales == [None, None]:
        matrix, bias = b @ a, _bias(first, second, b @ _zeros(first) + _zeros(second))
    else:
        if None in scales:
            return "its weights have no single scale, or only one of both has quantised weights"
        made = _whole(first, second, [s for s in scales if s is not None])
        if isinstance(made, str):
            return made
        matrix, bias = made
        _requantize(second, matrix, np.float32(float(scales[0] or 1) * float(scales[1] or 1)))
    _take_out(model, first, second, matrix)
    if bias is not None:
        second.set_bias(bias)
    return ""


def _bias(first: Layer, second: Layer, total: Floats) -> Floats | None:
    return None if first.bias() is None and second.bias() is None else total


def _zeros(layer: Layer) -> Floats:
    bias = layer.bias()
    return np.zeros(layer.matrix().shape[1]) if bias is None else np.asarray(bias, np.float64)


def _scale(layer: Layer) -> np.float32 | None:
    """Return the only scale of a layer's quantised weights, None for none or several."""
    value = layer.node.inputs[1]
    node = None if value is None else value.producer()
    if (
        node is None
        or node.op_type != "Quant"
        or any(v is None or v.const_value is None for v in node.inputs[1:4])
    ):
        return None
    scale, zero = (array_of(v) for v in node.inputs[1:3] if v is not None)
    return np.float32(scale.ravel()[0]) if scale.size == 1 and not zero.any() else None


def _whole(
    first: Layer, second: Layer, scales: list[np.float32]
) -> tuple[Floats, Floats | None] | str:
    """Return the product of two layers of whole weights and its bias, if float32 holds both."""
    one, two = (
        np.clip(np.rint(layer.matrix()[0] / np.float64(s)), *_ends(layer)).astype(np.int64)
        for layer, s in zip((first, second), scales, strict=True)
    )
    product, scale = two @ one, np.float64(scales[0]) * np.float64(scales[1])
    if np.float64(np.float32(scale)) != scale or np.abs(product).max(initial=0) >= EXACT:
        return "the product of both scales, or of the weights, is no float32 number"
    bias = _exact_bias(first, second, two, scales[1])
    if isinstance(bias, str):
        return bias
    return product * scale, bias


def _ends(layer: Layer) -> tuple[float, float]:
    """Return the least and greatest whole weight that a layer's quantiser has."""
    value = layer.node.inputs[1]
    node = None if value is None else value.producer()
    assert node is not None
    given: dict[str, Any] = attributes(node)
    assert node.inputs[3] is not None
    bits = float(array_of(node.inputs[3]).ravel()[0])
    top = 2.0 ** (bits - (1 if given.get("signed", 1) else 0)) - 1
    return (-top - 1 + given.get("narrow", 0) if given.get("signed", 1) else 0.0), top


def _exact_bias(
    first: Layer, second: Layer, whole: npt.NDArray[np.int64], scale: np.float32
) -> Floats | str | None:
    """Return the bias of the product by exact arithmetic, None where there is none."""
    biases = [layer.bias() for layer in (first, second)]
    if all(bias is None for bias in biases):
        return None
    ours, theirs = _zeros(first), _zeros(second)
    found = []
    for row, own in zip(whole.tolist(), theirs.tolist(), strict=True):
        terms = (Fraction(w) * Fraction(b) for w, b in zip(row, ours.tolist(), strict=True) if w)
        total = Fraction(own) + Fraction(float(scale)) * sum(terms, Fraction(0))
        if Fraction(float(np.float32(float(total)))) != total:
            return "its bias behind the second layer is no float32 number"
        found.append(float(total))
    return np.array(found)


def _requantize(layer: Layer, matrix: Floats, scale: np.float32) -> None:
    """Give the quantiser of a layer's weights the scale and the bits of others."""
    value = layer.node.inputs[1]
    node = None if value is None else value.producer()
    assert node is not None
    greatest = int(np.abs(np.rint(matrix / np.float64(scale))).max(initial=1))
    bits = np.float32(greatest.bit_length() + 1)
    for index, number in ((1, scale), (3, bits)):  # others may use the constants that were there
        name = f"{layer.name}.{'scale' if index == 1 else 'bits'}"
        node.replace_input_with(index, new_constant(layer.model, name, np.asarray(number)))
    for key, flag in (("signed", 1), ("narrow", 0)):
        node.attributes[key] = ir.AttrInt64(key, flag)


def _take_out(model: QonnxModel, first: Layer, second: Layer, matrix: Floats) -> None:
    """Remove the first layer, and give the second one its product."""
    source = first.node.inputs[0]
    assert source is not None
    if second.node.op_type == "Conv":
        kernel = first.weight.shape.numpy()[1:] if first.weight.shape is not None else ()
        store(second.weight, matrix.reshape(len(matrix), *map(int, kernel)))
        for name in ("kernel_shape", "strides", "pads", "dilations", "auto_pad"):
            second.node.attributes.pop(name, None)
            if name in first.node.attributes:
                second.node.attributes[name] = first.node.attributes[name]
    else:
        store(second.weight, matrix if second.outputs_first else matrix.T)
    second.node.replace_input_with(0, source)
    gone = [first.output.producer(), first.node]
    for node in dict.fromkeys(node for node in gone if node is not None):
        model.ir.graph.remove(node, safe=True)
