"""The greater or lesser of two activations; a constant operand becomes a bound of ``Clip``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.estimate.layer import elementwise_cost
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.body.values import Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.scaled import Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.clip import Clip, read_bound
from hwflow.ops.shared.merge import (
    broadcast,
    example_types,
    on_common_grid,
    raw_on_common_grid,
    require_two,
    written_on_common_grid,
)
from hwflow.ops.shared.scales import same_scale
from hwflow.ops.shared.turns import _InTurns, turns_layer


@dataclass(frozen=True, kw_only=True, eq=False)
class _Extreme(_InTurns):
    """``choose(a, b)`` of two activations of one shape, exactly.

    Class attributes:
        kernel: hls4ml's name of the operation.
        choose: numpy's function of two arrays.
        lower_bound: whether a constant operand is the lower bound of ``Clip``, or the upper.
    """

    selects: ClassVar[bool] = True
    one_scale: ClassVar[bool] = True

    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")
    kernel: ClassVar[str]
    choose: ClassVar[Any]
    lower_bound: ClassVar[bool]

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.inputs) == 1:
            return []
        if len(node.inputs) == 2 and len(node.activations) == 1:
            return cls._with_constant(node)
        require_two(node)
        return [cls()]

    @classmethod
    def _with_constant(cls, node: OnnxNode) -> Sequence[Op]:
        index = next(i for i in range(2) if node.constant(i) is not None)
        constant = node.constant(index)
        if constant is not None and constant.values.ndim > len(node.activations[0].shape) + 1:
            raise node.refuse(
                f"{node.op_type} with a constant of more axes than the activation",
                code="HW223",
                found=f"a constant of shape {constant.values.shape}",
                supported="one number",
            )
        limit = read_bound(node, index, "min" if cls.lower_bound else "max")
        return [] if limit is None else [Clip(lo=limit) if cls.lower_bound else Clip(hi=limit)]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        return same_scale(cls, node, *operands)

    def exact(self, *inputs: TensorType) -> TensorType:
        a, b = inputs
        ((a_lo, a_hi), (b_lo, b_hi)), fractional = on_common_grid(a, b)
        lo, hi = self._pick(a_lo, b_lo), self._pick(a_hi, b_hi)
        return TensorType.exactly(a.shape, lo, hi, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        full = (TensorType.full(t.shape[1:], t.dtype) for t in inputs)
        return FixedArray(self._pick(*raw_on_common_grid(*inputs)), self.exact(*full).dtype)

    def _pick(self, a: RawArray, b: RawArray) -> RawArray:
        return np.asarray(type(self).choose(a, b), np.int64)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        a, b = inputs
        if a.shape == b.shape:
            yield from super().check(target, a, b)
        else:
            yield Diagnostic(
                code="HW223",
                title=f"{self.kernel} of shapes that do not match",
                found=f"{a.shape} and {b.shape}",
                supported="two activations of the same shape",
                help="bring both to one shape before",
            )

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (a, b), (left, right) = written_on_common_grid(body, operands, types)
        lo, hi = (int(self.choose(*ends)) for ends in ((left.lo, right.lo), (left.hi, right.hi)))
        op_type = "Max" if self.lower_bound else "Min"
        return Result(broadcast(body, op_type, a, b), Span(lo, hi, left.fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        if self.reuse_factor > 1:
            return turns_layer(self.kernel, inputs[0].shape, self.reuse_factor, merges=True)
        return HlsLayer(class_name="Merge", attributes={"op": self.kernel})

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        wide = max(inputs, key=lambda t: t.dtype.width)
        some, out = one_turn(wide, self.reuse_factor, target), self.infer(*inputs)
        bits = sum(t.dtype.width for t in inputs)
        cost = elementwise_cost(some, out.dtype, target=target)
        return in_turns(cost, self.reuse_factor, out, bits, target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, result_t, inputs in example_types():
            a, b = inputs
            if a.shape == b.shape:
                yield Example(name, cls(result_t=result_t), (a, b))
