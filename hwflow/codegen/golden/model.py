"""Builds the golden model: one ONNX function for each hardware layer, in standard operators."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

import onnx

from hwflow import __version__
from hwflow.codegen.golden.contract import add_contract
from hwflow.codegen.golden.definitions import unusable_function
from hwflow.codegen.golden.kernel_body import quantized, quantized_layer
from hwflow.codegen.golden.kernels import Multiplying, chooses, plan_kernels
from hwflow.codegen.golden.ports import arriving, leaving, outside
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import MAX_RAW_BITS, FixedType, Overflow
from hwflow.ir.body.casts import cast
from hwflow.ir.body.text import OPSET, UnusableTextError, write_body
from hwflow.ir.body.values import Carrier, NoGoldenError, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.requantization.body import write_unfinished
from hwflow.ops.requantize import Requantize
from hwflow.ops.reshape import Reshape

DOMAIN = "hwflow"
"""Domain of the functions; the interfaces of the model use standard operators."""

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

    def __repr__(self) -> str:
        """Return the size of the file, or why there is none."""
        if self.content is None:
            return f"GoldenModel: none, {self.reason}"
        return f"GoldenModel: {len(self.content):,} bytes of ONNX"


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
        self.late: dict[str, Callable[[Body, Tensor], Tensor]] = {}
        self.plan = plan_kernels(graph)
        self.findings: list[Diagnostic] = []
        self.ports = {port.name for port in (*graph.inputs, *graph.outputs)}

    def model(self) -> onnx.ModelProto:
        for node in self.graph.nodes:
            try:
                self._layer(node)
            except UnusableTextError as problem:
                raise CompileError([unusable_function(node.op, str(problem))]) from problem
            except (NoGoldenError, OverflowError) as problem:
                self.findings.append(_no_body(node, str(problem)))
                shape = self.graph.types[node.name].shape
                self.values[node.name] = Tensor(name=node.name, shape=shape)
        for port in self.graph.outputs:
            self._output(port)
        if self.findings:
            raise CompileError(self.findings)
        dtype = onnx.TensorProto.DOUBLE if self.double else onnx.TensorProto.FLOAT
        inputs = [
            onnx.helper.make_tensor_value_info(p.name, dtype, outside(self.graph, p))
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
            port = next(p for p in self.graph.inputs if p.value == node.name)
            names, zero = [port.name], self.plan.zeros.get(node.name)
            y = arriving(body, port, node.op, zero=zero, double=self.double)
            y = self._held(body, node, y)
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
        found = self._written(body, node, operands)
        y, span = found.tensor, found.span
        finish = self.late.get(node.inputs[0]) if node.inputs else None
        if finish is not None:
            y = finish(body, y)
        to = node.op.result_t
        if to is not None and y.carrier is not Carrier.UINT8:
            aligned = found.divided or span.fractional == to.fractional
            if aligned and y.carrier is Carrier.FLOAT32 and self._can_wait(node, to):
                self.late[node.name] = partial(_cast, span=span, to=to)
            else:
                y, span = cast(body, y, span, to, divided=found.divided)
        return self._held(body, node, y)

    def _written(self, body: Body, node: Node, operands: list[Tensor]) -> Result:
        """Return what the operator computes."""
        kernel = self.plan.kernels.get(node.name)
        if kernel is not None and isinstance(node.op, Multiplying):
            return Result(quantized_layer(node.op, body, operands[0], kernel), kernel.span)
        if node.name in self.plan.steps:
            y = quantized(body, operands[0], self.plan.steps[node.name])
            return Result(y, Span(0, 255, 0))
        if node.name not in self.plan.zeros or not chooses(node.op):
            operands = [body.carried(x, max(x.carrier, Carrier.FLOAT32)) for x in operands]
        if operands[0].first and self._stays_in_order(node, operands[0]):
            y = body.flattened(operands[0])
            return Result(y, Span.of(self.graph.types[node.name]))
        types = self.graph.input_types(node)
        if isinstance(node.op, Requantize) and self._can_wait(node):
            found = write_unfinished(body, operands[0], node.op.problem(*types))
            if found is not None:
                y, self.late[node.name] = found
                return Result(y, Span(0, 0, node.op.fractional))
        return write_body(node.op, body, operands, types)

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

    def _held(self, body: Body, node: Node, y: Tensor) -> Tensor:
        """Return a value in the arithmetic that others take it in: uint8 where a kernel does."""
        if y.carrier is Carrier.UINT8:
            return y
        y = body.carried(y, carrier(max(map(abs, self.graph.types[node.name].bounds))))
        zero = self.plan.zeros.get(node.name)
        return y if zero is None else body.in_uint8(y, zero)

    def _can_wait(self, node: Node, to: FixedType | None = None) -> bool:
        """Return whether a layer's values can be rounded and clipped behind the max pool.

        Both keep the order of numbers: so they may come after the greatest was taken, of fewer
        elements. ONNX Runtime then keeps the layout of the convolution up to the pool.
        """
        users = self.graph.users[node.name]
        return (
            (to is None or to.overflow in (Overflow.SAT, Overflow.SAT_SYM))
            and node.name not in self.layers | self.graph.output_values | set(self.plan.zeros)
            and len(users) == 1
            and isinstance(users[0].op, MaxPool)
        )

    def _output(self, port: Port) -> None:
        """Add the real numbers that leave by a port."""
        body, y = Body(), self.values[port.value]
        x = leaving(body, self.graph, port, replace(y, name="x0"))
        self._emit(f"Output_{port.value}_{len(self.outputs)}", body, [y.name], x.name, port.name)
        shape = outside(self.graph, port)
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


def _cast(body: Body, y: Tensor, *, span: Span, to: FixedType) -> Tensor:
    return cast(body, y, span, to, divided=True)[0]


def _no_body(node: Node, why: str) -> Diagnostic:
    return Diagnostic(
        code="HW565",
        title="no golden model: a layer has no exact function in standard operators",
        where=f"{node.name}: {node.op.kind}",
        found=why,
        supported=f"layers whose values and sums fit {MAX_RAW_BITS} bits",
        help="simulation and C++ are not affected; only model.hw.onnx is not written",
    )
