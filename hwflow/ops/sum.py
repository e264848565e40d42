"""Sum of any number of activations."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.body.values import Result, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op
from hwflow.ir.scaled import Operand, Scaled, Total
from hwflow.ir.tensor import TensorType
from hwflow.ops.add import Add
from hwflow.ops.shared.several import _Several, example_types, require_one_shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Sum(_Several):
    """The exact sum of three or more activations of one shape; one of two is an ``Add``."""

    onnx: ClassVar[tuple[str, ...]] = ("Sum",)
    one_scale: ClassVar[bool] = True
    wraps: ClassVar[bool] = True

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.inputs) == 1:
            return []
        if len(node.inputs) == 2:
            return Add.from_onnx(node)
        require_one_shape(node)
        return [cls()]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if len(operands) < len(node.inputs):
            return None
        return Total(cls.from_onnx(node), (1,) * len(operands))

    def exact(self, *inputs: TensorType) -> TensorType:
        return TensorType.exactly(inputs[0].shape, *self.total(*inputs))

    def compute(self, *inputs: FixedArray) -> FixedArray:
        full = self.exact(*(TensorType.full(x.shape[1:], x.dtype) for x in inputs))
        return FixedArray(self.total_raw(*inputs)[0], full.dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        return Result(*self.write_total(body, operands, types))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        lo, hi, fractional = self.total(*inputs)
        return self.kernel(FixedType.covering(int(lo.min()), int(hi.max()), fractional), *inputs)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, result_t, inputs in example_types():
            yield Example(name, cls(result_t=result_t), tuple(inputs))
