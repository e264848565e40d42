"""What a check of an operator finds out, and how two of its computations are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hwflow.fixed import FixedArray, RawArray
from hwflow.ops.shared.port_data import FloatArray
from hwflow.testing.operators.cases import Case
from hwflow.testing.operators.shrinking import shrink


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """The first place where two computations of an operator differ.

    Attributes:
        example: which of the operator's examples.
        element: position in the result, channels last, of the sample shown.
        expected: what Python computes there.
        found: what the other computes there.
        step: value of the result's last bit.
        operands: mantissas of the smallest input found on which they differ.
        steps: value of the last bit of each operand.
        alone: whether they differ on this input by itself; otherwise it took the ones before it.
    """

    example: str
    element: tuple[int, ...]
    expected: float
    found: float
    step: float
    operands: tuple[RawArray, ...]
    steps: tuple[float, ...]
    alone: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """One comparison over all examples.

    Attributes:
        name: what was compared, e.g. ``C++ Vitis io_stream``.
        examples: how many took part.
        values: how many results were compared.
        mismatches: how many differ.
        problems: what else is wrong.
        skipped: why examples took no part, by name.
        first: where the first difference is, or None.
    """

    name: str
    examples: int
    values: int = 0
    mismatches: int = 0
    problems: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    first: Difference | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.mismatches and not self.problems


@dataclass(frozen=True, eq=False)
class OpCheck:
    """What was found out about an operator.

    Attributes:
        operator: its name.
        file: where it is defined.
        samples: inputs tried for each example.
        seed: seed of the random inputs.
        outcomes: one for each comparison.
    """

    operator: str
    file: str
    samples: int
    seed: int
    outcomes: tuple[Outcome, ...]

    @property
    def holds(self) -> bool:
        """Whether every comparison came out equal."""
        return all(outcome.holds for outcome in self.outcomes)


Computation = Callable[[Sequence[RawArray]], FloatArray]
"""Takes the mantissas of operands, batch first; gives real numbers, batch first."""


def compare(
    case: Case,
    operands: Sequence[RawArray],
    *,
    expected: Computation,
    found: Computation,
    step: float,
    other: FloatArray | None = None,
) -> tuple[int, Difference | None]:
    """Return how many results differ between two computations, and the first one made small.

    Args:
        case: the example.
        operands: a batch of inputs.
        expected: what is taken as right.
        found: what is compared with it.
        step: value of the last bit of a result.
        other: what ``found`` gives for the batch, where that is known.
    """
    right = expected(operands)
    other = found(operands) if other is None else other
    wrong = right != other
    if not wrong.any():
        return 0, None

    def differs(batch: list[RawArray]) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        unequal = expected(batch) != found(batch)
        return np.asarray(unequal.reshape(len(unequal), -1).any(axis=1))

    sample = int(np.argwhere(wrong)[0][0])
    first = [o[sample] for o in operands]
    small = shrink(first, case.inputs, differs)
    shown = first if small is None else small
    if small is not None:
        batch = [o[np.newaxis] for o in small]
        right, other, sample = expected(batch), found(batch), 0
    element = tuple(int(i) for i in np.argwhere(right[sample] != other[sample])[0])
    place = (sample, *element)
    difference = Difference(
        example=case.name,
        element=element,
        expected=float(right[place]),
        found=float(other[place]),
        step=step,
        operands=tuple(shown),
        steps=tuple(x.dtype.step for x in case.inputs),
        alone=small is not None,
    )
    return int(wrong.sum()), difference


Part = tuple[int, int, Difference | None]
"""Values compared, how many differ, and the first difference."""


def total(
    name: str,
    parts: Sequence[Part],
    *,
    problems: Sequence[str] = (),
    skipped: Mapping[str, str] | None = None,
) -> Outcome:
    """Return the outcome over several examples."""
    return Outcome(
        name=name,
        examples=len(parts),
        values=sum(values for values, _, _ in parts),
        mismatches=sum(mismatches for _, mismatches, _ in parts),
        problems=tuple(problems),
        skipped=skipped or {},
        first=next((first for _, _, first in parts if first is not None), None),
    )


def computed(case: Case, operands: Sequence[RawArray]) -> FixedArray:
    """Return what the operator's Python computes, before the cast to ``result_t``."""
    pairs = zip(operands, case.inputs, strict=True)
    return case.op.compute(*(FixedArray(raw, x.dtype) for raw, x in pairs))
