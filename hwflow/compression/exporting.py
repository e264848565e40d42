"""Learned formats and weights become a QONNX model, which ``build`` takes without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.compression.skeleton import Site, Skeleton
from hwflow.compression.tables import PARTS, Sums, put_tables
from hwflow.fixed import Overflow, Rounding
from hwflow.frontends.quantization.insertion import insert_quantizer
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of, new_constant, store
from hwflow.frontends.quantization.ranges import Format
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.fixed_quant import DOMAIN, OP
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]

FEWEST_BITS = 2
"""Bits that a matrix of zeros is written with; ``Quant`` has none for no bits at all."""


@dataclass(frozen=True, eq=False)
class Learned:
    """What training leaves of a network: plain numbers.

    Attributes:
        weights: matrix and bias of each layer by the name of its node, shaped as in the file.
        whole: bits left of the binary point by the quantiser's node, of a shape that broadcasts.
        fraction: bits right of it.
        sums: tables by the name of the node whose place they take; it has no matrix, ``(0,)``.
    """

    weights: Mapping[str, tuple[Floats, Floats | None]]
    whole: Mapping[str, Floats]
    fraction: Mapping[str, Floats]
    sums: Mapping[str, Sums] = field(default_factory=dict)

    def without_weights(self) -> Learned:
        """Return the same formats with zeros for all weights and biases."""
        zeros = {
            name: (0 * matrix, None if bias is None else 0 * bias)
            for name, (matrix, bias) in self.weights.items()
        }
        sums = {name: tables.emptied() for name, tables in self.sums.items()}
        return Learned(zeros, self.whole, self.fraction, sums)

    def arrays(self) -> dict[str, Floats]:
        """Return all numbers under one name each, for an ``.npz`` file."""
        found = {}
        for name, (weight, bias) in self.weights.items():
            found[f"weight:{name}"] = weight
            if bias is not None:
                found[f"bias:{name}"] = bias
        for name, sums in self.sums.items():
            found |= {f"{part}:{name}": array for part, array in sums.arrays().items()}
        found |= {f"whole:{name}": bits for name, bits in self.whole.items()}
        return found | {f"fraction:{name}": bits for name, bits in self.fraction.items()}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Learned:
        """Return what ``arrays`` gave."""
        parts: dict[str, dict[str, Floats]] = {
            k: {} for k in ("weight", "bias", "whole", "fraction", *PARTS)
        }
        for key, array in arrays.items():
            kind, _, name = key.partition(":")
            parts[kind][name] = np.asarray(array, np.float64)
        weights = {name: (w, parts["bias"].get(name)) for name, w in parts["weight"].items()}
        sums = {name: Sums(*(parts[part][name] for part in PARTS)) for name in parts["values"]}
        return cls(weights, parts["whole"], parts["fraction"], sums)


def exported(skeleton: Skeleton, learned: Learned) -> QonnxModel:
    """Return the network that was trained, exactly.

    Activations round halves up and saturate. Weights and biases are constants on a grid; what has
    few bits there costs few adders.

    Args:
        skeleton: what the trained network was made from.
        learned: what training left.
    """
    model = clone(skeleton.model)
    nodes = {node.name: node for node in model.ir.graph}
    for site in skeleton.sites:
        _set_format(model, nodes[site.node], site, learned)
    model.ir.opset_imports.setdefault(DOMAIN, 1)
    for layer in list(layers_of(model)):
        matrix, bias = learned.weights[layer.node.name or ""]
        sums = learned.sums.get(layer.node.name or "")
        if sums is not None:
            half = _half_of_step(layer, learned)
            offset = half if bias is None else half + bias.ravel()
            put_tables(model, layer, sums, offset)
            continue
        store(layer.weight, matrix)
        if bias is not None and layer.bias_value is not None:
            store(layer.bias_value, bias)
        _quantize_weights(model, layer.node, layer.weight)
    return model


def _half_of_step(layer: Layer, learned: Learned) -> Floats:
    """Return half a step of the quantiser behind a layer's outputs, and have it truncate instead.

    ``floor(y / s + 1/2) s`` is ``floor((y + s / 2) / s) s``, so that tables can hold what rounding
    adds, and no adder does. A relu between keeps that: what is below 0 is 0 in both.
    """
    value = layer.output
    for _ in range(2):
        users = [use.node for use in value.uses()]
        if len(users) != 1 or value.is_graph_output():
            break
        (user,) = users
        bits = learned.fraction.get(user.name or "")
        if bits is not None:
            user.attributes["rounding_mode"] = ir.AttrString("rounding_mode", str(Rounding.TRN))
            return np.asarray(np.exp2(-bits.ravel() - 1))
        if user.op_type != "Relu":
            break
        value = user.outputs[0]
    return np.zeros(1)


def _set_format(model: QonnxModel, node: ir.Node, site: Site, learned: Learned) -> None:
    """Put the learned quantiser in the place of another one."""
    value = node.inputs[0]
    assert value is not None
    bits = {
        "k": np.asarray(float(site.signed)),
        "i": learned.whole[site.node],
        "f": learned.fraction[site.node],
    }
    quantizer = ir.node(
        OP,
        [value, *(new_constant(model, f"{site.node}_{k}", b) for k, b in bits.items())],
        {"rounding_mode": str(Rounding.RND), "overflow_mode": str(Overflow.SAT)},
        domain=DOMAIN,
        name=site.node,
    )
    old, new = node.outputs[0], quantizer.outputs[0]
    new.name, old.name = old.name, None
    new.shape, new.type = old.shape, old.type
    graph = model.ir.graph
    graph.insert_after(node, quantizer)
    ir.convenience.replace_all_uses_with(old, new)
    graph.outputs[:] = [new if output is old else output for output in graph.outputs]
    graph.remove(node, safe=True)


def _quantize_weights(model: QonnxModel, node: ir.Node, weight: ir.Value) -> None:
    """Declare the grid that the weights of a layer are on."""
    values = array_of(weight)
    fraction = _fraction(values)
    greatest = int(np.abs(values * 2.0**fraction).max(initial=0.0))
    form = Format(max(greatest.bit_length() + 1, FEWEST_BITS), signed=True)
    insert_quantizer(model, weight, [(node, 1)], form, np.float32(2.0**-fraction))


def _fraction(values: Floats) -> int:
    """Return the bits right of the binary point that some values need, below 0 where none."""
    mantissa, exponent = np.frexp(values[values != 0])
    if not len(mantissa):
        return 0
    whole = np.asarray(mantissa * 2.0**53, np.int64)
    zeros = np.log2((whole & -whole).astype(np.float64)).astype(np.int64)
    return int((53 - exponent - zeros).max())
