"""Pooling and means: sums over windows, divided as TFLite's kernels divide."""

from __future__ import annotations

from math import prod

import numpy as np

from hwflow.frontends.tflite.integers import Integers, quantize_multiplier
from hwflow.frontends.tflite.layers import (
    NCHW_TO_NHWC,
    NHWC_TO_NCHW,
    limits,
    requantized,
    window_pads,
)
from hwflow.frontends.tflite.writer import Activation, Writer


def same_meaning(writer: Writer) -> Activation:
    """Return what the integers of operand and result mean, which must be the same.

    Raises:
        RefusedError: they differ; TFLite's kernels do not look.
    """
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    if x != y:
        writer.refuse(
            "an operator that would have to change the scale", code="HW294",
            found=f"{x.scale:g} and zero point {x.zero_point}, then {y.scale:g} and {y.zero_point}",
            help="convert the model with a newer TFLiteConverter, which puts a QUANTIZE there",
        )  # fmt: skip
    return y


def _window(writer: Writer) -> tuple[tuple[int, int], tuple[int, int], list[int], int]:
    operator = writer.operator
    assert operator is not None
    padding, stride_w, stride_h, width, height, fused = (
        int(operator.option(i, "i" if 0 < i < 5 else "b")) for i in range(6)
    )
    kernel, strides = (height, width), (stride_h, stride_w)
    shape = writer.tensor(writer.operand(0)).shape
    return (
        kernel,
        strides,
        window_pads(writer, shape, kernel=kernel, strides=strides, padding=padding),
        fused,
    )


def max_pool_2d(writer: Writer) -> None:
    """Write ``MAX_POOL_2D``."""
    y = same_meaning(writer)
    kernel, strides, pads, fused = _window(writer)
    x = writer.turned(writer.value(writer.operand(0)), NHWC_TO_NCHW)
    found = writer.node("MaxPool", [x], kernel_shape=kernel, strides=strides, pads=pads)
    bounds = limits(writer, y, fused)
    if bounds == (y.lo, y.hi):
        writer.turned(found, NCHW_TO_NHWC, writer.result())
        return
    ends = [writer.initializer(n, v, np.float32) for n, v in zip(("lo", "hi"), bounds, strict=True)]
    writer.node("Clip", [writer.turned(found, NCHW_TO_NHWC), *ends], to=writer.result())


def average_pool_2d(writer: Writer) -> None:
    """Write ``AVERAGE_POOL_2D``: the mean of mantissas, half away from zero."""
    y = same_meaning(writer)
    kernel, strides, pads, fused = _window(writer)
    shape = writer.tensor(writer.operand(0)).shape
    total = _window_sum(writer, writer.value(writer.operand(0)), kernel, strides, pads)
    lo, hi = limits(writer, y, fused)
    counts = [
        _counts(size, k, s, before, after)
        for size, k, s, before, after in zip(
            shape[1:3], kernel, strides, pads[:2], pads[2:], strict=True
        )
    ]
    spread = counts[0][:, None, None] * counts[1][None, :, None]
    count = spread[:1, :1] if (spread == spread[0, 0]).all() else spread
    writer.integer_node(
        "Mean", [total, writer.integers("count", count[None])], writer.result(),
        offset=y.zero_point, zero_point=-y.zero_point, minimum=lo, maximum=hi,
    )  # fmt: skip


def _counts(size: int, kernel: int, stride: int, before: int, after: int) -> Integers:
    """Return how many elements each window along an axis holds."""
    starts = np.arange(0, size + before + after - kernel + 1, stride) - before
    return np.asarray(np.minimum(starts + kernel, size) - np.maximum(starts, 0), np.int64)


def _window_sum(
    writer: Writer, value: str, kernel: tuple[int, int], strides: tuple[int, int], pads: list[int]
) -> str:
    total = writer.integer_node(
        "WindowSum", [writer.turned(value, NHWC_TO_NCHW)], None,
        kernel_shape=kernel, strides=strides, pads=pads, elements=float(prod(kernel)),
    )  # fmt: skip
    return writer.turned(total, NCHW_TO_NHWC)


def mean(writer: Writer) -> None:
    """Write ``MEAN``: one multiplier for the ratio of scales and the number of elements.

    Source: ``QuantizedMeanOrSum`` in ``reference/reduce.h``: the multiplier is shifted up as far as
    32 bits and the count allow, and divided by the count.
    """
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    shape = writer.tensor(writer.operand(0)).shape
    found = writer.constant(writer.operand(1), "axes").ravel()
    axes = sorted({int(a) % max(len(shape), 1) for a in found})
    if not axes or 0 in axes or len(axes) == len(shape):
        writer.refuse("a mean over these axes", found=str(axes), supported="axes from 1 on")
    kept = [i for i in range(1, len(shape)) if i not in axes]
    count = prod(shape[a] for a in axes)
    value = writer.value(writer.operand(0))
    if (len(shape), axes) != (4, [1, 2]):
        order = (0, *axes, *kept)
        if order != tuple(range(len(shape))):
            value = writer.turned(value, order)
        value = writer.shaped(value, (shape[0], count, 1, prod(shape[i] for i in kept)))
        window = (count, 1)
    else:
        window = (shape[1], shape[2])
    total = _window_sum(writer, value, window, (1, 1), [0, 0, 0, 0])
    multiplier, shift = quantize_multiplier(x.scale / y.scale)
    grown = min(count.bit_length() - 1, 32, 31 + shift)
    pair = ((multiplier << max(grown, 0)) // count, shift - grown)
    scaled = requantized(
        writer, total, bias=np.zeros(1, np.int64), multipliers=[pair], bounds=(y.lo, y.hi)
    )
    writer.shaped(scaled, writer.tensor(writer.result()).shape, writer.result())
