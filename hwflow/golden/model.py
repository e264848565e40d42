"""Builds the golden model: one ONNX function for each hardware layer, in standard operators."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx

from hwflow import __version__
from hwflow.errors import CompileError, Diagnostic
from hwflow.fixed import MAX_RAW_BITS, MAX_TYPE_WIDTH, FixedType, Overflow, Rounding
from hwflow.golden import integers
from hwflow.golden.body import DOUBLE_BITS, Body, Carrier, NoGoldenError, Span, Tensor, carrier
from hwflow.golden.contract import add_contract
from hwflow.golden.emit import EMITTERS
from hwflow.golden.emit.kernels import quantized, quantized_layer
from hwflow.golden.emit.own import own
from hwflow.golden.kernels import chooses, plan_kernels
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.reshape import Reshape

DOMAIN = "hwflow"
"""Of the functions; the interfaces of the model use standard operators."""

OPSET = 18
IR_VERSION = 10


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
        reason: why there is no file, in one line.
    """

    content: bytes | None
    warnings: tuple[Diagnostic, ...] = ()
    reason: str = ""


def try_golden_model(graph: Graph) -> GoldenModel:
    """Return the golden model of a graph, or the findings as warnings."""
    try:
        return GoldenModel(golden_model(graph).SerializeToString(deterministic=True))
    except CompileError as error:
        findings = tuple(replace(d, severity="warning") for d in error.diagnostics)
        reason = "; ".join(f"{d.code}, {d.where}: {d.found}" for d in findings)
        return GoldenModel(None, findings, reason)


class _Builder:
    def __init__(self, graph: Graph, layers: frozenset[str], double: bool) -> None:
        self.graph, self.layers, self.double = graph, layers, double
        self.nodes: list[onnx.NodeProto] = []
        self.functions: list[onnx.FunctionProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.values: dict[str, Tensor] = {}
        self.late: dict[str, Rounding] = {}
        self.plan = plan_kernels(graph)
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
        add_contract(model, self.graph, self.values, self.late)
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
        self._function(node, body, names, y)
        if node.name in self.layers:
            self._kept(node)

    def _kept(self, node: Node) -> None:
        """Add the mantissas of a layer as an output."""
        body, value = Body(), self.values[node.name]
        y = body.channels_last(replace(value, name="x0"))
        y = body.carried(y, max(y.carrier, Carrier.FLOAT32))
        y = body.apply("Identity", y) if y.name == "x0" else y
        name = f"layer/{node.name}"
        self._emit(f"Layer_{node.name}", body, [value.name], y.name, name)
        shape: list[str | int | None] = ["N", *y.shape]
        self.outputs.append(onnx.helper.make_tensor_value_info(name, y.carrier.onnx, shape))

    def _computed(self, body: Body, node: Node, operands: list[Tensor]) -> Tensor:
        y, span, scaled = self._emitted(body, node, operands)
        if y.carrier is Carrier.UINT8:
            return y
        if node.op.result_t is not None:
            late = (
                scaled
                and y.carrier is Carrier.FLOAT32
                and self._can_round_late(node, node.op.result_t)
            )
            y, span = body.cast(y, span, node.op.result_t, scaled=scaled, late=late)
            if late:
                self.late[node.name] = node.op.result_t.rounding
        rounding = self.late.get(node.inputs[0]) if node.inputs else None
        if rounding is not None:
            y = body.rounded(y, rounding)
        kept = max(map(abs, self.graph.types[node.name].bounds))
        return self._in_eight_bits(body, node, body.carried(y, carrier(kept)))

    def _emitted(self, body: Body, node: Node, operands: list[Tensor]) -> tuple[Tensor, Span, bool]:
        """Return what the operator computes; see ``Emit``."""
        kernel = self.plan.kernels.get(node.name)
        if kernel is not None:
            return quantized_layer(node.op, body, operands[0], kernel), kernel.span, False
        if node.name in self.plan.steps:
            y = quantized(body, operands[0], self.plan.steps[node.name])
            return y, Span(0, 255, 0), False
        if node.name not in self.plan.zeros or not chooses(node.op):
            operands = [body.carried(x, max(x.carrier, Carrier.FLOAT32)) for x in operands]
        if operands[0].first and self._stays_in_order(node, operands[0]):
            y = body.flattened(operands[0])
            low, high = self.graph.types[node.name].bounds
            return y, Span(low, high, self.graph.types[node.name].dtype.fractional), False
        emit = EMITTERS.get(type(node.op), own)
        return emit(node.op, body, operands, self.graph.input_types(node))

    def _stays_in_order(self, node: Node, x: Tensor) -> bool:
        """Return whether dense layers take a flattened value, whose weights can move instead."""
        return (
            isinstance(node.op, Reshape)
            and node.op.result_t is None
            and len(node.op.shape) == 1
            and x.carrier is not Carrier.UINT8  # whose kernels have the channels last
            and node.name not in self.layers | self.graph.output_values
            and all(isinstance(user.op, Dense) for user in self.graph.users[node.name])
        )

    def _in_eight_bits(self, body: Body, node: Node, y: Tensor) -> Tensor:
        """Return a value in uint8 where a kernel takes it so."""
        zero = self.plan.zeros.get(node.name)
        return y if zero is None else body.in_uint8(y, zero)

    def _can_round_late(self, node: Node, to: FixedType) -> bool:
        """Return whether a max pool can round what is left of a layer's values.

        Rounding keeps the order of numbers, and clipping was before it: so it may come after the
        greatest was taken, of fewer elements. ONNX Runtime then fuses layer, clipping and pool.
        """
        users = self.graph.users[node.name]
        return (
            to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
            and node.name not in self.layers | self.graph.output_values | set(self.plan.zeros)
            and len(users) == 1
            and isinstance(users[0].op, MaxPool)
        )

    def _port(self, body: Body, node: Node, op: Input) -> Tensor:
        """Return the mantissas of the real numbers that come in by a port."""
        port = next(p for p in self.graph.inputs if p.value == node.name)
        x = Tensor("x0", op.shape, Carrier.FLOAT64 if self.double else Carrier.FLOAT32)
        if _is_channels_first(port):
            x = replace(x, first=True)
        elif list(port.axes) != list(range(1, len(port.axes) + 1)):
            x = body.apply("Transpose", x, perm=[0, *port.axes])
        zero, to = self.plan.zeros.get(node.name), op.dtype
        if zero is not None and op.quantizer is None and not self.double and _as_uint8(to):
            y = body.in_uint8(x, zero, to.step)
            return body.cut(y, max(to.raw_min + zero, 0), to.raw_max + zero)
        x = body.carried(x, max(x.carrier, _at_port(op.dtype)))
        if op.quantizer is None:
            x = _quantized(body, body.scaled(x, op.dtype.fractional), op.dtype)
        x = body.carried(x, carrier(max(map(abs, self.graph.types[node.name].bounds))))
        return self._in_eight_bits(body, node, x)

    def _output(self, port: Port) -> None:
        """Add the real numbers that leave by a port, in the original order of axes."""
        y = self.values[port.value]
        body = Body()
        x = replace(y, name="x0")
        x = body.carried(x, max(x.carrier, Carrier.FLOAT32))
        if port.grid.plain:
            x = body.carried(x, min(x.carrier, Carrier.FLOAT64))  # rounded, as in simulation
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
        shape = _outside(self.graph, port)
        self.outputs.append(onnx.helper.make_tensor_value_info(port.name, x.carrier.onnx, shape))

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
    """Return real numbers assigned to a type, as ``fixed.quantize_values`` does.

    What rounds them is exact for all floating-point numbers, and so is the remainder of a division.
    """
    if to.width >= DOUBLE_BITS:  # float64 does not hold the ends of the type
        whole, end = body.rounded(x, to.rounding), 2.0**MAX_TYPE_WIDTH
        if to.overflow is Overflow.WRAP:
            whole = body.apply("Mod", whole, body.number(x, 2.0**to.width, "modulus"), fmod=1)
        else:
            whole = body.apply("Clip", whole, body.number(x, -end, "lo"), body.number(x, end, "hi"))
        return integers.overflown(body, body.carried(whole, Carrier.INT64), to)
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return body.rounded(body.clipped(x, to.raw_min - 1, to.raw_max + 1, to), to.rounding)
    return body.overflown(body.rounded(x, to.rounding), to)


def _at_port(to: FixedType) -> Carrier:
    """Return what real numbers are assigned to a type in."""
    return carrier(1 << (to.width + 1)) if to.width < DOUBLE_BITS else Carrier.FLOAT64


def _as_uint8(to: FixedType) -> bool:
    """Return whether QuantizeLinear assigns real numbers to a type of 8 bits as ap_fixed does."""
    saturates = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    return saturates and to.rounding is Rounding.RND_CONV


def _is_channels_first(port: Port) -> bool:
    """Return whether the original tensor has the hardware's axes with the channels in front."""
    rank = len(port.axes)
    return rank > 1 and list(port.axes) == [*range(2, rank + 1), 1]


def _outside(graph: Graph, port: Port) -> list[Any]:
    """Return the shape of a port's tensor in the original model."""
    shape = graph.types[port.value].shape
    order = np.argsort(port.axes)
    return ["N", *(shape[i] for i in order)]


def _no_body(node: Node, why: str) -> Diagnostic:
    return Diagnostic(
        code="HW565",
        title="no golden model: a layer has no exact function in standard operators",
        where=f"{node.name}: {node.op.kind}",
        found=why,
        supported=f"layers whose values and sums fit {MAX_RAW_BITS} bits",
        help="simulation and C++ are not affected; only model.hw.onnx is not written",
    )
