"""What is known while the ONNX nodes are visited in order, and how operators enter the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import onnx_ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.graph import Node, Port
from hwflow.ir.grid import UNIT, Grid
from hwflow.ir.names import Namer
from hwflow.ir.op import Constant, Layout, OnnxNode, Op, RefusedError
from hwflow.ir.qonnx.model import QonnxModel, attributes, origin
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.ops.transpose import Transpose
from hwflow.passes.lowering.deferred import Deferred, grid_of

Axes = tuple[int, ...]


@dataclass(eq=False)
class Walk:
    """What is known so far.

    Attributes:
        model: being lowered.
        constants: by ONNX name.
        namer: gives hardware names.
        nodes: of the hardware graph.
        types: of the hardware values, by name.
        values: for each ONNX value the hardware value, and the order of its axes.
        deferred: the ONNX values that are functions of their hardware value.
        port_grids: what the integers at an input that the host quantises mean, by hardware name.
        findings: what cannot be computed.
    """

    model: QonnxModel
    constants: dict[str, Constant]
    namer: Namer
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    values: dict[str, tuple[str, Axes]] = field(default_factory=dict)
    deferred: dict[str, Deferred] = field(default_factory=dict)
    port_grids: dict[str, Grid] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def add(self, op: Op, inputs: tuple[str, ...], name: str, origin: str) -> str:
        """Append a node and return its name."""
        node = Node(self.namer.unique(name, port=isinstance(op, Input)), op, inputs, origin)
        self.types[node.name] = op.infer(*(self.types[i] for i in inputs))
        self.nodes.append(node)
        return node.name

    def op(self, name: str) -> Op:
        """Return the operator of a node that was added before."""
        return next(n.op for n in reversed(self.nodes) if n.name == name)

    def quantize_port(self, name: str, quantizer: Quantizer) -> TensorType:
        """Let the host quantise what enters by an input, and return the type of the port."""
        port = self.op(name)
        assert isinstance(port, Input)
        op = replace(port, quantizer=quantizer, assumed=False)
        op = replace(op, dtype=op.exact().dtype)
        self.replace_node(name, op=op)
        return op.exact()

    def replace_node(self, name: str, **changes: Any) -> None:
        """Change fields of a node that was added before."""
        index = next(i for i in range(len(self.nodes) - 1, -1, -1) if self.nodes[i].name == name)
        self.nodes[index] = replace(self.nodes[index], **changes)

    def grid(self, value: str) -> Grid | None:
        """Return what an ONNX value's hardware value means, or None where that is no line."""
        deferred = self.deferred.get(value)
        if deferred is None:
            return UNIT
        return grid_of(deferred.tree, self.types[deferred.sources[0]])


def view_of(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], changed: Mapping[int, Constant | None]
) -> tuple[OnnxNode, tuple[str, ...]]:
    """Return a node as an operator sees it, and the hardware values that it takes.

    Args:
        walk: transposes are added to it where the operator needs another order of axes.
        node: the node.
        cls: the operator that claims it.
        changed: constants that take the place of operands, by position.

    Raises:
        RefusedError: a result is in use that the operator does not give, or all operands are
            constant.
    """
    axes = operand_axes(walk, node, cls.layout)
    operands: list[TensorType | Constant | None] = []
    inputs: list[str] = []
    for position, value in enumerate(node.inputs):
        if position in changed:
            operands.append(changed[position])
        elif value is None or not value.name:
            operands.append(None)
        elif value.name in walk.constants:
            operands.append(walk.constants[value.name])
        else:
            inputs.append(laid_out(walk, value, axes))
            operands.append(walk.types[inputs[-1]])
    used = results_in_use(node)
    opset = walk.model.ir.opset_imports.get(node.domain, 1)
    shape = shape_of(node.outputs[used[0]])
    view = OnnxNode(node.op_type, attributes(node), tuple(operands), axes, shape, opset, used[0])
    if used[-1] >= cls.results:
        raise view.refuse(
            "node with several results",
            found=f"results in use: {', '.join(str(i + 1) for i in used)}",
            supported="the first result" if cls.results == 1 else f"the first {cls.results}",
        )
    if not inputs:
        raise view.refuse(
            "operator of another domain than ONNX's on constants alone",
            code="HW218",
            help="replace it by its value when the model is exported",
        )
    return view, tuple(inputs)


def require_batch_alone(walk: Walk, node: onnx_ir.Node) -> None:
    """Make sure that a node does not broadcast the batch axis of one operand along another's axis.

    ONNX aligns shapes at their last axes, so that a value without axes beside the batch meets the
    last axis of the others.

    Raises:
        RefusedError: it does.
    """
    ranks = [len(walk.values[v.name][1]) for v in node.inputs if v and v.name in walk.values]
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


def emit_all(
    walk: Walk, node: onnx_ir.Node, cls: type[Op], view: OnnxNode, inputs: tuple[str, ...]
) -> None:
    """Add the operators for every result of a node that is in use."""
    for which in results_in_use(node):
        shape = shape_of(node.outputs[which])
        emit(walk, node, cls, replace(view, result=which, output_shape=shape), inputs)


def emit(
    walk: Walk,
    node: onnx_ir.Node,
    cls: type[Op],
    view: OnnxNode,
    inputs: tuple[str, ...],
    chain: Sequence[Op] | None = None,
) -> str:
    """Add the operators of a node and return the name of the hardware value of its result."""
    name, result, axes = origin(node), node.outputs[view.result], view.axes
    chain = cls.from_onnx(view) if chain is None else chain
    if cls.layout is Layout.VIEW:
        _rename_axes(walk, result, inputs[0], axes, chain)
        return inputs[0]
    for op in chain[:-1]:
        inputs = (walk.add(op, inputs, f"{name}_{op.kind.lower()}", name),)
    for op in chain[-1:]:
        inputs = (walk.add(op, inputs, walk.namer.label(name, op.kind), name),)
    if cls.layout is Layout.REDUCED and len(view.output_shape) == len(axes):
        axes = _without_axis(view)
    publish(walk, result, inputs[0], cls.layout, axes)
    return inputs[0]


def _rename_axes(
    walk: Walk, result: onnx_ir.Value, name: str, axes: Axes, chain: Sequence[Op]
) -> None:
    """Record that a value is another one with its axes in another order; no hardware is needed."""
    (transpose,) = chain
    assert isinstance(transpose, Transpose)
    turned = tuple(transpose.perm.index(a - 1) + 1 for a in axes)
    walk.values[result.name or ""] = name, turned


def publish(
    walk: Walk,
    result: onnx_ir.Value,
    last: str,
    layout: Layout,
    axes: Axes,
) -> None:
    """Record which hardware value holds an ONNX value, and that their shapes agree."""
    shape = shape_of(result)
    match layout:
        case Layout.CHANNELS_LAST:
            axes = channels_last(len(shape))
        case Layout.ONNX:
            axes = identity(len(shape))
    wanted = tuple(shape[a] for a in axes) or (1,)  # hardware has one axis at least
    found = walk.types[last].shape
    if found != wanted:
        raise RefusedError(_other_shape(walk.types[last], wanted))
    name = result.name or ""
    walk.values[name] = last, axes
    walk.replace_node(last, source=Port(last, name, axes))


def defer(walk: Walk, result: onnx_ir.Value, deferred: Deferred, axes: Axes) -> None:
    """Record that an ONNX value is a function of hardware values."""
    name = result.name or ""
    walk.values[name] = deferred.sources[0], axes
    walk.deferred[name] = deferred
    lone = deferred.lone_source
    grid = walk.grid(name)
    if lone is None or grid is None:
        return
    node = next(n for n in reversed(walk.nodes) if n.name == lone)
    if node.source is None or node.source.name == name:
        walk.replace_node(lone, source=Port(lone, name, axes, grid))
    if grid.plain:
        del walk.deferred[name]


def _without_axis(node: OnnxNode) -> Axes:
    """Return the order of axes of a result that lacks the axis which its node works along."""
    gone = int(node.attributes.get("axis", 0)) % (len(node.axes) + 1)
    return tuple(a - (a > gone) for a in node.axes if a != gone)


def operand_axes(walk: Walk, node: onnx_ir.Node, layout: Layout) -> Axes:
    """Return the order of axes that the node's activations are brought into."""
    found = [walk.values[v.name][1] for v in node.inputs if v is not None and v.name in walk.values]
    rank = max((len(a) for a in found), default=0) + 1
    if layout is Layout.CHANNELS_LAST:
        return channels_last(rank)
    if layout is Layout.VIEW:
        return found[0] if found else ()
    if layout is Layout.ONNX or len({len(a) for a in found}) > 1:
        return identity(rank)
    return max(found, key=found.count, default=identity(rank))


def laid_out(walk: Walk, value: onnx_ir.Value, axes: Axes) -> str:
    """Return the name of the value with its axes in an order, transposed if need be."""
    name, current = walk.values[value.name or ""]
    if len(current) != len(axes):
        axes = identity(len(current) + 1)
    if current == axes:
        return name
    perm = tuple(current.index(a) for a in axes)
    label = walk.namer.label(name, "Transpose")
    return walk.add(Transpose(perm=perm), (name,), label, "")


def _other_shape(found: TensorType, wanted: Axes) -> Diagnostic:
    return Diagnostic(
        code="HW259",
        title="operator and model disagree about the shape of a result",
        found=f"{found.shape} from Op.exact, channels last and without the batch",
        supported=f"{wanted}, as ONNX, the model's function or Op.onnx_shape says",
        help="mend exact or onnx_shape of the operator",
    )


def shape_of(value: onnx_ir.Value) -> tuple[int, ...]:
    """Return a static shape, batch axis included; ``infer_shapes`` has made sure it is one."""
    return tuple(int(d) for d in value.shape.numpy()) if value.shape is not None else ()


def identity(rank: int) -> Axes:
    """Return ONNX's own order of axes, the batch left out."""
    return tuple(range(1, rank))


def channels_last(rank: int) -> Axes:
    """Return the order of axes of images: ONNX axis 1 behind the others."""
    return (*range(2, rank), 1) if rank > 2 else identity(rank)
