"""Reshape, Flatten, Squeeze and Unsqueeze: the same elements in the same order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from hwflow.fixed import FixedType, Overflow, RawArray, Rounding
from hwflow.ir.op import Example, Layout, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.move import _Move, flat_index


@dataclass(frozen=True, kw_only=True, eq=False)
class Reshape(_Move):
    """Another shape for the same elements; costs nothing in io_parallel.

    Attributes:
        shape: shape of the result, without the batch axis.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "Flatten": ("axis",),
        "Reshape": ("allowzero",),
        "Squeeze": ("axes",),
        "Unsqueeze": ("axes",),
    }
    """``allowzero`` is of axes of no element, which no value has."""
    reorders: ClassVar[bool] = True
    moves: ClassVar[bool] = True
    layout: ClassVar[Layout] = Layout.ONNX
    selects: ClassVar[bool] = True

    shape: tuple[int, ...]

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        (x, *_) = node.activations
        shape = node.output_shape[1:]
        if _touches_batch(node) or node.output_shape[:1] != (1,) or prod(shape) != x.size:
            raise node.refuse(
                "batch axis does not stay first", code="HW216",
                found=f"{(1, *x.shape) if node.axes else (1,)} becomes {node.output_shape}",
                supported="shapes that keep the batch axis as it is",
                help="write x.flatten(1) instead of x.flatten() or x.view(-1)",
            )  # fmt: skip
        return [cls(shape=shape or (1,))]  # hardware has one axis at least

    def sources(self, shape: tuple[int, ...]) -> RawArray:
        return flat_index(shape).reshape(self.shape)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((3, 4, 2), FixedType(5, 2))
        yield Example("flatten", cls(shape=(24,)), (x,))
        yield Example("narrower", cls(shape=(24, 1)), (x,))
        yield Example("wider", cls(shape=(6, 4)), (x,))
        yield Example("uneven", cls(shape=(8, 3)), (x,))
        cast = FixedType(4, 2, True, Rounding.RND_CONV, Overflow.SAT)
        yield Example("cast", cls(shape=(2, 12), result_t=cast), (x,))


def _touches_batch(node: OnnxNode) -> bool:
    """Return whether a node removes, adds or merges the first axis, whatever its length.

    With a batch of one the shapes alone do not tell.
    """
    rank = len(node.output_shape)
    match node.op_type:
        case "Flatten":
            return int(node.attributes.get("axis", 1)) in (0, -len(node.axes) - 1)
        case "Squeeze" | "Unsqueeze":
            constant = node.constant(1)
            axes = node.attributes.get("axes", () if constant is None else constant.values.ravel())
            rank = len(node.axes) + 1 if node.op_type == "Squeeze" else rank
            return len(axes) == 0 or any(int(a) % rank == 0 for a in axes)
    return False
