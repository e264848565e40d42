"""The settings that a layer can have without any bit of its result changing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hwflow.core.limits import parse_reuse_factor
from hwflow.estimate.graph import UNROLL_LIMIT
from hwflow.fixed import FixedArray
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.project.advice.trial import strategies

KNOBS = ("strategy", "reuse_factor", "parallelization_factor")
"""Settings that are chosen, where an operator has them."""

Settings = Mapping[str, Any]


def variants(
    op: Op, target: Target, inputs: Sequence[TensorType], pinned: Settings
) -> Iterator[tuple[Settings, Op]]:
    """Yield the operator with each choice of its knobs that is legal, and what was chosen.

    Reuse factors that the estimate cannot tell apart are yielded once, the smallest of them; and
    none with which a layer would be too large to unroll (HW510), unless it is pinned.

    Args:
        op: the operator, with any choice.
        target: what the hardware is generated for.
        inputs: types of its operands.
        pinned: what the user set for the layer, which is not chosen.
    """
    for strategy in _strategies(op, pinned):
        one = op if strategy is None else _with(op, strategy=strategy)
        for parallel in _parallel(one, target, inputs, pinned):
            two = one if parallel is None else _with(one, parallelization_factor=parallel)
            for reuse in _reuse(two, target, inputs, pinned):
                three = two if reuse is None else _with(two, reuse_factor=reuse)
                values = zip(KNOBS, (strategy, reuse, parallel), strict=True)
                yield {k: v for k, v in values if v is not None and k not in pinned}, three


def _with(op: Op, **settings: Any) -> Op:
    return replace(op, **settings)


def _strategies(op: Op, pinned: Settings) -> Sequence[str | None]:
    if "strategy" not in op.settings:
        return (None,)
    return (pinned["strategy"],) if "strategy" in pinned else strategies()


def _parallel(
    op: Op, target: Target, inputs: Sequence[TensorType], pinned: Settings
) -> Sequence[int | None]:
    if "parallelization_factor" not in op.settings:
        return (None,)
    if "parallelization_factor" in pinned:
        return (pinned["parallelization_factor"],)
    return op.parallelization_factors(target, *inputs)


def _reuse(
    op: Op, target: Target, inputs: Sequence[TensorType], pinned: Settings
) -> Sequence[int | None]:
    """Return the reuse factors of an operator with its other settings; those that are legal."""
    legal = op.reuse_factors(target, *inputs) if "reuse_factor" in op.settings else ()
    if not legal:
        return (None,)
    if "reuse_factor" in pinned:
        asked = parse_reuse_factor(pinned["reuse_factor"])
        taken = asked if isinstance(asked, int) else asked.taken(legal)
        chosen: Sequence[int] = () if taken is None or taken not in legal else (taken,)
    else:
        least = _unrolled(op) / UNROLL_LIMIT
        chosen = [rf for rf in op.telling_reuse_factors(target, *inputs) if rf >= least]
    first = next(iter(chosen), None)
    if first is None or any(_with(op, reuse_factor=first).check(target, *inputs)):
        return ()
    return chosen


def _unrolled(op: Op) -> int:
    """Return how many products a layer computes at once without reuse, where it is unrolled."""
    weight = getattr(op, "weight", None)
    if getattr(op, "strategy", "") != "latency" or not isinstance(weight, FixedArray):
        return 0
    return int((weight.raw != 0).sum())
