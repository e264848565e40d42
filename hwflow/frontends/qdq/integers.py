"""What may stand between ``QuantizeLinear`` and ``DequantizeLinear``: moves and narrower ranges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from hwflow.frontends.qdq.parameters import INTEGERS, Affine, LinearError, Whole
from hwflow.ir.qonnx.model import printable
from hwflow.ops import facts_of


@dataclass(frozen=True, eq=False)
class Stored:
    """Constant integers of a model, which stand for real numbers.

    Attributes:
        levels: the integers, zero point included.
        dtype: their type.
        range: smallest and largest integer that they may have.
    """

    levels: Whole
    dtype: ir.DataType
    range: tuple[int, int]

    @property
    def reach(self) -> int:
        """The largest absolute value."""
        return int(np.abs(self.levels).max(initial=0))

    def clipped(self, low: int, high: int) -> Stored:
        """Return the integers behind a ``Clip``."""
        return Stored(np.clip(self.levels, low, high), self.dtype, (low, high))


def stored_in(tensor: ir.TensorProtocol) -> Stored | None:
    """Return the integers of a tensor, or None where it has another type."""
    if tensor.dtype not in INTEGERS:
        return None
    levels = np.asarray(tensor.numpy()).astype(np.int64)
    return Stored(levels, tensor.dtype, range_of(tensor.dtype))


def moves(node: ir.Node, are_integers: Sequence[bool], lines: Sequence[Affine]) -> bool:
    """Return whether the result has elements of the operands, and one line fits all.

    Args:
        node: at least one of its operands is a tensor of integers.
        are_integers: which operands are.
        lines: what the integers stand for.
    """
    first = lines[0]
    facts = facts_of(node)
    if not facts.selects or not are_integers[0]:
        return False
    if facts.one_scale and not all(are_integers):
        return False
    if node.op_type in ("Resize", "Upsample") and not _is_nearest(node):
        return False
    one = first.scale.size == first.zero.size == 1 or node.op_type == "Identity"
    others = () if node.op_type == "Split" else node.outputs[1:]
    alone = all(not v.uses() and not v.is_graph_output() for v in others)
    return one and alone and all(first.same(line) for line in lines)


def _is_nearest(node: ir.Node) -> bool:
    """Return whether a resize gives elements of its operand, and none between them."""
    mode = node.attributes.get("mode")
    return mode is None or mode.as_string() == "nearest"


def dims(value: ir.Value) -> tuple[int, ...]:
    """Return the shape of a value, all of whose axes are known."""
    return () if value.shape is None else tuple(int(d) for d in value.shape.numpy())


def range_of(dtype: ir.DataType) -> tuple[int, int]:
    """Return the smallest and the largest integer of a type."""
    bits, signed = INTEGERS[dtype]
    low = -(2 ** (bits - 1)) if signed else 0
    return low, low + 2**bits - 1


def narrowed(clip: ir.Node, low: int, high: int) -> tuple[int, int]:
    """Return a range of integers behind a ``Clip``.

    Raises:
        LinearError: HW278, the bounds are not constant whole numbers, or contradict each other.
    """
    bounds = [low, high]
    for index, value in enumerate(clip.inputs[1:3]):
        if value is None:
            continue
        constant = value.const_value
        if constant is None or constant.size != 1 or constant.dtype not in INTEGERS:
            found = f"{printable(value.name or '')!r}"
            raise LinearError(
                "HW278", "bounds of a Clip between integers cannot be represented", found,
                "one constant integer each",
            )  # fmt: skip
        bounds[index] = min(max(int(np.asarray(constant.numpy()).flat[0]), low), high)
    if bounds[0] > bounds[1]:
        found = f"{bounds[0]} .. {bounds[1]}"
        title = "bounds of a Clip between integers contradict each other"
        raise LinearError("HW278", title, found, "min <= max")
    return bounds[0], bounds[1]


def only_clip(integers: ir.Value) -> ir.Node | None:
    """Return the ``Clip`` that alone takes the integers of a quantiser, or None."""
    users = integers.consumers()
    if len(users) != 1 or integers.is_graph_output():
        return None
    (user,) = users
    is_clip = user.op_type == "Clip" and user.domain == "" and user.inputs[0] is integers
    return user if is_clip and integers not in user.inputs[1:] else None


def entry_of(node: ir.Node, affine: Affine) -> tuple[ir.Node, ir.Value]:
    """Return where a value is to be quantised, and before which node.

    One scale for all elements may be applied before the elements are put into another order: a
    value that enters the model, and is only put into another order, is quantised where it enters.
    """
    value = node.inputs[0]
    assert value is not None
    start, entry = (node, value), node
    while affine.scale.size == affine.zero.size == 1 and len(value.uses()) == 1:
        producer = value.producer()
        if value.is_graph_output() or value.const_value is not None:
            return start
        if producer is None:
            return entry, value
        if not facts_of(producer).reorders or not producer.inputs:
            return start
        source = producer.inputs[0]
        if source is None:
            return start
        entry, value = producer, source
    return start
