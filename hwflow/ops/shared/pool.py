"""What pooling operators share: their window, the one C++ kernel, and reductions as pooling.

hls4ml 1.3.0's pooling takes no padding and no overlap in io_stream, pads unsigned maps with a
large value and truncates means twice, so that hwflow has its own (``templates/ops/pool.h.j2``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar, Self

import numpy as np

from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.fabric import line_buffer_luts
from hwflow.estimate.layer import pool_cost
from hwflow.estimate.spread import with_luts
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedType
from hwflow.ir.body.values import Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Layout, OnnxNode, Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.reshape import Reshape
from hwflow.ops.shared.turns import _InTurns
from hwflow.ops.shared.window import Window, kernel_shape, window_from_onnx
from hwflow.ops.transpose import Transpose

REDUCTION_ATTRIBUTES = ("axes", "keepdims", "noop_with_empty_axes")
"""What nodes say that reduce axes."""


DIVISION = 20
"""Cycles at most for the FIFOs and for a division, which is two products with a shift."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Pool(_InTurns):
    """Pooling over the spatial axes, channels last.

    Attributes:
        kernel: extent of the window along each spatial axis.
        strides: step along each spatial axis.
        pads: positions added before and after each axis, those of ``ceil_mode`` included.
        squeeze: drop the spatial axes, which have length 1 then.
    """

    layout: ClassVar[Layout] = Layout.CHANNELS_LAST
    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    squeeze: bool = False

    def window(self, shape: tuple[int, ...]) -> Window:
        """Return the window over an input of a shape."""
        begin, end = zip(*self.pads, strict=True)
        return Window(shape[:-1], self.kernel, self.strides, begin, end)

    def out_shape(self, x: TensorType) -> tuple[int, ...]:
        """Return the shape of the result."""
        return (x.channels,) if self.squeeze else (*self.window(x.shape).out, x.channels)

    def squeezed(self, body: Body, y: Tensor) -> Tensor:
        """Return the result of the windows in a golden body in its shape."""
        return body.reshaped(y, (y.shape[-1],)) if self.squeeze else y

    @classmethod
    def over_all(cls, spatial: tuple[int, ...], *, squeeze: bool) -> Self:
        """Return the pooling whose one window is the whole map."""
        rank = len(spatial)
        return cls(kernel=spatial, strides=(1,) * rank, pads=((0, 0),) * rank, squeeze=squeeze)

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return the steps of ``pool.h``: pixels without padding where no windows overlap."""
        window = self.window(inputs[0].shape)
        depth = DIVISION + (prod(self.kernel) - 1).bit_length()
        if all(s >= k for s, k in zip(self.strides, self.kernel, strict=True)):
            last = window.last_inside()
            return Pattern.choosing(np.ones(last.size), last, depth, turns=self.reuse_factor)
        read = np.zeros(window.padded)
        read[tuple(slice(b, b + n) for b, n in zip(window.begin, window.size, strict=True))] = 1
        return Pattern.choosing(read, window.completed(), depth, turns=self.reuse_factor)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        window = self.window(x.shape)
        flat = (1,) * (2 - len(self.kernel))
        attributes: dict[str, Any] = {
            "output_shape": list(self.out_shape(x)),
            "channels": x.channels,
            "size": [*flat, *window.size],
            "padded": [*flat, *window.padded],
            "window": [*flat, *window.kernel],
            "steps": [*flat, *window.strides],
            "out": [*flat, *window.out],
            "begin": [*(0 for _ in flat), *window.begin],
            "mean": None,
        }
        return HlsLayer(
            class_name="HwflowKernel", kernel="pool", attributes=attributes,
            reuse_factor=self.reuse_factor,
        )  # fmt: skip

    def _cost(self, target: Target, x: TensorType, *, average: bool) -> Cost:
        window, turns = self.window(x.shape), self.reuse_factor
        padded = TensorType((*window.padded, x.channels), x.dtype, x.lo, x.hi)
        out = TensorType((*window.out, x.channels), x.dtype, x.lo, x.hi)
        some = one_turn(out, turns, target)
        if target.streams:
            cost = self._streamed(padded, out.shape, target, average=average)
        else:
            cost = pool_cost(padded, some.shape, self.kernel, target=target, average=average)
        bits = x.dtype.width * prod(self.kernel)
        return in_turns(cost, turns, out, bits, target=target)

    def _streamed(
        self, x: TensorType, out: tuple[int, ...], target: Target, *, average: bool
    ) -> Cost:
        """Return the cost of the lanes, and of the windows, which are kept of all channels.

        Args:
            x: padded feature map.
            out: shape of the result.
            target: backend, io type, part and clock.
            average: sums and divides instead of comparing.
        """
        turns = self.reuse_factor
        whole, some = (
            pool_cost(part, out, self.kernel, target=target, average=average)
            for part in (x, one_turn(x, turns, target))
        )
        lines = line_buffer_luts(x.shape, self.kernel, x.dtype.width) * (1 - 1 / turns)
        return replace(with_luts(some, lines), ff=whole.ff, ff_synth=whole.ff_synth)


def pool_window(node: OnnxNode) -> tuple[Window, tuple[tuple[int, int], ...]]:
    """Return the window of a pooling node, and the padding that the node itself asks for.

    Raises:
        RefusedError: dilation, padding as large as the window, or other than 1 or 2 spatial axes.
    """
    (x, *_) = node.activations
    rank = len(x.shape) - 1
    if rank not in (1, 2):
        raise node.refuse(
            "pooling over other than one or two spatial axes", code="HW215",
            found=f"{rank} spatial axes", supported="1 or 2",
        )  # fmt: skip
    dilations = tuple(node.attributes.get("dilations", (1,)))
    if any(d != 1 for d in dilations):
        raise node.refuse(
            "dilated pooling", code="HW215", found=f"dilations = {dilations}",
            supported="dilations of 1",
        )  # fmt: skip
    kernel = kernel_shape(node, rank)
    window, pads = window_from_onnx(node, x.shape[:-1], kernel)
    if any(max(p) >= k for p, k in zip(pads, kernel, strict=True)):
        raise node.refuse(
            "padding as large as the window", code="HW215",
            found=f"kernel_shape = {kernel}, padding {pads}",
            supported="padding below kernel_shape",
        )  # fmt: skip
    return window, pads


def reduction(node: OnnxNode, cls: type[_Pool]) -> Sequence[Op]:
    """Return the chain that reduces axes of a value: pooling with one window over all of them.

    Raises:
        RefusedError: the batch axis is reduced.
    """
    (x, *_) = node.activations
    axes, keep = _reduced_axes(node)
    if not axes:
        return []
    reduced = [i for i, a in enumerate(node.axes) if a in axes]
    last = len(x.shape) - 1
    if reduced == list(range(last)) and last in (1, 2):
        return [cls.over_all(x.shape[:-1], squeeze=not keep)]
    kept = [a for a in node.axes if a not in axes]
    if not keep and kept:
        kept = sorted(kept)
        kept = [*kept[1:], kept[0]]
    perm = (*reduced, *(node.axes.index(a) for a in kept))
    moved: list[Op] = [] if perm == tuple(range(len(perm))) else [Transpose(perm=perm)]
    rows = prod(x.shape[i] for i in reduced)
    columns = prod(x.shape[i] for i in perm[len(reduced) :])
    rank = len(node.output_shape)
    order = (*range(2, rank), 1) if rank > 2 else tuple(range(1, rank))
    wanted = tuple(node.output_shape[a] for a in order) or (1,)  # hardware has one axis at least
    chain = [*moved, Reshape(shape=(rows, columns)), cls.over_all((rows,), squeeze=True)]
    return [*chain, Reshape(shape=wanted)] if wanted != (columns,) else chain


def _reduced_axes(node: OnnxNode) -> tuple[frozenset[int], bool]:
    """Return the ONNX axes that a node reduces, and whether they stay with length 1."""
    rank = len(node.axes) + 1
    if node.op_type.startswith("Global"):
        return frozenset(range(2, rank)), True
    constant = node.constant(1)
    given = node.attributes.get("axes", None if constant is None else constant.values.ravel())
    if given is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        raise node.refuse("axes that are computed at run time", code="HW217")
    keep = bool(node.attributes.get("keepdims", 1))
    if given is None or not len(given):
        if node.attributes.get("noop_with_empty_axes", 0):
            return frozenset(), keep
        given = range(rank)
    axes = frozenset(int(a) % rank for a in given)
    if 0 in axes:
        raise node.refuse(
            "reduction over the batch axis", code="HW216", found=f"axes {sorted(axes)}",
            supported="axes from 1 on",
        )  # fmt: skip
    return axes, keep


def example_maps() -> tuple[TensorType, TensorType, TensorType]:
    """Return operands of examples: a signed map, an unsigned one and a sequence."""
    signed = TensorType.full((5, 7, 2), FixedType(5, 2))
    unsigned = TensorType.full((6, 5, 3), FixedType(4, 1, signed=False))
    return signed, unsigned, TensorType.full((9, 2), FixedType(5, 2))
