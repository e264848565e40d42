"""Golden bodies that are given as text, in ONNX's textual syntax."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from hwflow.ir.body.values import DOUBLE_BITS, Carrier, NoGoldenError, Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType

OPSET = 18
"""Version of the standard operators that golden bodies are made of."""

DOMAIN = "hwflow.golden"
"""Domain of the functions that texts are the bodies of."""


class UnusableTextError(Exception):
    """An error that says why a text is not the body of an ONNX function."""


def function_of(text: str, name: str, operands: int) -> onnx.FunctionProto:
    """Return the function from ``x0``, ``x1``, ... to ``y`` that has a text as its body.

    Args:
        text: what stands between the braces.
        name: name of the function, in the domain ``hwflow.golden``.
        operands: how many it has.

    Raises:
        UnusableTextError: it is not an ONNX function body.
    """
    names = ", ".join(f"x{i}" for i in range(operands))
    head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
    try:
        return onnx.parser.parse_function(f"{head}\n{name} ({names}) => (y) {{\n{text}\n}}")
    except (onnx.parser.ParseError, UnicodeError) as error:
        raise UnusableTextError(str(error)) from error


def write_body(
    op: Op, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> Result:
    """Write the golden body of an operator: the text that it gives, or else what it writes.

    Args:
        op: the operator.
        body: the body that is written.
        operands: the mantissas of its operands.
        types: their types, with the proven ranges.

    Raises:
        NoGoldenError: no standard operators compute it exactly.
        UnusableTextError: the text is not an ONNX function body.
    """
    text = op.golden(*(TensorType.full(x.shape, x.dtype) for x in types))
    if not text.strip():
        return op.write_golden(body, operands, types)
    function = function_of(text, op.kind, len(types))
    return _write_function(body, function, operands, [*types, op.exact(*types)])


def _write_function(
    body: Body,
    function: onnx.FunctionProto,
    operands: Sequence[Tensor],
    types: Sequence[TensorType],
) -> Result:
    """Write the nodes of a function on mantissas in float64, channels last.

    Args:
        body: the body that is written.
        function: from all operands to one result.
        operands: the mantissas.
        types: those of the operands, and of the exact result.

    Raises:
        NoGoldenError: it has branches or loops, or float64 does not hold all values.
    """
    if any(a.type == onnx.AttributeProto.GRAPH for node in function.node for a in node.attribute):
        raise NoGoldenError("the operator's golden function has branches or loops")
    if max(abs(end) for t in types for end in t.bounds) > 2**DOUBLE_BITS:
        raise NoGoldenError(
            f"the operator's golden function computes in float64, which holds {DOUBLE_BITS} bits"
        )
    names = {
        inner: body.carried(body.channels_last(x), Carrier.FLOAT64).name
        for inner, x in zip(function.input, operands, strict=True)
    }
    for node in function.node:
        copied = onnx.NodeProto.FromString(node.SerializeToString())
        copied.input[:] = [names.get(name, name) for name in node.input]
        for name in node.output:
            names[name] = f"own_{name}" if name else ""
        copied.output[:] = [names[name] for name in node.output]
        body.nodes.append(copied)
    exact = types[-1]
    result = Tensor(name=names[function.output[0]], shape=exact.shape, carrier=Carrier.FLOAT64)
    return Result(result, Span.of(exact))
