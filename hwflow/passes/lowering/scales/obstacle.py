"""Why a node cannot be computed from integers with real scales: the first reason that holds."""

from __future__ import annotations

import numpy as np
import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.grid import UNIT
from hwflow.ir.op import Op, RefusedError
from hwflow.ir.qonnx.model import origin, printable
from hwflow.ir.scaled import NEEDS_QUANTIZER, Operand, on_grid
from hwflow.passes.lowering.view import view_of
from hwflow.passes.lowering.walk import Walk
from hwflow.passes.model.tails import is_elementwise


def obstacle(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> RefusedError:
    """Return the refusal of a node whose operands' scales cannot be brought together.

    1. What is refused of plain values as well is refused for that reason.
    2. An operand that no quantiser stands behind, or one with several scales, is named.
    3. Else operands are quantised, each with one scale, and the node itself is the reason.
    """
    try:
        view = view_of(walk, node, cls)
        plain = [Operand(x, on_grid(UNIT, x)) for x in view.activations]
        if not cls.weighted or cls.scaled(view, *plain) is None:
            cls.from_onnx(view)
    except RefusedError as refusal:
        return refusal
    return _scale_obstacle(walk, node)


def _scale_obstacle(walk: Walk, node: onnx_ir.Node) -> RefusedError:
    """Return the refusal of a node that could be computed of plain values."""
    values = walk.activations(node)
    for value in values:
        reason = _reason(walk, value)
        if reason:
            return _before(node, value, reason)
    if is_elementwise(node):
        return _refused(
            node,
            f"{node.op_type} of values with a scale, and no quantiser behind it",
            "functions between two quantisers",
            "put a quantiser right behind this layer",
        )
    return _refused(node, *_of_the_node(walk, node, values))


def _reason(walk: Walk, value: onnx_ir.Value) -> str:
    """Return what keeps an operand from being integers times one scale, or nothing."""
    if walk.function_of(value).lone_source is None:
        return "a sum of values with different scales"
    grid = walk.line_of(value)
    if grid is None:
        return "a function of quantised values"
    if np.any(grid.offset):
        return "shifted by a bias or mean that is no whole number of its steps"
    return "with a scale for each channel" if grid.scale.size > 1 else ""


def _before(node: onnx_ir.Node, value: onnx_ir.Value, reason: str) -> RefusedError:
    producer = value.producer()
    by = f" ({origin(producer)}: {printable(producer.op_type)})" if producer is not None else ""
    return _refused(
        node,
        f"operand {printable(value.name or '')!r}{by}: {reason}",
        "operands that are quantised with one scale",
        "put a quantiser with one scale before this layer, at the operand, or use power-of-two "
        "scales (Brevitas: Int8ActPerTensorFixedPoint)",
    )


def _of_the_node(
    walk: Walk, node: onnx_ir.Node, values: list[onnx_ir.Value]
) -> tuple[str, str, str]:
    """Return what was found, what is supported, and the help, where operands are quantised."""
    scales = {float(g.scale.flat[0]) for v in values if (g := walk.line_of(v)) is not None}
    if len(scales) > 1:
        found = f"operands with scales {' and '.join(f'{s:g}' for s in sorted(scales))}"
        return found, "operands of one scale", "quantise the operands with one and the same scale"
    return (
        f"{node.op_type} of values with a scale",
        "operators that move, compare, scale or add values",
        "use power-of-two scales for its operands (Brevitas: Int8ActPerTensorFixedPoint)",
    )


def _refused(node: onnx_ir.Node, found: str, supported: str, help_: str) -> RefusedError:
    return RefusedError(
        Diagnostic(
            code="HW213", title=NEEDS_QUANTIZER, found=found, supported=supported, help=help_
        )
    )
