"""Bodies of layers that multiply by a matrix: dense layers and convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit.elementwise import span_of
from hwflow.codegen.golden.emit.windows import padded, taps
from hwflow.codegen.golden.values import Carrier, NoGoldenError, Span, Tensor, carrier
from hwflow.fixed import RawArray, shift_left
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.depthwise_conv2d import DepthwiseConv2D
from hwflow.ops.shared.conv import _Convolution
from hwflow.ops.shared.depthwise import _Depthwise
from hwflow.ops.shared.matvec import keeps_products


class Sum:
    """What a matrix layer adds up, on the grid of the exact sum.

    Attributes:
        span: where the sums lie.
        weight: mantissas of the weights, on a grid that makes products those of the sum.
        bias: mantissas of the bias, on the grid of the sum.
        reach: no partial sum has a larger magnitude, in whatever order.
        drop: bits by which the grid is finer than the result's, folded into the constants.
    """

    def __init__(self, op: Any, x: TensorType, matrix: RawArray) -> None:
        total = op._exact_sum(x)
        fractional = total.dtype.fractional
        up = fractional - x.dtype.fractional - op.weight.dtype.fractional
        self.weight = shift_left(op.weight.raw, up)
        self.bias = shift_left(op.bias.raw, fractional - op.bias.dtype.fractional)
        self.span = span_of(total)
        each = np.abs(np.stack([x.lo, x.hi])).max(axis=0)
        rows = np.tile(each, len(matrix) // len(each))
        products = rows.astype(object) @ np.abs(shift_left(matrix, up)).astype(object)
        self.reach = int((products + np.abs(self.bias)).max())
        direct = op.accum_t is None and op.result_t is not None
        folds = direct and self.carrier is not Carrier.INT64
        self.drop = max(fractional - op.result_t.fractional, 0) if folds else 0
        exact = keeps_products(op.accum_t, total)
        if not exact and op.accum_t.fractional < fractional:
            raise NoGoldenError("its accumulator rounds every product")

    @property
    def carrier(self) -> Carrier:
        """The arithmetic that holds the sums."""
        return carrier(self.reach, "a sum of products")

    def scaled(self, raw: RawArray) -> Any:
        """Return constants with the division by ``2**drop`` in them, which is exact."""
        if self.carrier is Carrier.INT64:
            return raw
        return np.ldexp(raw.astype(np.float64), -self.drop)


def _finished(op: Any, body: Body, y: Tensor, found: Sum) -> tuple[Tensor, Span, bool]:
    if op.accum_t is None:
        return y, found.span, found.drop > 0
    return *body.cast(y, found.span, op.accum_t), False


def dense(
    op: Any, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[Tensor, Span, bool]:
    """Write ``y = x @ weight + bias``."""
    found = Sum(op, types[0], op.weight.raw)
    x = operands[0] if operands[0].inner else body.channels_last(operands[0])
    x = body.carried(x, found.carrier)
    weight = found.scaled(found.weight)
    weight = body.number(x, weight[x.order] if x.inner else weight, "weight")
    bias = body.number(x, found.scaled(found.bias), "bias")
    return _finished(op, body, multiplied(op, body, x, weight, bias), found)


def multiplied(op: Dense, body: Body, x: Tensor, weight: str, bias: str) -> Tensor:
    """Return ``x @ weight + bias``."""
    if len(x.shape) == 1 and x.carrier is not Carrier.INT64:
        name = body.node("Gemm", x.name, weight, bias)
    else:
        name = body.node("Add", body.node("MatMul", x.name, weight), bias)
    return replace(x, name=name, shape=(*x.shape[:-1], op.weight.shape[1]), inner=())


def convolution(
    op: _Convolution, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
) -> tuple[Tensor, Span, bool]:
    """Write a convolution over one or two axes, channels first."""
    (x,) = operands
    depthwise = isinstance(op, _Depthwise)
    found = Sum(op, types[0], op.matrix)
    x = body.carried(x, found.carrier)
    if found.carrier is not Carrier.FLOAT32:  # ONNX Runtime convolves float32 only
        return _finished(op, body, _by_taps(op, body, x, found, depthwise=depthwise), found)
    x = body.channels_first(x)
    weight = found.scaled(found.weight)
    if depthwise:
        kernel, groups = np.moveaxis(weight, -1, 0)[:, None], x.shape[-1]
    else:
        kernel, groups = conv_layout(weight), 1
    if not depthwise and op.groups > 1:
        kernel, groups = _grouped(kernel, op.groups), op.groups
    factors = body.constant(kernel, np.float32, "weight")
    bias = body.constant(found.scaled(found.bias), np.float32, "bias")
    return _finished(op, body, convolved(op, body, x, factors, bias, groups), found)


def conv_layout(weight: Any) -> Any:
    """Return the weights of a convolution with both channels in front, outputs first."""
    return np.moveaxis(weight, (-1, -2), (0, 1))


def convolved(
    op: _Convolution, body: Body, x: Tensor, weight: str, bias: str, groups: int = 1
) -> Tensor:
    """Return a convolution of a value with the channels first."""
    window = op.window(x.shape)
    name = body.node(
        "Conv", x.name, weight, bias, kernel_shape=list(window.kernel),
        strides=list(window.strides), pads=[*window.begin, *window.end], group=groups,
    )  # fmt: skip
    return Tensor(name, (*window.out, len(op.bias.raw)), first=True)


def _grouped(kernel: Any, groups: int) -> Any:
    """Return the blocks of a kernel that are not zero by construction."""
    outs, ins = kernel.shape[0] // groups, kernel.shape[1] // groups
    blocks = [kernel[g * outs : (g + 1) * outs, g * ins : (g + 1) * ins] for g in range(groups)]
    return np.concatenate(blocks)


def _by_taps(op: Any, body: Body, x: Tensor, found: Sum, *, depthwise: bool) -> Tensor:
    """Return a convolution as a sum over its taps, channels last."""
    window = op.window(x.shape)
    weight = found.scaled(found.weight)
    total = ""
    for tap, seen in taps(body, padded(body, body.channels_last(x), window, 0), window):
        factor = body.constant(weight[tap], x.carrier.dtype, "weight")
        term = body.node("Mul" if depthwise else "MatMul", seen, factor)
        total = body.node("Add", total, term) if total else term
    total = body.node(
        "Add", total, body.constant(found.scaled(found.bias), x.carrier.dtype, "bias")
    )
    return Tensor(total, (*window.out, len(op.bias.raw)), x.carrier)


EMITTERS: dict[Any, Callable[..., tuple[Tensor, Span, bool]]] = {
    Dense: dense,
    **dict.fromkeys((Conv1D, Conv2D, DepthwiseConv1D, DepthwiseConv2D), convolution),
}
