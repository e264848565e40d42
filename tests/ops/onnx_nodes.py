"""One ONNX node: through ONNX Runtime, and through the operators it becomes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper, shape_inference

from hwflow.fixed import FixedArray, FixedType
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.op import Constant, Layout, OnnxNode, Op, RefusedError
from hwflow.ir.tensor import TensorType
from hwflow.ops import by_onnx

F64 = npt.NDArray[np.float64]
BATCH = 3
SIGNED = FixedType(6, 3)


def channels_last(rank: int) -> tuple[int, ...]:
    return (*range(2, rank), 1) if rank > 2 else tuple(range(1, rank))


def axes_of(op_type: str, rank: int) -> tuple[int, ...]:
    """Return the order of axes in which an operator sees an activation."""
    spatial = by_onnx()[op_type].layout is not Layout.ONNX
    return channels_last(rank) if spatial else tuple(range(1, rank))


class Node:
    """A node with one activation ``x`` and constant operands, batch of one."""

    def __init__(
        self,
        op_type: str,
        shape: Sequence[int],
        constants: Sequence[npt.NDArray[Any] | None] = (),
        opset: int = 18,
        dtype: FixedType = SIGNED,
        **attributes: Any,
    ) -> None:
        self.op_type, self.dtype, self.constants, self.opset = op_type, dtype, constants, opset
        self.attributes = attributes
        self.shape = (1, *shape)
        self.axes = axes_of(op_type, len(self.shape))

    def model(self, batch: int) -> Any:
        names = ["x"] + ["" if c is None else f"c{i}" for i, c in enumerate(self.constants)]
        node = helper.make_node(self.op_type, names, ["y"], **self.attributes)
        tensors = [
            numpy_helper.from_array(c, f"c{i}")
            for i, c in enumerate(self.constants)
            if c is not None
        ]
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, (batch, *self.shape[1:]))
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
        graph = helper.make_graph([node], "node", [x], [y], tensors)
        opsets = [helper.make_opsetid("", self.opset)]
        return shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=opsets, ir_version=8)
        )

    def view(self) -> OnnxNode:
        """Return the node as an operator's ``from_onnx`` gets it."""
        inferred = self.model(1).graph.output[0].type.tensor_type.shape.dim
        hardware = tuple(self.shape[a] for a in self.axes)
        constants = [
            None if c is None else Constant(np.asarray(c, np.float64), quantized=True)
            for c in self.constants
        ]
        attributes: Mapping[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in self.attributes.items()
        }
        return OnnxNode(
            op_type=self.op_type,
            attributes=attributes,
            inputs=(TensorType.full(hardware, self.dtype), *constants),
            axes=self.axes,
            output_shape=tuple(d.dim_value for d in inferred),
            opset=self.opset,
        )

    def ops(self) -> Sequence[Op]:
        return by_onnx()[self.op_type].from_onnx(self.view())

    def data(self, seed: int = 0) -> F64:
        """Return values of the input type, in ONNX order of axes."""
        raw = np.random.default_rng(seed).integers(
            self.dtype.raw_min, self.dtype.raw_max + 1, (BATCH, *self.shape[1:])
        )
        return np.ldexp(raw.astype(np.float64), -self.dtype.fractional)

    def expected(self, x: F64) -> F64:
        """Return what ONNX Runtime computes; exact, as all numbers are short."""
        session = ort.InferenceSession(
            self.model(len(x)).SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (result,) = session.run(None, {"x": x.astype(np.float32)})
        return np.asarray(result, np.float64)

    def computed(self, x: F64, ops: Sequence[Op] | None = None) -> F64:
        """Return what the operators compute, in ONNX order of axes."""
        value = FixedArray(quantize_values(x.transpose(0, *self.axes), self.dtype), self.dtype)
        known = TensorType.full(value.shape[1:], self.dtype)
        for op in self.ops() if ops is None else ops:
            known = op.infer(known)
            value = op.compute(value).cast(known.dtype)
            assert value.shape[1:] == known.shape
        if len(self.view().output_shape) == 1:  # hardware has one axis at least
            return np.asarray(value.values.reshape(len(x)))
        rank = value.values.ndim
        order = axes_of(self.op_type, rank)
        return np.asarray(value.values.transpose(0, *(1 + np.argsort(order))))

    def refusal(self) -> str:
        """Return the code that the node is refused with."""
        try:
            self.ops()
        except RefusedError as refused:
            return refused.diagnostic.code
        return ""
