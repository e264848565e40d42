"""An exact function from integers to integers, computed by the cheapest hardware that equals it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.estimate.turns import in_turns
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.body.values import Result, Span, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.grid import rationals
from hwflow.ir.op import Example, HlsLayer, OnnxNode, Op, Target
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.qonnx.steps import NAME as STEPS
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.nodes import Linear, Source, with_source
from hwflow.ir.real.tabulation import tabulate
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.body import write_argument, write_requantized
from hwflow.ops.requantization.cases import cases
from hwflow.ops.requantization.choice import FINDERS, cheapest
from hwflow.ops.requantization.pieces import cut, reachable, sides_of
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem, Weights, ends_by_row, rows_of, weighted
from hwflow.ops.requantization.tflite import KINDS, function_of_node
from hwflow.ops.shared.turns import _InTurns

TFLITE = "hwflow.tflite"
"""Domain of the operators that stand for TFLite's integer arithmetic."""

HIDDEN = ("tree", "points", "limits")
"""Fields that the printed form leaves out."""

MOST_OPERANDS = 4
"""Operands that the kernels have overloads for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Requantize(_InTurns):
    """``function(n)``, where ``n`` is the operand's mantissa or a weighted sum of mantissas.

    Attributes:
        function: from ``n`` to the mantissa of the result, one row for all elements, for each
            channel or for each element.
        weights: integer factor of each operand, of shape ``(rows,)`` or ``()``; None for one
            operand, whose mantissa is ``n``.
        fractional: bits right of the binary point of the result.
        tree: what the function was tabulated from; None for a function that is given as it is.
        points: fractional bits of the operands that the tree takes the mantissas of.
        limits: where the model's quantiser or clips limit the value, -1 from below and 1 from
            above, else 0; None where they do not, or the tree tells.
        implementation: how to compute it, by name; None for the cheapest.
        plan: the implementation that was chosen, with its constants and its proof.
    """

    onnx: ClassVar[tuple[str, ...]] = (*(f"{TFLITE}::{name}" for name in KINDS), STEPS)
    settings: ClassVar[tuple[str, ...]] = ("implementation", "reuse_factor")

    function: StepFunction
    weights: Weights = None
    fractional: int = 0
    tree: Expression | None = None
    points: tuple[int, ...] = ()
    limits: StepFunction | None = None
    implementation: str | None = None
    plan: Plan | None = None

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        fields = function_of_node(node)
        return [] if fields is None else [cls(**fields)]

    def at(self, *operands: TensorType | FixedArray) -> Requantize:
        """Return the same operator for mantissas with the binary points that operands have now.

        Settings and passes may have changed the operands since the function was tabulated.
        """
        points = tuple(x.dtype.fractional for x in operands)
        return self if points == (self.points or points) else _moved(self, points)

    def function_of(self, *inputs: TensorType) -> StepFunction:
        """Return the function on all inputs that can occur, tabulated again where those changed.

        Args:
            inputs: with the binary points that the operator is for.
        """
        rows = self.function.rows
        return self._covering(*weighted(self.weights, np.arange(rows), ends_by_row(rows, inputs)))

    def _covering(self, lo: RawArray, hi: RawArray) -> StepFunction:
        if (lo >= self.function.lo).all() and (hi <= self.function.hi).all():
            return self.function
        if self.tree is None:
            raise ValueError("an input can leave the range that its function is defined on")
        return _tabulated(self.tree, lo.tobytes(), hi.tobytes())

    def exact(self, *inputs: TensorType) -> TensorType:
        x, op = inputs[0], self.at(*inputs)
        function = op.function_of(*inputs)
        row, channel = rows_of(function.rows, x)
        ends = [(t.lo[channel], t.hi[channel]) for t in inputs]
        lo, hi = weighted(op.weights, row, ends)
        least, greatest = _reached(function, row, lo, hi)
        shape = (-1, x.channels)
        least, greatest = least.reshape(shape).min(axis=0), greatest.reshape(shape).max(axis=0)
        return TensorType.exactly(x.shape, least, greatest, self.fractional)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        op = self.at(*inputs)
        total = op.argument(*inputs)
        function = op._covering(*op._span(total))
        lowest, highest = (int(b) for b in (min(function.bounds[0]), max(function.bounds[1])))
        return FixedArray(function(total), FixedType.covering(lowest, highest, self.fractional))

    def _span(self, total: RawArray) -> tuple[RawArray, RawArray]:
        """Return a range around sums, the function's own where that will do."""
        by_row = total.reshape(-1, self.function.rows)
        low, high = by_row.min(axis=0), by_row.max(axis=0)
        if (low >= self.function.lo).all() and (high <= self.function.hi).all():
            return self.function.lo, self.function.hi
        size = 1 << max(int(high.max()), -int(low.min()) - 1).bit_length()
        return np.minimum(self.function.lo, -size), np.maximum(self.function.hi, size - 1)

    def limited(self, *inputs: TensorType) -> StepFunction | None:
        """Return ``limits`` on all inputs that can occur, with as many rows as the function."""
        if self.limits is not None or self.tree is None:
            return self.limits
        problem = self.problem(*inputs)
        return sides_of(self.at(*inputs).tree, problem.lo, problem.hi)

    def pieces(self, *inputs: TensorType) -> Pieces:
        op, problem = self.at(*inputs), self.problem(*inputs)
        function = problem.function
        found = cut(function, self.limited(*inputs))
        row, channel = rows_of(function.rows, inputs[0])
        ends = [(t.lo[channel], t.hi[channel]) for t in inputs]
        met = reachable(found, *weighted(op.weights, row, ends), problem.unit)
        return Pieces.of(
            lambda *arrays: (found.cells(op.argument(*arrays)),),
            Kind.STEPS,
            np.where(met, found.run, -1),
            low=found.side < 0,
            high=found.side > 0,
            levels=np.unique(problem.level[found.run[met]]),
        )

    def magnitude(self, *inputs: float | None) -> float | None:
        sizes = np.unique(np.abs(np.concatenate(self.function.levels)))
        return float(np.ldexp(sizes[0], -self.fractional)) if len(sizes) == 1 else None

    def argument(self, *inputs: FixedArray) -> RawArray:
        """Return ``n``, what the function is taken of, with the operands' binary points of now."""
        op = self.at(*inputs)
        if op.weights is None:
            return inputs[0].raw
        shape = inputs[0].shape[1:]
        by_element = op.function.rows not in (1, shape[-1])
        spread = [w.reshape(shape) if by_element and w.ndim else w for w in op.weights]
        terms = [w * x.raw for w, x in zip(spread, inputs, strict=True)]
        return np.asarray(sum(terms[1:], terms[0]), np.int64)

    def problem(self, *inputs: TensorType) -> Problem:
        """Return what this must compute for operands in their proven ranges."""
        op = self.at(*inputs)
        return Problem.of(op.function_of(*inputs), op.weights, inputs)

    def chosen(self, target: Target, *inputs: TensorType) -> Plan | None:
        """Return the plan, or if it was not made for these inputs, the one to take.

        Returns:
            The pinned implementation or else the cheapest; None where nothing serves.
        """
        ends, turns = ends_by_row(self.function.rows, inputs), self.turns(target, *inputs)
        if self.plan is not None and self.plan.turns == turns and self.plan.covers(ends):
            return self.plan
        problem = self.problem(*inputs)
        names = FINDERS if self.implementation is None else {self.implementation} & {*FINDERS}
        found = cheapest(problem, target, inputs, names, turns=turns)
        return replace(found[0][1], turns=turns) if found else None

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        yield from super().check(target, *inputs)
        if len(inputs) > MOST_OPERANDS:
            yield Diagnostic(
                code="HW232", title="requantised sum of too many operands",
                found=f"{len(inputs)} operands", supported=f"at most {MOST_OPERANDS}",
                help="add them in two steps, with a quantiser between",
            )  # fmt: skip
        if self.chosen(target, *inputs) is not None:
            return
        problem, turns = self.problem(*inputs), self.turns(target, *inputs)
        priced = cheapest(problem, target, inputs, turns=turns)
        names = ", ".join(f"{plan.implementation} ({price:.0f} LUTs)" for price, plan in priced)
        if self.implementation is None:
            yield Diagnostic(
                code="HW233", title="requantisation that no hardware was found for",
                found=f"a function of {self.function.runs} steps",
                help="quantise the value before it to fewer bits",
            )  # fmt: skip
            return
        yield Diagnostic(
            code="HW231",
            title="implementation that does not compute this requantisation",
            found=f"implementation = {self.implementation!r}",
            supported=names,
            help=f"set implementation = {priced[0][1].implementation!r}, the cheapest, or leave it"
            " out" if priced else "leave it out",
        )  # fmt: skip

    def _plan(self, target: Target, *inputs: TensorType) -> Plan:
        plan = self.chosen(target, *inputs)
        if plan is None:
            raise ValueError("no implementation serves; check() says so")
        return plan

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        problem = self.problem(*types)
        n = write_argument(body, operands, types, problem.weights)
        y = write_requantized(body, n, problem)
        return Result(y, Span(*problem.levels, self.fractional))

    def lower(self, *inputs: TensorType) -> HlsLayer:
        layer = self._plan(Target(), *inputs).layer(self.exact(*inputs), *inputs)
        return replace(layer, reuse_factor=self.reuse_factor)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        turns, bits = self.reuse_factor, sum(x.dtype.width for x in inputs)
        lanes = self._plan(target, *inputs).cost(target, *inputs, turns=turns)
        return in_turns(lanes, turns, self.exact(*inputs), bits, target=target)

    def parameters(self) -> dict[str, Any]:
        low, high = self.function.bounds
        shown = {k: v for k, v in super().parameters().items() if k not in HIDDEN} | {
            "function": f"{self.function.rows} rows, {self.function.runs} steps, "
            f"{low.min()}..{high.max()}"
        }
        if self.weights is not None:
            shown["weights"] = [w.tolist() if w.size < 5 else f"[{w.size}]" for w in self.weights]
        return shown

    @classmethod
    def examples(cls) -> Iterable[Example]:
        for name, fields, inputs in cases():
            yield Example(name, cls(**fields), inputs)


def _reached(
    function: StepFunction, row: RawArray, lo: RawArray, hi: RawArray
) -> tuple[RawArray, RawArray]:
    """Return the least and greatest result at each place, for ``n`` from ``lo`` to ``hi``."""
    begins = np.cumsum([0, *(len(starts) for starts in function.starts)])
    ends: dict[tuple[int, int, int], tuple[int, int]] = {}
    keys = list(zip(row.tolist(), lo.tolist(), hi.tolist(), strict=True))
    for key in dict.fromkeys(keys):
        a, b = function.starts[key[0]].searchsorted(key[1:], side="right").tolist()
        ends[key] = int(begins[key[0]]) + a - 1, int(begins[key[0]]) + b
    levels = np.concatenate([*function.levels, [0]])
    parts = np.array([ends[key] for key in keys], np.int64).reshape(-1)
    return np.minimum.reduceat(levels, parts)[::2], np.maximum.reduceat(levels, parts)[::2]


@lru_cache(maxsize=256)
def _moved(op: Requantize, points: tuple[int, ...]) -> Requantize:
    """Return an operator whose operands' binary points moved.

    Raises:
        ValueError: the operator has no tree to tabulate again.
    """
    if op.tree is None:
        raise ValueError("the binary point of an operand moved under its function")
    shifts = [then - now for then, now in zip(op.points, points, strict=True)]
    power = min(shifts)
    weights = op.weights and tuple(
        w << (s - power) for w, s in zip(op.weights, shifts, strict=True)
    )
    if power == 0:
        return replace(op, weights=weights, points=points)
    scaled = Linear(Source(), rationals(2) ** power, rationals(0))
    tree = with_source(op.tree, scaled)
    origin = np.zeros(op.function.rows, np.int64).tobytes()
    function = _tabulated(tree, origin, origin)
    return replace(op, function=function, weights=weights, tree=tree, points=points)


@lru_cache(maxsize=256)
def _tabulated(tree: Expression, lo: bytes, hi: bytes) -> StepFunction:
    """Return a tree's function between the ends of each row, int64."""
    ends = (np.frombuffer(end, np.int64) for end in (lo, hi))
    return tabulate(tree, *ends)
