"""What convolutions and pools share: padding, and the taps of a sliding window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.values import Tensor
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
