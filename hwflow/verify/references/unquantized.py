"""The network without its quantisers, which a quantised model is held against.

A quantiser becomes the identity: what enters it, weights as the file stores them, leaves it. An
unsigned one keeps its floor at zero, since models that leave out the relu before it mean one.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.lookup_dense import is_lookup_dense
from hwflow.ir.qonnx.model import (
    QonnxModel,
    add_constant,
    attributes,
    constant_of,
    is_quantizer,
    origin,
)
from hwflow.ir.qonnx.nodes import InvalidQuantizerError, read_quantizer
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.qonnx.table import is_table
from hwflow.ir.real.functions import FUNCTIONS

DESCRIPTION = "the network of the same file with unquantised weights and activations"

ROUNDED_WEIGHTS = ", except for weights: the file stores them rounded"


class NoFloatReferenceError(Exception):
    """An error that says why the network means nothing without its quantisers."""


def remove_quantizers(model: QonnxModel) -> str:
    """Turn every quantiser into the identity and say what the network is then.

    Args:
        model: after ``clean_model``; changed in place. Names of values stay.

    Returns:
        A description of the network.

    Raises:
        NoFloatReferenceError: a quantiser takes signs, shifts a zero point, is not constant, or is
            none that the description of the operators knows; a layer is tables.
    """
    sums = next((node for node in model.ir.graph if is_lookup_dense(node)), None)
    if sums is not None:
        raise NoFloatReferenceError(f"{origin(sums)}: tables, which there are of numbers on a grid")
    rounded, weights = 0, 0
    found = [node for node in model.ir.graph if is_quantizer(node)]
    fixed = [node for node in model.ir.graph if is_fixed_quant(node)]
    if not found and not fixed:
        raise NoFloatReferenceError("the model has no quantisers")
    for node in found:
        quantizer = _read(node)
        source = node.inputs[0]
        constant = None if source is None else constant_of(source)
        if constant is not None:
            weights += 1
            rounded += _holds_levels(quantizer, constant.values)
        _bypass(model, node, quantizer, constant=constant is not None)
    for node in fixed:
        _bypass_fixed(node)
    for node in [node for node in model.ir.graph if is_table(node)]:
        _bypass_table(model, node)
    return DESCRIPTION + (ROUNDED_WEIGHTS if weights and rounded == weights else "")


def _bypass_fixed(node: ir.Node) -> None:
    """Turn a ``FixedQuant`` into the identity, or into its floor where no element has a sign."""
    sign = node.inputs[1]
    signs = None if sign is None else constant_of(sign)
    if signs is None:
        raise NoFloatReferenceError(f"{origin(node)}: formats that are not constant")
    node.op_type, node.domain = "Identity" if signs.values.any() else "Relu", ""
    node.attributes.clear()
    node.resize_inputs(1)


def _bypass_table(model: QonnxModel, node: ir.Node) -> None:
    """Put the real function in the place of its numbers."""
    source, given = node.inputs[0], attributes(node)
    assert source is not None
    for op_type, key, idle in (("Mul", "slope", 1.0), ("Add", "offset", 0.0)):
        if given.get(key, idle) == idle:
            continue
        line = ir.Node("", op_type, [source, add_constant(model, key, given[key])])
        line.outputs[0].name = f"{node.outputs[0].name}_{key}"
        line.outputs[0].shape, line.outputs[0].type = source.shape, source.type
        model.ir.graph.insert_before(node, line)
        source = line.outputs[0]
    name = str(given.get("function"))
    if name not in FUNCTIONS:
        raise NoFloatReferenceError(f"{origin(node)}: a table of an unknown function")
    node.op_type, node.domain = name, ""
    node.attributes.clear()
    node.resize_inputs(1)
    node.replace_input_with(0, source)


def _read(node: ir.Node) -> Quantizer:
    """Return a quantiser that can be left out."""
    where = origin(node)
    try:
        quantizer = read_quantizer(node, where)
    except (InvalidQuantizerError, KeyError) as error:
        raise NoFloatReferenceError(f"{where}: the quantiser is not known") from error
    if quantizer.bipolar:
        raise NoFloatReferenceError(f"{where}: a sign is no rounding that could be left out")
    if quantizer.kind == "Trunc" and quantizer.zero_point.any():
        raise NoFloatReferenceError(f"{where}: a Trunc with a zero point")
    return quantizer


def _holds_levels(quantizer: Quantizer, values: npt.NDArray[np.float64]) -> bool:
    """Return whether a quantiser finds its own levels, so that what they were is lost."""
    return np.array_equal(quantizer(values).astype(np.float32), values.astype(np.float32))


def _bypass(model: QonnxModel, node: ir.Node, quantizer: Quantizer, *, constant: bool) -> None:
    """Turn one quantiser into what it is without steps and without an upper limit."""
    keeps_floor = not quantizer.signed and not quantizer.zero_point.any() and not constant
    node.domain = ""
    node.attributes.clear()
    node.resize_inputs(1)
    node.op_type = "Identity"
    if quantizer.kind == "Trunc":
        assert quantizer.output_scale is not None
        divisor = quantizer.scale * 2.0**quantizer.truncated_bits
        node.op_type = "Mul"
        node.resize_inputs(2)
        node.replace_input_with(1, add_constant(model, "ratio", quantizer.output_scale / divisor))
    elif keeps_floor and quantizer.kind == "Quant":
        node.op_type = "Relu"
