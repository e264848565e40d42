"""``Steps``: how many thresholds each element reaches, times a scale, plus a bias.

It is what qonnx's and FINN's ``MultiThreshold`` is read as, whose attribute says where the channels
are: here, the last axis of ``thresholds`` counts them, and the others broadcast to the operand.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

DOMAIN = "hwflow.fixed"
OP = "Steps"
NAME = f"{DOMAIN}::{OP}"
OPSET = 19

_BODY = """
    last = Constant <value = int64[1] {-1}> ()
    scale = Constant <value_float: float = @scale> ()
    bias = Constant <value_float: float = @bias> ()
    wide = Unsqueeze(x, last)
    reached = GreaterOrEqual(wide, thresholds)
    ones = Cast <to = 1> (reached)
    count = ReduceSum <keepdims = 0> (ones, last)
    scaled = Mul(count, scale)
    y = Add(scaled, bias)
"""


def function() -> onnx.FunctionProto:
    """Return the operator as an ONNX function in standard operators."""
    head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
    return onnx.parser.parse_function(
        f"{head}\n{OP} <scale, bias> (x, thresholds) => (y) {{{_BODY}}}"
    )


def is_steps(node: ir.Node) -> bool:
    """Return whether a node is a ``Steps``."""
    return node.domain == DOMAIN and node.op_type == OP
