"""The greatest (or least) elements along the channels: what ArgMax and TopK share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, prod
from typing import ClassVar

import numpy as np

from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.layer import pool_cost
from hwflow.estimate.turns import in_turns
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.body.values import Carrier, Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, OnnxNode, Op, Target
from hwflow.ir.scaled import OnIntegers, Operand, Prepared, Scaled
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.matvec import divisors
from hwflow.ops.shared.order import NoOrderError, in_order
from hwflow.ops.shared.turns import _InTurns
from hwflow.ops.transpose import Transpose

RANKING_ATTRIBUTES = ("axis", "keepdims", "select_last_index")
"""What nodes say that rank along one axis."""

COMPARISON = {(True, False): ">=", (True, True): ">", (False, False): "<=", (False, True): "<"}
"""How a channel compares with a later one that it is preferred to, by largest and last_wins."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Ranking(_InTurns):
    """The first ``count`` channels of every position in order of their values, exactly.

    Comparing fixed-point numbers of one type is exact; only their order matters, so that any map of
    all of them that keeps it gives the same channels.

    Attributes:
        largest: the greatest come first, or the least.
        count: how many are wanted, 1 to the number of channels.
        indices: give the numbers of the channels, or their values.
        last_wins: whether the later of channels with equal values comes first, or the earlier.
        squeeze: drop the last axis; it has length 1 then.
    """

    ranks: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("result_t", "reuse_factor")

    largest: bool = True
    count: int = 1
    indices: bool = True
    last_wins: bool = False
    squeeze: bool = False

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return the rule of places: the best value is where the integer in its order is best."""
        chain, x = cls.from_onnx(node), operands[0]
        grid = x.grid
        if grid is None or not x.by_channel:
            return None
        try:
            ordered = in_order(grid, x.type)
        except NoOrderError as problem:
            raise node.refuse(
                f"{node.op_type} of values with a scale for each channel",
                code="HW227",
                found=str(problem),
                help="quantise the value before it",
            ) from None
        if ordered is None:
            return OnIntegers(chain)
        return OnIntegers(chain, before={0: Prepared(ordered, "Order")})

    def out_shape(self, x: TensorType) -> tuple[int, ...]:
        """Return the shape of the result; hardware has one axis at least."""
        return (x.shape[:-1] or (1,)) if self.squeeze else (*x.shape[:-1], self.count)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        if self.indices:
            first, last = self._possible(x)
            return TensorType.exactly(self.out_shape(x), np.array(first), np.array(last), 0)
        lo, hi = (self._in_order(bound)[: self.count] for bound in (x.lo, x.hi))
        return TensorType.exactly(self.out_shape(x), lo, hi, x.dtype.fractional)

    def _in_order(self, raw: RawArray) -> RawArray:
        """Return values along the last axis, best first."""
        rising = np.sort(raw, axis=-1)
        return rising[..., ::-1] if self.largest else rising

    def _possible(self, x: TensorType) -> tuple[int, int]:
        """Return the first and the last channel that can be among those wanted."""
        if self.count > 1:
            return 0, x.channels - 1
        lo, hi = (x.lo, x.hi) if self.largest else (-x.hi, -x.lo)
        if self.last_wins:
            lo, hi = lo[::-1], hi[::-1]
        least = np.iinfo(np.int64).min
        before = np.maximum.accumulate(np.append(least, lo[:-1]))
        after = np.maximum.accumulate(np.append(least, lo[:0:-1]))[::-1]
        (wins,) = np.nonzero((hi > before) & (hi >= after))
        first, last = int(wins[0]), int(wins[-1])
        return (x.channels - 1 - last, x.channels - 1 - first) if self.last_wins else (first, last)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        full = TensorType.full(x.shape[1:], x.dtype)
        if self.indices:
            key = -x.raw if self.largest else x.raw
            key = key[..., ::-1] if self.last_wins else key
            order = np.argsort(key, axis=-1, kind="stable")[..., : self.count]
            raw = full.channels - 1 - order if self.last_wins else order
        else:
            raw = self._in_order(x.raw)[..., : self.count]
        return FixedArray(raw.reshape(len(raw), *self.out_shape(full)), self.exact(full).dtype)

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x_t,) = types
        x = body.channels_last(operands[0])
        channels, axis = x.shape[-1], len(x.shape)
        if self.last_wins and self.indices:
            back = body.constant(range(channels - 1, -1, -1), np.int64, "backwards")
            x = body.apply("Gather", x, back, axis=axis)
        name = body.node("TopK", x.name, body.constant([self.count], np.int64, "k"),
                         axis=axis, largest=int(self.largest), sorted=1)  # fmt: skip
        place = f"{name}_place"
        body.nodes[-1].output.append(place)
        span = Span.of(x_t)
        if self.indices:
            x = replace(x, carrier=Carrier.FLOAT32)
            name = body.node("Cast", place, to=Carrier.FLOAT32.onnx)
            if self.last_wins:
                name = body.node("Sub", body.number(x, channels - 1, "last"), name)
            span = Span(0, channels - 1, 0)
        y = replace(x, name=name, shape=(*x.shape[:-1], self.count))
        return Result(body.reshaped(y, self.out_shape(x_t)), span)

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return a step for each position; several positions may fill one token of labels."""
        (x,) = inputs
        depth = 6 + self.count * (1 + (x.channels - 1).bit_length())
        every = counts[0] // prod(self.out_shape(x)[:-1])
        written = np.arange(1, counts[0] + 1) % every == 0
        return Pattern.choosing(np.ones(counts[0]), written, depth)

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return the divisors of the number of positions; streams have one after the other."""
        return (1,) if target.streams else divisors(prod(inputs[0].shape[:-1]))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        return HlsLayer(
            class_name="HwflowKernel",
            kernel="top_k",
            attributes={
                "output_shape": list(self.out_shape(x)),
                "count": self.count,
                "indices": self.indices,
                "index_width": max((x.channels - 1).bit_length(), 1),
                "comparison": COMPARISON[self.largest, self.last_wins],
            },
            reuse_factor=self.reuse_factor,
        )

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return the cost of ``count`` trees of comparisons, through which value and index go."""
        (x,) = inputs
        carried = FixedType(x.dtype.width + max((x.channels - 1).bit_length(), 1), 0)
        turns = self.reuse_factor
        trees = (prod(x.shape[:-1]) // turns, self.count)
        one = pool_cost(TensorType.full(trees, carried), trees, (x.channels,), target=target)
        if target.streams:
            return one
        one = replace(one, latency_cycles=one.latency_cycles.scaled(self.count))
        bits = ceil(x.channels * x.dtype.width / self.count)
        return in_turns(one, turns, self.infer(x), bits, target=target)


def along_last(node: OnnxNode, op: _Ranking) -> Sequence[Op]:
    """Return the chain that ranks along the node's axis, which hardware may not keep last.

    Raises:
        RefusedError: the axis is the batch.
    """
    rank = len(node.axes) + 1
    default = 0 if node.op_type.startswith("Arg") else -1
    axis = int(node.attributes.get("axis", default)) % rank
    if axis == 0:
        raise node.refuse(
            f"{node.op_type} over the batch axis",
            code="HW216",
            found=f"axis = {node.attributes.get('axis', default)} of {rank} axes",
            supported="axes from 1 on",
            help="give the axis of the classes: axis = 1, or -1 (torch: dim=1)",
        )
    at = node.axes.index(axis)
    if at == rank - 2:
        return [op]
    perm = (*(i for i in range(rank - 1) if i != at), at)
    back = tuple(int(i) for i in np.argsort(perm))
    return [Transpose(perm=perm), op, *([] if op.squeeze else [Transpose(perm=back)])]
