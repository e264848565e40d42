"""Where real numbers enter and leave the golden model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden.quantization import SIGNED_ZERO
from hwflow.fixed import MAX_TYPE_WIDTH, FixedType, Overflow, Rounding
from hwflow.ir.body import integers
from hwflow.ir.body.casts import clipped, overflown, rounded
from hwflow.ir.body.values import DOUBLE_BITS, Carrier, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.graph import Graph, Port
from hwflow.ops.input import Input


def arriving(body: Body, port: Port, op: Input, *, zero: int | None, double: bool) -> Tensor:
    """Return the mantissas of the real numbers ``x0`` that come in by a port.

    Args:
        body: the body that is written.
        port: the port that they enter by.
        op: its type.
        zero: the uint8 value that stands for 0, where the mantissas may come in uint8.
        double: the numbers are in float64 rather than float32.
    """
    x = Tensor(name="x0", shape=op.shape, carrier=Carrier.FLOAT64 if double else Carrier.FLOAT32)
    if _is_channels_first(port):
        x = replace(x, first=True)
    elif list(port.axes) != list(range(1, len(port.axes) + 1)):
        x = body.apply("Transpose", x, perm=[0, *port.axes])
    to = op.dtype
    if op.quantizer is None and not double and _as_uint8(to):
        point = SIGNED_ZERO if to.signed else 0
        y = body.in_uint8(x, point, to.step)
        y = body.cut(y, max(to.raw_min + point, 0), to.raw_max + point)
        return y if zero is not None else body.carried(y, Carrier.FLOAT32)
    x = body.carried(x, max(x.carrier, _at_port(to)))
    return x if op.quantizer is not None else _quantized(body, body.scaled(x, to.fractional), to)


def leaving(body: Body, graph: Graph, port: Port, x: Tensor) -> Tensor:
    """Return the real numbers of mantissas, or those where the port's scale is no power of two.

    Args:
        body: the body that is written.
        graph: the graph that has the port.
        port: that the numbers leave by, in its order of axes.
        x: the mantissas.
    """
    inside, x = x.name, body.carried(x, max(x.carrier, Carrier.FLOAT32))
    if port.grid.plain:
        x = body.carried(x, min(x.carrier, Carrier.FLOAT64))  # rounded, as in simulation
        x = body.scaled(x, -graph.types[port.value].dtype.fractional)
    order = np.argsort(port.axes).tolist()
    if x.first and _is_channels_first(port):
        order = list(range(len(order)))
    else:
        x = body.channels_last(x)
    if not port.axes:
        x = body.apply("Reshape", x, body.constant([-1], np.int64, "shape"))
    elif order != list(range(len(order))):
        x = body.apply("Transpose", x, perm=[0, *(1 + i for i in order)])
    return body.apply("Identity", x) if x.name == inside else x


def outside(graph: Graph, port: Port) -> list[Any]:
    """Return the shape of a port's tensor in the original model."""
    shape = graph.types[port.value].shape
    order = np.argsort(port.axes)
    return ["N", *(shape[i] for i in order)]


def _quantized(body: Body, x: Tensor, to: FixedType) -> Tensor:
    """Return real numbers assigned to a type, as ``quantize_values`` does.

    What rounds them is exact for all floating-point numbers, and so is the remainder of a division.
    """
    if to.width >= DOUBLE_BITS:  # float64 does not hold the ends of the type
        whole, end = rounded(body, x, to.rounding), 2.0**MAX_TYPE_WIDTH
        if to.overflow is Overflow.WRAP:
            whole = body.apply("Mod", whole, body.number(x, 2.0**to.width, "modulus"), fmod=1)
        else:
            whole = body.apply("Clip", whole, body.number(x, -end, "lo"), body.number(x, end, "hi"))
        return integers.overflown(body, body.carried(whole, Carrier.INT64), to)
    if to.overflow in (Overflow.SAT, Overflow.SAT_SYM):
        return rounded(body, clipped(body, x, to.raw_min - 1, to.raw_max + 1, to), to.rounding)
    return overflown(body, rounded(body, x, to.rounding), to)


def _at_port(to: FixedType) -> Carrier:
    """Return what real numbers are assigned to a type in."""
    return carrier(1 << (to.width + 1)) if to.width < DOUBLE_BITS else Carrier.FLOAT64


def _as_uint8(to: FixedType) -> bool:
    """Return whether QuantizeLinear assigns real numbers to a type of 8 bits as ap_fixed does."""
    saturates = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    return to.width <= 8 and saturates and to.rounding is Rounding.RND_CONV


def _is_channels_first(port: Port) -> bool:
    """Return whether the original tensor has the hardware's axes with the channels in front."""
    rank = len(port.axes)
    return rank > 1 and list(port.axes) == [*range(2, rank + 1), 1]
