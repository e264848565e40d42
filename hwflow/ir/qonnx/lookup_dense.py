"""``LookupDense``: every output is a sum of tables, each of one input or of a few of them.

``LookupDense(x, first, step, count, source, stride, start, values)`` works on the last axis. Input
``c`` lies on a grid: its place is ``floor((x_c - first_c) / step_c)``, not below 0 and below
``count_c``. Table ``t`` of output ``j`` has the index ``start_jt + sum_m stride_jtm place_s(m)``
where ``s(m)`` is ``source_jtm``, and the output is the sum of ``values`` at the indices of all of
its tables. Outputs with fewer tables than others point at a 0.

The form is that of sub-functions trained as look-up tables (HGQ2, ``QDenseT``), and with several
sources that of LogicNets (Umuroglu et al. 2020) and PolyLUT (Andronic et al. 2023).
"""

from __future__ import annotations

import onnx
import onnx_ir as ir

from hwflow.ir.qonnx.fixed_quant import DOMAIN

OP = "LookupDense"
NAME = f"{DOMAIN}::{OP}"
OPSET = 19

OPERANDS = ("first", "step", "count", "source", "stride", "start", "values")
"""The constants behind the operand: float32 of shape ``(inputs,)`` thrice, int64 of shape
``(outputs, tables, members)`` twice, int64 ``(outputs, tables)``, float32 of any length."""

_BODY = """
    zero = Constant <value = float {0.0}> ()
    one = Constant <value = float {1.0}> ()
    last_axis = Constant <value = int64[1] {-1}> ()
    shifted = Sub(x, first)
    steps = Div(shifted, step)
    whole = Floor(steps)
    last = Sub(count, one)
    capped = Min(whole, last)
    held = Max(capped, zero)
    place = Cast <to = 7> (held)
    members = Gather <axis = -1> (place, source)
    moved = Mul(members, stride)
    offset = ReduceSum <keepdims = 0> (moved, last_axis)
    index = Add(offset, start)
    terms = Gather(values, index)
    y = ReduceSum <keepdims = 0> (terms, last_axis)
"""


def function() -> onnx.FunctionProto:
    """Return the operator as an ONNX function in standard operators."""
    head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
    return onnx.parser.parse_function(f"{head}\n{OP} (x, {', '.join(OPERANDS)}) => (y) {{{_BODY}}}")


def is_lookup_dense(node: ir.Node) -> bool:
    """Return whether a node is a ``LookupDense``."""
    return node.domain == DOMAIN and node.op_type == OP
