"""How well the estimates meet public synthesis reports, through the path that users take.

``python -m tests.benchmarks.bench_estimate FOLDER [--page FILE]``; the folder holds
``hls4ml_designs.json`` with its weights and ``public_designs``; without it nothing is done. Every
usable design becomes a graph, which ``hwflow.estimate.estimate`` is asked about; the page is
written from what comes out.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import numpy as np

from hwflow.estimate import estimate
from tests.benchmarks.calibration_points import Figure, designs, figures_of, target_of
from tests.benchmarks.report_graphs import GraphOfCalls, Point, UnusableError

TARGETS = {
    "dsp": 10, "ii": 10, "latency_cycles": 12, "bram_18k": 25, "lut": 18, "ff": 30,
    "lut_synth": 25, "ff_synth": 30,
}  # fmt: skip
"""Largest mean SMAPE aimed at, in per cent."""

NAMES = {
    "dsp": "DSP", "ii": "II", "latency_cycles": "cycles", "bram_18k": "BRAM18", "lut": "LUT",
    "ff": "FF", "lut_synth": "LUT, logic synthesis", "ff_synth": "FF, logic synthesis",
}  # fmt: skip

OUTSIDE = 0.04
"""Share of designs outside a conformal interval, on either side."""

PLUS = {"lut": 50.0, "ff": 100.0, "lut_synth": 50.0, "ff_synth": 100.0}
"""What is added to both figures before they are divided; 1 to the others."""

COLUMNS = (
    "figure", "designs", "repositories", "SMAPE", "aim", "by repository", "median",
    "shipped interval holds", "conformal", "left out, holds",
)  # fmt: skip
"""Columns of the table of figures."""

WORST = 20
"""Misses that the page lists."""

REASONS = {
    "calwilee+hls4ml": "sums of a depthwise convolution of 53 bits",
    "wrapper:57588a1": "no weight fits its type of 6 bits: all are 0, and so is most of the design",
    "wrapper:6b5329c": "no weight fits its type of 6 bits: all are 0, and so is most of the design",
    "wrapper:0b9dbbd": "the II of the AXI wrapper around it",
    "vitis_accel_backend_test": "the II of the AXI wrapper around it",
    "Vitis_Accel_Projects:c947c9a": "the II of the AXI wrapper around it",
    "Berk-Bilgin/ML-fpga:20ad213:model_1": "every addition of its accumulators saturates",
    "CNN-to-FPGA-MNIST": "its layers do not overlap in the report",
    "uw-acme": "kernels of 2020, which select an input for every multiplier",
    "HLS4ML_-NeutDetector": "kernels of 2020, which select an input for every multiplier",
    "hls4ml-live-demo": "a dense layer of 2048 inputs, which are kept in block RAM",
    "DNNonSilicon:a44b786": "a device that is too small by a factor of eight, at 2.5 ns",
    "RishThakkar": "a softmax that shares its multiplier, which a graph does not say",
    "DNNonSilicon:b73fa37": "a softmax that shares its multiplier, which a graph does not say",
    "DNNonSilicon:4ea9b87": "a softmax that shares its multiplier, which a graph does not say",
    "DNNonSilicon:37edf6d": "a softmax that shares its multiplier, which a graph does not say",
}
"""What is known of some misses, by a part of the design's name."""


@dataclass(frozen=True)
class Result:
    """Everything that was compared.

    Attributes:
        figures: of the designs that count.
        left_out: repository and reason of the others.
    """

    figures: tuple[Figure, ...]
    left_out: tuple[tuple[str, str], ...]


def compared(folder: Path) -> Result:
    """Return the figures of every usable design beside their estimates."""
    figures: list[Figure] = []
    left_out: list[tuple[str, str]] = []
    for point, arrays, reason in designs(folder):
        found, reason = ((), reason) if reason else _figures(point, arrays)
        figures += found
        if reason:
            left_out.append((point["repo"], reason))
    return Result(tuple(figures), tuple(left_out))


def _figures(point: Point, arrays: dict[str, np.ndarray]) -> tuple[Sequence[Figure], str]:
    """Return the figures of a design, or why it has none."""
    calls = GraphOfCalls(point, arrays)
    try:
        graph = calls.build()
    except (UnusableError, OverflowError) as error:
        return (), str(error)
    report = estimate(graph, target_of(point, calls.streams))
    return tuple(figures_of(point, report.total)), ""


def mean_by_repository(figures: Sequence[Figure], of: Callable[[Figure], float]) -> float:
    """Return a mean in which every repository weighs the same."""
    groups: dict[str, list[float]] = defaultdict(list)
    for figure in figures:
        groups[figure.repo].append(of(figure))
    return float(np.mean([np.mean(values) for values in groups.values()]))


def conformal(figures: Sequence[Figure]) -> tuple[float, float]:
    """Return the ratios of real to estimated figures that ``OUTSIDE`` of the designs are beyond.

    A design weighs one over the square root of the number of its repository's designs.
    """
    count = Counter(f.repo for f in figures)
    ordered = sorted((ratio(f), count[f.repo] ** -0.5) for f in figures)
    weights = np.array([weight for _, weight in ordered])
    at = (np.cumsum(weights) - weights / 2) / weights.sum()
    low, high = np.interp([OUTSIDE, 1 - OUTSIDE], at, [value for value, _ in ordered])
    return exp(low), exp(high)


def ratio(f: Figure) -> float:
    """Return the logarithm of real over estimated."""
    plus = PLUS.get(f.figure, 1.0)
    return log((f.real + plus) / (f.estimate.value + plus))


def held_out(figures: Sequence[Figure]) -> tuple[float, float]:
    """Return how often the conformal interval of all other repositories holds one's designs.

    Two means in per cent: over designs, and over repositories.
    """
    inside: dict[str, list[bool]] = defaultdict(list)
    for repo in {f.repo for f in figures}:
        low, high = conformal([f for f in figures if f.repo != repo])
        mine = [f for f in figures if f.repo == repo]
        inside[repo] = [log(low) - 1e-9 <= ratio(f) <= log(high) + 1e-9 for f in mine]
    every = [hit for hits in inside.values() for hit in hits]
    return 100 * float(np.mean(every)), 100 * float(np.mean([np.mean(h) for h in inside.values()]))


def table(result: Result) -> Iterator[str]:
    """Yield the lines of the table of figures."""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
    for figure, most in TARGETS.items():
        found = [f for f in result.figures if f.figure == figure]
        errors = [f.smape for f in found]
        low, high = conformal(found)
        designs_held, repos_held = held_out(found)
        cells = (
            NAMES[figure], len(found), len({f.repo for f in found}), f"{np.mean(errors):.1f} %",
            f"{most} %", f"{mean_by_repository(found, lambda f: f.smape):.1f} %",
            f"{np.median(errors):.1f} %", f"{100 * np.mean([f.inside for f in found]):.0f} %",
            f"{low:.2f} to {high:.2f}", f"{designs_held:.0f} % ({repos_held:.0f} %)",
        )  # fmt: skip
        yield "| " + " | ".join(map(str, cells)) + " |"


def misses(result: Result) -> Iterator[str]:
    """Yield the largest errors, one line a design and figure."""
    yield "| design | figure | report | estimate | SMAPE | reason |"
    yield "|---|---|---:|---:|---:|---|"
    for f in sorted(result.figures, key=lambda f: -f.smape)[:WORST]:
        reason = next((text for part, text in REASONS.items() if part in f.design), "not known")
        name = f.repo if len(f.design) > 60 else f.design
        yield (
            f"| {name.rstrip(':')} | {NAMES[f.figure]} | {f.real:,.0f} | {f.estimate.value:,.0f} "
            f"({f.estimate.low:,.0f}-{f.estimate.high:,.0f}) | {f.smape:.0f} % | {reason} |"
        )


PAGE = """# How true the estimates are

This page is written by
`python -m tests.benchmarks.bench_estimate FOLDER --page docs/estimation-accuracy.md`. The folder
holds facts read from public synthesis reports, and the weights that belong to them.

Each design becomes the graph that hwflow would have of the same layers. Its estimate is that of
`hwflow estimate`: same part, clock, tool version, weights and declared types. SMAPE is the mean of
200 |a - b| / (a + b).

{table}

- *Shipped interval holds* is the share of reports inside the interval that hwflow prints.
- *Conformal* is the interval of real over estimated that all but 8 % of the designs fall into.
- *Left out, holds* is the share of a repository's designs inside the conformal interval of all
  others, over designs and (in parentheses) over repositories.

The relations and their constants were chosen with these repositories in view, so the errors are
those of known designs. Expect more on others. What was checked on repositories left out of a fit is
said where the constants stand.

## Largest misses

{misses}

## Designs that do not count

{left_out}
"""


def page(result: Result) -> str:
    """Return the page of accuracy."""
    counts = Counter(result.left_out)
    left_out = [f"- {repo}: {reason} ({n})" for (repo, reason), n in sorted(counts.items())]
    lines = {"table": table(result), "misses": misses(result), "left_out": left_out}
    return PAGE.format(**{name: "\n".join(text) for name, text in lines.items()})


def main() -> None:
    """Print the table, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--page", type=Path, help="file to write")
    options = parser.parse_args()
    if options.folder is None:
        print("skipped: no folder with reports")
        return
    result = compared(options.folder)
    print("\n".join(table(result)))
    if options.page:
        options.page.write_text(page(result), "utf-8")


if __name__ == "__main__":
    main()
