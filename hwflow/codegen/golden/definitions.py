"""Operators as ONNX functions: what ``Op.golden`` says, run by stock ONNX Runtime.

Serves two ends: the check of an operator against its own definition, and a float reference for
models with operators that ONNX does not know and that bring no function body.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.inference import open_session
from hwflow.fixed import FixedArray
from hwflow.ir.body.text import DOMAIN, OPSET, UnusableTextError, function_of
from hwflow.ir.body.values import Carrier, NoGoldenError, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, operator_name, printable
from hwflow.ir.tensor import TensorType
from hwflow.ops.transpose import Transpose
from hwflow.passes import PIPELINE, Context, run_pipeline
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes

_DOUBLE, _FLOAT = onnx.TensorProto.DOUBLE, onnx.TensorProto.FLOAT


def golden_function(op: Op, inputs: Sequence[TensorType], name: str) -> onnx.FunctionProto:
    """Return an operator's function on mantissas, whole numbers in double, channels last.

    Args:
        op: the operator.
        inputs: types of its operands.
        name: name of the function, in the domain ``hwflow.golden``.

    Raises:
        NoGoldenError: it has none.
        CompileError: HW257, the text is not an ONNX function body.
    """
    full = [TensorType.full(x.shape, x.dtype) for x in inputs]
    text = op.golden(*full)
    if not text.strip():
        return _written(op, full, name)
    try:
        return function_of(text, name, len(full))
    except UnusableTextError as problem:
        raise CompileError([unusable_function(op, str(problem))]) from problem


def _written(op: Op, inputs: Sequence[TensorType], name: str) -> onnx.FunctionProto:
    """Return the function whose body the operator writes, in the arithmetic of golden models."""
    body = Body()
    names = [f"x{i}" for i in range(len(inputs))]
    operands = [
        body.carried(
            Tensor(name=x, shape=t.shape, carrier=Carrier.FLOAT64), carrier(Span.of(t).largest)
        )
        for x, t in zip(names, inputs, strict=True)
    ]
    found = op.write_golden(body, operands, inputs)
    y = body.carried(body.channels_last(found.tensor), Carrier.FLOAT64)
    y = body.scaled(y, op.exact(*inputs).dtype.fractional - _fractional(op, found))
    body.nodes.append(onnx.helper.make_node("Identity", [y.name], ["y"]))
    constants = [
        onnx.helper.make_node("Constant", [], [key], value=onnx.numpy_helper.from_array(value))
        for key, value in body.constants.items()
    ]
    imports = [onnx.helper.make_opsetid("", OPSET)]
    return onnx.helper.make_function(DOMAIN, name, names, ["y"], [*constants, *body.nodes], imports)


def _fractional(op: Op, found: Result) -> int:
    """Return the fractional bits of what a body computes."""
    to = op.result_t if found.divided else None
    return found.span.fractional if to is None else to.fractional


def run_golden(
    op: Op, function: onnx.FunctionProto, arrays: Sequence[FixedArray]
) -> npt.NDArray[np.float64]:
    """Return the mantissas that an operator's function computes in ONNX Runtime.

    Args:
        op: the operator, for messages.
        function: its function.
        arrays: operands, batch first, channels last.

    Raises:
        CompileError: HW257, ONNX Runtime refuses the function.
    """
    inputs = [
        onnx.helper.make_tensor_value_info(f"x{i}", _DOUBLE, array.shape)
        for i, array in enumerate(arrays)
    ]
    node = onnx.helper.make_node(function.name, [i.name for i in inputs], ["y"], domain=DOMAIN)
    output = onnx.helper.make_tensor_value_info("y", _DOUBLE, None)
    graph = onnx.helper.make_graph([node], "golden", inputs, [output])
    imports = [onnx.helper.make_opsetid("", OPSET), onnx.helper.make_opsetid(DOMAIN, 1)]
    model = onnx.helper.make_model(
        graph, opset_imports=imports, functions=[function], ir_version=10
    )
    feeds = {f"x{i}": array.raw.astype(np.float64) for i, array in enumerate(arrays)}
    try:
        session = open_session(model.SerializeToString(), optimised=False)
        (result,) = session.run(None, feeds)
    except Exception as error:  # ONNX Runtime's exceptions share no public base class
        raise CompileError([unusable_function(op, str(error))]) from error
    return np.asarray(result, np.float64)


def undefined_nodes(model: QonnxModel) -> list[ir.Node]:
    """Return the nodes that neither ONNX, nor hwflow, nor a function of the model defines."""
    functions = model.ir.functions
    return [
        node
        for node in model.ir.graph
        if "::" in operator_name(node)
        and not is_fixed_quant(node)
        and node.op_identifier() not in functions
    ]


def with_definitions(
    load: Callable[[], QonnxModel], model: QonnxModel, context: Context
) -> tuple[Callable[[], QonnxModel], tuple[Diagnostic, ...]]:
    """Return how to get the model for the float reference, and warnings where none can run.

    Operators that nothing but a plugin defines become calls of that operator's golden function.

    Args:
        load: reads the model anew.
        model: the model as read, before the passes.
        context: settings and target, for the pass that finds the operators.
    """
    if not undefined_nodes(model):
        return load, ()
    last = [step.name for step in PIPELINE].index("lower")
    lowered = run_pipeline(load(), context, PIPELINE[: last + 1])

    def defined() -> tuple[QonnxModel, tuple[Diagnostic, ...]]:
        fresh = infer_shapes(clean_model(load()))
        return fresh, define_nodes(fresh, lowered)

    return lambda: defined()[0], defined()[1]


def define_nodes(model: QonnxModel, lowered: Graph) -> tuple[Diagnostic, ...]:
    """Give the nodes that nothing defines their operators' own functions.

    Args:
        model: a model with known shapes; changed in place.
        lowered: the hardware graph as the pass ``lower`` leaves it.

    Returns:
        A warning for each node that still has no definition; with one, no float reference runs.
    """
    warnings = []
    for number, node in enumerate(undefined_nodes(model)):
        protos = _definition(node, lowered, f"node{number}")
        if protos is None or model.ir.opset_imports[""] < 13:  # before, Slice and others differ
            warnings.append(_without(model, node))
            continue
        for function in map(ir.serde.deserialize_function, protos):
            model.ir.functions[function.identifier()] = function
        model.ir.opset_imports[DOMAIN] = 1
        node.domain, node.op_type = DOMAIN, protos[-1].name
        node.attributes.clear()
        operands = [v for v in node.inputs if v is not None and v.const_value is None]
        for i, value in enumerate(operands):
            node.replace_input_with(i, value)
        node.resize_inputs(len(operands))
    return tuple(warnings)


def _definition(node: ir.Node, graph: Graph, name: str) -> list[onnx.FunctionProto] | None:
    """Return the functions, the outer one last, that compute an ONNX node as its operator does."""
    result = node.outputs[0].name
    found = [n for n in graph.nodes if n.source is not None and n.source.name == result]
    operands = [v.name for v in node.inputs if v is not None and v.const_value is None]
    if len(found) != 1 or len(node.outputs) != 1:
        return None
    hardware = found[0]
    if len(operands) != len(hardware.inputs):
        return None
    values = [graph.by_name[i] for i in hardware.inputs]
    axes = [_axes_of(graph, v, o) for v, o in zip(values, operands, strict=True)]
    plain = hardware.source is not None and hardware.source.grid.plain
    if any(a is None for a in axes) or not plain:
        return None  # several operators in a row, or values that stand for others
    types = graph.input_types(hardware)
    try:
        inner = golden_function(hardware.op, types, f"{name}_{hardware.op.kind}")
    except NoGoldenError:
        return None
    full = [TensorType.full(t.shape, t.dtype) for t in types]
    outer = [f'<opset_import: ["" : {OPSET}, "{DOMAIN}" : 1], domain: "{DOMAIN}">']
    names = ", ".join(f"real{i}" for i in range(len(full)))
    outer.append(f"{name} ({names}) => (y) {{")
    for i, (x, order) in enumerate(zip(full, axes, strict=True)):
        perm = [0, *(order or ())]
        outer += _as_mantissas(f"real{i}", f"x{i}", perm, x.dtype.fractional)
    outer.append(f"m = {DOMAIN}.{inner.name}({', '.join(f'x{i}' for i in range(len(full)))})")
    assert hardware.source is not None
    back = np.argsort([0, *hardware.source.axes]).tolist()
    outer += _as_reals("m", "y", back, hardware.op.exact(*full).dtype.fractional)
    return [inner, onnx.parser.parse_function("\n".join([*outer, "}"]))]


def _axes_of(graph: Graph, node: Node, name: str | None) -> tuple[int, ...] | None:
    """Return the ONNX axes of a hardware operand, or None where it is not the ONNX value."""
    if node.source is not None and node.source.name == name and node.source.grid.plain:
        return node.source.axes
    if isinstance(node.op, Transpose):
        before = _axes_of(graph, graph.by_name[node.inputs[0]], name)
        return None if before is None else tuple(before[p] for p in node.op.perm)
    return None


def _as_mantissas(real: str, raw: str, perm: list[int], fractional: int) -> list[str]:
    """Return the text that makes mantissas, channels last, of real numbers in ONNX order."""
    return [
        f"{raw}_turned = Transpose <perm = {perm}> ({real})",
        f"{raw}_double = Cast <to = {_DOUBLE}> ({raw}_turned)",
        f"{raw}_steps = Constant <value = double {{{2.0**fractional!r}}}> ()",
        f"{raw} = Mul({raw}_double, {raw}_steps)",
    ]


def _as_reals(raw: str, real: str, perm: list[int], fractional: int) -> list[str]:
    """Return the text that makes real numbers in ONNX order of mantissas, channels last."""
    return [
        f"{raw}_step = Constant <value = double {{{2.0**-fractional!r}}}> ()",
        f"{raw}_double = Mul({raw}, {raw}_step)",
        f"{raw}_float = Cast <to = {_FLOAT}> ({raw}_double)",
        f"{real} = Transpose <perm = {perm}> ({raw}_float)",
    ]


def unusable_function(op: Op, found: str) -> Diagnostic:
    """Return HW257, about what the parser or ONNX Runtime found."""
    return Diagnostic(
        code="HW257",
        title="the golden function of an operator cannot be used",
        where=op.kind,
        found=printable(found.strip()),
        supported=f"nodes of standard operators, opset {OPSET}, from x0, x1, ... to y",
        help="see Op.golden in hwflow/ir/op.py; y must be assigned",
    )


def _without(model: QonnxModel, node: ir.Node) -> Diagnostic:
    return Diagnostic(
        code="HW251",
        severity="warning",
        title="no comparison with the trained model",
        where=model.where(node),
        found=f"{printable(operator_name(node))} has no function in the model, and its operator "
        "no golden function that stands for it",
        help="put a function body into the model, or give the operator golden; the comparison of "
        "simulation and C++ is not affected",
    )
