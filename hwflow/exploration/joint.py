"""What instances of one stage on the same operands compute together, worked out once.

Steps that equal each other run once. The weights of all instances on one operand are one matrix.
Requantisers wait until somebody takes their result: what only moves values, or selects the
greatest, comes before them then, once for all instances that share the sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field

import numpy as np

from hwflow.exploration.kernels import Kernel, Mantissas, Move, Product
from hwflow.exploration.programs import Step
from hwflow.exploration.rounders import Rounder


@dataclass(eq=False)
class Value:
    """An array that may have to be rounded still.

    Attributes:
        array: what was computed.
        rounder: what has to follow, or None.
        moved: the array moved, by the key of the move; shared with all that hold the array.
    """

    array: Mantissas
    rounder: Rounder | None = None
    moved: dict[Hashable, Value] = field(default_factory=dict)

    def whole(self) -> Mantissas:
        """Return the rounded array."""
        if self.rounder is not None:
            self.array, self.rounder, self.moved = self.rounder(self.array), None, {}
        return self.array

    def through(self, move: Move) -> Value:
        """Return the moved value."""
        behind = None
        if self.rounder is not None:
            behind = move.behind(self.rounder, self.array.shape[:-1])
            if behind is None:
                self.whole()
        if move.key not in self.moved:
            self.moved[move.key] = Value(move(self.array))
        moved = self.moved[move.key]
        return moved if behind is None else Value(moved.array, behind, moved.moved)

    def rounded(self, rounder: Rounder) -> Value:
        """Return the value rounded, later."""
        self.whole()
        return Value(self.array, rounder, self.moved)


Known = dict[Hashable, Value]


def run_step(step: Step, known: Mapping[Hashable, Value]) -> Value:
    """Return what a step gives."""
    operands = [known[o] for o in step.operands]
    kernel: Kernel = step.run
    if isinstance(kernel, Move):
        return operands[0].through(kernel)
    if isinstance(kernel, Rounder):
        return operands[0].rounded(kernel)
    return Value(kernel(*(o.whole() for o in operands)))


@dataclass(frozen=True, eq=False)
class Joined:
    """Products of one operand as one.

    Attributes:
        keys: the keys of their results.
        products: the products.
        operand: key of the operand.
        matrix: all their rows.
        bias: (rows, 1), or None where all are 0.
    """

    keys: tuple[Hashable, ...]
    products: tuple[Product, ...]
    operand: Hashable
    matrix: Mantissas
    bias: Mantissas | None

    @classmethod
    def of(cls, steps: Mapping[Hashable, Product], operand: Hashable) -> Joined:
        """Join products, by the keys of their results."""
        products = tuple(steps.values())
        bias = np.concatenate([p.bias for p in products])[:, None]
        matrix = np.concatenate([p.matrix for p in products])
        return cls(tuple(steps), products, operand, matrix, bias if bias.any() else None)

    def sums(self, x: Mantissas) -> Mantissas:
        """Return all sums, (rows, positions * samples)."""
        columns = self.products[0].gather(x).astype(self.matrix.dtype, copy=False)
        found: Mantissas = self.matrix @ columns
        if self.bias is not None:
            found += self.bias
        return found

    def run(self, known: Known) -> None:
        """Add the results to what is known."""
        x = known[self.operand].whole()
        sums, at = self.sums(x), 0
        for key, product in zip(self.keys, self.products, strict=True):
            part = sums[at : at + len(product.matrix)]
            known[key] = Value(part.reshape(*product.shape, x.shape[-1]))
            at += len(part)


@dataclass(frozen=True, eq=False)
class Joint:
    """What several instances compute.

    Attributes:
        before: steps that come before products.
        products: the products.
        after: for each instance the steps behind them.
        last: for each instance the key of its result.
    """

    before: tuple[Step, ...]
    products: tuple[Joined, ...]
    after: tuple[tuple[Step, ...], ...]
    last: tuple[Hashable, ...]

    @classmethod
    def of(cls, programs: Sequence[tuple[Step, ...]]) -> Joint:
        """Join programs whose operands are results of stages before them."""
        early: dict[Hashable, Step] = {}
        groups: dict[tuple[Hashable, ...], dict[Hashable, Product]] = {}
        for program in programs:
            made = {step.key for step in program}
            for step in program:
                if any(o in made and o not in early for o in step.operands):
                    break
                if step.product is not None:
                    kind = (step.operands[0], step.product.geometry, step.product.matrix.dtype.str)
                    groups.setdefault(kind, {})[step.key] = step.product
                    break
                early[step.key] = step
        products = tuple(Joined.of(group, kind[0]) for kind, group in groups.items())
        counted = Counter(key for program in programs for key in {s.key for s in program})
        wanted = {product.operand for product in products}
        wanted |= {key for key in early if counted[key] > 1}
        first = _with_operands(early, wanted)
        done = {*(s.key for s in first), *(key for group in groups.values() for key in group)}
        after = tuple(tuple(s for s in program if s.key not in done) for program in programs)
        return cls(first, products, after, tuple(program[-1].key for program in programs))

    def prepared(self, values: Mapping[Hashable, Value]) -> Known:
        """Compute what comes before the products.

        Args:
            values: results of the stages before.
        """
        known = dict(values)
        for step in self.before:
            known[step.key] = run_step(step, known)
        return known

    def results(self, known: Known) -> Iterator[Value]:
        """Yield the result of each instance.

        Args:
            known: what ``prepared`` gave; it gets the products.
        """
        for product in self.products:
            product.run(known)
        for steps, last in zip(self.after, self.last, strict=True):
            own: Known = known if not steps else dict(known)
            for step in steps:
                if step.key not in own:
                    own[step.key] = run_step(step, own)
            yield own[last]


def _with_operands(steps: Mapping[Hashable, Step], wanted: Set[Hashable]) -> tuple[Step, ...]:
    """Return the wanted steps and those that they take results of, in order."""
    needed = set(wanted)
    for step in reversed(list(steps.values())):
        if step.key in needed:
            needed |= set(step.operands)
    return tuple(step for step in steps.values() if step.key in needed)
