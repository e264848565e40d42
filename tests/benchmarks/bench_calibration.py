"""What calibration with one's own reports gains, on public designs.

``python -m tests.benchmarks.bench_calibration FOLDER``; the folder is that of ``bench_estimate``.
Every repository stands for a user, with one version of a tool on one family of devices: factors are
learnt from all of its designs but one, and tested on that one.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from hwflow.estimate import estimate
from hwflow.estimate.calibration import family_of
from hwflow.estimate.stages import COLUMNS
from hwflow.synthesis.fitting import Fitted, Point, fit
from tests.benchmarks.calibration_points import designs, figures_of, target_of
from tests.benchmarks.report_graphs import GraphOfCalls, UnusableError

FEWEST = 3
"""Designs from which a repository counts: with fewer nothing can be tested well."""

User = tuple[str, str, str]
"""Repository, tool, family."""


def points(folder: Path) -> dict[User, dict[str, list[Point]]]:
    """Return the figures of every usable design beside their estimates, by user."""
    found: dict[User, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for point, arrays, reason in designs(folder):
        calls = GraphOfCalls(point, arrays)
        try:
            graph = None if reason else calls.build()
        except (UnusableError, OverflowError):
            graph = None
        if graph is None:
            continue
        target = target_of(point, calls.streams)
        total = estimate(graph, target).total
        for figure in figures_of(point, total):
            user = (figure.repo, target.tool, family_of(target.part))
            entry = Point(figure.design, figure.estimate, figure.real)
            found[user][figure.figure].append(entry)
    return found


def fitted(found: dict[User, dict[str, list[Point]]]) -> dict[User, dict[str, Fitted]]:
    """Return what is learnt of users with enough designs."""
    return {
        user: {
            figure: fit(entries) for figure, entries in figures.items() if len(entries) >= FEWEST
        }
        for user, figures in found.items()
    }


def main() -> None:
    """Print each user's errors before and after, and the means over users."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    folder = parser.parse_args().folder
    if folder is None:
        print("skipped: no folder with reports")
        return
    means: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for user, figures in sorted(fitted(points(folder)).items()):
        for figure, found in figures.items():
            after = found.error_before if found.error_after is None else found.error_after
            means[figure].append((found.error_before, after))
            errors = f"{found.factor:>6.2f} {found.error_before:>7.1f} {after:>7.1f}"
            print(f"{', '.join(user):<72} {figure:<15} {found.designs:>3} designs {errors}")
    for figure in COLUMNS:
        columns = list(zip(*means[figure], strict=True))
        if columns:
            before, after = (sum(column) / len(column) for column in columns)
            print(f"{figure:<15} {len(columns[0])} users {before:>7.1f} -> {after:.1f} %")


if __name__ == "__main__":
    main()
