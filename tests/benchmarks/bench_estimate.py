"""How well the estimates meet public synthesis reports, through the path that users take.

``python -m tests.benchmarks.bench_estimate FOLDER [--page FILE]``; the folder holds
``hls4ml_designs.json`` with its weights and ``public_designs``; without it nothing is done. Every
usable design becomes a graph, which ``hwflow.estimate.estimate`` is asked about; the page is
written from what comes out.
"""

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hwflow.estimate import estimate
from hwflow.estimate.spread import TOTAL
from hwflow.ir.cost import Basis
from tests.benchmarks.calibration_points import Figure, designs, figures_of, target_of
from tests.benchmarks.learned_intervals import factors, fitted, learned
from tests.benchmarks.refitted import left_out_errors, parts_of
from tests.benchmarks.report_graphs import GraphOfCalls, Point, UnusableError

TARGETS = {
    "dsp": 10, "ii": 10, "latency_cycles": 12, "bram_18k": 25, "lut": 18, "ff": 30,
    "lut_synth": 25, "ff_synth": 30, "dsp_synth": 10, "bram_18k_synth": 25,
}  # fmt: skip
"""Largest mean SMAPE aimed at, in per cent."""

NAMES = {
    "dsp": "DSP", "ii": "II", "latency_cycles": "cycles", "bram_18k": "BRAM18", "lut": "LUT",
    "ff": "FF", "lut_synth": "LUT, logic synthesis", "ff_synth": "FF, logic synthesis",
    "dsp_synth": "DSP, logic synthesis", "bram_18k_synth": "BRAM18, logic synthesis",
}  # fmt: skip

COLUMNS = (
    "figure", "designs", "repositories", "SMAPE", "aim", "by repository", "median",
    "refitted, left out", "interval",
    "holds", "left out, holds", "rule", "fitted", "extrapolated",
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
    "Berk-Bilgin/ML-fpga:20ad213:model_1@dsp_synth": "products of 28 x 12 bits, built of logic",
    "Berk-Bilgin/ML-fpga:20ad213:model_1@ff_synth": "products of 28 x 12 bits, built of logic",
    "Berk-Bilgin/ML-fpga:20ad213:model_2@lut_synth": "look-up tables beside 24 x 8 bit multipliers,"
    " most of which logic synthesis leaves out",
    "DNNonSilicon:47be98f@ff": "multipliers without registers: 10 ns are long on UltraScale+",
    "wrapper:ec85c7d@latency_cycles": "stages of a dataflow, counted as submodules of a pipeline",
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
"""What is known of some misses, by a part of the design's name and the figure (all by default)."""


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
    target = target_of(point, calls.streams)
    report = estimate(graph, target)
    return tuple(
        replace(f, parts=parts_of(f.figure, report, graph, target))
        for f in figures_of(point, report.total)
    ), ""


def mean_by_repository(figures: Sequence[Figure], of: Callable[[Figure], float]) -> float:
    """Return a mean in which every repository weighs the same."""
    groups: dict[str, list[float]] = defaultdict(list)
    for figure in figures:
        groups[figure.repo].append(of(figure))
    return float(np.mean([np.mean(values) for values in groups.values()]))


def table(result: Result) -> Iterator[str]:
    """Yield the lines of the table of figures."""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|---" + "|---:" * (len(COLUMNS) - 1) + "|"
    for figure in TARGETS:
        yield "| " + " | ".join(_row([f for f in result.figures if f.figure == figure])) + " |"


def _row(found: Sequence[Figure]) -> Iterator[str]:
    """Yield the cells of one figure."""
    figure, errors, open_ones = found[0].figure, [f.smape for f in found], fitted(found)
    by_design, by_repository = learned(open_ones).held_out(open_ones)
    low, high = TOTAL[figure]
    yield NAMES[figure]
    yield f"{len(found)}"
    yield f"{len({f.repo for f in found})}"
    yield f"{np.mean(errors):.1f} %"
    yield f"{TARGETS[figure]} %"
    yield f"{mean_by_repository(found, lambda f: f.smape):.1f} %"
    yield f"{np.median(errors):.1f} %"
    yield f"{np.mean(left_out_errors(found)):.1f} %"
    yield f"{low:.2f} to {high:.2f}"
    yield f"{100 * np.mean([f.inside for f in found]):.0f} %"
    yield f"{by_design:.0f} % ({by_repository:.0f} %)"
    for basis in Basis:
        yield f"{sum(f.estimate.basis is basis for f in found)}"


def stale(result: Result) -> Iterator[str]:
    """Yield which shipped intervals are not those that the reports give."""
    for figure, shipped in TOTAL.items():
        found = factors(fitted([f for f in result.figures if f.figure == figure]))
        if found != shipped:
            yield f"{figure}: {found}, shipped are {shipped}"


def speaks_of(key: str, f: Figure) -> bool:
    """Return whether a reason is one for a figure of a design."""
    part, _, figure = key.partition("@")
    return part in f.design and figure in ("", f.figure)


def misses(result: Result) -> Iterator[str]:
    """Yield the largest errors, one line a design and figure."""
    yield "| design | figure | report | estimate | SMAPE | reason |"
    yield "|---|---|---:|---:|---:|---|"
    for f in sorted(result.figures, key=lambda f: -f.smape)[:WORST]:
        reason = next((text for key, text in REASONS.items() if speaks_of(key, f)), "not known")
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

- *Refitted, left out* is the SMAPE where a repository has no part in the scales of the constants:
  one factor for each family of layers (one in all after logic synthesis) is fitted on the others.
- *Interval* is that of real over estimated figures, for what is fitted; *holds* is the share of
  reports inside of what hwflow prints.
- *Left out, holds* is the same for repositories that had no part in it: each is left out in turn,
  the interval is learned on the others, and the share of its designs inside is the mean over
  designs and (in parentheses) over repositories. Only fitted figures count.
- *Rule*, *fitted*, *extrapolated* are the designs by what the figure rests on
  ([estimates.md](estimates.md#what-a-figure-rests-on)).

An interval lies between two quantiles of real over estimated figures, each design weighing one over
the square root of the number of its repository's. Outside is left the share with which the mean
of the two shares of designs left out that are held is nearest to 90 %. Ends are rounded outward
to steps of 0.05.

The form of the relations and their thresholds were chosen with these repositories in view. Only the
scales of the constants are fitted anew without a repository. Expect more on designs of other kinds.

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
    print("\n".join([*table(result), *stale(result)]))
    if options.page:
        options.page.write_text(page(result), "utf-8")


if __name__ == "__main__":
    main()
