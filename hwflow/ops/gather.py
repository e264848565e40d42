"""Gather: elements by constant indices along an axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedType
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.picks import _Picks, batch_moved, by_axes


@dataclass(frozen=True, kw_only=True, eq=False)
class Gather(_Picks):
    """Takes elements by constant indices along one axis, in any order and any number of times."""

    onnx: ClassVar[tuple[str, ...]] = ("Gather",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Gather": ("axis",)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        chosen = node.constant(1)
        if not node.activations or chosen is None:
            raise node.refuse(
                "elements by an index that is computed at run time", code="HW217",
                found="Gather of a constant, or with an activation as index",
                supported="constant indices",
                help="give constant indices, or write slices (x[:, 2:5])",
            )  # fmt: skip
        axis = int(node.attributes.get("axis", 0)) % (len(node.axes) + 1)
        if axis == 0:
            raise batch_moved(node, "elements by index", "axis = 0")
        size = node.activations[0].shape[node.axes.index(axis)]
        listed = [int(i) for i in chosen.values.ravel()]
        outside = [i for i in listed if not -size <= i < size]
        if outside or not listed:
            raise node.refuse(
                "an index outside of its axis" if listed else "a result without elements",
                code="HW217", found=f"{outside[0]} of {size}" if outside else "no index",
                supported=f"{-size} to {size - 1}, at least one",
            )  # fmt: skip
        return [cls(indices=by_axes(node, {axis: tuple(i % size for i in listed)}))]

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((3, 5, 4), FixedType(5, 2))
        yield Example("rows", cls(indices=((2, 0, 0, 1), None, None)), (x,))
        yield Example("channels", cls(indices=(None, None, (3, 1))), (x,))
        yield Example("one", cls(indices=(None, (4,), None), result_t=FixedType(4, 1)), (x,))
