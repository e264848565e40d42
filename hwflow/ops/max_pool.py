"""Maximum over windows, and over whole axes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.body.values import Carrier, Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import Example, OnnxNode, Op, Target
from hwflow.ir.real.expression import Expression, substituted
from hwflow.ir.real.nodes import Linear, Source
from hwflow.ir.real.tabulation import rises
from hwflow.ir.scaled import OnIntegers, Operand, Prepared, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.pool import REDUCTION_ATTRIBUTES, _Pool, example_maps, pool_window, reduction
from hwflow.ops.shared.sliding import padded, taps
from hwflow.ops.shared.window import WINDOW_ATTRIBUTES


@dataclass(frozen=True, kw_only=True, eq=False)
class MaxPool(_Pool):
    """Greatest element of each window; padding never wins."""

    onnx: ClassVar[tuple[str, ...]] = ("MaxPool", "GlobalMaxPool", "ReduceMax")
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "MaxPool": (*WINDOW_ATTRIBUTES, "ceil_mode", "storage_order"),
        "ReduceMax": REDUCTION_ATTRIBUTES,
    }
    """``storage_order`` is of the indices, a second result that is refused."""
    pools: ClassVar[tuple[str, ...]] = ("MaxPool", "GlobalMaxPool")
    selects: ClassVar[bool] = True

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        if node.op_type != "MaxPool":
            return reduction(node, cls)
        window, _ = pool_window(node)
        pads = tuple(zip(window.begin, window.end, strict=True))
        return [cls(kernel=window.kernel, strides=window.strides, pads=pads)]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the rule of a maximum, which goes through functions that rise."""
        chain, x = cls.from_onnx(node), operands[0]
        if x.meaning is None or not (x.one_for_all or (len(chain) == 1 and x.by_channel)):
            return None
        if rises(x.meaning):
            return OnIntegers(chain, x.meaning)
        turned = _turned_up(x.meaning, x.type.channels)
        if turned is None:
            return None
        return OnIntegers(chain, turned[1], {0: Prepared(turned[0], "Sign", of_operand=True)})

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        return TensorType(self.out_shape(x), x.dtype, x.lo, x.hi)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        window = self.window(x.shape[1:])
        padded = window.pad(x.raw, x.dtype.raw_min)
        taps = window.taps()
        best = window.at(padded, next(taps)).copy()
        for tap in taps:
            np.maximum(best, window.at(padded, tap), out=best)
        return FixedArray(best.reshape(len(best), -1) if self.squeeze else best, x.dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        window, integers_only = self.window(x.shape), operands[0].carrier is Carrier.INT64
        x = body.channels_last(x) if integers_only else body.channels_first(x)
        x = padded(body, x, window, x_t.dtype.raw_min)
        if integers_only:  # ONNX defines no such MaxPool
            seen = [tap for _, tap in taps(body, x, window)]
            y = Tensor(name=body.node("Max", *seen), shape=(), carrier=x.carrier)
        else:
            kernel, strides = list(window.kernel), list(window.strides)
            y = body.apply("MaxPool", x, kernel_shape=kernel, strides=strides)
        y = replace(y, shape=(*window.out, x.shape[-1]))
        lo = min(x_t.bounds[0], x_t.dtype.raw_min if window.pads else x_t.bounds[0])
        return Result(self.squeezed(body, y), Span(lo, x_t.bounds[1], x_t.dtype.fractional))

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        return self._cost(target, inputs[0], average=False)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned, line = example_maps()
        none = ((0, 0), (0, 0))
        yield Example("plain", cls(kernel=(2, 2), strides=(2, 2), pads=none), (signed,))
        pads = ((1, 1), (1, 1))
        yield Example("overlap", cls(kernel=(3, 3), strides=(2, 2), pads=pads), (unsigned,))
        pads = ((1, 0), (0, 1))
        yield Example("ceil", cls(kernel=(2, 2), strides=(2, 2), pads=pads), (signed,))
        yield Example("sparse", cls(kernel=(2, 1), strides=(3, 2), pads=none), (unsigned,))
        cast = FixedType(3, 1)
        line_op = cls(kernel=(3,), strides=(2,), pads=((1, 0),), result_t=cast)
        yield Example("line", line_op, (line,))
        yield Example("global", cls.over_all((5, 7), squeeze=False), (signed,))
        yield Example("global_line", cls.over_all((9,), squeeze=True), (line,))


def _turned_up(tree: Expression, channels: int) -> tuple[Op, Expression] | None:
    """Return what negates falling channels, and the function that then rises."""
    first = _first_line(tree)
    if first is None or first.scale.size not in (1, channels):
        return None
    signs = np.where(first.scale > 0, 1, -1).astype(np.int64)
    line = Linear(Source(), abs(first.scale), first.offset)
    upright = substituted(tree, lambda part: line if part is first else None)
    if not rises(upright):
        return None
    op = ScaleBias(
        scale=FixedArray(signs if signs.size > 1 else signs.reshape(()), FixedType(2, 2)),
        bias=FixedArray.exactly(0.0),
    )
    return op, upright


def _first_line(tree: Expression) -> Linear | None:
    while tree.operands:
        if isinstance(tree, Linear) and isinstance(tree.x, Source):
            return tree
        if len(tree.operands) > 1:
            return None
        (tree,) = tree.operands
    return None
