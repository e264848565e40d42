"""Fully connected layer on the last axis: ``y = x @ weight + bias``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.layer import matvec_cost
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.body.values import Carrier, Result, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Constant, Example, HlsLayer, Layout, OnnxNode, Op, Target
from hwflow.ir.scaled import Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.constants import bias_constant, bias_values, weight_constant
from hwflow.ops.shared.matvec import keeps_products, multiply_accumulate, sum_depth
from hwflow.ops.shared.products import GoldenSum, _Products
from hwflow.ops.shared.whole_weights import on_whole_weights
from hwflow.ops.shared.xnor import xnor_layer


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense(_Products):
    """Fully connected layer; one multiplier serves ``reuse_factor`` products.

    Attributes:
        weight: shape ``(n_in, n_out)``.
        bias: shape ``(n_out,)``.
        accum_t: accumulator; None for the narrowest that cannot overflow.
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier.
        product: ``multiply`` or ``xnor``; None for the cheaper one.
        input_exponent: every input is proven to be ``+-2**input_exponent``; None where not asked.
    """

    onnx: ClassVar[tuple[str, ...]] = ("MatMul", "Gemm")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "Gemm": ("alpha", "beta", "transA", "transB")
    }
    layout: ClassVar[Layout] = Layout.ONNX
    settings: ClassVar[tuple[str, ...]] = (
        "result_t", "accum_t", "strategy", "reuse_factor", "product",
    )  # fmt: skip

    weight: FixedArray
    bias: FixedArray
    accum_t: FixedType | None = None
    strategy: str = "latency"
    reuse_factor: int = 1
    product: str | None = None
    input_exponent: int | None = None

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        weight = node.constant(1)
        if not node.inputs or not isinstance(node.inputs[0], TensorType) or weight is None:
            raise node.refuse(
                "matrix product without a constant right-hand side",
                found=f"{node.op_type} of "
                + ("two activations" if weight is None else "a constant with an activation"),
                supported="an activation with constant weights; a constant matrix with a sequence; "
                "two activations of equally many axes, 3 or more with the batch",
                help="reshape both to the same number of axes, with the batch first",
            )
        attributes = node.attributes
        matrix = weight.values
        if attributes.get("transA", 0):
            raise node.refuse("Gemm with transA", found="transA = 1", supported="transA = 0")
        if attributes.get("transB", 0):
            matrix = matrix.T
        if matrix.ndim != 2:
            raise node.refuse(
                "weights of a matrix product must have two axes",
                found=f"weights of shape {matrix.shape}",
                help="write it as Linear layers, or as one MatMul with weights (inputs, outputs)",
            )
        matrix = matrix * float(attributes.get("alpha", 1.0))
        offset = bias_values(node, matrix.shape[1]) * float(attributes.get("beta", 1.0))
        quantized = Constant(matrix, weight.quantized)
        return [cls(weight=weight_constant(node, quantized), bias=bias_constant(node, offset))]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        weight = node.constant(1)
        if len(operands) > 1 or weight is None or isinstance(node.inputs[0], Constant):
            return None
        axis = 0 if node.attributes.get("transB", 0) else weight.values.ndim - 1
        return on_whole_weights(cls, node, operands[0], axis=axis)

    @property
    def matrix(self) -> RawArray:
        return self.weight.raw

    def out_shape(self, x: TensorType) -> tuple[int, ...]:
        return (*x.shape[:-1], self.weight.shape[1])

    def sums(self, x: FixedArray, accum_t: FixedType | None) -> FixedArray:
        total = self.exact_sum(TensorType.full(x.shape[-1:], x.dtype))
        return multiply_accumulate(
            x,
            self.weight.raw,
            self.weight.dtype.fractional,
            self.bias,
            accum_t or total.dtype,
            every_product=not keeps_products(accum_t, total),
        )

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        found, x = GoldenSum(self, types[0]), self.arranged(body, operands[0])
        x = body.carried(x, found.carrier)
        weight = self.arranged_weight(found.scaled(found.weight), x)
        factors = body.number(x, weight, "weight")
        bias = body.number(x, found.scaled(found.bias), "bias")
        return found.accumulated(body, self.write_sums(body, x, factors, bias))

    def arranged(self, body: Body, x: Tensor) -> Tensor:
        return x if x.inner else body.channels_last(x)

    def arranged_weight(self, weight: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
        return weight[x.order] if x.inner else weight

    def write_sums(self, body: Body, x: Tensor, weight: str, bias: str, groups: int = 1) -> Tensor:
        if len(x.shape) == 1 and x.carrier is not Carrier.INT64:
            name = body.node("Gemm", x.name, weight, bias)
        else:
            name = body.node("Add", body.node("MatMul", x.name, weight), bias)
        return replace(x, name=name, shape=(*x.shape[:-1], self.weight.shape[1]), inner=())

    def cost(
        self, target: Target, *inputs: TensorType, read: npt.NDArray[np.bool_] | None = None
    ) -> Cost:
        """Return the cost; ``read`` says which results are read by anything, all by default."""
        (x,) = inputs
        return matvec_cost(
            self.weight.raw,
            x,
            self.exact(x).dtype,
            self.infer(x).dtype,
            strategy=self.strategy,
            reuse_factor=self.reuse_factor,
            target=target,
            bias=self.bias.raw,
            weight_t=self.weight.dtype,
            positions=prod(x.shape[:-1]),
            xnor=self.product == "xnor",
            read=read,
        )

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return the steps at each position; a vector is read whole (``nnet_dense_stream.h``)."""
        depth = sum_depth(len(self.weight.raw))
        if len(inputs[0].shape) > 1:
            return Pattern.elementwise(counts[0], depth=depth)
        return Pattern.buffered(counts, 1, depth)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        n_in, n_out = self.weight.shape
        common: dict[str, Any] = {
            "types": {"accum": self.exact(x).dtype},
            "strategy": self.strategy,
            "reuse_factor": self.reuse_factor,
        }
        if len(x.shape) == 1:
            layer = HlsLayer(
                class_name="Dense",
                attributes={"n_in": n_in, "n_out": n_out},
                weights={"weight": self.weight, "bias": self.bias},
                **common,
            )
        else:
            layer = pointwise_layer(x.shape, self.weight, self.bias, **common)
        return xnor_layer(layer, self.input_exponent) if self.product == "xnor" else layer

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(0)
        signed, unsigned = FixedType(6, 2), FixedType(5, 1, signed=False)
        for name, dtype, shape in (("signed", signed, (8,)), ("unsigned", unsigned, (3, 8))):
            weight = FixedArray(rng.integers(-8, 8, (8, 4)), FixedType(4, 1))
            bias = FixedArray(rng.integers(-32, 32, 4), FixedType(6, 1))
            yield Example(name, cls(weight=weight, bias=bias), (TensorType.full(shape, dtype),))


def pointwise_layer(
    shape: tuple[int, ...], weight: FixedArray, bias: FixedArray, **common: Any
) -> HlsLayer:
    """Return the hls4ml 1 x 1 convolution that applies a dense layer at each position.

    Args:
        shape: input shape, 2 or 3 axes, channels last.
        weight: shape ``(n_in, n_out)``.
        bias: shape ``(n_out,)``.
        common: further fields of ``HlsLayer``.
    """
    n_in, n_out = weight.shape
    attributes: dict[str, object] = {
        "in_width": shape[-2],
        "out_width": shape[-2],
        "n_chan": n_in,
        "n_filt": n_out,
        "filt_width": 1,
        "stride_width": 1,
        "pad_left": 0,
        "pad_right": 0,
        "data_format": "channels_last",
    }
    kernel_shape: tuple[int, ...] = (1, n_in, n_out)
    if len(shape) == 3:
        attributes |= {
            "in_height": shape[0],
            "out_height": shape[0],
            "filt_height": 1,
            "stride_height": 1,
            "pad_top": 0,
            "pad_bottom": 0,
        }
        kernel_shape = (1, 1, n_in, n_out)
    return HlsLayer(
        class_name=f"Conv{len(shape) - 1}D",
        attributes=attributes,
        weights={
            "weight": FixedArray(weight.raw.reshape(kernel_shape), weight.dtype),
            "bias": bias,
        },
        **common,
    )
