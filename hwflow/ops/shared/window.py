"""Windows that slide over spatial axes: their geometry, and the taps that hit padding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
import numpy.typing as npt

from hwflow.fixed import RawArray
from hwflow.ir.op import OnnxNode

WINDOW_ATTRIBUTES = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
"""What nodes say of their window."""

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Window:
    """A window over the spatial axes of a channels-last value.

    Attributes:
        size: spatial extents of the input, without padding.
        kernel: extent of the window along each spatial axis, dilation included.
        strides: step along each spatial axis.
        begin: positions added before the first, along each axis.
        end: positions added after the last; what no window reaches counts too.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def padded(self) -> tuple[int, ...]:
        """Spatial extents with padding."""
        return tuple(b + n + e for n, b, e in zip(self.size, self.begin, self.end, strict=True))

    @property
    def out(self) -> tuple[int, ...]:
        """Number of windows along each axis."""
        return tuple(
            (n - k) // s + 1 for n, k, s in zip(self.padded, self.kernel, self.strides, strict=True)
        )

    @property
    def pads(self) -> bool:
        """Whether any position is added."""
        return any(self.begin) or any(self.end)

    def completed(self) -> BoolArray:
        """Return at which padded positions, in the order of a stream, a window has all of its own.

        The rule of the line buffers in hls4ml's ``nnet_conv_stream.h`` and of ``pool.h``.
        """
        axes = zip(self.padded, self.kernel, self.strides, strict=True)
        ends = [(np.arange(n) >= k - 1) & ((np.arange(n) - k + 1) % s == 0) for n, k, s in axes]
        return np.asarray(ends[0] if len(ends) == 1 else np.logical_and.outer(*ends))

    def last_inside(self) -> BoolArray:
        """Return which positions without padding are the last of a window, where none overlap."""
        flags = []
        for axis, n in enumerate(self.size):
            starts = np.arange(self.out[axis]) * self.strides[axis] - self.begin[axis]
            last = np.minimum(starts + self.kernel[axis], n) - 1
            flags.append(np.isin(np.arange(n), last[(last >= 0) & (last >= starts)]))
        return np.asarray(flags[0] if len(flags) == 1 else np.logical_and.outer(*flags))

    def taps(self) -> Iterator[tuple[int, ...]]:
        """Yield the offsets inside the window, last axis fastest."""
        return product(*(range(k) for k in self.kernel))

    def pad(self, x: RawArray, value: int = 0) -> RawArray:
        """Return ``(batch, *size, channels)`` with the padding filled with ``value``."""
        if not self.pads:
            return x
        widths = ((0, 0), *zip(self.begin, self.end, strict=True), (0, 0))
        return np.pad(x, widths, constant_values=value)

    def at(self, padded: RawArray, tap: tuple[int, ...]) -> RawArray:
        """Return the elements that one tap of every window sees: ``(batch, *out, channels)``."""
        picks = (
            slice(t, t + (n - 1) * s + 1, s)
            for t, n, s in zip(tap, self.out, self.strides, strict=True)
        )
        return padded[(slice(None), *picks)]

    def inside(self) -> list[BoolArray]:
        """Return for each axis which taps of which windows are not padding: ``(out, kernel)``."""
        found = []
        for axis, n in enumerate(self.size):
            at = np.arange(self.out[axis])[:, None] * self.strides[axis]
            at = at + np.arange(self.kernel[axis]) - self.begin[axis]
            found.append((at >= 0) & (at < n))
        return found

    def tap_bounds(self, lo: RawArray, hi: RawArray) -> tuple[RawArray, RawArray]:
        """Return the range that each tap sees, zero padding included.

        Args:
            lo: least mantissa per channel.
            hi: greatest mantissa per channel.

        Returns:
            Two arrays of shape ``(prod(kernel), channels)``.
        """
        inside = self.inside()
        some = _outer([np.logical_or.reduce(axis) for axis in inside]).ravel()[:, None]
        always = _outer([np.logical_and.reduce(axis) for axis in inside]).ravel()[:, None]
        low = np.where(some, np.where(always, lo, np.minimum(lo, 0)), 0)
        high = np.where(some, np.where(always, hi, np.maximum(hi, 0)), 0)
        return low, high

    def counts(self, *, include: tuple[tuple[int, int], ...] | None = None) -> RawArray:
        """Return how many positions of each window count, shape ``out``.

        Args:
            include: how many positions before and after the input count too, for each axis.
        """
        per_axis = []
        for axis, n in enumerate(self.size):
            before, after = include[axis] if include else (0, 0)
            at = np.arange(self.out[axis])[:, None] * self.strides[axis]
            at = at + np.arange(self.kernel[axis]) - self.begin[axis]
            per_axis.append(((at >= -before) & (at < n + after)).sum(axis=1))
        total = np.ones((), np.int64)
        for axis_counts in per_axis:
            total = np.multiply.outer(total, axis_counts)
        return np.asarray(total, np.int64)


MAX_PADDED, MAX_SMALL = 16, 2**16
"""Most positions of a padded value: so many times its own, and as many as cost nothing."""

MAX_PRODUCTS = 2**28
"""Most positions of all windows together, of one channel."""


def _outer(masks: list[BoolArray]) -> BoolArray:
    total = np.ones((), bool)
    for mask in masks:
        total = np.logical_and.outer(total, mask)
    return total


def window_from_onnx(
    node: OnnxNode, size: tuple[int, ...], kernel: tuple[int, ...]
) -> tuple[Window, tuple[tuple[int, int], ...]]:
    """Return the window of a Conv or pooling node, every default made explicit.

    ``auto_pad`` is resolved as the ONNX operator says; ``ceil_mode`` becomes padding at the end.

    Args:
        node: the node; its output shape is known.
        size: spatial extents of the input.
        kernel: extents of the kernel before dilation.

    Returns:
        The window, and the padding that the node itself asks for: before and after each axis.

    Raises:
        RefusedError: an attribute has the wrong length, is out of range or is unknown.
    """
    rank = len(size)
    strides = _ints(node, "strides", rank, 1)
    dilations = _ints(node, "dilations", rank, 1)
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    pads = _pads(node, size, extent, strides)
    ceil = bool(node.attributes.get("ceil_mode", 0))
    end = []
    for axis, (before, after) in enumerate(pads):
        room = before + size[axis] + after - extent[axis]
        if room < 0:
            raise node.refuse(
                "window larger than its padded input",
                code="HW214",
                found=f"window {extent}, input {size}, padding {pads}",
            )
        steps = -(-room // strides[axis]) if ceil else room // strides[axis]
        if ceil and steps * strides[axis] >= size[axis] + before:
            steps -= 1  # a window that starts in the padding at the end is dropped
        reach = steps * strides[axis] + extent[axis] - before - size[axis]
        end.append(max(after, reach))
    window = Window(size, extent, strides, tuple(b for b, _ in pads), tuple(end))
    _require_computable(node, window)
    return window, pads


def _require_computable(node: OnnxNode, window: Window) -> None:
    """Refuse windows and padding beyond what is computed with; strangers' files have any."""
    padded = [b + n + e for b, n, e in zip(window.begin, window.size, window.end, strict=True)]
    most = MAX_PADDED * prod(window.size) + MAX_SMALL
    if prod(padded) > most or prod(window.out) * prod(window.kernel) > MAX_PRODUCTS:
        raise node.refuse(
            "window or padding larger than hwflow computes with",
            code="HW004",
            found=f"window {window.kernel} over {tuple(padded)} positions, padding included",
            supported=f"up to {most} positions, and {MAX_PRODUCTS} products a channel",
            help="check kernel_shape and pads",
        )


def _ints(node: OnnxNode, name: str, rank: int, default: int) -> tuple[int, ...]:
    values = tuple(int(v) for v in node.attributes.get(name, (default,) * rank))
    if len(values) != rank or min(values, default=1) < 1:
        raise node.refuse(
            f"invalid {name}", code="HW214", found=f"{name} = {values}",
            supported=f"{rank} numbers of at least 1",
        )  # fmt: skip
    return values


def _pads(
    node: OnnxNode,
    size: tuple[int, ...],
    extent: tuple[int, ...],
    strides: tuple[int, ...],
) -> tuple[tuple[int, int], ...]:
    """Return the padding before and after each axis."""
    rank = len(size)
    mode = str(node.attributes.get("auto_pad", "NOTSET") or "NOTSET")
    if mode == "NOTSET":
        pads = tuple(int(v) for v in node.attributes.get("pads", (0,) * (2 * rank)))
        if len(pads) != 2 * rank or min(pads) < 0:
            raise node.refuse(
                "invalid pads", code="HW214", found=f"pads = {pads}",
                supported=f"{2 * rank} numbers of at least 0",
            )  # fmt: skip
        return tuple(zip(pads[:rank], pads[rank:], strict=True))
    if mode == "VALID":
        return ((0, 0),) * rank
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise node.refuse(
            "unknown auto_pad", code="HW214", found=f"auto_pad = {mode!r}",
            supported="NOTSET, VALID, SAME_UPPER, SAME_LOWER",
        )  # fmt: skip
    found = []
    for n, k, s in zip(size, extent, strides, strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return tuple(found)


def kernel_shape(node: OnnxNode, rank: int) -> tuple[int, ...]:
    """Return a pooling node's ``kernel_shape``, checked."""
    if "kernel_shape" not in node.attributes:
        raise node.refuse("kernel_shape is missing", code="HW214")
    return _ints(node, "kernel_shape", rank, 1)
