"""What the forms of qonnx's operators are written with: nodes in the place of another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper


class UnknownFormError(Exception):
    """A node is not as qonnx writes it; the text says what of it."""


class Forms:
    """Writes nodes in the place of others, in a copy of a model."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        """Take over a model, which is not changed."""
        self.proto = onnx.ModelProto()
        self.proto.CopyFrom(proto)
        graph = self.proto.graph
        values = (*graph.input, *graph.value_info, *graph.output)
        self._ranks = {
            v.name: len(v.type.tensor_type.shape.dim)
            for v in values
            if v.type.tensor_type.HasField("shape")
        }
        self._names = {t.name for t in graph.initializer} | {v.name for v in values}
        self._names |= {name for node in graph.node for name in (*node.input, *node.output)}
        self._rows = {t.name: t.dims[0] for t in graph.initializer if t.dims}
        self._nodes: list[onnx.NodeProto] = []
        self.functions: dict[str, Callable[[], onnx.FunctionProto]] = {}

    def place(self, node: onnx.NodeProto) -> None:
        """Take a node as it is."""
        self._nodes.append(node)

    def done(self) -> onnx.ModelProto:
        """Return the model of the nodes that were added."""
        del self.proto.graph.node[:]
        self.proto.graph.node.extend(self._nodes)
        known = {o.domain for o in self.proto.opset_import}
        for domain in sorted({node.domain for node in self._nodes} - known):
            self.proto.opset_import.append(helper.make_opsetid(domain, 1))
        self.proto.functions.extend(make() for make in self.functions.values())
        self.proto.ir_version = max(self.proto.ir_version, 8)  # the first one with functions
        return self.proto

    @property
    def opset(self) -> int:
        """Version of the standard operators; 0 where it is not known."""
        found = [int(o.version) for o in self.proto.opset_import if not o.domain]
        return max(found, default=0)

    def rank(self, name: str) -> int:
        """Return how many axes a value is recorded to have.

        Raises:
            UnknownFormError: the model does not say it.
        """
        if name not in self._ranks:
            raise UnknownFormError("the model does not record the shape of its operand")
        return self._ranks[name]

    def rows(self, name: str) -> int:
        """Return the length of a constant's first axis, or 0 where it is not known."""
        return int(self._rows.get(name, 0))

    def unique(self, name: str) -> str:
        """Return a name that no value has."""
        found, count = name, 1
        while found in self._names:
            count += 1
            found = f"{name}_{count}"
        self._names.add(found)
        return found

    def constant(self, node: onnx.NodeProto, name: str, values: Any, dtype: Any) -> str:
        """Return the name of a new constant."""
        name = self.unique(f"{node.output[0]}_{name}")
        tensor = numpy_helper.from_array(np.asarray(values, dtype), name)
        self.proto.graph.initializer.append(tensor)
        return name

    def add(
        self,
        node: onnx.NodeProto,
        op_type: str,
        inputs: Sequence[str],
        *,
        last: bool = False,
        domain: str = "",
        **attributes: Any,
    ) -> str:
        """Add a node that does a part of what another does; return its result.

        Args:
            node: the other node, which gives its name.
            op_type: the operator.
            inputs: its operands.
            last: it gives the result of the other node.
            domain: domain of the operator.
            attributes: its attributes.
        """
        result = node.output[0] if last else self.unique(f"{node.output[0]}_{op_type.lower()}")
        main = last and op_type != "Transpose"
        name = node.name if main or not node.name else f"{node.name}_{op_type.lower()}"
        new = helper.make_node(op_type, inputs, [result], name, None, domain, **attributes)
        self._nodes.append(new)
        return result

    def keep(self, node: onnx.NodeProto, inputs: Sequence[str]) -> str:
        """Add the standard node of the same name and attributes; return its result."""
        new = onnx.NodeProto()
        new.CopyFrom(node)
        new.domain = ""
        result = self.unique(f"{node.output[0]}_first")
        del new.input[:], new.output[:]
        new.input.extend(inputs)
        new.output.append(result)
        self._nodes.append(new)
        return result
