"""Transpose: another order of axes.

A transpose of the model only renames axes and becomes none of these; the lowering pass inserts one
where an operator needs its operand in another order than the hardware has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from hwflow.fixed import FixedType, RawArray
from hwflow.ir.body.values import Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, Layout, OnnxNode, Op
from hwflow.ir.scaled import OnIntegers, Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.move import _Move, flat_index


@dataclass(frozen=True, kw_only=True, eq=False)
class Transpose(_Move):
    """Reorders axes; in io_stream the whole value is buffered.

    Attributes:
        perm: for each axis of the result, the axis of the input it comes from; no batch axis.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Transpose",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Transpose": ("perm",)}
    reorders: ClassVar[bool] = True
    moves: ClassVar[bool] = True
    layout: ClassVar[Layout] = Layout.VIEW
    selects: ClassVar[bool] = True

    perm: tuple[int, ...]

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        rank = len(node.axes) + 1
        perm = tuple(int(p) for p in node.attributes.get("perm", range(rank)[::-1]))
        if sorted(perm) != list(range(rank)) or perm[0] != 0:
            raise node.refuse(
                "transpose that moves the batch axis", code="HW216",
                found=f"perm = {perm}", supported="permutations that keep axis 0 first",
            )  # fmt: skip
        return [cls(perm=tuple(p - 1 for p in perm[1:]))]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        (x,) = operands
        return OnIntegers(cls.from_onnx(node), x.meaning) if x.meaning else None

    def sources(self, shape: tuple[int, ...]) -> RawArray:
        return flat_index(shape).transpose(self.perm)

    def _write_moved(self, body: Body, x: Tensor, sources: RawArray, fill: int) -> Tensor:
        y = body.apply("Transpose", x, perm=[0, *(p + 1 for p in self.perm)])
        return replace(y, shape=sources.shape)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        x = TensorType.full((3, 4, 2), FixedType(5, 2))
        yield Example("last", cls(perm=(2, 0, 1)), (x,))
        yield Example("first", cls(perm=(1, 0, 2)), (x,))
        cast = FixedType(4, 2)
        flat = TensorType.full((3, 4), FixedType(5, 2, signed=False))
        yield Example("matrix_cast", cls(perm=(1, 0), result_t=cast), (flat,))
        vector = TensorType.full((1, 1, 4), FixedType(5, 2))
        yield Example("vector", cls(perm=(2, 0, 1)), (vector,))
