"""One trial: a method makes networks, each gets its hardware and is held against requirements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwflow.compression.auto.bench import Bench
from hwflow.compression.auto.hardware import Priced, price
from hwflow.compression.auto.methods import Candidate, Method, Params, Say
from hwflow.core.errors import CompileError

HOPELESS = 1.0
"""Multiple of a budget that a sketch is beyond it by, from which nothing is trained."""

FAR = 5.0
"""Multiple of a budget beyond it that counts at most, so that one limit does not hide others."""

WEIGHT = 10.0
"""What a missing share of right answers counts, beside parts of a budget."""

NOTHING = "no hardware"


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What came of one network.

    Attributes:
        candidate: the network; None where a method gave none.
        priced: its hardware; None where there is none.
        chosen: shares on the samples for validation, which designs are chosen by.
        beyond: what is beyond each limit, in parts of it; ``samples`` for the lower limits.
        note: what is to be said of it.
    """

    candidate: Candidate | None
    priced: Priced | None
    chosen: Mapping[str, Any]
    beyond: Mapping[str, float]
    note: str

    @property
    def total(self) -> float:
        """What is beyond all limits."""
        return sum(self.beyond.values())


def tried(
    method: Method, params: Params, bench: Bench, at: tuple[Path, Say, float]
) -> Outcome:  # fmt: skip
    """Return the best network of a method with some settings.

    Args:
        method: the method.
        params: its settings.
        bench: the original and its samples.
        at: folder of the trial, what lines are said with, and what is asked of the samples for
            validation beyond the lower limits.
    """
    try:
        outcome = _sketched(method, params, bench)
        if outcome is not None:
            return outcome
        found = list(_outcomes(method, params, bench, at))
    except CompileError as error:
        return _failed(error.diagnostics[0].title, bench)
    if not found:
        return _failed("nothing came of it", bench)
    return min(found, key=lambda outcome: outcome.total)


def _outcomes(
    method: Method, params: Params, bench: Bench, at: tuple[Path, Say, float]
) -> Iterator[Outcome]:  # fmt: skip
    """Yield what comes of a method, up to the first that meets everything."""
    folder, say, margin = at
    for candidate in method.make(params, bench, folder, say):
        outcome = judged(candidate, bench, margin)
        yield outcome
        if outcome.total == 0.0:
            return


def _sketched(method: Method, params: Params, bench: Bench) -> Outcome | None:
    """Return an outcome where the hardware of a sketch is so large that training is no use."""
    model = method.sketch(params, bench)
    if model is None:
        return None
    priced = price(model, bench.wanted)
    if priced is None:
        return _failed(NOTHING, bench)
    if max(priced.excess.values(), default=0.0) <= HOPELESS:
        return None
    beyond = {**_limited(priced), "samples": 0.0}
    note = "not trained: with few bits, and before training, it is beyond a limit by more than that"
    return Outcome(candidate=None, priced=priced, chosen={}, beyond=beyond, note=note)


def judged(candidate: Candidate, bench: Bench, margin: float) -> Outcome:
    """Return what comes of a network.

    Raises:
        CompileError: it cannot be compiled.
    """
    priced = price(candidate.model, bench.wanted)
    if priced is None:
        return _failed(NOTHING, bench)
    part = bench.material.validate
    if priced.design is None:
        chosen = bench.shares_of(candidate.model, part)
    else:
        chosen = bench.shares(priced.design, part)
    beyond = {**_limited(priced), "samples": WEIGHT * bench.missing(chosen, margin)}
    return Outcome(candidate=candidate, priced=priced, chosen=chosen, beyond=beyond, note="")


def _limited(priced: Priced) -> dict[str, float]:
    return {name: min(excess, FAR) for name, excess in priced.excess.items()}


def _failed(why: str, bench: Bench) -> Outcome:
    beyond = {limit.name: FAR for limit in bench.wanted.budgets} | {"samples": WEIGHT}
    return Outcome(candidate=None, priced=None, chosen={}, beyond=beyond, note=why)
