"""How well the estimates meet public synthesis reports.

``python tests/benchmarks/bench_estimate.py --calibration PATH``; the folder holds
``hls4ml_designs.json``, ``hls4ml_designs_weights.npz``, ``hls4ml_layers.csv`` and
``wa_search_single_dense.csv``; without it nothing is done. For every family of layers and every
figure it prints the 5 %, 50 % and 95 % quantile of real over estimated (each repository counts
once), the mean error, the share of points inside the shipped interval, and the share inside an
interval taken from the other repositories only.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from calibration_points import Point, all_points

HEADER = (
    "family              figure          points repos   5 %  50 %  95 %  MAPE%  inside held-out"
)


def quantiles(points: list[Point]) -> tuple[float, float, float]:
    """Return 5 %, 50 % and 95 % of the ratios, every repository with the same weight."""
    count: dict[str, int] = defaultdict(int)
    for p in points:
        count[p.repo] += 1
    ordered = sorted((p.ratio, 1.0 / count[p.repo]) for p in points)
    ratios = np.array([r for r, _ in ordered])
    weight = np.cumsum([w for _, w in ordered])
    at = np.searchsorted(weight, np.array([0.05, 0.5, 0.95]) * weight[-1])
    low, mid, high = ratios[np.minimum(at, len(ratios) - 1)]
    return float(low), float(mid), float(high)


def held_out(points: list[Point]) -> float:
    """Return the mean share, per repository, inside the interval of all other repositories."""
    shares = []
    for repo in {p.repo for p in points}:
        rest = [p for p in points if p.repo != repo]
        if not rest:
            return float("nan")
        low, _, high = quantiles(rest)
        mine = [p for p in points if p.repo == repo]
        shares.append(
            np.mean([low <= p.ratio <= high or abs(p.real - p.estimate.value) <= 1 for p in mine])
        )
    return float(np.mean(shares))


def mean_inside(points: list[Point]) -> float:
    """Return the mean share, per repository, inside the shipped intervals."""
    by_repo: dict[str, list[bool]] = defaultdict(list)
    for p in points:
        by_repo[p.repo].append(p.inside)
    return float(np.mean([np.mean(shares) for shares in by_repo.values()]))


def row(family: str, figure: str, points: list[Point]) -> str:
    """Return one line of the table."""
    by_repo: dict[str, list[Point]] = defaultdict(list)
    for p in points:
        by_repo[p.repo].append(p)
    groups = by_repo.values()
    error = 100 * np.mean([np.mean([abs(1 - 1 / p.ratio) for p in g]) for g in groups])
    low, mid, high = quantiles(points)
    return (
        f"{family:19} {figure:15} {len(points):5} {len(by_repo):5} {low:5.2f} {mid:5.2f} "
        f"{high:5.2f} {error:6.0f} {100 * mean_inside(points):7.0f} {100 * held_out(points):8.0f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calibration", type=Path)
    parser.add_argument("--points", default="", help="print the points of this family, too")
    options = parser.parse_args()
    if options.calibration is None:
        print("skipped: no --calibration PATH")
        return
    groups: dict[tuple[str, str], list[Point]] = defaultdict(list)
    for p in all_points(options.calibration):
        groups[p.family, p.figure].append(p)
        if options.points == p.family:
            mark = "" if p.inside else "outside"
            print(f"{p.figure:15} {p.real:9.0f} {p.estimate.value:9.0f} {mark:8} {p.name[:80]}")
    print(HEADER)
    for (family, figure), points in sorted(groups.items()):
        print(row(family, figure, points))
    found = [p for points in groups.values() for p in points]
    print(f"{len(found)} figures, {100 * mean_inside(found):.0f} % inside the shipped intervals")


if __name__ == "__main__":
    main()
