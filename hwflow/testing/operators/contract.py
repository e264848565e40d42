"""What an operator says of itself, compared with what its Python computes."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from math import isfinite

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.custom.plugins import operator_file
from hwflow.fixed import FixedArray, RawArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.port_data import FloatArray
from hwflow.passes.graph.legalize import MAX_COMPARED_WIDTH
from hwflow.testing.operators.cases import Case, mantissas
from hwflow.testing.operators.outcome import Difference, Outcome, Part, compare, computed, total

ALONE = 3
"""Samples that are computed again by themselves: the extremes, which come first."""


def check_contract(
    cls: type[Op], cases: Sequence[Case], targets: Sequence[Target], samples: int, seed: int
) -> Outcome:
    """Check ranges, shapes, legality, independence of samples and places, and costs.

    Raises:
        CompileError: HW258, a method of the operator fails.
    """
    rng = np.random.default_rng(seed)
    problems = [] if cases else ["examples() gives none"]
    names = [case.name for case in cases]
    twice = sorted({n for n in names if names.count(n) > 1})
    problems += [f"two examples are named {name!r}" for name in twice]
    parts: list[Part] = []
    for case in cases:
        with calling(cls, f"example {case.name!r}"):
            operands = [mantissas(rng, x, samples) for x in case.inputs]
            found = list(dict.fromkeys(_problems(case, operands, targets)))
            problems += [f"{case.name}: {problem}" for problem in found]
            if found:
                continue
            size = samples * case.op.infer(*case.inputs).size
            parts.append((size, *_outside(case, operands)))
    return total("exact and check hold in Python", parts, problems=problems)


@contextmanager
def calling(cls: type[Op], what: str) -> Iterator[None]:
    """Turn an exception in an operator's own file into a finding that says where."""
    try:
        yield
    except CompileError:
        raise
    except Exception as error:
        file = operator_file(cls)
        frames = traceback.extract_tb(error.__traceback__)
        lines = [f.lineno for f in frames if f.filename == file]
        if not lines:
            raise
        finding = Diagnostic(
            code="HW258",
            title="a method of an operator fails",
            where=f"{file}:{lines[-1]}, in {what}",
            found=f"{type(error).__name__}: {error}",
            help="mend the operator",
        )
        raise CompileError([finding]) from error


def _problems(case: Case, operands: Sequence[RawArray], targets: Sequence[Target]) -> Iterator[str]:
    """Yield what is wrong with one example."""
    op, known = case.op, case.op.infer(*case.inputs)
    full = op.exact(*(TensorType.full(x.shape, x.dtype) for x in case.inputs))
    result = computed(case, operands)
    grids = result.dtype.fractional, full.dtype.fractional
    if grids[0] != grids[1]:
        yield f"compute gives {grids[0]} fractional bits, exact {grids[1]}"
    if result.shape[1:] != known.shape or len(result.raw) != len(operands[0]):
        yield f"compute gives shape {result.shape[1:]}, exact {known.shape}"
        return
    if known.dtype.width > MAX_COMPARED_WIDTH:
        yield f"its result has more than the {MAX_COMPARED_WIDTH} bits that can be compared"
    alone = [computed(case, [o[i : i + 1] for o in operands]).raw[0] for i in range(ALONE)]
    if not np.array_equal(np.stack(alone), result.raw[:ALONE]):
        yield "compute gives another result for a sample alone than in a batch"
    if op.pointwise and not _is_pointwise(case, operands, result):
        yield "it is said to be pointwise, but a result depends on its place"
    refused = [case.refusals(target) for target in targets]
    if targets and all(refused):
        yield f"check refuses it for every target: {refused[0][0].title}"
    for target in targets:
        yield from _cost_problems(op.cost(target, *case.inputs))


def _is_pointwise(case: Case, operands: Sequence[RawArray], result: FixedArray) -> bool:
    """Return whether exchanging elements of the input exchanges those of the result."""
    if len(operands) != 1 or operands[0].shape != result.shape:
        return False
    flat = operands[0].reshape(len(operands[0]), -1)
    order = np.random.default_rng(0).permutation(flat.shape[1])
    reordered = computed(case, [flat[:, order].reshape(result.shape)]).raw
    return np.array_equal(reordered.reshape(flat.shape), result.raw.reshape(flat.shape)[:, order])


def _cost_problems(cost: Cost) -> Iterator[str]:
    for f in fields(Cost):
        figure = getattr(cost, f.name)
        if f.name == "notes":
            continue
        if not (0 <= figure.low <= figure.value <= figure.high and isfinite(figure.high)):
            yield f"cost gives no interval for {f.name}: {figure}"


def _outside(case: Case, operands: Sequence[RawArray]) -> tuple[int, Difference | None]:
    """Return how many results lie outside of the range that ``exact`` gives, and the first."""
    known = case.op.infer(*case.inputs)

    def found(batch: Sequence[RawArray]) -> FloatArray:
        return computed(case, batch).cast(known.dtype).values

    def expected(batch: Sequence[RawArray]) -> FloatArray:
        return np.clip(found(batch), known.lo * known.dtype.step, known.hi * known.dtype.step)

    return compare(case, operands, expected=expected, found=found, step=known.dtype.step)
