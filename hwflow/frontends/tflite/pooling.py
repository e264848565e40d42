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


def same_meaning(writer: Writer, position: int = 0) -> Activation:
    """Return what the integers of an operand and the result mean, which must be the same.

    Raises:
        RefusedError: they differ; TFLite's kernels do not look.
    """
    x, y = writer.activation(writer.operand(position)), writer.activation(writer.result())
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
    summed, count = _summed(writer)
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    multiplier, shift = quantize_multiplier(x.scale / y.scale)
    grown = min(count.bit_length() - 1, 32, 31 + shift)
    pair = ((multiplier << max(grown, 0)) // count, shift - grown)
    _reduced(writer, summed, pair)


MOST_SUMS = 2**20
"""Most sums that ``SUM`` of int8 is tabulated for."""


def total(writer: Writer) -> None:
    """Write ``SUM``: of uint8 with a multiplier for the ratio of scales (``QuantizedMeanOrSum``).

    The reference kernel of TensorFlow 2.21 takes int8 for uint8. So int8 follows TFLite's other
    kernel, of ``BUILTIN_WITHOUT_DEFAULT_DELEGATES``: in float32, half away from zero.

    Raises:
        RefusedError: the scales are equal; the kernels then add within 8 bits, which wraps.
    """
    x, y = writer.activation(writer.operand(0)), writer.activation(writer.result())
    if x == y:
        writer.refuse(
            "a sum that TFLite computes within 8 bits", found=f"one scale, {x.scale:g}, for both",
            supported="a result on a scale of its own",
            help="convert the model again with other representative data, or use a mean",
        )  # fmt: skip
    summed, count = _summed(writer)
    if writer.tensor(writer.operand(0)).kind == "UINT8":
        _reduced(writer, summed, quantize_multiplier(x.scale / y.scale))
        return
    if count * (x.hi - x.lo) >= MOST_SUMS:
        writer.refuse("a sum of so many elements", found=str(count), supported="4096 at most")
    sums = np.arange(count * x.lo, count * x.hi + 1)
    found = np.clip(_float_sums(sums, count, x, y), y.lo, y.hi)
    table = writer.integers("table", found)
    scaled = writer.integer_node("Table", [summed, table], None, first=count * x.lo)
    writer.shaped(scaled, writer.tensor(writer.result()).shape, writer.result())


def _float_sums(sums: Integers, count: int, x: Activation, y: Activation) -> Integers:
    """Return sums of centred mantissas in steps of the result, as float32 computes them."""
    factor = np.float32(x.scale) / np.float32(y.scale)
    bias = np.float32(-x.zero_point) * factor * np.float32(count)
    real = (sums + count * x.zero_point).astype(np.float32) * factor + bias
    return np.asarray(np.sign(real) * np.floor(np.abs(real) + np.float32(0.5)), np.int64)


def reduce_max(writer: Writer) -> None:
    """Write ``REDUCE_MAX``."""
    same_meaning(writer)
    value, window, _ = _gathered(writer)
    found = writer.node("MaxPool", [writer.turned(value, NHWC_TO_NCHW)], kernel_shape=window)
    shape = writer.tensor(writer.result()).shape
    writer.shaped(writer.turned(found, NCHW_TO_NHWC), shape, writer.result())


def _reduced(writer: Writer, summed: str, pair: tuple[int, int]) -> None:
    y, zero = writer.activation(writer.result()), np.zeros(1, np.int64)
    scaled = requantized(writer, summed, bias=zero, multipliers=[pair], bounds=(y.lo, y.hi))
    writer.shaped(scaled, writer.tensor(writer.result()).shape, writer.result())


def _summed(writer: Writer) -> tuple[str, int]:
    value, window, count = _gathered(writer)
    return _window_sum(writer, value, window, (1, 1), [0, 0, 0, 0]), count


def _gathered(writer: Writer) -> tuple[str, tuple[int, int], int]:
    """Return a value whose axes 1 and 2 are what is reduced, the window over them, its size."""
    shape = writer.tensor(writer.operand(0)).shape
    found = writer.constant(writer.operand(1), "axes").ravel()
    axes = sorted({int(a) % max(len(shape), 1) for a in found})
    if not axes or 0 in axes:
        writer.refuse("a reduction over these axes", found=str(axes), supported="axes from 1 on")
    kept = [i for i in range(1, len(shape)) if i not in axes]
    count = prod(shape[a] for a in axes)
    value = writer.value(writer.operand(0))
    if (len(shape), axes) == (4, [1, 2]):
        return value, (shape[1], shape[2]), count
    order = (0, *axes, *kept)
    if order != tuple(range(len(shape))):
        value = writer.turned(value, order)
    value = writer.shaped(value, (shape[0], count, 1, prod(shape[i] for i in kept)))
    return value, (count, 1), count
