"""Sums of tables that training leaves become nodes of a QONNX model, in the place of products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.layers import Layer, layers_of, new_constant
from hwflow.ir.qonnx.fixed_quant import DOMAIN
from hwflow.ir.qonnx.lookup_dense import OP, function
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]

PARTS = ("first", "step", "count", "values")


@dataclass(frozen=True, eq=False)
class Sums:
    """The tables of a layer, each of one input.

    Attributes:
        first: least number that each input can be, ``(inputs,)``.
        step: from one number to the next.
        count: how many there are.
        values: entries, ``(inputs, numbers, outputs)``.
    """

    first: Floats
    step: Floats
    count: Floats
    values: Floats

    def emptied(self) -> Sums:
        """Return tables of zeros."""
        return Sums(self.first, self.step, self.count, 0 * self.values)

    def arrays(self) -> dict[str, Floats]:
        """Return all numbers by name."""
        return {name: getattr(self, name) for name in PARTS}


def tabled(model: QonnxModel, names: Sequence[str] | None) -> frozenset[str]:
    """Return the nodes of dense layers that become tables.

    Args:
        model: with the layers.
        names: what the author calls the layers; all dense ones where none is named.

    Raises:
        CompileError: HW373, there is no such dense layer.
    """
    if names is None:
        return frozenset()
    known = {layer.name: layer.node.name or "" for layer in layers_of(model) if _is_dense(layer)}
    missing = [name for name in names if name not in known]
    if missing or not known:
        finding = Diagnostic(
            code="HW373", title="no dense layer that can become tables", where="--layers",
            found=", ".join(missing) or "no dense layer at all",
            supported=", ".join(known) or "layers of one vector: Linear, Gemm, MatMul",
            help="name layers that are there, or leave --layers out for all of them"
            if known else "train it with products: hwflow compress qat",
        )  # fmt: skip
        raise CompileError([finding])
    return frozenset(known[name] for name in (names or known))


def _is_dense(layer: Layer) -> bool:
    """Return whether a layer multiplies one vector of a sample with its matrix."""
    x, shape = layer.node.inputs[0], layer.weight.shape
    vector = x is not None and x.shape is not None and len(x.shape) == 2
    return layer.node.op_type in ("Gemm", "MatMul") and vector and shape is not None


def put_tables(model: QonnxModel, layer: Layer, sums: Sums, offset: Floats) -> None:
    """Put tables in the place of a dense layer and of the addition of its bias.

    Args:
        model: changed in place.
        layer: the dense layer.
        sums: its tables.
        offset: added to the entries of each output's first table, ``(outputs,)`` or ``(1,)``.
    """
    values = sums.values.copy()
    values[0] += offset
    arrays = operands_of(replace(sums, values=values))
    old = layer.node
    operands = [_constant(model, f"{old.name}_{name}", array) for name, array in arrays.items()]
    node = ir.node(OP, [old.inputs[0], *operands], domain=DOMAIN, name=old.name)
    _replace(model, layer, node)
    found = ir.serde.deserialize_function(function())
    model.ir.functions[found.identifier()] = found


def operands_of(sums: Sums) -> dict[str, npt.NDArray[np.generic]]:
    """Return the constants of the node by name, of the types that it has them in.

    Each output reads one table of each input.
    """
    inputs, size, outputs = sums.values.shape
    shape = (outputs, inputs, 1)
    floats = {name: getattr(sums, name) for name in ("first", "step", "count")}
    whole = {
        "source": np.broadcast_to(np.arange(inputs)[:, None], shape),
        "stride": np.ones(shape),
        "start": size * np.arange(outputs * inputs).reshape(shape[:2]),
    }
    values = {"values": np.moveaxis(sums.values, 2, 0).ravel()}
    return {
        **{name: np.ascontiguousarray(array, np.float32) for name, array in floats.items()},
        **{name: np.ascontiguousarray(array, np.int64) for name, array in whole.items()},
        **{name: np.ascontiguousarray(array, np.float32) for name, array in values.items()},
    }


def _constant(model: QonnxModel, name: str, array: npt.NDArray[np.generic]) -> ir.Value:
    value = new_constant(model, name, np.zeros(1))
    tensor = ir.tensor(array, name=value.name)
    value.const_value = tensor
    value.shape, value.type = ir.Shape(array.shape), ir.TensorType(tensor.dtype)
    return value


def _replace(model: QonnxModel, layer: Layer, node: ir.Node) -> None:
    """Put a node where a layer is, and remove that and the addition behind it."""
    graph, old, result = model.ir.graph, layer.node, layer.output
    new = node.outputs[0]
    new.name, result.name = result.name, None
    new.shape, new.type = result.shape, result.type
    graph.insert_after(old, node)
    graph.outputs[:] = [new if output is result else output for output in graph.outputs]
    ir.convenience.replace_all_uses_with(result, new)
    last = result.producer()
    if last is not None and last is not old:
        graph.remove(last, safe=True)
    graph.remove(old, safe=True)
