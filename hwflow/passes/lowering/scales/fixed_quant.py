"""``FixedQuant`` of a real function of integers: a ``Requantize``, and a cast where values wrap."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx_ir

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.grid import ONE, ZERO, Rationals, rationals
from hwflow.ir.op import Op
from hwflow.ir.qonnx.fixed_quant import Formats
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.nodes import Clamp, Rounded
from hwflow.ops.fixed_quant import hardware_formats
from hwflow.ops.shared.functions import line
from hwflow.passes.lowering.emission import emit
from hwflow.passes.lowering.fuse_elementwise import close_levels
from hwflow.passes.lowering.view import view_of
from hwflow.passes.lowering.walk import Made, Walk

HALF = rationals(0.5)

NAMES = {
    Rounding.TRN: "FLOOR",
    Rounding.TRN_ZERO: "DOWN",
    Rounding.RND: "FLOOR",
    Rounding.RND_ZERO: "HALF_DOWN",
    Rounding.RND_INF: "HALF_UP",
    Rounding.RND_MIN_INF: "CEIL",
    Rounding.RND_CONV: "ROUND",
}
"""QONNX's name of each rounding; ``RND`` is ``floor(x + 1/2)``, ``RND_MIN_INF`` is
``ceil(x - 1/2)``."""


def lower_fixed_quant(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> Made:
    """Lower a ``FixedQuant`` of a value that the hardware does not hold.

    Raises:
        RefusedError: the function has too many steps, or is not defined on the whole range.
    """
    view = view_of(walk, node, cls)
    value = node.inputs[0]
    assert value is not None
    view = replace(view, axes=walk.values[value.name or ""][1])
    formats = hardware_formats(view)
    levels = _levels(walk.function_of(value).tree, formats)
    made = close_levels(
        walk, node, cls, levels, scale=rationals(2) ** -formats.fractional, offset=ZERO
    )
    if any(t is not None and t.overflow is Overflow.WRAP for t in formats.types):
        walk.record(made)
        rounded = replace(view, inputs=(walk.types[made.held], *view.inputs[1:]))
        return emit(walk, node, cls, rounded, inputs=(made.held,), chain=cls.from_onnx(rounded))
    return made


def _levels(tree: Expression, formats: Formats) -> Expression:
    """Return the results in units of the finest format's last bit; wrapped values are not yet."""
    live = [t or _NOTHING for t in formats.types]
    zero = np.array([t is None for t in formats.types])
    scale = _each(formats, [2.0**t.fractional for t in live])
    back = _each(formats, [2.0 ** (formats.fractional - t.fractional) for t in live])
    scaled = line(tree, scale, ZERO)
    if zero.any() or live[0].overflow is not Overflow.WRAP:
        wraps = [t.overflow is Overflow.WRAP for t in live]
        far = 2.0**61
        low = [
            0 if z else -far if w else t.raw_min for t, z, w in zip(live, zero, wraps, strict=True)
        ]
        high = [
            0 if z else far if w else t.raw_max for t, z, w in zip(live, zero, wraps, strict=True)
        ]
        scaled = Clamp(scaled, _each(formats, low), _each(formats, high))
    rounding = next((t.rounding for t in formats.types if t is not None), Rounding.TRN)
    shift = {Rounding.RND: HALF, Rounding.RND_MIN_INF: -HALF}.get(rounding)
    if shift is not None:
        scaled = line(scaled, ONE, shift)
    return line(Rounded(scaled, NAMES[rounding]), back, ZERO)


_NOTHING = FixedType(1, 1)
"""Type that stands for a format without bits."""


def _each(formats: Formats, values: list[float]) -> Rationals:
    """Return a number for each row."""
    return np.atleast_1d(rationals(np.array(values, np.float64)[formats.index]))
