"""Concatenation of activations along an axis."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar

import numpy as np

from hwflow.dataflow.pattern import Loop, Pattern, ones, only
from hwflow.estimate.layer import move_cost
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.body.values import Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import Grid
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.scaled import OnIntegers, Operand, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.merge import on_common_grid, written_on_common_grid
from hwflow.ops.shared.scales import same_scale


@dataclass(frozen=True, kw_only=True, eq=False)
class Concat(Op):
    """Activations one after the other along an axis, in a type that holds all of them.

    Attributes:
        axis: axis of the hardware shape, at least 0.
    """

    onnx: ClassVar[tuple[str, ...]] = ("Concat",)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {"Concat": ("axis",)}
    one_scale: ClassVar[bool] = True
    selects: ClassVar[bool] = True

    axis: int

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if len(node.activations) != len(node.inputs):
            raise node.refuse(
                "concatenation with a constant",
                supported="activations only",
                help="pad the activation instead (ONNX Pad)",
            )
        axis = int(node.attributes.get("axis", 1)) % (len(node.axes) + 1)
        if axis == 0:
            raise node.refuse(
                "concatenation along the batch", found="axis = 0", supported="other axes"
            )
        return [cls(axis=node.axes.index(axis))] if len(node.inputs) > 1 else []

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the rule of joined values: those of several scales have one for each channel."""
        same = same_scale(cls, node, *operands)
        if same is not None:
            return same
        chain = cls.from_onnx(node)
        grids, sizes = [x.grid for x in operands], [x.type.channels for x in operands]
        known = [g for g in grids if g is not None]
        axis = int(node.attributes.get("axis", 1)) % len(node.output_shape)
        if len(known) < len(node.inputs) or not node.axes or node.axes[-1] != axis:
            return None
        if not all(x.by_channel for x in operands):
            return None
        scale, offset = (
            np.concatenate([np.broadcast_to(p, n) for p, n in zip(parts, sizes, strict=True)])
            for parts in ([g.scale for g in known], [g.offset for g in known])
        )
        return OnIntegers(chain, Grid(scale, offset))

    def exact(self, *inputs: TensorType) -> TensorType:
        bounds, fractional = on_common_grid(*inputs)
        shape = list(inputs[0].shape)
        shape[self.axis] = sum(t.shape[self.axis] for t in inputs)
        if self.axis == len(shape) - 1:
            lo, hi = (np.concatenate([b[i] for b in bounds]) for i in (0, 1))
        else:
            lo = np.min([b[0] for b in bounds], axis=0)
            hi = np.max([b[1] for b in bounds], axis=0)
        return TensorType.exactly(tuple(shape), lo, hi, fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        full = self.exact(*(TensorType.full(x.shape[1:], x.dtype) for x in inputs)).dtype
        aligned = [x.raw << (full.fractional - x.dtype.fractional) for x in inputs]
        return FixedArray(np.concatenate(aligned, axis=self.axis + 1), full)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        found, spans = written_on_common_grid(body, operands, types)
        rank = len(found[0].shape)
        axis = self.axis + 1
        if found[0].first:
            axis = 1 if self.axis == rank - 1 else self.axis + 2
        name = body.node("Concat", *(x.name for x in found), axis=axis)
        shape = list(found[0].shape)
        shape[self.axis] = sum(x.shape[self.axis] for x in found)
        span = Span(min(s.lo for s in spans), max(s.hi for s in spans), spans[0].fractional)
        return Result(replace(found[0], name=name, shape=tuple(shape)), span)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        shape = inputs[0].shape
        if len(inputs) == 2 and len(shape) <= 3:
            # hls4ml counts the batch axis, in the configuration and in the kernel's choice alike
            return HlsLayer(
                class_name="Concatenate",
                attributes={"axis": self.axis + 1, "op": f"concatenate{len(shape)}d"},
            )
        out = list(shape)
        out[self.axis] = sum(t.shape[self.axis] for t in inputs)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="concat",
            attributes={
                "output_shape": out,
                "within": self.axis == len(shape) - 1,
                "outer": prod(shape[: self.axis]),
                "chunks": [prod(t.shape[self.axis :]) for t in inputs],
            },
        )

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return the channels of one position of each, else some positions of each in turn.

        A row of one axis is one token, which is written when all operands are there.
        """
        shape, operands = inputs[0].shape, len(inputs)
        if self.axis == len(shape) - 1:
            joined = len(shape) == 1 and self.lower(*inputs).kernel == ""
            return Pattern.buffered(counts, 1) if joined else super().tokens(counts, *inputs)
        outer = prod(shape[: self.axis])
        parts = [
            Loop(only(operands, k, n // outer), ones(n // outer)) for k, n in enumerate(counts)
        ]
        return Pattern.of(parts * outer)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        return move_cost(self.infer(*inputs), target=target)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned, coarse = FixedType(6, 2), FixedType(5, 3, signed=False), FixedType(4, 6)
        for rank in (1, 2, 3, 4):
            for axis in range(rank):
                shapes = [[2, 3, 2, 4][4 - rank :] for _ in range(3)]
                for i, shape in enumerate(shapes):
                    shape[axis] += i
                x, y, z = (
                    TensorType.full(tuple(s), t)
                    for s, t in zip(shapes, (signed, unsigned, coarse), strict=True)
                )
                yield Example(f"two_rank{rank}_axis{axis}", cls(axis=axis), (x, y))
                yield Example(f"three_rank{rank}_axis{axis}", cls(axis=axis), (z, x, y))
