"""The number of the greatest (or least) channel: a classifier's label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedType
from hwflow.ir.op import Example, Layout, OnnxNode, Op
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.ranking import RANKING_ATTRIBUTES, _Ranking, along_last


@dataclass(frozen=True, kw_only=True, eq=False)
class ArgMax(_Ranking):
    """The number of the best channel of every position, an unsigned integer.

    A label without an axis of its own, ``(N, C) -> (N,)``, is a hardware value of shape ``(1,)``.
    """

    onnx: ClassVar[tuple[str, ...]] = ("ArgMax", "ArgMin")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = dict.fromkeys(onnx, RANKING_ATTRIBUTES)
    layout: ClassVar[Layout] = Layout.REDUCED

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        op = cls(
            largest=node.op_type == "ArgMax",
            last_wins=bool(node.attributes.get("select_last_index", 0)),
            squeeze=not node.attributes.get("keepdims", 1),
        )
        return along_last(node, op)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(4, 2), FixedType(3, 4, signed=False)
        vector, image = TensorType.full((10,), signed), TensorType.full((2, 3, 5), unsigned)
        for largest in (True, False):
            for last_wins in (True, False):
                name = f"{'max' if largest else 'min'}_{'last' if last_wins else 'first'}"
                op = cls(largest=largest, last_wins=last_wins)
                yield Example(name, op, (vector,))
                yield Example(f"{name}_image", op, (image,))
        yield Example("label", cls(squeeze=True), (vector,))
        yield Example("labels", cls(squeeze=True), (image,))
        yield Example("row_of_labels", cls(squeeze=True), (TensorType.full((4, 3), signed),))
        yield Example("one_channel", cls(), (TensorType.full((3, 1), signed),))
        yield Example("cast", cls(result_t=FixedType(2, 2, signed=False)), (vector,))
