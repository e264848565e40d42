"""Layers with weights: the weights as a matrix, the inputs as its columns' values, the bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, attributes, origin
from hwflow.ops import facts_of

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]


def array_of(value: ir.Value) -> Floats:
    """Return an initializer in float64."""
    assert value.const_value is not None
    return value.const_value.numpy().astype(np.float64)


def store(value: ir.Value, values: npt.ArrayLike) -> None:
    """Give an initializer other values, in float32."""
    array = np.array(values, np.float32, order="C")
    tensor = ir.tensor(array, name=value.name)
    value.const_value = tensor
    value.shape, value.type = ir.Shape(array.shape), ir.TensorType(tensor.dtype)


def new_constant(model: QonnxModel, name: str, array: Array) -> ir.Value:
    """Return a new float32 initializer under a name not used before."""
    graph = model.ir.graph
    taken = {v.name for n in graph for v in n.outputs} | set(graph.initializers)
    taken |= {v.name for v in graph.inputs}
    while name in taken:
        name += "_"
    value = ir.Value(name=name)
    store(value, array)
    graph.register_initializer(value)
    return value


@dataclass(frozen=True, eq=False)
class Layer:
    """A Conv, Gemm or MatMul with constant weights, used by it alone.

    Attributes:
        model: that it is part of.
        node: the operator.
    """

    model: QonnxModel
    node: ir.Node

    @property
    def name(self) -> str:
        """The name by which its author knows it."""
        return origin(self.node)

    @property
    def weight(self) -> ir.Value:
        """The initializer that holds the weights, behind a quantiser or not."""
        value = self.node.inputs[1]
        assert value is not None
        producer = value.producer()
        source = value if producer is None else producer.inputs[0]
        assert source is not None
        return source

    @property
    def outputs_first(self) -> bool:
        """Whether the outputs are the first axis of the weights; else they are the last."""
        return self.node.op_type == "Conv" or bool(self._attribute("transB", 0))

    @property
    def groups(self) -> int:
        """Independent parts of a convolution."""
        return int(self._attribute("group", 1)) if self.node.op_type == "Conv" else 1

    @property
    def scales(self) -> int:
        """Number of scales of its weights; 1 where there is no quantiser."""
        value = self.node.inputs[1]
        producer = None if value is None else value.producer()
        scale = None if producer is None or len(producer.inputs) < 2 else producer.inputs[1]
        return 1 if scale is None or scale.const_value is None else scale.const_value.size

    def matrix(self) -> Floats:
        """Return the weights, (groups, outputs of a group, inputs of a group)."""
        weights = array_of(self.weight)
        rows = weights if self.outputs_first else weights.T
        return rows.reshape(self.groups, len(rows) // self.groups, -1)

    def set_matrix(self, matrix: Floats) -> None:
        """Put other weights in their place."""
        assert self.weight.shape is not None
        shape = tuple(int(d) for d in self.weight.shape.numpy())
        rows = matrix.reshape(matrix.shape[0] * matrix.shape[1], -1)
        store(self.weight, rows.reshape(shape) if self.outputs_first else rows.T)

    def scale_shape(self, scale: Floats) -> Floats:
        """Return one scale per output in the shape that broadcasts against the weights."""
        assert self.weight.shape is not None
        rank = len(self.weight.shape)
        axis = 0 if self.outputs_first else rank - 1
        return scale.reshape([-1 if i == axis else 1 for i in range(rank)])

    @property
    def output(self) -> ir.Value:
        """The result, behind an addition of the bias where that is a node of its own."""
        addition = self._addition()
        return self.node.outputs[0] if addition is None else addition[0].outputs[0]

    def bias(self) -> Floats | None:
        """Return the bias, one value per output, or None."""
        value = self.bias_value
        outputs = self.matrix().shape[0] * self.matrix().shape[1]
        return None if value is None else np.broadcast_to(array_of(value).ravel(), (outputs,))

    def set_bias(self, bias: Floats) -> None:
        """Put another bias in its place, or add one."""
        value = self.bias_value
        if value is not None:
            store(value, bias)
            return
        value = new_constant(self.model, f"{self.name}.bias", bias)
        if self.node.op_type in ("Conv", "Gemm"):
            self.node.resize_inputs(3)
            self.node.replace_input_with(2, value)
            return
        result = self.node.outputs[0]
        node = ir.node("Add", [result, value], name=f"{self.node.name}_bias")
        node.outputs[0].name, result.name = result.name, f"{result.name}_unbiased"
        node.outputs[0].shape, node.outputs[0].type = result.shape, result.type
        uses = [u for u in result.uses() if u.node is not node]
        self.model.ir.graph.insert_after(self.node, node)
        for use in uses:
            use.node.replace_input_with(use.idx, node.outputs[0])
        outputs = self.model.ir.graph.outputs
        for i, out in enumerate(outputs):
            if out is result:
                outputs[i] = node.outputs[0]

    def rows(self, x: Array, limit: int, rng: np.random.Generator) -> Floats:
        """Return what the columns of the matrix are multiplied with.

        Args:
            x: values of the layer's input, batch first.
            limit: rows at most, drawn at random.
            rng: draws them.

        Returns:
            (groups, rows, inputs of a group).
        """
        if self.node.op_type != "Conv":
            flat = np.asarray(x, np.float64).reshape(-1, x.shape[-1])
            return flat[_some(len(flat), limit, rng)][None]
        windows = self._windows(x)
        places = windows.shape[: x.ndim - 1]
        chosen = np.unravel_index(_some(int(np.prod(places)), limit, rng), places)
        taken = windows[chosen].astype(np.float64)
        return np.moveaxis(taken.reshape(len(taken), self.groups, -1), 1, 0)

    def _windows(self, x: Array) -> Array:
        """Return a view of the values under each position of the kernel.

        Args:
            x: (samples, channels, *spatial).

        Returns:
            (samples, *positions, channels, *kernel).
        """
        given = attributes(self.node)
        assert self.weight.shape is not None
        kernel = [int(d) for d in self.weight.shape.numpy()[2:]]
        rank = len(kernel)
        strides = given.get("strides") or (1,) * rank
        dilations = given.get("dilations") or (1,) * rank
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        pads = _pads(given, x.shape[2:], spans, strides)
        padded = np.pad(x, ((0, 0), (0, 0), *pads))
        axes = tuple(range(2, 2 + rank))
        view = np.lib.stride_tricks.sliding_window_view(padded, spans, axes)
        steps = [slice(None, None, s) for s in strides]
        inner = [slice(None, None, d) for d in dilations]
        view = view[(slice(None), slice(None), *steps, *inner)]
        return np.moveaxis(view, 1, 1 + rank)

    @property
    def bias_value(self) -> ir.Value | None:
        """The initializer that holds the bias, or None."""
        if self.node.op_type in ("Conv", "Gemm"):
            return self.node.inputs[2] if len(self.node.inputs) > 2 else None
        addition = self._addition()
        return None if addition is None else addition[1]

    def _addition(self) -> tuple[ir.Node, ir.Value] | None:
        """Return the node that alone takes a MatMul's result and adds one constant per output."""
        result = self.node.outputs[0]
        users = [u.node for u in result.uses()]
        if self.node.op_type != "MatMul" or len(users) != 1 or users[0].op_type != "Add":
            return None
        if any(out is result for out in self.model.ir.graph.outputs):
            return None
        assert result.shape is not None
        for value in users[0].inputs:
            if value is not None and value.const_value is not None:
                shape = tuple(value.const_value.shape.numpy())
                if value.const_value.size in (1, result.shape[-1]) and all(
                    d == 1 for d in shape[:-1]
                ):
                    return users[0], value
        return None

    def _attribute(self, name: str, default: int) -> int:
        found = self.node.attributes.get(name)
        return default if found is None else found.as_int()


def _some(count: int, limit: int, rng: np.random.Generator) -> Array:
    """Return up to ``limit`` of the numbers below ``count``, in order."""
    if count <= limit:
        return np.arange(count)
    return np.sort(rng.choice(count, limit, replace=False))


def _pads(
    given: dict[str, Any], extents: tuple[int, ...], spans: list[int], strides: tuple[int, ...]
) -> list[tuple[int, int]]:
    """Return the zeros before and behind each spatial axis (ONNX operator Conv)."""
    mode = given.get("auto_pad", "NOTSET")
    rank = len(extents)
    if mode in ("NOTSET", "VALID"):
        pads = given.get("pads") if mode == "NOTSET" else None
        pads = pads or (0,) * (2 * rank)
        return [(int(pads[i]), int(pads[i + rank])) for i in range(rank)]
    found = []
    for extent, span, stride in zip(extents, spans, strides, strict=True):
        total = max((-(-extent // stride) - 1) * stride + span - extent, 0)
        small = total // 2
        found.append((total - small, small) if mode == "SAME_LOWER" else (small, total - small))
    return found


def layers_of(model: QonnxModel) -> Iterator[Layer]:
    """Yield the layers with constant weights, in order."""
    for node in model.ir.graph:
        if not facts_of(node).weighted or len(node.inputs) < 2:
            continue
        x, weight = node.inputs[0], node.inputs[1]
        if x is None or x.const_value is not None or weight is None:
            continue
        source = weight.producer()
        if source is not None and source.op_type == "Quant":
            weight = source.inputs[0]
        if weight is not None and weight.const_value is not None:
            yield Layer(model, node)
