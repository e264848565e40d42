"""ONNX nodes as operators see them: operands in the order of axes that they need."""

from __future__ import annotations

import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.op import Constant, Layout, OnnxNode, Op, RefusedError
from hwflow.ir.qonnx.model import attributes
from hwflow.ir.real.expression import Expression
from hwflow.ir.scaled import Operand
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.move import moved
from hwflow.ops.transpose import Transpose
from hwflow.passes.lowering.walk import Axes, Walk


def view_of(walk: Walk, node: onnx_ir.Node, cls: type[Op]) -> OnnxNode:
    """Return a node as an operator sees it, its operands in the order of axes that it needs.

    Raises:
        RefusedError: a result is in use that the operator does not give, or all operands are
            constant.
    """
    axes = operand_axes(walk, node, cls.layout)
    operands: list[TensorType | Constant | None] = []
    for value in node.inputs:
        if value is None or not value.name:
            operands.append(None)
        elif value.name in walk.constants:
            operands.append(walk.constants[value.name])
        else:
            name, transpose = _turned(walk, value, axes)
            x = walk.types[name]
            operands.append(x if transpose is None else transpose.infer(x))
    used = results_in_use(node)
    opset = walk.model.ir.opset_imports.get(node.domain, 1)
    shape = shape_of(node.outputs[used[0]])
    view = OnnxNode(
        op_type=node.op_type,
        attributes=attributes(node),
        inputs=tuple(operands),
        axes=axes,
        output_shape=shape,
        opset=opset,
        result=used[0],
    )
    if used[-1] >= cls.results:
        raise view.refuse(
            "node with several results",
            found=f"results in use: {', '.join(str(i + 1) for i in used)}",
            supported="the first result" if cls.results == 1 else f"the first {cls.results}",
        )
    if not view.activations:
        raise view.refuse(
            "operator of another domain than ONNX's on constants alone",
            code="HW218",
            help="replace it by its value when the model is exported",
        )
    return view


def inputs_of(walk: Walk, node: onnx_ir.Node, axes: Axes) -> tuple[str, ...]:
    """Return the hardware values that a node takes, transposed where their axes differ."""
    return tuple(_laid_out(walk, value, axes) for value in walk.activations(node))


def operands_of(walk: Walk, node: onnx_ir.Node, view: OnnxNode) -> tuple[Operand, ...]:
    """Return what the integers of a node's activations stand for."""
    return tuple(
        Operand(x, _meaning(walk, value, view.axes))
        for x, value in zip(view.activations, walk.activations(node), strict=True)
    )


def _meaning(walk: Walk, value: onnx_ir.Value, axes: Axes) -> Expression | None:
    """Return what a mantissa of a value stands for, laid out; None for a sum of several values."""
    function = walk.function_of(value)
    if function.lone_source is None:
        return None
    name, transpose = _turned(walk, value, axes)
    if transpose is None:
        return function.tree
    return moved(function.tree, [transpose], walk.types[name].shape)


def _turned(walk: Walk, value: onnx_ir.Value, axes: Axes) -> tuple[str, Transpose | None]:
    """Return the hardware value of an ONNX value, and what gives it an order of axes."""
    name, current = walk.values[value.name or ""]
    if len(current) != len(axes):
        axes = identity(len(current) + 1)
    if current == axes:
        return name, None
    return name, Transpose(perm=tuple(current.index(a) for a in axes))


def _laid_out(walk: Walk, value: onnx_ir.Value, axes: Axes) -> str:
    """Return the name of the value with its axes in an order, transposed if need be."""
    name, transpose = _turned(walk, value, axes)
    if transpose is None:
        return name
    return walk.add(transpose, (name,), walk.namer.label(name, "Transpose"), "")


def operand_axes(walk: Walk, node: onnx_ir.Node, layout: Layout) -> Axes:
    """Return the order of axes that the node's activations are brought into."""
    found = [walk.values[v.name or ""][1] for v in walk.activations(node)]
    rank = max((len(a) for a in found), default=0) + 1
    if layout is Layout.CHANNELS_LAST:
        return channels_last(rank)
    if layout is Layout.VIEW:
        return found[0] if found else ()
    if layout is Layout.ONNX or len({len(a) for a in found}) > 1:
        return identity(rank)
    return max(found, key=found.count, default=identity(rank))


def require_batch_alone(walk: Walk, node: onnx_ir.Node) -> None:
    """Make sure that a node does not broadcast the batch axis of one operand along another's axis.

    ONNX aligns shapes at their last axes, so that a value without axes beside the batch meets the
    last axis of the others.

    Raises:
        RefusedError: it does.
    """
    ranks = [len(walk.values[v.name or ""][1]) for v in walk.activations(node)]
    if 0 in ranks and any(ranks):
        raise RefusedError(
            Diagnostic(
                code="HW223",
                title=f"{node.op_type} of values with and without axes beside the batch",
                found=f"{' and '.join(str(rank) for rank in ranks)} axes beside the batch",
                supported="as many axes on both sides",
                help="keep an axis of length 1 in the value that has none (keepdims, unsqueeze)",
            )
        )


def results_in_use(node: onnx_ir.Node) -> list[int]:
    """Return the positions of the results that something reads; the first where nothing does."""
    used = [i for i, o in enumerate(node.outputs) if o.uses() or o.is_graph_output()]
    return used or [0]


def shape_of(value: onnx_ir.Value) -> tuple[int, ...]:
    """Return a static shape, batch axis included; ``infer_shapes`` has made sure it is one."""
    return tuple(int(d) for d in value.shape.numpy()) if value.shape is not None else ()


def identity(rank: int) -> Axes:
    """Return ONNX's own order of axes, the batch left out."""
    return tuple(range(1, rank))


def channels_last(rank: int) -> Axes:
    """Return the order of axes of images: ONNX axis 1 behind the others."""
    return (*range(2, rank), 1) if rank > 2 else identity(rank)
