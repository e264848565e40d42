"""The k greatest (or least) channels: their values or their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.op import Example, OnnxNode, Op
from hwflow.ir.scaled import OnIntegers, Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.ranking import _Ranking, along_last

INDICES = 1
"""Position of the indices among the results of ONNX TopK."""


@dataclass(frozen=True, kw_only=True, eq=False)
class TopK(_Ranking):
    """The best channels of every position in order; of equal values the lower number comes first.

    One operator gives the values or the indices; ``indices`` says which.
    """

    onnx: ClassVar[tuple[str, ...]] = ("TopK",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"TopK": ("axis", "k", "largest", "sorted")}
    results: ClassVar[int] = 2

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        given = node.constant(1)
        count = node.attributes.get("k", None if given is None else int(given.values.item()))
        if count is None:
            raise node.refuse("TopK with a k that is computed at run time", supported="a constant")
        if count < 1:
            raise node.refuse("TopK of nothing", found=f"k = {count}", supported="k of 1 or more")
        if not node.attributes.get("sorted", 1):
            raise node.refuse(
                "TopK without an order",
                found="sorted = 0",
                supported="sorted = 1",
                help="ask for sorted results (torch.topk: sorted=True), which cost no more here",
            )
        op = cls(
            largest=bool(node.attributes.get("largest", 1)),
            count=int(count),
            indices=node.result == INDICES,
        )
        return along_last(node, op)

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the rule of the best values, which keep their scale; their places need none."""
        grid = operands[0].one_grid
        if node.result == INDICES:
            return super().scaled(node, *operands)
        return None if grid is None else OnIntegers(cls.from_onnx(node), grid)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(4, 2), FixedType(3, 4, signed=False)
        vector, image = TensorType.full((7,), signed), TensorType.full((2, 3, 4), unsigned)
        for indices in (True, False):
            kind = "indices" if indices else "values"
            yield Example(f"three_{kind}", cls(count=3, indices=indices), (vector,))
            least = cls(count=2, indices=indices, largest=False)
            yield Example(f"least_{kind}", least, (image,))
            yield Example(f"all_{kind}", cls(count=4, indices=indices), (image,))
            yield Example(f"one_{kind}", cls(count=1, indices=indices), (vector,))
        rounded = FixedType(3, 2, True, Rounding.RND_CONV, Overflow.SAT)
        yield Example("cast", cls(count=5, indices=False, result_t=rounded), (vector,))
