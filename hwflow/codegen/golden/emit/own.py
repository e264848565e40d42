"""The body that an operator of a plugin brings by itself, ``Op.golden``."""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.definitions import golden_function
from hwflow.codegen.golden.emit.elementwise import span_of
from hwflow.codegen.golden.values import DOUBLE_BITS, Carrier, NoGoldenError, Span, Tensor
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType


def own(
    op: Op, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[Tensor, Span, bool]:
    """Write the nodes of the operator's own function, which is in float64, channels last.

    Raises:
        NoGoldenError: it has none.
        CompileError: HW257, it is not an ONNX function body.
    """
    function = golden_function(op, types, op.kind)
    if function is None:
        raise NoGoldenError("the operator has no golden function")
    if any(a.type == onnx.AttributeProto.GRAPH for node in function.node for a in node.attribute):
        raise NoGoldenError("the operator's golden function has branches or loops")
    found = op.exact(*types)
    if max(abs(end) for t in (*types, found) for end in t.bounds) > 2**DOUBLE_BITS:
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
    return Tensor(names[function.output[0]], found.shape, Carrier.FLOAT64), span_of(found), False
