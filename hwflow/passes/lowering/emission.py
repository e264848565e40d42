"""How the operators of an ONNX node enter the hardware graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.op import Layout, OnnxNode, Op, RefusedError
from hwflow.ir.qonnx.model import origin
from hwflow.ops.transpose import Transpose
from hwflow.passes.lowering.view import (
    channels_last,
    identity,
    inputs_of,
    results_in_use,
    shape_of,
    view_of,
)
from hwflow.passes.lowering.walk import Axes, Made, Walk


def emit_all(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> list[Made]:
    """Add the operators for every result of a node that is in use, and return what they became.

    Raises:
        RefusedError: the node cannot be computed exactly.
    """
    view = view_of(walk, node, cls)
    inputs, made = inputs_of(walk, node, view.axes), []
    for which in results_in_use(node):
        one = replace(view, result=which, output_shape=shape_of(node.outputs[which]))
        made.append(emit(walk, node, cls, one, inputs=inputs, chain=cls.from_onnx(one)))
    return made


def emit(
    walk: Walk,
    node: onnx_ir.Node,
    cls: type[Op],
    view: OnnxNode,
    *,
    inputs: tuple[str, ...],
    chain: Sequence[Op],
) -> Made:
    """Add a chain of operators for one result of a node, and return what the result became.

    Args:
        walk: gets the operators.
        node: the node.
        cls: the operator that claims it.
        view: the node as the operator sees it.
        inputs: the hardware values that the first of the chain takes.
        chain: the operators.

    Raises:
        RefusedError: HW259, the result has another shape than the model says.
    """
    name, result, axes = origin(node), node.outputs[view.result], view.axes
    if cls.layout is Layout.VIEW:
        (transpose,) = chain
        assert isinstance(transpose, Transpose)
        turned = tuple(transpose.perm.index(a - 1) + 1 for a in axes)
        return Made(result, inputs[0], turned, own=False)
    for op in chain[:-1]:
        inputs = (walk.add(op, inputs, f"{name}_{op.kind.lower()}", name),)
    for op in chain[-1:]:
        inputs = (walk.add(op, inputs, walk.namer.label(name, op.kind), name),)
    if cls.layout is Layout.REDUCED and len(view.output_shape) == len(axes):
        axes = _without_axis(view)
    return made_of(walk, result, inputs[0], cls.layout, axes)


def made_of(walk: Walk, result: onnx_ir.Value, held: str, layout: Layout, axes: Axes) -> Made:
    """Return that a hardware value is a result, once their shapes agree.

    Raises:
        RefusedError: HW259, they do not.
    """
    shape = shape_of(result)
    match layout:
        case Layout.CHANNELS_LAST:
            axes = channels_last(len(shape))
        case Layout.ONNX:
            axes = identity(len(shape))
    wanted = tuple(shape[a] for a in axes) or (1,)  # hardware has one axis at least
    found = walk.types[held].shape
    if found != wanted:
        raise RefusedError(_other_shape(found, wanted))
    return Made(result, held, axes)


def _without_axis(node: OnnxNode) -> Axes:
    """Return the order of axes of a result that lacks the axis which its node works along."""
    gone = int(node.attributes.get("axis", 0)) % (len(node.axes) + 1)
    return tuple(a - (a > gone) for a in node.axes if a != gone)


def _other_shape(found: Axes, wanted: Axes) -> Diagnostic:
    return Diagnostic(
        code="HW259",
        title="operator and model disagree about the shape of a result",
        found=f"{found} from Op.exact, channels last and without the batch",
        supported=f"{wanted}, as ONNX, the model's function or Op.onnx_shape says",
        help="mend exact or onnx_shape of the operator",
    )
