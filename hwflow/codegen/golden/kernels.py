"""Chooses the layers that ONNX Runtime's 8-bit kernels compute exactly, and faster than float32.

A value of at most 8 bits is carried as ``uint8`` with a zero point. Between two such values a layer
is written as ONNX writes quantised layers, DequantizeLinear, the layer in float32, QuantizeLinear:
ONNX Runtime fuses these into one kernel (QGemm, QLinearConv) that adds up in int32. Fused or not,
sums are the same integers, and so is what QuantizeLinear gives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from hwflow.codegen.golden.quantization import LEVELS, SIGNED_ZERO, Quantize, cast_of, step_of
from hwflow.fixed import FixedType, Overflow, RawArray
from hwflow.ir.body.values import FLOAT_BITS, Span
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.requantize import Requantize
from hwflow.ops.reshape import Reshape
from hwflow.ops.shared.products import GoldenSum
from hwflow.ops.transpose import Transpose

Multiplying = Dense | Conv1D | Conv2D
"""Layers that there are 8-bit kernels of."""

LARGEST_WEIGHT = 127

LARGEST_PAIR = 2**15 - 1
"""Largest sum of two products: x86 processors without VNNI add them up in 16 bits, saturating
(VPMADDUBSW, Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2)."""

LEAST_CHANNELS, LEAST_FAN_IN, LEAST_UNITS = 16, 16, 32
"""Sizes below which the float32 kernels of ONNX Runtime 1.32 were faster."""

LEAST_WORK = 256
"""Products for each element of a convolution's operand, below which it costs more than it saves to
bring the operand from float32, channels first, to uint8, channels last: 4 ns an element."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A layer as a kernel of 8 bits.

    Attributes:
        weight: the weights in the operator's layout, within int8.
        offset_weights: written as uint8, 128 more: slower, but no processor saturates their sums.
        bias: shape ``(channels,)``, within int32.
        span: where the sums lie.
        quantize: what becomes of them; None where they leave in float32.
    """

    weight: RawArray
    bias: RawArray
    span: Span
    offset_weights: bool = False
    quantize: Quantize | None = None


@dataclass(frozen=True, eq=False)
class Plan:
    """Where 8 bits are used.

    Attributes:
        kernels: kernels by the names of their layers.
        steps: steps of requantisations behind kernels, by their names.
        zeros: the uint8 value that stands for 0, by name of the values carried in uint8.
    """

    kernels: dict[str, Kernel] = field(default_factory=dict)
    steps: dict[str, Quantize] = field(default_factory=dict)
    zeros: dict[str, int] = field(default_factory=dict)


def plan_kernels(graph: Graph) -> Plan:
    """Return the layers to compute in 8 bits, and the values to carry in them."""
    plan = Plan()
    for node in graph.nodes:
        if not isinstance(node.op, Multiplying):
            continue
        operand = node.inputs[0]
        path = list(_path(graph, operand))
        known = next((name for name in path if name in plan.zeros), None)
        quantized = known is not None
        zero = zero_of(graph.types[operand]) if known is None else plan.zeros[known]
        if zero is None or not _pays(node.op, quantized=quantized):
            continue
        kernel = kernel_of(node.op, graph.types[operand], zero)
        step = None if kernel is None else _step_behind(graph, node)
        if kernel is None or not (kernel.quantize or step or isinstance(node.op, Dense)):
            continue
        plan.kernels[node.name] = kernel
        between = [operand] if known is None else path[: path.index(known)]
        plan.zeros.update(dict.fromkeys(between, zero))
        if kernel.quantize is not None:
            plan.zeros[node.name] = kernel.quantize.zero
        if step is not None:
            name = graph.users[node.name][0].name
            plan.steps[name], plan.zeros[name] = step, step.zero
    return plan


def _step_behind(graph: Graph, node: Node) -> Quantize | None:
    """Return the requantisation that alone takes a layer's sums, as QuantizeLinear."""
    users = graph.users[node.name]
    if node.op.result_t is not None or len(users) != 1 or node.name in graph.output_values:
        return None
    op = users[0].op
    if not isinstance(op, Requantize) or op.result_t is not None or op.weights is not None:
        return None
    return step_of(op.problem(*graph.input_types(users[0])))


def _path(graph: Graph, name: str) -> Iterator[str]:
    """Yield a value, and those before it that it only chooses elements of."""
    yield name
    if chooses(graph.by_name[name].op):
        yield from _path(graph, graph.by_name[name].inputs[0])


def chooses(op: Op) -> bool:
    """Return whether an operator's results are elements of its operand, in uint8 as elsewhere."""
    unpadded = isinstance(op, MaxPool) and not np.any(op.pads)
    return op.result_t is None and (unpadded or isinstance(op, (Reshape, Transpose)))


def _pays(op: Multiplying, *, quantized: bool) -> bool:
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


def kernel_of(op: Multiplying, x: TensorType, zero: int) -> Kernel | None:
    """Return a layer as a kernel of 8 bits that is proven exact, or None.

    Args:
        op: the layer.
        x: its operand.
        zero: the uint8 value that stands for 0 in the operand.
    """
    if op.accum_t is not None or (isinstance(op, Dense) and len(x.shape) > 1):
        return None
    found = GoldenSum(op, x)
    largest = int(np.abs(found.weight).max(initial=0))
    pairs = np.sort(np.abs(found.weight.reshape(-1, op.matrix.shape[1])), axis=0)[-2:].sum(axis=0)
    reach = max(x.bounds[1] + zero, zero)
    if largest > LARGEST_WEIGHT or found.reach >= 2**FLOAT_BITS:
        return None
    saturates = int(pairs.max()) * reach > LARGEST_PAIR
    plain = Kernel(found.weight, found.bias, found.span, offset_weights=saturates)
    to = op.result_t
    if to is None or not _fits(to, found):
        return plain
    cast = cast_of(found.span, to)
    if cast is None or found.reach + abs(cast.added) >= 2**FLOAT_BITS:
        return plain
    return replace(plain, bias=plain.bias + cast.added, quantize=cast)


def _fits(to: FixedType, found: GoldenSum) -> bool:
    clips = to.overflow in (Overflow.SAT, Overflow.SAT_SYM)
    held = to.holds(found.span.lo, found.span.hi, found.span.fractional)
    return to.raw_max - to.raw_min < LEVELS and (clips or held)
