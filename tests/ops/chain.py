"""An ONNX node turned into a chain of operators, and the chain computed step by step."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Constant, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops import by_onnx

F64 = npt.NDArray[np.float64]


def onnx_node(
    op_type: str,
    inputs: Sequence[TensorType | npt.ArrayLike],
    *,
    axes: tuple[int, ...] | None = None,
    opset: int = 20,
    **attributes: Any,
) -> OnnxNode:
    """Return a node; arrays are constants, and axes are in ONNX order unless given."""
    operands = tuple(
        i if isinstance(i, TensorType) else Constant(np.asarray(i, np.float64), False)
        for i in inputs
    )
    shape = next(i.shape for i in operands if isinstance(i, TensorType))
    order = axes or tuple(range(1, len(shape) + 1))
    return OnnxNode(
        op_type=op_type,
        attributes=attributes,
        inputs=operands,
        axes=order,
        output_shape=(1, *shape),
        opset=opset,
    )


def convert(node: OnnxNode) -> Sequence[Op]:
    """Return the chain for a node, by the operator that claims it."""
    return by_onnx()[node.op_type].from_onnx(node)


def compute(ops: Sequence[Op], *inputs: FixedArray) -> FixedArray:
    """Return the chain's result, after checking that every step stays in its proven range."""
    types = [TensorType.full(x.shape[1:], x.dtype) for x in inputs]
    values = list(inputs)
    for op in ops:
        known = op.infer(*types)
        result = op.compute(*values).cast(known.dtype)
        assert result.shape[1:] == known.shape
        assert (result.raw >= known.lo).all()
        assert (result.raw <= known.hi).all()
        types, values = [known], [result]
    return values[0]


def every_value(dtype: FixedType, shape: tuple[int, ...], seed: int = 0) -> FixedArray:
    """Return a batch in which every element takes every value of a type, in random order."""
    rng = np.random.default_rng(seed)
    raw = np.arange(dtype.raw_min, dtype.raw_max + 1)
    columns = [rng.permutation(raw) for _ in range(int(np.prod(shape)))]
    return FixedArray(np.stack(columns, axis=1).reshape(len(raw), *shape), dtype)


def reference(
    op_type: str, inputs: Sequence[F64 | None], *, opset: int = 20, **attributes: Any
) -> F64:
    """Return what ONNX's reference implementation computes in float64."""
    names = [f"i{k}" if i is not None else "" for k, i in enumerate(inputs)]
    given = {n: i for n, i in zip(names, inputs, strict=True) if i is not None}
    graph = helper.make_graph(
        [helper.make_node(op_type, names, ["y"], **attributes)],
        "reference",
        [
            helper.make_tensor_value_info(n, onnx.TensorProto.DOUBLE, i.shape)
            for n, i in given.items()
        ],
        [helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    (result,) = ReferenceEvaluator(model).run(None, given)
    return np.asarray(result)
