"""Chooses the layers that ONNX Runtime's 8-bit kernels compute exactly, and faster than float32.

A value of at most 8 bits is carried as ``uint8`` with a zero point. Between two such values a layer
is written as ONNX writes quantised layers, DequantizeLinear, the layer in float32, QuantizeLinear:
ONNX Runtime fuses these into one kernel (QGemm, QLinearConv) that adds up in int32. Fused or not,
sums are the same integers, and the result is ``clip(round(sum / step) + point, 0, 255)`` where
halves go to even, computed in float32 with one division, or one product with ``1 / step``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow, RawArray, Rounding, cast_raw
from hwflow.golden.body import FLOAT_BITS, Span
from hwflow.golden.emit.linear import Sum
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.reshape import Reshape
from hwflow.ops.transpose import Transpose

LEVELS = 256
"""Values of uint8."""

SIGNED_ZERO = 128
"""The uint8 value that stands for 0 where a value can be negative."""

LARGEST_WEIGHT = 127

LARGEST_PAIR = 2**15 - 1
"""Of two products that x86 processors without VNNI add up in 16 bits, saturating (VPMADDUBSW,
Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2)."""

NUDGE = np.float32(2.0**-22)
"""Relative change of a step that decides halves: 4 times the error of a product and a quotient in
float32, and a quarter of what numbers of 20 bits are apart."""

LEAST_CHANNELS, LEAST_FAN_IN, LEAST_UNITS = 16, 16, 32
"""Below these the float32 kernels of ONNX Runtime 1.32 were faster."""

LEAST_WORK = 256
"""Products for each element of a convolution's operand, below which it costs more than it saves to
bring the operand from float32, channels first, to uint8, channels last: 4 ns an element."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A layer as a kernel of 8 bits.

    Attributes:
        weight: in the operator's layout, within int8.
        offset_weights: written as uint8, 128 more: slower, but no processor saturates their sums.
        bias: shape ``(channels,)``, within int32.
        span: where the sums lie, without what was added to round otherwise.
        step: of QuantizeLinear; None where the sums leave in float32.
        point: zero point of QuantizeLinear.
        zero: the uint8 value that stands for 0.
        low: least uint8 value; 0 where none is cut.
        high: greatest uint8 value.
    """

    weight: RawArray
    bias: RawArray
    span: Span
    offset_weights: bool = False
    step: np.float32 | None = None
    point: int = 0
    zero: int = 0
    low: int = 0
    high: int = LEVELS - 1

    def levels(self, sums: RawArray) -> Iterator[npt.NDArray[Any]]:
        """Yield what becomes of sums: by a division, and by a product."""
        assert self.step is not None
        values = sums.astype(np.float32)
        for scaled in (values / self.step, values * (np.float32(1) / self.step)):
            quantized = np.clip(np.rint(scaled) + np.float32(self.point), 0, LEVELS - 1)
            yield np.clip(quantized, self.low, self.high).astype(np.int64) - self.zero


@dataclass(frozen=True, eq=False)
class Plan:
    """Where 8 bits are used.

    Attributes:
        kernels: by name of the layer.
        zeros: the uint8 value that stands for 0, by name of the values carried in uint8.
    """

    kernels: Mapping[str, Kernel]
    zeros: Mapping[str, int]


def plan_kernels(graph: Graph) -> Plan:
    """Return the layers to compute in 8 bits, and the values to carry in them."""
    kernels: dict[str, Kernel] = {}
    zeros: dict[str, int] = {}
    for node in graph.nodes:
        if not isinstance(node.op, (Dense, Conv1D, Conv2D)):
            continue
        operand = node.inputs[0]
        path = list(_path(graph, operand))
        quantized = path[-1] in zeros
        zero = zeros[path[-1]] if quantized else zero_of(graph.types[operand])
        if zero is None or not _pays(node.op, quantized=quantized):
            continue
        kernel = kernel_of(node.op, graph.types[operand], zero)
        if kernel is None or (kernel.step is None and not isinstance(node.op, Dense)):
            continue
        kernels[node.name] = kernel
        zeros |= dict.fromkeys(path if quantized else [operand], zero)
        if kernel.step is not None:
            zeros[node.name] = kernel.zero
    return Plan(kernels, zeros)


def _path(graph: Graph, name: str) -> Iterator[str]:
    """Yield a value, and those before it that it only chooses elements of."""
    yield name
    if chooses(graph.by_name[name].op):
        yield from _path(graph, graph.by_name[name].inputs[0])


def chooses(op: Op) -> bool:
    """Return whether an operator's results are elements of its operand, in uint8 as elsewhere."""
    unpadded = isinstance(op, MaxPool) and not np.any(op.pads)
    return op.result_t is None and (unpadded or isinstance(op, (Reshape, Transpose)))


def _pays(op: Any, *, quantized: bool) -> bool:
    """Return whether 8 bits are faster, for an operand that is in 8 bits already or is not."""
    if isinstance(op, Dense):
        return quantized or op.weight.shape[1] >= LEAST_UNITS
    fan_in, channels = op.matrix.shape
    work = int(np.prod(op.kernel)) * channels // int(np.prod(op.strides))
    enough = op.groups == 1 and channels >= LEAST_CHANNELS and fan_in >= LEAST_FAN_IN
    return bool(enough and (quantized or work >= LEAST_WORK))


def zero_of(values: TensorType) -> int | None:
    """Return the uint8 value that stands for 0, or None where mantissas have more than 8 bits."""
    lo, hi = values.bounds
    for zero in (0, SIGNED_ZERO):
        if lo + zero >= 0 and hi + zero < LEVELS:
            return zero
    return None


def kernel_of(op: Any, x: TensorType, zero: int) -> Kernel | None:
    """Return a layer as a kernel of 8 bits that is proven exact, or None.

    Args:
        op: a dense layer or a convolution.
        x: its operand.
        zero: the uint8 value that stands for 0 in the operand.
    """
    if op.accum_t is not None or (isinstance(op, Dense) and len(x.shape) > 1):
        return None
    matrix = op.weight.raw if isinstance(op, Dense) else op.matrix
    found = Sum(op, x, matrix)
    largest = int(np.abs(found.weight).max(initial=0))
    pairs = np.sort(np.abs(found.weight.reshape(-1, matrix.shape[1])), axis=0)[-2:].sum(axis=0)
    reach = max(x.bounds[1] + zero, zero)
    if largest > LARGEST_WEIGHT or found.reach >= 2**FLOAT_BITS:
        return None
    saturates = int(pairs.max()) * reach > LARGEST_PAIR
    plain = Kernel(found.weight, found.bias, found.span, offset_weights=saturates)
    to = op.result_t
    if to is None or not _fits(to, found):
        return plain
    return _quantized(plain, found, to) or plain


def _fits(to: FixedType, found: Sum) -> bool:
    clips = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    held = to.holds(found.span.lo, found.span.hi, found.span.fractional)
    return to.raw_max - to.raw_min < LEVELS and (clips or held)


def _quantized(plain: Kernel, found: Sum, to: FixedType) -> Kernel | None:
    """Return a kernel whose results are those of a cast, for all sums that can occur."""
    drop = found.span.fractional - to.fractional
    signed = to.raw_min < 0 and found.span.lo < 0
    zero = SIGNED_ZERO if signed else 0
    low, high = (max(to.raw_min, 0) if not signed else to.raw_min) + zero, to.raw_max + zero
    for rise, nudge, lifted in _ways(to.rounding, drop, signed=signed):
        lift = (zero << drop) if lifted else 0
        kernel = replace(
            plain, bias=plain.bias + rise + lift, zero=zero, low=low, high=high,
            step=np.float32(2.0**drop) * (np.float32(1) - np.float32(nudge)),
            point=0 if lifted else zero,
        )  # fmt: skip
        if _proven(kernel, found, to, rise + lift):
            return kernel
    return None


def _ways(rounding: Rounding, drop: int, *, signed: bool) -> Iterator[tuple[int, float, bool]]:
    """Yield what to add to the sums, how to change the step, and whether to lift them above 0.

    A smaller step takes halves away from 0, a greater one towards it. Above 0, away is up; what is
    below 0 there is clipped. Rounding down is rounding to nearest, halves up, half a step lower.
    """
    if drop <= 0:
        yield 0, 0.0, False
        return
    up, nudge = signed, float(NUDGE)
    match rounding:
        case Rounding.RND_CONV:
            yield 0, 0.0, False
        case Rounding.RND:
            yield 0, nudge, up
        case Rounding.RND_MIN_INF:
            yield 0, -nudge, up
        case Rounding.RND_INF:
            yield 0, nudge, False
        case Rounding.RND_ZERO:
            yield 0, -nudge, False
        case Rounding.TRN:
            yield -(1 << (drop - 1)), nudge, up
        case Rounding.TRN_ZERO if not signed:
            yield -(1 << (drop - 1)), nudge, False


def _proven(kernel: Kernel, found: Sum, to: FixedType, added: int) -> bool:
    """Return whether results are right at both sides of every level's ends; all is monotone.

    Sums between two neighbours of that list are between the same two results.
    """
    lo, hi = found.span.lo, found.span.hi
    if max(abs(lo + added), abs(hi + added), found.reach + abs(added)) >= 2**FLOAT_BITS:
        return False
    drop = found.span.fractional - to.fractional
    halves = np.arange(2 * to.raw_min - 3, 2 * to.raw_max + 4)
    ends = halves << (drop - 1) if drop > 0 else halves >> (1 - drop)
    near = (ends[:, None] + np.arange(-2, 3)).ravel()
    sums = np.unique(np.clip(np.append(near, [lo, hi]), lo, hi)).astype(np.int64)
    expected = cast_raw(sums, found.span.fractional, to)
    return all(np.array_equal(levels, expected) for levels in kernel.levels(sums + added))
