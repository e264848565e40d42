"""``Cast``: another way to write the same numbers, or a rounding that is refused by name.

Hardware values are numbers, so a conversion between element types that keeps every number (a
camera's uint8 to float32) costs nothing. Floating-point arithmetic stands for real arithmetic here
as everywhere: what is computed in float32 or float64 is taken for the real number.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import operator_name
from hwflow.ir.tensor import TensorType
from hwflow.ops import facts_of
from hwflow.ops.input import Input
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.model.tails import REAL_TYPES, cast_target

SIGNIFICANT = {ir.DataType.FLOAT16: 11, ir.DataType.BFLOAT16: 8}
"""Bits of the significands of short floating-point types, the leading one included."""

SMALLEST = {ir.DataType.FLOAT16: -14, ir.DataType.BFLOAT16: -126}
"""Exponents of the smallest normal numbers of these types."""

LARGEST = {ir.DataType.FLOAT16: 15, ir.DataType.BFLOAT16: 127}
"""Exponents of the greatest numbers of these types."""

INTEGERS = {
    ir.DataType.BOOL: (0, 1),
    **{
        getattr(ir.DataType, name.upper()): (int(np.iinfo(name).min), int(np.iinfo(name).max))
        for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
    },
}
"""Least and greatest number of each integer type."""

_LONG = ("INT32", "UINT32", "INT64", "UINT64")
"""Integers that labels and shapes are computed in, and that nothing here reaches the ends of."""


def check_integers(node: ir.Node) -> None:
    """Refuse arithmetic in which ONNX wraps numbers around, or drops the rest of a quotient.

    Raises:
        RefusedError: HW235.
    """
    dtype = node.outputs[0].dtype
    name = operator_name(node)
    if dtype is None or not facts_of(node).wraps or dtype not in INTEGERS:
        return
    if dtype.name in _LONG and name != "Div":
        return
    raise RefusedError(
        Diagnostic(
            code="HW235",
            title="arithmetic in a short integer type",
            found=f"{name} in {dtype.name}, which wraps around and has no fractions",
            supported="arithmetic in floating point",
            help="convert to float before it: torch x.float(), ONNX Cast to FLOAT",
        )
    )


def lower_cast(walk: Walk, node: ir.Node) -> Made:
    """Return the result of a ``Cast`` or an ``Identity``, which is its operand.

    Raises:
        RefusedError: some number that the operand can be is not one of the type's.
    """
    value, result = node.inputs[0], node.outputs[0]
    assert value is not None
    held, axes = walk.values[value.name or ""]
    deferred = walk.deferred.get(value.name or "")
    target = cast_target(node) if operator_name(node) == "Cast" else ir.DataType.DOUBLE
    if target not in REAL_TYPES and (deferred is not None or not _holds(target, walk.types[held])):
        raise _rounds(target, None if deferred is not None else walk.types[held])
    leaves = result.is_graph_output() and walk.grid(value.name or "") is not None
    own = leaves and not isinstance(walk.op(held), Input)
    return Made(result, held, axes, deferred, own=own)


def _holds(target: ir.DataType, x: TensorType) -> bool:
    """Return whether every number of a range is one of a type's."""
    low, high = x.bounds
    fractional = x.dtype.fractional
    if target in INTEGERS:
        least, greatest = INTEGERS[target]
        return fractional <= 0 and least <= low << -fractional and high << -fractional <= greatest
    if target not in SIGNIFICANT:
        return False
    bits = max(abs(low), abs(high)).bit_length()
    fits = -fractional >= SMALLEST[target] and bits - fractional - 1 <= LARGEST[target]
    return fits and bits <= SIGNIFICANT[target]


def _rounds(target: ir.DataType, x: TensorType | None) -> RefusedError:
    return RefusedError(
        Diagnostic(
            code="HW234",
            title="conversion that rounds or wraps",
            found=f"Cast to {target.name} of "
            + ("values that are not quantised" if x is None else f"values of {x.dtype}"),
            supported="Cast to FLOAT or DOUBLE; to other types where every value is one of theirs",
            help="export the model in float32, and write a conversion to integers as a quantiser "
            "(Quant, or QuantizeLinear and DequantizeLinear)",
        )
    )
