"""Slice: a part of a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.move import _Move, flat_index

ALL = 2**31 - 1
"""Ends from here on mean "to the end" whatever the length, as exporters write it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice(_Move):
    """Takes every ``step``-th element from ``start`` on, along each axis.

    Attributes:
        picks: first index, number of elements and step (may be negative) for each axis without
            the batch.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Slice",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Slice": ("axes", "ends", "starts")}
    moves: ClassVar[bool] = True
    selects: ClassVar[bool] = True

    picks: tuple[tuple[int, int, int], ...]

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        (x, *_) = node.activations
        rank = len(node.axes) + 1
        starts, ends = _numbers(node, 1, "starts"), _numbers(node, 2, "ends")
        axes, steps = _numbers(node, 3, "axes"), _numbers(node, 4, "steps")
        if starts is None or ends is None or len(starts) != len(ends):
            raise node.refuse("slice whose limits are computed at run time", code="HW217")
        axes = tuple(range(len(starts))) if axes is None else tuple(a % rank for a in axes)
        steps = (1,) * len(starts) if steps is None else steps
        sizes = dict(zip(node.axes, x.shape, strict=True))
        picks = {axis: (0, size, 1) for axis, size in sizes.items()}
        for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
            if axis == 0 and (start, step) == (0, 1) and end >= ALL:
                continue
            if axis == 0 or step == 0:
                raise node.refuse("slice of the batch axis", code="HW216",
                    found=f"axes = {axes}, steps = {steps}")  # fmt: skip
            chosen = range(sizes[axis])[slice(start, end, step)]
            if not chosen:
                raise node.refuse("slice without elements", code="HW217",
                    found=f"{start}:{end}:{step} of {sizes[axis]}")  # fmt: skip
            picks[axis] = (chosen.start, len(chosen), step)
        return [cls(picks=tuple(picks[a] for a in node.axes))]

    def sources(self, shape: tuple[int, ...]) -> RawArray:
        index = flat_index(shape)
        for axis, (start, count, step) in enumerate(self.picks):
            index = index.take(range(start, start + count * step, step), axis=axis)
        return index

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((3, 5, 4), FixedType(5, 2))
        yield Example("crop", cls(picks=((1, 2, 1), (0, 3, 2), (0, 4, 1))), (x,))
        yield Example("channels", cls(picks=((0, 3, 1), (0, 5, 1), (3, 2, -2))), (x,))


def _numbers(node: OnnxNode, index: int, name: str) -> tuple[int, ...] | None:
    """Return an operand that is an input since opset 10 and was an attribute before."""
    constant = node.constant(index)
    given = node.attributes.get(name, None if constant is None else constant.values.ravel())
    if given is None and index < len(node.inputs) and node.inputs[index] is not None:
        raise node.refuse("slice whose limits are computed at run time", code="HW217")
    return None if given is None else tuple(int(v) for v in given)
