"""What is known while the ONNX nodes are visited in order."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.graph import Node, Port
from hwflow.ir.grid import UNIT, Grid
from hwflow.ir.names import Namer
from hwflow.ir.op import Constant, Op
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.scaled import grid_of, on_grid
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.passes.lowering.deferred import Deferred

Axes = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Made:
    """What a result of an ONNX node became.

    Attributes:
        result: the node's result.
        held: the hardware value that it is, or the first of those that it is a function of.
        axes: the order of its axes.
        deferred: the function, where it is one that nothing has computed yet.
        own: whether the hardware value is computed for this result.
    """

    result: onnx_ir.Value
    held: str
    axes: Axes
    deferred: Deferred | None = None
    own: bool = True


@dataclass(kw_only=True, eq=False)
class Walk:
    """What is known so far.

    Attributes:
        model: being lowered.
        constants: the constants by ONNX name.
        namer: gives hardware names.
        nodes: nodes of the hardware graph.
        types: the types of the hardware values, by name.
        values: for each ONNX value the hardware value, and the order of its axes.
        deferred: the ONNX values that are functions of their hardware value.
        port_grids: what the integers at an input that the host quantises mean, by hardware name.
        findings: what cannot be computed.
    """

    model: QonnxModel
    constants: dict[str, Constant]
    namer: Namer
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    values: dict[str, tuple[str, Axes]] = field(default_factory=dict)
    deferred: dict[str, Deferred] = field(default_factory=dict)
    port_grids: dict[str, Grid] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def add(self, op: Op, inputs: tuple[str, ...], name: str, origin: str) -> str:
        """Append a node and return its name."""
        node = Node(self.namer.unique(name, port=isinstance(op, Input)), op, inputs, origin)
        self.types[node.name] = op.infer(*(self.types[i] for i in inputs))
        self.nodes.append(node)
        return node.name

    def op(self, name: str) -> Op:
        """Return the operator of a node that was added before."""
        return next(n.op for n in reversed(self.nodes) if n.name == name)

    def quantize_port(self, name: str, quantizer: Quantizer) -> TensorType:
        """Let the host quantise what enters by an input, and return the type of the port."""
        port = self.op(name)
        assert isinstance(port, Input)
        op = replace(port, quantizer=quantizer, assumed=False)
        op = replace(op, dtype=op.exact().dtype)
        self.replace_node(name, op=op)
        return op.exact()

    def replace_node(self, name: str, **changes: Any) -> None:
        """Change fields of a node that was added before."""
        index = next(i for i in range(len(self.nodes) - 1, -1, -1) if self.nodes[i].name == name)
        self.nodes[index] = replace(self.nodes[index], **changes)

    def grid(self, value: str) -> Grid | None:
        """Return what an ONNX value's hardware value means, or None where that is no line."""
        deferred = self.deferred.get(value)
        if deferred is None:
            return UNIT
        return grid_of(deferred.tree, self.types[deferred.sources[0]])

    def function_of(self, value: onnx_ir.Value) -> Deferred:
        """Return an activation as a function of what the hardware holds."""
        name = value.name or ""
        if name in self.deferred:
            return self.deferred[name]
        held = self.values[name][0]
        return Deferred((held,), on_grid(UNIT, self.types[held]))

    def line_of(self, value: onnx_ir.Value) -> Grid | None:
        """Return what the one hardware value behind an ONNX value means, or None."""
        return self.grid(value.name or "") if self.function_of(value).lone_source else None

    def activations(self, node: onnx_ir.Node) -> list[onnx_ir.Value]:
        """Return the operands of a node that are not constant, in order."""
        return [v for v in node.inputs if v is not None and v.name in self.values]

    def record(self, made: Made) -> None:
        """Take note of what a result became."""
        name, deferred = made.result.name or "", made.deferred
        self.values[name] = made.held, made.axes
        if made.own:
            self.replace_node(made.held, source=Port(made.held, name, made.axes))
        if deferred is None:
            return
        self.deferred[name] = deferred
        lone, grid = deferred.lone_source, self.grid(name)
        if lone is None or grid is None:
            return
        node = next(n for n in reversed(self.nodes) if n.name == lone)
        if node.source is None or node.source.name == name:
            self.replace_node(lone, source=Port(lone, name, made.axes, grid))
        if grid.plain:
            del self.deferred[name]
