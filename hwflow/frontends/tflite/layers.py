"""Fully connected layers and convolutions: sums of whole numbers, and TFLite's requantisation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwflow.frontends.tflite.integers import level, quantize_multiplier
from hwflow.frontends.tflite.writer import Activation, Writer

SAME, VALID = 0, 1
"""``Padding`` of the schema."""

NHWC_TO_NCHW, NCHW_TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)

Limits = tuple[int, int]


def limits(writer: Writer, y: Activation, fused: int) -> Limits:
    """Return what a fused activation leaves of the range, less the zero point.

    Source: ``CalculateActivationRangeQuantized``; ``fused`` is an ``ActivationFunctionType``.
    """
    known = {
        0: (y.lo, y.hi),
        1: (0, y.hi),
        2: (level(-1, y.scale), level(1, y.scale)),
        3: (0, level(6, y.scale)),
    }
    if fused not in known:
        writer.refuse("a fused activation of this kind", found=f"activation {fused}",
                      supported="NONE, RELU, RELU_N1_TO_1, RELU6")  # fmt: skip
    lo, hi = known[fused]
    return max(y.lo, lo), min(y.hi, hi)


def requantized(
    writer: Writer,
    total: str,
    *,
    bias: npt.NDArray[np.int64],
    multipliers: Sequence[tuple[int, int]],
    bounds: Limits,
    to: int | None = None,
) -> str:
    """Append the requantisation of a sum and return its result.

    Args:
        writer: takes the nodes.
        total: the sum, channels last.
        bias: added before, one or one for each channel.
        multipliers: what ``quantize_multiplier`` makes of a step of the sum in steps of the result,
            one or one for each channel.
        bounds: least and greatest result.
        to: the tensor that this gives.
    """
    if any(abs(shift) > 30 for _, shift in multipliers):
        writer.refuse("scales that are too far apart", found="a factor beyond 2**30 or 2**-30")
    operands = [
        total,
        writer.integers("bias", bias),
        writer.integers("multiplier", [m for m, _ in multipliers]),
        writer.integers("shift", [s for _, s in multipliers]),
    ]
    limited = {"zero_point": 0, "minimum": bounds[0], "maximum": bounds[1]}
    return writer.integer_node("Requantize", operands, to, **limited)


def fully_connected(writer: Writer) -> None:
    """Write ``FULLY_CONNECTED``, whose kernel multiplies by a float64 and rounds half away.

    So does the reference kernel of TensorFlow 2.21 (found by bisecting its thresholds); all others
    multiply by a 32-bit integer.
    """
    assert writer.operator is not None
    x, result = writer.operand(0), writer.result()
    weight = weights_of(writer, 0)
    if weight.ndim != 2 or writer.operator.option(1, "b"):
        writer.refuse("weights that are not stored as a matrix", found=f"shape {weight.shape}")
    n_out, n_in = weight.shape
    value, shape = writer.value(x), writer.tensor(x).shape
    rows = shape[:-1]
    if shape[-1:] != (n_in,) or shape[:1] != (1,):
        rows = (int(np.prod(shape, dtype=np.int64)) // max(n_in, 1),)
        value = writer.shaped(value, (*rows, n_in))
    total = writer.node("MatMul", [value, writer.quantized("weight", weight.T)])
    bounds = limits(writer, writer.activation(result), int(writer.operator.option(0, "b")))
    wanted = writer.tensor(result).shape
    to = result if wanted == (*rows, n_out) else None
    operands = [
        total,
        writer.integers("bias", bias_of(writer, 2, n_out)),
        writer.initializer("factor", factors_of(writer), np.float64),
    ]
    limited = {"zero_point": 0, "minimum": bounds[0], "maximum": bounds[1]}
    y = writer.integer_node("Rescale", operands, to, **limited)
    if to is None:
        writer.shaped(y, wanted, result)


def conv_2d(writer: Writer) -> None:
    """Write ``CONV_2D``."""
    weight = weights_of(writer, 0)
    if weight.ndim != 4:
        writer.refuse("weights of other than 4 axes", found=f"shape {weight.shape}")
    channels = writer.tensor(writer.operand(0)).shape[-1:]
    if channels != weight.shape[3:]:
        writer.refuse("grouped convolution", found=f"{weight.shape[3]} of {channels} channels",
                      supported="all channels, or DEPTHWISE_CONV_2D")  # fmt: skip
    _convolution(writer, weight.transpose(0, 3, 1, 2), 1, (0, 1, 2, 3, 4, 5))


def depthwise_conv_2d(writer: Writer) -> None:
    """Write ``DEPTHWISE_CONV_2D``."""
    weight = weights_of(writer, 3)
    channels = writer.tensor(writer.operand(0)).shape[-1]
    if weight.ndim != 4 or weight.shape[0] != 1 or not channels or weight.shape[3] % channels:
        writer.refuse("depthwise weights of this shape", found=f"shape {weight.shape}")
    _convolution(writer, weight.transpose(3, 0, 1, 2), channels, (0, 1, 2, 4, 5, 6))


def _convolution(
    writer: Writer, weight: npt.NDArray[np.int64], group: int, fields: Sequence[int]
) -> None:
    """Write a convolution; ``fields`` are the numbers of its options in the schema."""
    operator, result = writer.operator, writer.result()
    assert operator is not None
    padding, stride_w, stride_h, fused, dilation_w, dilation_h = (
        int(operator.option(f, "b" if i in (0, 3) else "i", 1 if i > 3 else 0))
        for i, f in enumerate(fields)
    )
    kernel, strides = weight.shape[2:], (stride_h, stride_w)
    dilations = (dilation_h, dilation_w)
    shape = writer.tensor(writer.operand(0)).shape
    pads = window_pads(
        writer, shape, kernel=kernel, strides=strides, padding=padding, dilations=dilations
    )
    x = writer.turned(writer.value(writer.operand(0)), NHWC_TO_NCHW)
    total = writer.node(
        "Conv",
        [x, writer.quantized("weight", weight)],
        kernel_shape=kernel,
        strides=strides,
        dilations=dilations,
        group=group,
        pads=pads,
    )
    total = writer.turned(total, NCHW_TO_NHWC)
    bounds = limits(writer, writer.activation(result), fused)
    bias = bias_of(writer, 2, weight.shape[0])
    multipliers = [quantize_multiplier(f) for f in factors_of(writer)]
    requantized(writer, total, bias=bias, multipliers=multipliers, bounds=bounds, to=result)


def window_pads(
    writer: Writer,
    shape: Sequence[int],
    *,
    kernel: Sequence[int],
    strides: Sequence[int],
    padding: int,
    dilations: Sequence[int] = (1, 1),
) -> list[int]:
    """Return ONNX's pads of a window over NHWC maps (``ComputePaddingHeightWidth``)."""
    if len(shape) != 4 or min((*kernel, *strides, *dilations), default=0) < 1:
        writer.refuse("a window of this form", found=f"{tuple(kernel)} over {tuple(shape)}")
    if padding == VALID:
        return [0, 0, 0, 0]
    before, after = [], []
    for size, k, s, d in zip(shape[1:3], kernel, strides, dilations, strict=True):
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return [*before, *after]


def weights_of(writer: Writer, axis: int) -> npt.NDArray[np.int64]:
    """Return constant weights less their zero points, with scales along one axis if at all."""
    tensor, values = writer.tensor(writer.operand(1)), writer.constant(writer.operand(1), "weights")
    meaning = tensor.quantization
    if meaning is None or tensor.kind not in ("INT8", "UINT8"):
        writer.refuse("weights that are not 8-bit integers", code="HW292",
                      found=f"{tensor.kind}{'' if meaning else ' without a scale'}",
                      supported="INT8, UINT8")  # fmt: skip
    if len(meaning.scale) > 1 and meaning.axis != axis:
        writer.refuse("weights with scales along another axis", found=f"axis {meaning.axis}")
    zero = meaning.zero_point
    spread = zero.reshape([-1 if i == axis else 1 for i in range(values.ndim)])
    return np.asarray(values.astype(np.int64) - (spread if len(zero) > 1 else zero[0]), np.int64)


def bias_of(writer: Writer, position: int, channels: int) -> npt.NDArray[np.int64]:
    """Return the biases, zero where they are left out."""
    index = writer.operand(position)
    if index < 0:
        return np.zeros(1, np.int64)
    values = writer.constant(index, "biases")
    if values.dtype != np.int32 or values.size != channels:
        writer.refuse("a bias of this form", found=f"{values.size} of {values.dtype}",
                      supported=f"{channels} of int32")  # fmt: skip
    return values.astype(np.int64).reshape(-1)


def factors_of(writer: Writer, operand: int = 0) -> list[float]:
    """Return what steps of the sums are in steps of the result, in float64 throughout.

    Source: ``PopulateConvolutionQuantizationParams`` and ``GetQuantizedConvolutionMultipler``.
    """
    weight = writer.tensor(writer.operand(1)).quantization
    assert weight is not None
    x, y = writer.activation(writer.operand(operand)), writer.activation(writer.result())
    return [x.scale * float(s) / y.scale for s in weight.scale]
