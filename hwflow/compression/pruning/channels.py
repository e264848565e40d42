"""Which channels of a float network belong together: those that can only leave it together.

Every element of every value carries a number, its *channel*. Layers begin new channels; what works
element by element passes them on; what joins two values (a residual addition) makes two channels
one; what moves elements (Flatten, Concat) moves their numbers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.compression.pruning.unions import Unions
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.ir.qonnx.model import QonnxModel, attributes, operator_name

Ints = npt.NDArray[np.int64]

KEEP_ZERO = frozenset(
    ("Relu", "LeakyRelu", "Tanh", "Identity", "Quant", "Elu", "Softsign", "Cast", "Neg", "Abs")
)
"""Elementwise operators that give 0 for 0."""

ELEMENTWISE = KEEP_ZERO | {"Sigmoid", "Clip", "Softplus", "HardSigmoid", "HardSwish", "Selu", "Erf"}
"""Operators whose result has, element by element, the channels of the first operand; the others
are constants that hold for all elements."""

BY_CHANNEL = frozenset(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"))
"""Operators of spatial axes, that give 0 for a channel of zeros."""

ARITHMETIC = frozenset(("Add", "Sub", "Mul", "Div", "Max", "Min", "PRelu"))

MOVES = frozenset(("Flatten", "Reshape", "Transpose", "Concat", "Squeeze", "Unsqueeze"))


@dataclass(frozen=True, eq=False)
class Use:
    """The weights of a layer by the channels that they read and make.

    Attributes:
        layer: the layer.
        reads: channel of each input of its matrix; of each group's channel for depthwise layers.
        makes: channel of each output.
        depthwise: every output reads one input, which is of the same channel.
    """

    layer: Layer
    reads: Ints
    makes: Ints
    depthwise: bool


@dataclass(eq=False)
class Channels:
    """The channels of a network.

    Attributes:
        model: shapes known.
        labels: channel of each element of each value but constants, without the batch.
        uses: layers, by the name of their node.
        fixed: channels that cannot leave: those of inputs, outputs and of what is not followed.
        bent: channels that somewhere on their way are not 0 where they began as 0.
    """

    model: QonnxModel
    labels: dict[str, Ints] = field(default_factory=dict)
    uses: dict[str, Use] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    bent: set[int] = field(default_factory=set)

    @property
    def free(self) -> list[int]:
        """Channels that can leave, in order."""
        made = {int(c) for use in self.uses.values() for c in use.makes}
        return sorted(made - self.fixed)

    def axis(self, name: str) -> int:
        """Return the axis of a value along which channels differ, the batch being axis 0."""
        return 1 + (_axis(self.labels[name]) or 0)


def channels_of(model: QonnxModel) -> Channels:
    """Return the channels of a network.

    Args:
        model: a float model as ``prepare`` returns it, or the same with quantised activations.
    """
    trace = _Trace(model)
    for node in model.ir.graph:
        trace.visit(node)
    return trace.settled()


class _Trace:
    """The channels so far."""

    def __init__(self, model: QonnxModel) -> None:
        self.found, self.same = Channels(model), Unions()
        self.layers = {layer.node.name: layer for layer in layers_of(model)}
        biases = (layer.bias_value for layer in self.layers.values())
        self.biases = {value.name for value in biases if value is not None}
        for value in model.ir.graph.inputs:
            self.found.labels[value.name or ""] = self.begin(value, fixed=True)

    def begin(self, value: ir.Value, *, fixed: bool) -> Ints:
        """Return new channels, one for each index of axis 1."""
        shape = _shape(value)
        count = shape[0] if shape else 1
        numbers = np.arange(self.same.size, self.same.size + count)
        self.same.grow(count)
        if fixed:
            self.found.fixed |= set(numbers.tolist())
        return np.broadcast_to(numbers.reshape(count, *[1] * (len(shape) - 1)), shape)

    def visit(self, node: ir.Node) -> None:
        """Give a node's results their channels."""
        operands = [v for v in node.inputs if v is not None and v.name in self.found.labels]
        if not operands:
            return
        made = self.made(node, [self.found.labels[v.name or ""] for v in operands])
        for value in node.outputs:
            labels = made if made is not None and made.shape == _shape(value) else None
            if labels is None:
                for operand in operands:
                    self.fix(self.found.labels[operand.name or ""])
                labels = self.begin(value, fixed=True)
            if _axis(self.same.roots(labels)) is None:
                self.fix(labels)
            self.found.labels[value.name or ""] = labels

    def made(self, node: ir.Node, operands: list[Ints]) -> Ints | None:
        """Return the channels of a node's first result; None where they are not known."""
        name, first = operator_name(node), operands[0]
        if node.name in self.layers:
            return self.through(self.layers[node.name], first)
        if name in ELEMENTWISE and _plain(node):
            if name not in KEEP_ZERO and not _clips_around_zero(node):
                self.bend(first)
            return first
        if name == "BatchNormalization":
            self.bend(first)
            return first
        if name in BY_CHANNEL or (name == "ReduceMean" and _spatial(node)):
            channels = _along(first, 0)
            return None if channels is None else _spread(channels, _shape(node.outputs[0]), 0)
        if name in ARITHMETIC:
            return self.joined(node, operands)
        return _moved(name, node, operands) if name in MOVES else None

    def joined(self, node: ir.Node, operands: list[Ints]) -> Ints | None:
        """Return the channels of a sum or product."""
        if len(operands) == 1:
            if not self.keeps_zero(node):
                self.bend(operands[0])
            return operands[0]
        if any(labels.shape != operands[0].shape for labels in operands):
            return None
        if operator_name(node) == "Div":
            self.bend(operands[0])
        for other in operands[1:]:
            self.same.join(operands[0], other)
        return operands[0]

    def keeps_zero(self, node: ir.Node) -> bool:
        """Return whether arithmetic with a constant gives 0 for 0, biases of layers apart."""
        if any(v is not None and v.name in self.biases for v in node.inputs):
            return True
        dividend = node.inputs[0] is not None and node.inputs[0].const_value is None
        name = operator_name(node)
        return name in ("Mul", "PRelu") or (name == "Div" and dividend)

    def through(self, layer: Layer, read: Ints) -> Ints | None:
        """Return the channels that a layer makes."""
        axis = 0 if layer.node.op_type == "Conv" else read.ndim - 1
        reads, result = _along(read, axis), layer.node.outputs[0]
        if reads is None or (layer.node.op_type != "Conv" and len(_all(layer.weight)) != 2):
            return None
        outputs = _shape(result)[axis]
        if layer.groups > 1:
            if layer.groups != len(reads):
                return None
            makes = np.repeat(reads, outputs // layer.groups)
        else:
            makes = np.arange(self.same.size, self.same.size + outputs)
            self.same.grow(outputs)
        self.found.uses[layer.node.name or ""] = Use(layer, reads, makes, layer.groups > 1)
        return _spread(makes, _shape(result), axis)

    def fix(self, labels: Ints) -> None:
        """Keep channels from leaving."""
        self.found.fixed |= set(np.unique(labels).tolist())

    def bend(self, labels: Ints) -> None:
        """Note that zeros of these channels do not stay zeros."""
        self.found.bent |= set(np.unique(labels).tolist())

    def settled(self) -> Channels:
        """Return what was found, each channel by the least of the numbers that are one."""
        found, root = self.found, self.same.roots
        for value in found.model.ir.graph.outputs:
            self.fix(found.labels.get(value.name or "", np.zeros(0, np.int64)))
        found.labels = {name: root(labels) for name, labels in found.labels.items()}
        found.uses = {
            name: Use(use.layer, root(use.reads), root(use.makes), use.depthwise)
            for name, use in found.uses.items()
        }
        for labels in found.labels.values():
            if _axis(labels) is None:
                found.fixed |= set(np.unique(labels).tolist())
        for some in (found.fixed, found.bent):
            numbers = root(np.array(sorted(some), np.int64)).tolist()
            some.clear()
            some.update(numbers)
        return found


def _shape(value: ir.Value) -> tuple[int, ...]:
    """Return the shape of a value without the batch."""
    return () if value.shape is None else tuple(int(d) for d in value.shape.numpy()[1:])


def _all(value: ir.Value) -> tuple[int, ...]:
    return () if value.shape is None else tuple(int(d) for d in value.shape.numpy())


def _axis(labels: Ints) -> int | None:
    """Return the one axis along which channels differ; None where there are several."""
    found = [a for a in range(labels.ndim) if (labels != labels.take([0], axis=a)).any()]
    return None if len(found) > 1 else found[0] if found else 0


def _along(labels: Ints, axis: int) -> Ints | None:
    """Return the channel of each index of an axis, where that alone decides."""
    lines = np.moveaxis(labels, axis, 0).reshape(labels.shape[axis], -1)
    return lines[:, 0] if (lines == lines[:, :1]).all() else None


def _spread(channels: Ints, shape: tuple[int, ...], axis: int) -> Ints | None:
    """Return channels of the indices of an axis for all elements of a value."""
    if axis >= len(shape) or shape[axis] != len(channels):
        return None
    return np.broadcast_to(channels.reshape([-1 if a == axis else 1 for a in range(len(shape))]),
                           shape)  # fmt: skip


def _plain(node: ir.Node) -> bool:
    """Return whether all constants of a node are single numbers."""
    constants = [v.const_value for v in node.inputs[1:] if v is not None]
    return all(constant is None or constant.size == 1 for constant in constants)


def _clips_around_zero(node: ir.Node) -> bool:
    if operator_name(node) != "Clip":
        return False
    ends = [float(array_of(v)) if v is not None and v.const_value is not None else None
            for v in (*node.inputs[1:3], None, None)][:2]  # fmt: skip
    return (ends[0] is None or ends[0] <= 0) and (ends[1] is None or ends[1] >= 0)


def _spatial(node: ir.Node) -> bool:
    """Return whether a mean leaves the axis of the channels as it is."""
    given: Any = attributes(node).get("axes")
    if given is None and len(node.inputs) > 1 and node.inputs[1] is not None:
        given = array_of(node.inputs[1]).astype(int).tolist()
    rank = len(_shape(node.inputs[0])) + 1 if node.inputs[0] is not None else 0
    return bool(given) and all(int(a) % rank > 1 for a in given)


def _moved(name: str, node: ir.Node, operands: list[Ints]) -> Ints | None:
    """Return the channels behind what moves elements, each sample by itself."""
    if name == "Concat":
        axis = int(attributes(node).get("axis", 1)) % (operands[0].ndim + 1)
        dynamic = len(operands) == len(node.inputs) and axis > 0
        return np.concatenate(operands, axis=axis - 1) if dynamic else None
    if name == "Transpose":
        order = list(attributes(node).get("perm", ()))
        if not order or order[0] != 0:
            return None
        return operands[0].transpose([a - 1 for a in order[1:]])
    shape = _shape(node.outputs[0])
    return operands[0].reshape(shape) if operands[0].size == np.prod(shape, dtype=int) else None
