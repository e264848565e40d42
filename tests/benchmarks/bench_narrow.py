"""What it saves to declare results in the narrowest types that hold them, on public designs.

``python -m tests.benchmarks.bench_narrow FOLDER``, the folder of ``bench_estimate``. The graph of a
design has the types that its C++ declares; they are narrowed, both graphs are estimated, and both
compute the same random samples, whose results must be equal in every bit. Designs whose sums pass
62 bits on the full range of their types are not simulated.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hwflow.core.config import make_config
from hwflow.estimate import estimate
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.passes.graph.narrow_types import narrow_types
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples import mixed_data
from tests.benchmarks.calibration_points import designs, target_of
from tests.benchmarks.report_graphs import GraphOfCalls, UnusableError

FIGURES = ("lut", "ff", "dsp", "bram_18k", "lut_synth")

SAMPLES = 8


@dataclass(frozen=True)
class Saving:
    """A design with its declared types and with narrow ones.

    Attributes:
        types: results that got another type.
        before: estimated figures with the declared types, by ``FIGURES``.
        after: the same with narrow ones.
        wrong: results of the samples that differ; None where they were not simulated.
    """

    types: int
    before: tuple[float, ...]
    after: tuple[float, ...]
    wrong: int | None


def saving(graph: Graph, target: Target, samples: int = SAMPLES) -> Saving:
    """Return what narrow types save of a graph."""
    narrow, declared = narrow_types(graph, make_config({}))
    totals = [estimate(g, target).total for g in (graph, narrow)]
    before, after = (tuple(getattr(t, f).value for f in FIGURES) for t in totals)
    return Saving(len(declared), before, after, _differing(graph, narrow, samples))


def _differing(first: Graph, second: Graph, samples: int) -> int | None:
    """Return how many results of random samples differ; None where they cannot be simulated."""
    data = mixed_data(first, samples).inputs
    try:
        one, other = (simulate(g, data).outputs for g in (first, second))
    except OverflowError:
        return None
    return sum(int(np.sum(values != other[name])) for name, values in one.items())


def savings(folder: Path) -> Iterator[tuple[str, Saving]]:
    """Yield every usable design of a folder with what it saves."""
    for point, arrays, reason in designs(folder):
        calls = GraphOfCalls(point, arrays)
        if reason:
            continue
        try:
            graph = calls.build()
        except (UnusableError, OverflowError):
            continue
        yield point["id"], saving(graph, target_of(point, calls.streams))


def main() -> None:
    """Print a line for each design, and the mean share that is left of each figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    shares: dict[str, list[float]] = {figure: [] for figure in FIGURES}
    found: list[Saving] = []
    for name, one in savings(parser.parse_args().folder):
        pairs = list(zip(FIGURES, one.before, one.after, strict=True))
        shown = ", ".join(f"{f} {a:,.0f} to {b:,.0f}" for f, a, b in pairs if round(a) != round(b))
        print(f"{name}: {one.types} types, {shown or 'nothing'}, {one.wrong} results differ")
        for figure, a, b in pairs:
            shares[figure] += [b / a] if a else []
        found.append(one)
    left = ", ".join(f"{f} {100 * float(np.mean(s)):.1f} %" for f, s in shares.items() if s)
    narrowed, run = sum(s.types > 0 for s in found), [s.wrong for s in found if s.wrong is not None]
    print(f"{narrowed} of {len(found)} designs narrowed; left on average: {left}")
    print(f"{sum(run)} results differ in {len(run)} designs")


if __name__ == "__main__":
    main()
