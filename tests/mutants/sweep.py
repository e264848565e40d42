"""Plants one wrong constant at a time into generated C++ and asks ``verify`` without data for it.

    python -m tests.mutants.sweep --values 850 --types 100 --parameters 50

prints how many were found, and every survivor with the reason. Each mutant runs as real C++: a
wrong value is read by the compiled program, a wrong type or parameter is compiled. Mutants that
provably change no bit are counted apart (``equivalent``).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

import hwflow
from hwflow.codegen.project import Project
from hwflow.core.errors import HwflowError
from hwflow.project.design import Design
from hwflow.simulate import cpp
from hwflow.simulate.samples import made_data
from hwflow.verify import comparison
from tests.mutants.equivalent import why_equivalent
from tests.mutants.plant import Mutant, parameters, types, values

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(
    p for p in (ROOT / "examples").iterdir()
    if p.suffix in (".onnx", ".h5", ".keras") and p.stem != "digits_float"
)  # fmt: skip
OPERATORS = [
    ROOT / "tests" / "models" / f"{name}.onnx"
    for name in (
        "avgpool", "batchnorm1d", "bipolar", "conv1d", "depthwise", "float_scale", "hardtanh",
        "leaky_relu", "residual", "sigmoid", "softmax", "zero_point",
    )
]  # fmt: skip
"""Networks with one operator each, beside the examples."""

KINDS = {"value": values, "type": types, "parameter": parameters}


@dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        network: where it was planted.
        mutant: what it is.
        verdict: "found", "stopped" by the compiler or a crash, "equivalent" or "survived".
        detail: the layer that differs, or the reason.
    """

    network: str
    mutant: Mutant
    verdict: str
    detail: str


class Subject:
    """A network with its C++, and the data that ``verify`` makes up for it."""

    def __init__(self, path: Path) -> None:
        """Compile it."""
        self.name = path.name
        self.design: Design = hwflow.compile(path)
        self.data = made_data(self.design.graph).inputs
        self.simulation = comparison.full_simulation(self.design.graph, self.data)
        self.built = self.design.csim
        assert self._agreement(self.built).holds

    def _agreement(self, built: cpp.Csim) -> comparison.Agreement:
        return comparison.check_faithful(self.design.graph, built, self.data, self.simulation)

    def outcome(self, mutant: Mutant) -> Outcome:
        """Return whether the comparison that ``verify`` makes finds a mutant."""
        project = mutant.planted(self.design.project)
        try:
            found = self._agreement(self._built(mutant, project))
        except HwflowError as error:
            return Outcome(self.name, mutant, "stopped", str(error).split("\n")[0])
        if found.first is not None:
            return Outcome(self.name, mutant, "found", found.first.layer)
        reason = why_equivalent(self.design, mutant)
        verdict = "equivalent" if reason else "survived"
        return Outcome(self.name, mutant, verdict, reason)

    def _built(self, mutant: Mutant, project: Project) -> cpp.Csim:
        if mutant.kind == "value":
            return replace(self.built, project=project)
        return cpp.build(self.design.graph, project, self.design.target)


def mutants(subject: Subject, kind: str, seed: tuple[int, int]) -> Iterator[Mutant]:
    """Yield different mutants of a kind."""
    seen: set[Mutant] = set()
    drawn = KINDS[kind](subject.design.project, np.random.default_rng(seed))
    for mutant in itertools.islice(drawn, 20_000):
        if mutant not in seen:
            seen.add(mutant)
            yield mutant


def sweep(subjects: Sequence[Subject], counts: dict[str, int], seed: int) -> Iterator[Outcome]:
    """Yield the outcome of so many mutants of each kind over networks in turn."""
    for kind, count in counts.items():
        streams = [(s, mutants(s, kind, (seed, n))) for n, s in enumerate(subjects)]
        turns = itertools.chain.from_iterable(itertools.repeat(streams))
        done = idle = 0
        while done < count and idle < len(streams):
            subject, stream = next(turns)
            mutant = next(stream, None)
            idle = idle + 1 if mutant is None else 0
            if mutant is not None:
                done += 1
                yield subject.outcome(mutant)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return the figures and every survivor."""
    lines = []
    for kind in (*KINDS, ""):
        own = Counter(o.verdict for o in outcomes if not kind or o.mutant.kind == kind)
        real = own["found"] + own["stopped"] + own["survived"]
        share = (own["found"] + own["stopped"]) / real if real else 1.0
        lines.append(
            f"{kind or 'all':<10} {sum(own.values()):5} mutants: {own['found']} found, "
            f"{own['stopped']} stopped, {own['survived']} survived, "
            f"{own['equivalent']} equivalent; {share:.2%} of those that matter"
        )
    lines += (f"survivor  {o.network}: {o.mutant}" for o in outcomes if o.verdict == "survived")
    reasons = Counter(o.detail for o in outcomes if o.verdict == "equivalent")
    lines += (f"equivalent, {count}: {reason}" for reason, count in reasons.most_common())
    return "\n".join(lines)


def main() -> None:
    """Run a sweep from the command line."""
    parser = argparse.ArgumentParser(description="Plant wrong constants, and count those found.")
    parser.add_argument("--values", type=int, default=700)
    parser.add_argument("--types", type=int, default=200)
    parser.add_argument("--parameters", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("models", nargs="*", type=Path, default=[*EXAMPLES, *OPERATORS])
    given = parser.parse_args()
    counts = {"value": given.values, "type": given.types, "parameter": given.parameters}
    subjects = []
    for path in given.models:
        started = time.perf_counter()
        subjects.append(Subject(path))
        print(f"{path.name}: {time.perf_counter() - started:.1f} s", flush=True)
    outcomes = []
    for outcome in sweep(subjects, counts, given.seed):
        outcomes.append(outcome)
        if len(outcomes) % 100 == 0:
            print(summary(outcomes).split("survivor")[0], flush=True)
        if outcome.verdict in ("survived", "equivalent"):
            print(f"{len(outcomes)} {outcome.network} {outcome.mutant} {outcome.verdict} "
                  f"{outcome.detail}", flush=True)  # fmt: skip
    print(summary(outcomes))


if __name__ == "__main__":
    main()
