"""Builds the golden model: one ONNX function for each hardware layer, in standard operators."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from hwflow import __version__
from hwflow.errors import CompileError, Diagnostic
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.golden.body import Body, NoGoldenError, Tensor, carrier
from hwflow.golden.emit import EMITTERS
from hwflow.golden.emit.own import own
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool

DOMAIN = "hwflow"
"""Of the functions; the interfaces of the model use standard operators."""

OPSET = 18
IR_VERSION = 10

FORMAT = 1
"""Version of the numeric contract in the model's metadata."""

CONTRACT = "hwflow.contract"
"""Key of the metadata entry that holds the numeric contract."""


def golden_model(
    graph: Graph, *, layers: Collection[str] = (), double: bool = False
) -> onnx.ModelProto:
    """Return the hardware graph as an ONNX model that gives the hardware's bits.

    Inputs and outputs are real numbers under the names, and in the order of axes, of the original
    model; a port whose scale is not a power of two carries whole numbers, which the contract says.

    Args:
        graph: the hardware graph.
        layers: names of layers whose mantissas become further outputs, ``layer/NAME``, with the
            channels last.
        double: take inputs in float64 rather than float32.

    Raises:
        CompileError: HW565, layers that no standard operators compute exactly; all of them.
    """
    return _Builder(graph, frozenset(layers), double).model()


@dataclass(frozen=True, eq=False)
class GoldenModel:
    """A golden model as a file, or why there is none.

    Attributes:
        content: the file; None where there is none.
        warnings: the layers that no standard operators compute exactly.
    """

    content: bytes | None
    warnings: tuple[Diagnostic, ...] = ()


def try_golden_model(graph: Graph) -> GoldenModel:
    """Return the golden model of a graph, or the findings as warnings."""
    try:
        return GoldenModel(golden_model(graph).SerializeToString(deterministic=True))
    except CompileError as error:
        findings = (replace(d, severity="warning") for d in error.diagnostics)
        return GoldenModel(None, tuple(findings))


class _Builder:
    def __init__(self, graph: Graph, layers: frozenset[str], double: bool) -> None:
        self.graph, self.layers, self.double = graph, layers, double
        self.nodes: list[onnx.NodeProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.values: dict[str, Tensor] = {}
        self.late: dict[str, Rounding] = {}
        self.findings: list[Diagnostic] = []
        self.ports = {port.name for port in (*graph.inputs, *graph.outputs)}

    def model(self) -> onnx.ModelProto:
        for node in self.graph.nodes:
            try:
                self._layer(node)
            except (NoGoldenError, OverflowError) as problem:
                self.findings.append(_no_body(node, str(problem)))
                shape = self.graph.types[node.name].shape
                self.values[node.name] = Tensor(node.name, shape)
        for port in self.graph.outputs:
            self._output(port)
        if self.findings:
            raise CompileError(self.findings)
        dtype = onnx.TensorProto.DOUBLE if self.double else onnx.TensorProto.FLOAT
        inputs = [
            onnx.helper.make_tensor_value_info(p.name, dtype, _outside(self.graph, p))
            for p in self.graph.inputs
        ]
        inner = onnx.helper.make_graph(
            self.nodes, self.graph.name, inputs, self.outputs, self.constants
        )
        imports = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(DOMAIN, 1)]
        model = onnx.helper.make_model(
            inner, opset_imports=imports, functions=self.functions, ir_version=IR_VERSION,
            producer_name="hwflow", producer_version=__version__,
        )  # fmt: skip
        text = json.dumps(contract(self.graph, self.values, self.late), indent=1)
        onnx.helper.set_model_props(model, {CONTRACT: text})
        return model

    def _layer(self, node: Node) -> None:
        operands = [self.values[name] for name in node.inputs]
        body = Body()
        inside = [replace(x, name=f"x{i}") for i, x in enumerate(operands)]
        if isinstance(node.op, Input):
            names = [next(p.name for p in self.graph.inputs if p.value == node.name)]
            y = self._port(body, node, node.op)
        else:
            names = [x.name for x in operands]
            y = self._computed(body, node, inside)
        if node.name in self.layers:
            y = body.channels_last(y)
        self._function(node, body, names, y)
        if node.name in self.layers:
            dtype = onnx.TensorProto.DOUBLE if y.wide else onnx.TensorProto.FLOAT
            shape: list[str | int | None] = ["N", *y.shape]
            name = f"layer/{node.name}"
            value = self.values[node.name].name
            self.nodes.append(onnx.helper.make_node("Identity", [value], [name]))
            self.outputs.append(onnx.helper.make_tensor_value_info(name, dtype, shape))

    def _computed(self, body: Body, node: Node, operands: list[Tensor]) -> Tensor:
        emit = EMITTERS.get(type(node.op), own)
        y, span, scaled = emit(node.op, body, operands, self.graph.input_types(node))
        if node.op.result_t is not None:
            late = scaled and not y.wide and self._can_round_late(node, node.op.result_t)
            y, span = body.cast(y, span, node.op.result_t, scaled=scaled, late=late)
            if late:
                self.late[node.name] = node.op.result_t.rounding
        rounding = self.late.get(node.inputs[0]) if node.inputs else None
        if rounding is not None:
            y = body.rounded(y, rounding)
        kept = max(map(abs, self.graph.types[node.name].bounds))
        return body.widened(y, carrier(kept))

    def _can_round_late(self, node: Node, to: FixedType) -> bool:
        """Return whether a max pool can round what is left of a layer's values.

        Rounding keeps the order of numbers, and clipping was before it: so it may come after the
        greatest was taken, of fewer elements. ONNX Runtime then fuses layer, clipping and pool.
        """
        users = self.graph.users[node.name]
        return (
            to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
            and node.name not in self.layers | self.graph.output_values
            and len(users) == 1
            and isinstance(users[0].op, MaxPool)
        )

    def _port(self, body: Body, node: Node, op: Input) -> Tensor:
        """Return the mantissas of the real numbers that come in by a port."""
        port = next(p for p in self.graph.inputs if p.value == node.name)
        x = Tensor("x0", op.shape, wide=self.double)
        if _is_channels_first(port):
            x = replace(x, first=True)
        elif list(port.axes) != list(range(1, len(port.axes) + 1)):
            x = body.apply("Transpose", x, perm=[0, *port.axes])
        x = body.widened(x, x.wide or carrier(1 << (op.dtype.width + 1), "a port"))
        if op.quantizer is None:
            x = _quantized(body, body.scaled(x, op.dtype.fractional), op.dtype)
        return body.widened(x, carrier(max(map(abs, self.graph.types[node.name].bounds))))

    def _output(self, port: Port) -> None:
        """Add the real numbers that leave by a port, in the original order of axes."""
        y = self.values[port.value]
        body = Body()
        x = replace(y, name="x0")
        if port.grid.plain:
            x = body.scaled(x, -self.graph.types[port.value].dtype.fractional)
        else:
            x = body.apply("Identity", x)
        order = np.argsort(port.axes).tolist()
        if x.first and _is_channels_first(port):
            order = list(range(len(order)))
        else:
            x = body.channels_last(x)
        if not port.axes:
            x = body.apply("Reshape", x, body.constant([-1], np.int64, "shape"))
        elif order != list(range(len(order))):
            x = body.apply("Transpose", x, perm=[0, *(1 + i for i in order)])
        if x.name == "x0":
            x = body.apply("Identity", x)
        self._emit(f"Output_{port.value}_{len(self.outputs)}", body, [y.name], x.name, port.name)
        dtype = onnx.TensorProto.DOUBLE if x.wide else onnx.TensorProto.FLOAT
        shape = _outside(self.graph, port)
        self.outputs.append(onnx.helper.make_tensor_value_info(port.name, dtype, shape))

    def _function(self, node: Node, body: Body, names: list[str], y: Tensor) -> None:
        if y.name.startswith("x"):
            y = body.apply("Identity", y)
        result = self._fresh(f"hw/{node.name}")
        self._emit(f"{node.op.kind}_{node.name}", body, names, y.name, result)
        self.values[node.name] = replace(y, name=result)

    def _emit(self, name: str, body: Body, operands: list[str], y: str, result: str) -> None:
        """Add a function with this body, and the node that calls it."""
        inner = [f"x{i}" for i in range(len(operands))]
        outer = [self._fresh(f"{name}/{constant}") for constant in body.constants]
        for place, array in zip(outer, body.constants.values(), strict=True):
            self.constants.append(onnx.numpy_helper.from_array(array, place))
        imports = [onnx.helper.make_opsetid("", OPSET)]
        parameters = [*inner, *body.constants]
        self.functions.append(
            onnx.helper.make_function(DOMAIN, name, parameters, [y], body.nodes, imports)
        )
        self.nodes.append(
            onnx.helper.make_node(name, [*operands, *outer], [result], name, domain=DOMAIN)
        )

    def _fresh(self, name: str) -> str:
        """Return a name that no port has."""
        while name in self.ports:
            name += "_"
        return name


def _quantized(body: Body, x: Tensor, to: FixedType) -> Tensor:
    """Return real numbers assigned to a type, as ``fixed.quantize_values`` does."""
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return body.rounded(body.clipped(x, to.raw_min - 1, to.raw_max + 1, to), to.rounding)
    return body.overflown(body.rounded(x, to.rounding), to)


def _is_channels_first(port: Port) -> bool:
    """Return whether the original tensor has the hardware's axes with the channels in front."""
    rank = len(port.axes)
    return rank > 1 and list(port.axes) == [*range(2, rank + 1), 1]


def _outside(graph: Graph, port: Port) -> list[Any]:
    """Return the shape of a port's tensor in the original model."""
    shape = graph.types[port.value].shape
    order = np.argsort(port.axes)
    return ["N", *(shape[i] for i in order)]


def contract(graph: Graph, values: dict[str, Tensor], late: Collection[str] = ()) -> dict[str, Any]:
    """Return type, range and carrier of every value, and what the ports mean, as plain data."""
    layers = {}
    for node in graph.nodes:
        tensor = graph.types[node.name]
        dtype = tensor.dtype
        layers[node.name] = {
            "operator": node.op.kind, "origin": node.origin, "shape": list(tensor.shape),
            "type": str(dtype), "width": dtype.width, "fractional": dtype.fractional,
            "signed": dtype.signed, "rounding": str(dtype.rounding),
            "overflow": str(dtype.overflow), "proven": list(tensor.bounds),
            "carrier": "float64" if values[node.name].wide else "float32",
            "channels_first": values[node.name].first, "rounded": node.name not in late,
        }  # fmt: skip
    return {
        "format": FORMAT,
        "inputs": [_described(graph, p) for p in graph.inputs],
        "outputs": [_described(graph, p) for p in graph.outputs],
        "layers": layers,
    }


def _described(graph: Graph, port: Port) -> dict[str, Any]:
    op = graph.by_name[port.value].op
    plain = port.grid.plain and not (isinstance(op, Input) and op.quantizer is not None)
    found: dict[str, Any] = {"name": port.name, "layer": port.value, "real": plain}
    if not plain:
        found["scale"] = [float(v) for v in port.grid.scale.ravel()]
        found["offset"] = [float(v) for v in port.grid.offset.ravel()]
    return found


def _no_body(node: Node, why: str) -> Diagnostic:
    return Diagnostic(
        code="HW565",
        title="no golden model: a layer has no exact function in standard operators",
        where=f"{node.name}: {node.op.kind}",
        found=why,
        supported="layers whose values and sums fit 53 bits",
        help="simulation and C++ are not affected; only model.hw.onnx is not written",
    )
