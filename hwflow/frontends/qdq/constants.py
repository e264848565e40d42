"""Constants that a model computes before it uses them: scales, zero points, bounds.

Exporters that fold no constants write a zero point as int32 with a ``Cast`` behind it, or a scale
as the exponential of a parameter. Each node is evaluated as ONNX defines it, in the model's own
types.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.frontends.qdq.parameters import LINEAR
from hwflow.ir.qonnx.model import QonnxModel

MAX_ELEMENTS = 2**20
"""Most elements of a value on the way: parameters have one for each channel."""

MAX_NODES = 64
"""Most nodes on the way to a parameter."""


PARAMETERS = LINEAR | {"Clip", "Gather", "Slice"}
"""Operators whose operands behind the first are parameters: scales, zero points, bounds."""


def fold_parameters(model: QonnxModel) -> None:
    """Put constants in the place of parameters that are computed from constants alone.

    So are stored integers that are cast to the type of their zero point.
    """
    computed = Computed(model)
    for node in model.ir.graph:
        if node.op_type not in PARAMETERS or node.domain or not node.inputs:
            continue
        first = None if node.inputs[0] is None else node.inputs[0].producer()
        cast = node.op_type == "DequantizeLinear" and first is not None and first.op_type == "Cast"
        for position in range(0 if cast else 1, len(node.inputs)):
            computed.fold(node, position)


class Computed:
    """The values of a model that depend on no input, evaluated when they are asked for."""

    def __init__(self, model: QonnxModel) -> None:
        """Look at a model whose ``Constant`` nodes are initializers already."""
        self._graph = model.ir.graph
        self._opset = model.ir.opset_imports.get("", 13)
        self._known: dict[ir.Value, npt.NDArray[Any]] = {}
        self._unknown: set[ir.Value] = set()
        self._folded: dict[ir.Value, ir.Value] = {}

    def of(self, value: ir.Value | None) -> npt.NDArray[Any] | None:
        """Return the array that a value is for every input, or None."""
        if value is None:
            return None
        if value.const_value is not None or value in self._known or value in self._unknown:
            return self._held(value)
        for node in self._ancestors(value):
            self._evaluate(node)
        if value not in self._known:
            self._unknown.add(value)
        return self._known.get(value)

    def fold(self, node: ir.Node, position: int) -> None:
        """Put a constant in the place of an operand, where it is computed from constants alone."""
        value = node.inputs[position] if position < len(node.inputs) else None
        if value is None or value.const_value is not None:
            return
        found = self.of(value)
        if found is None:
            return
        if value not in self._folded:
            self._folded[value] = self._initializer(f"{value.name}_folded", found)
        node.replace_input_with(position, self._folded[value])

    def _initializer(self, name: str, array: npt.NDArray[Any]) -> ir.Value:
        """Return a new initializer, under a name that no value has."""
        taken = {v.name for v in (*self._graph.inputs, *self._graph.initializers.values())}
        taken |= {v.name for node in self._graph for v in node.outputs}
        while name in taken:
            name += "_"
        tensor = ir.tensor(np.ascontiguousarray(array).reshape(array.shape), name=name)
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(tensor.dtype),
            const_value=tensor,
        )
        self._graph.register_initializer(value)
        return value

    def _held(self, value: ir.Value) -> npt.NDArray[Any] | None:
        """Return what is known of a value by now."""
        if value.const_value is not None:
            return np.asarray(value.const_value.numpy())
        return self._known.get(value)

    def _ancestors(self, value: ir.Value) -> list[ir.Node]:
        """Return the nodes that compute a constant, in order; none where it is no constant."""
        found: dict[ir.Node, None] = {}
        pending: list[ir.Value | None] = [value]
        while pending:
            current = pending.pop()
            if current is None or current.const_value is not None or current in self._known:
                continue
            node = current.producer()
            if node is None or node.domain or node.op_type in LINEAR or len(found) > MAX_NODES:
                return []
            if node not in found:
                found[node] = None
                pending += node.inputs
        return [node for node in self._graph if node in found]

    def _evaluate(self, node: ir.Node) -> None:
        """Note the results of a node whose operands are all known."""
        from onnx.reference import ReferenceEvaluator

        feeds = {v.name or "": self._held(v) for v in node.inputs if v is not None}
        if not feeds or any(a is None or a.size > MAX_ELEMENTS for a in feeds.values()):
            return
        proto = ir.to_proto(node)
        inputs = [onnx.ValueInfoProto(name=name) for name in feeds]
        outputs = [onnx.ValueInfoProto(name=name) for name in proto.output if name]
        graph = onnx.helper.make_graph([proto], "constant", inputs, outputs)
        imports = [onnx.helper.make_opsetid("", self._opset)]
        try:
            with np.errstate(all="ignore"):
                model = onnx.helper.make_model(graph, opset_imports=imports)
                results = ReferenceEvaluator(model).run(None, feeds)
        except Exception:  # an operator the evaluator lacks, or operands that do not fit
            return
        named = [v for v in node.outputs if v.name]
        for value, result in zip(named, results, strict=True):
            array = np.asarray(result)
            if math.prod(array.shape) <= MAX_ELEMENTS:
                self._known[value] = array
