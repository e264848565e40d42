"""Tile and Expand: a value several times, side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedType
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.picks import _Picks, batch_moved, by_axes, require_size


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile(_Picks):
    """Repeats a value as a whole along axes."""

    onnx: ClassVar[tuple[str, ...]] = ("Tile", "Expand")

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        given = node.constant(1)
        if not node.activations or given is None:
            raise node.refuse(
                "repetitions that are computed at run time", code="HW217",
                supported="a constant number of repetitions",
                help="export with fixed shapes",
            )  # fmt: skip
        (x, *_), shape = node.activations, node.output_shape
        if len(shape) != len(node.axes) + 1 or shape[0] != 1:
            raise batch_moved(node, "repetition", f"{(1, *x.shape)} becomes {shape}")
        require_size(node)
        sizes = dict(zip(node.axes, x.shape, strict=True))
        picked = {
            axis: tuple(i % size for i in range(shape[axis]))
            for axis, size in sizes.items()
            if shape[axis] != size
        }
        return [cls(indices=by_axes(node, picked))] if picked else []

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((2, 3, 2), FixedType(5, 2))
        yield Example("columns", cls(indices=(None, (0, 1, 2, 0, 1, 2), None)), (x,))
        yield Example("channels", cls(indices=((0, 0), None, (0, 1, 0, 1, 0, 1))), (x,))
