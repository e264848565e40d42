"""``TRANSPOSE_CONV`` and ``BATCH_MATMUL``: sums of products, requantised like a convolution's."""

from __future__ import annotations

import numpy as np

from hwflow.frontends.tflite.integers import quantize_multiplier
from hwflow.frontends.tflite.layers import (
    NCHW_TO_NHWC,
    NHWC_TO_NCHW,
    bias_of,
    factors_of,
    limits,
    requantized,
    weights_of,
    window_pads,
)
from hwflow.frontends.tflite.writer import Activation, Writer


def transpose_conv(writer: Writer) -> None:
    """Write ``TRANSPOSE_CONV``, whose padding is that of the convolution from result to operand."""
    operator, result = writer.operator, writer.result()
    assert operator is not None
    weight = weights_of(writer, 0)
    x, y = writer.operand(2), writer.tensor(result)
    shape = writer.tensor(x).shape
    if weight.ndim != 4 or len(shape) != 4 or shape[3:] != weight.shape[3:]:
        writer.refuse("weights of this shape", found=f"{weight.shape} for {shape}")
    wanted = tuple(int(d) for d in writer.constant(writer.operand(0), "shapes").ravel())
    if wanted != y.shape:
        writer.refuse("a result of another shape than asked for", found=f"{y.shape}, not {wanted}")
    padding, stride_w, stride_h, fused = (
        int(operator.option(i, "i" if i in (1, 2) else "b")) for i in range(4)
    )
    kernel, strides = weight.shape[1:3], (stride_h, stride_w)
    before = window_pads(writer, y.shape, kernel=kernel, strides=strides, padding=padding)[:2]
    after = [
        (n - 1) * s + k - b - out
        for n, s, k, b, out in zip(shape[1:3], strides, kernel, before, wanted[1:3], strict=True)
    ]
    total = writer.node(
        "ConvTranspose",
        [
            writer.turned(writer.value(x), NHWC_TO_NCHW),
            writer.quantized("weight", weight.transpose(3, 0, 1, 2)),
        ],
        kernel_shape=kernel,
        strides=strides,
        pads=[*before, *(max(a, 0) for a in after)],
        output_padding=[max(-a, 0) for a in after],
    )
    requantized(
        writer,
        writer.turned(total, NCHW_TO_NHWC),
        bias=bias_of(writer, 3, weight.shape[0]),
        multipliers=[quantize_multiplier(f) for f in factors_of(writer, 2)],
        bounds=limits(writer, writer.activation(result), fused),
        to=result,
    )


def batch_matmul(writer: Writer) -> None:
    """Write ``BATCH_MATMUL`` of two activations, or of an activation and a constant."""
    assert writer.operator is not None
    y = writer.activation(writer.result())
    meanings = [writer.activation(writer.operand(i)) for i in (0, 1)]
    factors = [
        _factor(writer, i, m, turned=bool(writer.operator.option(i, "b")))
        for i, m in enumerate(meanings)
    ]
    real = meanings[0].scale * meanings[1].scale / y.scale
    total = writer.node("MatMul", factors)
    zero, pair = np.zeros(1, np.int64), quantize_multiplier(real)
    bounds = (y.lo, y.hi)
    requantized(writer, total, bias=zero, multipliers=[pair], bounds=bounds, to=writer.result())


def _factor(writer: Writer, position: int, x: Activation, *, turned: bool) -> str:
    """Return an operand of a product, with its last two axes exchanged where it is ``turned``."""
    index = writer.operand(position)
    tensor = writer.tensor(index)
    rank = len(tensor.shape)
    if rank < 2:
        writer.refuse("a factor that is no matrix", found=f"shape {tensor.shape}")
    if tensor.data is not None:
        whole = tensor.data.astype(np.int64) - x.zero_point
        return writer.quantized("weight", whole.swapaxes(-1, -2) if turned else whole)
    value = writer.value(index)
    return writer.turned(value, [*range(rank - 2), rank - 1, rank - 2]) if turned else value
