"""What rewritings share: new nodes and constants in the place of a node."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, add_constant, set_constant


class Rewriter:
    """Writes nodes before one that they take the place of."""

    def __init__(self, model: QonnxModel, node: ir.Node) -> None:
        """Write before ``node``, whose name new nodes carry as well."""
        self._model, self._node = model, node

    def add(self, op_type: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Value:
        """Add a node and return its result, under a name of its own.

        Args:
            op_type: as ``Op.onnx`` names it, with ``domain::`` where it is not ONNX's own.
            inputs: its operands.
            attributes: its attributes.
        """
        result = self._insert(op_type, inputs, attributes)
        suffix = op_type.rpartition("::")[2].lower()
        result.name = self._unique(f"{self._node.outputs[0].name}_{suffix}")
        return result

    def replace(
        self, op_type: str, inputs: Sequence[ir.Value | None], which: int = 0, **attributes: Any
    ) -> None:
        """Add the node that gives one of the results from now on, under the result's name."""
        old = self._node.outputs[which]
        result = self._insert(op_type, inputs, attributes)
        result.name, old.name = old.name, None
        result.shape, result.type = old.shape, old.type
        ir.convenience.replace_all_uses_with(old, result, replace_graph_outputs=True)

    def done(self) -> bool:
        """Take the node away, whose results all have other nodes by now; return True."""
        graph = self._model.ir.graph
        graph.remove(self._node, safe=True)
        return True

    def integers(self, name: str, values: Sequence[int] | npt.NDArray[np.int64]) -> ir.Value:
        """Return a new constant of int64: a shape, axes, indices."""
        array = np.asarray(values, np.int64)
        name = self._unique(f"{self._node.outputs[0].name}_{name}")
        value = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.INT64),
            const_value=ir.tensor(array, name=name),
        )
        self._model.ir.graph.register_initializer(value)
        return value

    def numbers(self, name: str, like: Constant) -> ir.Value:
        """Return a new constant of real numbers, as quantised as the one that it is made of."""
        name = self._unique(f"{self._node.outputs[0].name}_{name}")
        value = add_constant(self._model, name, like.values)
        set_constant(value, like)
        return value

    def _insert(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: dict[str, Any]
    ) -> ir.Value:
        domain, _, name = op_type.rpartition("::")
        new = ir.node(
            name, list(inputs), attributes=attributes, name=self._node.name, domain=domain
        )
        new.metadata_props.update(self._node.metadata_props)
        self._model.ir.graph.opset_imports.setdefault(domain, 1)
        self._model.ir.graph.insert_before(self._node, new)
        return new.outputs[0]

    def _unique(self, name: str) -> str:
        """Return a name that no value of the model has."""
        graph = self._model.ir.graph
        taken = {v.name for v in (*graph.inputs, *graph.initializers.values())}
        taken |= {v.name for node in graph for v in node.outputs}
        found, count = name, 1
        while found in taken:
            count += 1
            found = f"{name}_{count}"
        return found


def dims(value: ir.Value | None) -> tuple[int, ...]:
    """Return a known shape."""
    return () if value is None or value.shape is None else tuple(map(int, value.shape.numpy()))


def attribute(node: ir.Node, name: str, default: int) -> int:
    """Return a whole number among a node's attributes."""
    return node.attributes[name].as_int() if name in node.attributes else default
