"""Convolution over two spatial axes, and the conversion of every ONNX ``Conv``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Constant, Example, OnnxNode, Op
from hwflow.ir.scaled import Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.depthwise_conv2d import DepthwiseConv2D
from hwflow.ops.shared.constants import bias_constant, bias_values, weight_constant
from hwflow.ops.shared.conv import _Convolution, expand_weight
from hwflow.ops.shared.whole_weights import on_whole_weights
from hwflow.ops.shared.window import WINDOW_ATTRIBUTES, window_from_onnx


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv2D(_Convolution):
    """Convolution over two axes; weights of shape ``(height, width, c_in, c_out)``."""

    onnx: ClassVar[tuple[str, ...]] = ("Conv",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Conv": (*WINDOW_ATTRIBUTES, "group")}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        x, weight = _operands(node)
        rank = len(x.shape) - 1
        groups = _groups(node, x, weight)
        kernel = weight.values.shape[2:]
        declared = tuple(node.attributes.get("kernel_shape", kernel))
        if declared != kernel:
            raise node.refuse(
                "kernel_shape contradicts the weights", code="HW214",
                found=f"kernel_shape = {declared}, weights of shape {weight.values.shape}",
            )  # fmt: skip
        _, pads = window_from_onnx(node, x.shape[:-1], kernel)
        dilations = tuple(node.attributes.get("dilations", (1,) * rank))
        full = expand_weight(weight.values, groups, dilations)
        offset = bias_values(node, full.shape[-1])
        common: dict[str, Any] = {
            "bias": bias_constant(node, offset),
            "strides": tuple(node.attributes.get("strides", (1,) * rank)),
            "pads": pads,
        }
        exact = weight_constant(node, Constant(full, weight.quantized))
        if groups == x.channels == full.shape[-1] and groups > 1:
            diagonal = np.diagonal(exact.raw, axis1=-2, axis2=-1)
            depthwise = DepthwiseConv1D if rank == 1 else DepthwiseConv2D
            return [depthwise(weight=FixedArray(diagonal.copy(), exact.dtype), **common)]
        return [(Conv1D if rank == 1 else cls)(weight=exact, groups=groups, **common)]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if len(operands) > 1:
            return None
        groups = int(node.attributes.get("group", 1))
        return on_whole_weights(cls, node, operands[0], axis=0, groups=groups)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(2)
        signed = TensorType.full((5, 6, 2), FixedType(5, 2))
        unsigned = TensorType.full((6, 5, 2), FixedType(4, 0, signed=False))
        for name, x, kernel, strides, pads in (
            ("valid", signed, (3, 2), (1, 1), ((0, 0), (0, 0))),
            ("same", unsigned, (3, 3), (1, 1), ((1, 1), (1, 1))),
            ("asymmetric", signed, (3, 3), (2, 1), ((0, 1), (2, 0))),
            ("stride", unsigned, (2, 2), (2, 3), ((0, 0), (0, 0))),
            ("pointwise", signed, (1, 1), (1, 1), ((0, 0), (0, 0))),
            ("pointwise_stride", signed, (1, 1), (2, 2), ((0, 0), (0, 0))),
            ("flat", signed, (1, 3), (1, 2), ((0, 0), (1, 1))),
            ("tall", signed, (3, 1), (2, 1), ((1, 1), (0, 0))),
        ):
            weight = FixedArray(rng.integers(-8, 8, (*kernel, 2, 3)), FixedType(4, 1))
            bias = FixedArray(rng.integers(-16, 16, 3), FixedType(5, 2))
            op = cls(weight=weight, bias=bias, strides=strides, pads=pads)
            yield Example(name, op, (x,))


def _operands(node: OnnxNode) -> tuple[TensorType, Constant]:
    """Return the activation and the weights, after checking that they are such."""
    weight = node.constant(1)
    x = node.inputs[0] if node.inputs else None
    if not isinstance(x, TensorType) or weight is None:
        raise node.refuse(
            "convolution without constant weights",
            found="weights that are computed at run time, or a constant input",
            supported="an activation with constant weights",
        )
    if len(node.inputs) > 2 and node.inputs[2] is not None and node.constant(2) is None:
        raise node.refuse("convolution with a bias that is computed at run time")
    rank = len(x.shape) - 1
    if rank not in (1, 2) or weight.values.ndim != rank + 2:
        raise node.refuse(
            "convolution over other than one or two spatial axes",
            found=f"{rank} spatial axes",
            supported="1 or 2",
        )
    return x, weight


def _groups(node: OnnxNode, x: TensorType, weight: Constant) -> int:
    groups = int(node.attributes.get("group", 1))
    c_out, per_group = weight.values.shape[:2]
    if groups < 1 or per_group * groups != x.channels or c_out % groups:
        raise node.refuse(
            "channels do not fit the weights", code="HW214",
            found=f"{x.channels} channels, weights {weight.values.shape}, group = {groups}",
        )  # fmt: skip
    return groups
