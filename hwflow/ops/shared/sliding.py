"""Golden bodies of what slides over a value: padding, taps, convolutions and sums of windows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.ir.body.values import Carrier, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ops.shared.window import Window


def padded(body: Body, x: Tensor, window: Window, value: float) -> Tensor:
    """Return a value with the positions that a window adds, in either order of axes."""
    if not window.pads:
        return x
    spatial = ([0, *side] if x.first else side for side in (window.begin, window.end))
    begin, end = ([0, *side] if x.first else [0, *side, 0] for side in spatial)
    pads = body.constant([*begin, *end], np.int64, "pads")
    y = body.apply("Pad", x, pads, body.number(x, value, "fill"))
    return replace(y, shape=(*window.padded, x.shape[-1]))


def taps(body: Body, x: Tensor, window: Window) -> Iterator[tuple[tuple[int, ...], str]]:
    """Yield each tap of a window over a padded value, channels last, and what it sees."""
    axes = body.constant(range(1, len(window.out) + 1), np.int64, "axes")
    steps = body.constant(window.strides, np.int64, "steps")
    for tap in window.taps():
        ends = [
            t + (n - 1) * s + 1 for t, n, s in zip(tap, window.out, window.strides, strict=True)
        ]
        start = body.constant(tap, np.int64, "start")
        end = body.constant(ends, np.int64, "end")
        yield tap, body.node("Slice", x.name, start, end, axes, steps)


def convolved(
    body: Body, x: Tensor, window: Window, weight: str, bias: str = "", *, groups: int = 1
) -> str:
    """Return the name of a convolution of a value in float32, channels first."""
    return body.node(
        "Conv", x.name, weight, *([bias] if bias else []), kernel_shape=list(window.kernel),
        strides=list(window.strides), pads=[*window.begin, *window.end], group=groups,
    )  # fmt: skip


def convolved_by_taps(
    body: Body, x: Tensor, window: Window, weight: Any, bias: Any, *, product: str
) -> Tensor:
    """Return a convolution as a sum over its taps, channels last.

    Args:
        body: the body that is written.
        x: in any arithmetic; ONNX Runtime convolves float32 only.
        window: over it.
        weight: shape ``(*kernel, ...)``, a factor for each tap.
        bias: shape ``(channels,)``.
        product: operator of what a tap sees and its factor.
    """
    total = ""
    for tap, seen in taps(body, padded(body, body.channels_last(x), window, 0), window):
        factor = body.constant(weight[tap], x.carrier.dtype, "weight")
        term = body.node(product, seen, factor)
        total = body.node("Add", total, term) if total else term
    total = body.node("Add", total, body.constant(bias, x.carrier.dtype, "bias"))
    return Tensor(name=total, shape=(*window.out, len(bias)), carrier=x.carrier)


def window_sums(body: Body, x: Tensor, window: Window) -> Tensor:
    """Return the sum of the elements in each window."""
    channels = x.shape[-1]
    shape = (*window.out, channels)
    if window.kernel == window.padded:
        x = body.channels_first(x)
        axes = body.constant(range(2, len(x.shape) + 1), np.int64, "axes")
        return replace(body.apply("ReduceSum", x, axes), shape=shape)
    if x.carrier is not Carrier.FLOAT32:  # ONNX Runtime convolves float32 only
        total = ""
        for _, seen in taps(body, padded(body, body.channels_last(x), window, 0), window):
            total = body.node("Add", total, seen) if total else seen
        return Tensor(name=total, shape=shape, carrier=x.carrier)
    x = body.channels_first(x)
    ones = body.constant(np.ones((channels, 1, *window.kernel)), np.float32, "ones")
    return replace(x, name=convolved(body, x, window, ones, groups=channels), shape=shape)
