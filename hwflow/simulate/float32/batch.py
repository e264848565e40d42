"""Whether samples can be computed together in a model that was exported for one, and how.

A batch is proven to keep its samples apart, node by node; where that proof fails, samples are run
one by one.
"""

from __future__ import annotations

from collections.abc import Set

import onnx
import onnx_ir as ir

from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.lookup_dense import is_lookup_dense
from hwflow.ir.qonnx.model import is_quantizer
from hwflow.ir.qonnx.table import is_table

_POINTWISE = frozenset(
    {
        "Abs", "Add", "Cast", "Ceil", "Clip", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu",
        "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish",
        "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign",
        "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu",
    }
)  # fmt: skip
"""Operators that act on each element, operands broadcast against each other."""

_PER_SAMPLE = frozenset(
    {
        "AveragePool", "BatchNormalization", "Conv", "ConvTranspose", "GlobalAveragePool",
        "GlobalMaxPool", "GroupNormalization", "InstanceNormalization", "MaxPool",
    }
)  # fmt: skip
"""Operators for which the first axis is the batch by definition."""

_ALONG_AXIS = {
    "ArgMax": 0, "ArgMin": 0, "LayerNormalization": -1, "LogSoftmax": -1, "RMSNormalization": -1,
    "Softmax": -1, "TopK": -1,
}  # fmt: skip
"""Operators that work along one axis, with the axis where none is given (before opset 13 that of
softmax is 1, which is not the batch either)."""

_BESIDE_BATCH = {
    "Gather": ("axis", 0, (0,)),
    "ReduceMax": ("axes", 1, ()),
    "ReduceMean": ("axes", 1, ()),
    "ReduceMin": ("axes", 1, ()),
    "ReduceSum": ("axes", 1, ()),
    "Slice": ("axes", 3, ()),
    "Split": ("axis", 0, (0,)),
    "Squeeze": ("axes", 1, ()),
    "Unsqueeze": ("axes", 1, ()),
}
"""Operators that work along axes that are listed: the attribute, the operand in newer opsets, and
what stands for an empty list (nothing, where that means all axes)."""


def keeps_batches(graph: ir.Graph) -> bool:
    """Return whether every node that depends on an input keeps the samples of a batch apart."""
    fixed = {value.name for value in graph.initializers.values()}
    for node in graph:
        if all(v is None or v.name in fixed for v in node.inputs):
            fixed |= {v.name for v in node.outputs}
        elif not _keeps_batch(node, fixed):
            return False
    return True


def _keeps_batch(node: ir.Node, fixed: Set[str | None]) -> bool:
    """Return whether a node provably treats each sample alone when the batch grows.

    Args:
        node: at least one of its operands depends on an input of the graph.
        fixed: names of the values that do not.

    Together with the same statement about the nodes before it: the first axis of each operand that
    is not constant is the batch, and so is the first axis of the result.
    """
    operands = [v for v in node.inputs if v is not None and v.name not in fixed]
    shapes = [_dims(v) for v in (*operands, *node.outputs)]
    if not operands or any(shape is None or shape[:1] != (1,) for shape in shapes):
        return False
    rank = len(shapes[0] or ())
    if is_lookup_dense(node):
        return rank > 1 and operands == [node.inputs[0]]
    if (
        is_quantizer(node)
        or is_fixed_quant(node)
        or is_table(node)
        or (not node.domain and node.op_type in _POINTWISE)
    ):
        return all(len(shape or ()) == rank for shape in shapes) and _constants_spread(
            node, fixed, rank
        )
    if node.domain or len(operands) != 1 or operands[0] is not node.inputs[0]:
        joins = node.op_type == "Concat" and not node.domain and len(operands) == len(node.inputs)
        return joins and _axis(node, rank, 0) != 0
    return _is_apart(node, rank)


def _is_apart(node: ir.Node, rank: int) -> bool:
    """Return whether a node of one activation, its first operand, leaves its first axis alone."""
    match node.op_type:
        case "Gemm":
            return not ("transA" in node.attributes and node.attributes["transA"].as_int())
        case "MatMul":
            return rank == 2 or (rank > 2 and len(_dims(node.inputs[1]) or ()) == 2)
        case "Flatten":
            return _axis(node, rank, 1) == 1
        case op_type if op_type in _ALONG_AXIS:
            return _axis(node, rank, _ALONG_AXIS[op_type]) != 0
        case "Transpose":
            return "perm" in node.attributes and node.attributes["perm"].as_ints()[0] == 0
        case "Reshape":
            target = node.inputs[1]
            has_values = target is not None and target.const_value is not None
            return has_values and 0 not in (_dims(node.outputs[0]) or ())
        case op_type if op_type in _BESIDE_BATCH:
            return _leaves_batch(node, rank)
    return node.op_type in _PER_SAMPLE


def _leaves_batch(node: ir.Node, rank: int) -> bool:
    """Return whether a node works along listed axes only, and the batch is none of them."""
    name, place, default = _BESIDE_BATCH[node.op_type]
    axes = _listed(node, name, place)
    if axes is None:
        axes = default
    rank = max(rank, len(_dims(node.outputs[0]) or ()))
    return bool(axes) and all(axis % rank != 0 for axis in axes)


def _listed(node: ir.Node, name: str, place: int) -> tuple[int, ...] | None:
    """Return whole numbers that are an attribute or a constant operand, or None."""
    if name in node.attributes:
        value = node.attributes[name].value
        return tuple(value) if isinstance(value, (tuple, list)) else (int(value),)
    operand = node.inputs[place] if 0 < place < len(node.inputs) else None
    if operand is None or operand.const_value is None:
        return None
    return tuple(int(v) for v in operand.const_value.numpy().ravel())


def _dims(value: ir.Value | None) -> tuple[int, ...] | None:
    """Return the static shape of a value, or None."""
    if value is None or value.shape is None or not all(isinstance(d, int) for d in value.shape):
        return None
    return tuple(int(d) for d in value.shape.numpy())


def _axis(node: ir.Node, rank: int, default: int) -> int:
    """Return the attribute ``axis``, counted from the front."""
    axis = node.attributes["axis"].as_int() if "axis" in node.attributes else default
    return axis % rank


def _constants_spread(node: ir.Node, fixed: Set[str | None], rank: int) -> bool:
    """Return whether no constant operand has an extent along the batch axis."""
    shapes = [_dims(v) for v in node.inputs if v is not None and v.name in fixed]
    return all(s is not None and (len(s) < rank or s[0] == 1) for s in shapes)


def free_batch(proto: onnx.ModelProto) -> list[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Change a model in place, whose nodes all keep the batch apart: any batch is taken.

    Only what depends on an input carries the batch: a ``Reshape`` of constants stays as it is.

    Returns:
        The nodes that were changed, each with a copy of what it was.
    """
    graph, changed = proto.graph, []
    for value in graph.input:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del graph.value_info[:]
    for output in graph.output:
        output.ClearField("type")
    constants = {tensor.name: tensor for tensor in graph.initializer}
    carrying = {value.name for value in graph.input if value.name not in constants}
    for node in graph.node:
        if carrying.isdisjoint(node.input):
            continue
        carrying.update(node.output)
        if node.op_type != "Reshape" or node.domain:
            continue
        before = onnx.NodeProto()
        before.CopyFrom(node)
        changed.append((node, before))
        target = onnx.numpy_helper.to_array(constants[node.input[1]]).copy()
        target[0] = 0  # ONNX: take over this extent from the operand
        name = f"{node.input[1]}__batch_of_{node.output[0]}"
        graph.initializer.append(onnx.numpy_helper.from_array(target, name))
        node.input[1] = name
        del node.attribute[:]  # allowzero, which would give 0 its other meaning
    return changed


def fix_batch(proto: onnx.ModelProto, changed: list[tuple[onnx.NodeProto, onnx.NodeProto]]) -> None:
    """Change a model in place: the batch is 1 again."""
    for value in proto.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    for node, before in changed:
        node.CopyFrom(before)
