"""A change of type: rounds to another grid, and saturates or wraps at its range."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.estimate import layer as _cost
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.quant import quantizer_chain


@dataclass(frozen=True, kw_only=True, eq=False)
class Cast(Op):
    """Assign every element to ``result_t``, as ap_fixed does."""

    pointwise: ClassVar[bool] = True
    selects: ClassVar[bool] = True
    onnx: ClassVar[tuple[str, ...]] = ("Quant", "Trunc")

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return quantizer_chain(node)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        return x

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        return x

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        return HlsLayer(
            class_name="Activation", attributes={"n_in": x.size, "activation": "linear"}
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        return _cost.elementwise_cost(x, self.infer(x).dtype, target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for signed in (True, False):
            x = TensorType.full((2, 3), FixedType(9, 4, signed))
            for rounding in Rounding:
                to = FixedType(5, 3, signed, rounding, Overflow.SAT)
                yield Example(f"{rounding.lower()}_{'signed' if signed else 'unsigned'}",
                              cls(result_t=to), (x,))  # fmt: skip
            for overflow in Overflow:
                to = FixedType(5, 3, not signed, Rounding.RND, overflow)
                if to.signed or overflow is not Overflow.SAT_SYM:
                    yield Example(f"{overflow.lower()}_to_{'un' * signed}signed",
                                  cls(result_t=to), (x,))  # fmt: skip
