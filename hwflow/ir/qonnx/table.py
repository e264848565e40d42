"""``Table``: a function that a framework defines by the float32 numbers which it computes.

The operand lies on a grid of ``step`` from ``first`` on, since a quantiser stands before it;
``values`` has the result of every point. What is between points or beyond the ends takes the
nearest one. ``function(slope * x + offset)`` is the real function that the numbers are of, for who
wants the network without quantisers.
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

DOMAIN = "hwflow.fixed"
OP = "Table"
NAME = f"{DOMAIN}::{OP}"
OPSET = 19

MOST = 2**16
"""Most points of a table that is written."""

_BODY = """
    first = Constant <value_float: float = @first> ()
    step = Constant <value_float: float = @step> ()
    zero = Constant <value = int64 {0}> ()
    one = Constant <value = int64 {1}> ()
    shifted = Sub(x, first)
    steps = Div(shifted, step)
    nearest = Round(steps)
    place = Cast <to = 7> (nearest)
    count = Size(values)
    last = Sub(count, one)
    capped = Min(place, last)
    index = Max(capped, zero)
    y = Gather(values, index)
"""


def function() -> onnx.FunctionProto:
    """Return the operator as an ONNX function in standard operators."""
    head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
    attributes = "first, step, function, slope, offset"
    return onnx.parser.parse_function(f"{head}\n{OP} <{attributes}> (x, values) => (y) {{{_BODY}}}")


def is_table(node: ir.Node) -> bool:
    """Return whether a node is a ``Table``."""
    return node.domain == DOMAIN and node.op_type == OP
