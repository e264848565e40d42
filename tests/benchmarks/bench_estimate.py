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
import csv
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from calibration_points import (
    FIGURES,
    Layer,
    Point,
    activation_shape,
    family_of,
    fixed,
    layer_cost,
    pairs,
    spatial_of,
    target_of,
    usable,
)

from hwflow.estimate.fabric import resource_cost
from hwflow.estimate.graph import with_fifo
from hwflow.estimate.total import total_cost
from hwflow.ir.cost import Cost
from hwflow.ir.op import Target
from hwflow.ir.tensor import TensorType

HEADER = (
    "family              figure          points repos   5 %  50 %  95 %  MAPE%  inside held-out"
)


def points_of(
    family: str, repo: str, name: str, cost: Cost, real: Mapping[str, Any]
) -> Iterator[Point]:
    """Yield one point per figure that the report gives."""
    for figure, column in FIGURES.items():
        value = real.get(column)
        if value not in (None, ""):
            yield Point(family, figure, repo, float(value), getattr(cost, figure), name)


def all_points(folder: Path) -> Iterator[Point]:
    """Yield every figure of every usable layer and design."""
    designs = [d for d in json.loads((folder / "hls4ml_designs.json").read_text()) if usable(d)]
    weights = np.load(folder / "hls4ml_designs_weights.npz")
    rows = defaultdict(list)
    with (folder / "hls4ml_layers.csv").open() as file:
        for row in csv.DictReader(file):
            rows[row["repo"], row["project_dir"], row["tool"], row["part"], row["cfg"]].append(row)
    for design in designs:
        yield from design_points(design, rows, weights)
    yield from single_dense(folder)


def design_points(design: Layer, rows: Mapping[Any, list[Layer]], weights: Any) -> Iterator[Point]:
    """Yield the figures of one design and of its layers."""
    target, repo = target_of(design), design["repo"]
    costs: dict[str, Cost] = {}
    one_shot: set[str] = set()
    whole = True
    for layer, mult in pairs(design):
        cost, name = layer_cost(layer, mult, target, weights), layer["cfg"]
        if cost is None:
            whole = whole and layer["kind"] == "activ_config"
            continue
        for row in rows.get(
            (repo, design["project_dir"], design["tool"], design["part"], name), ()
        ):
            title = f"{repo}:{layer.get('name') or name}"
            yield from points_of(family_of(layer, mult, target), repo, title, cost, row)
        costs[name] = fifo(layer, cost, target)
        single = layer["kind"] == "activ_config" and len(activation_shape(layer)) == 1
        if layer["kind"] == "dense_config" or single:
            one_shot.add(name)
    if whole and costs:
        names = list(costs)
        chain = [(n, names[max(i - 1, 0) : i]) for i, n in enumerate(names)]
        total = total_cost(chain, costs, target, one_shot)
        family = f"design {target.io_type}"
        yield from points_of(family, repo, design["id"], total, design["hls"])
        yield from synthesis(design, total)


def fifo(layer: Layer, cost: Cost, target: Target) -> Cost:
    """Return the cost with the FIFO of the layer's result."""
    if not target.streams:
        return cost
    if layer["kind"] == "activ_config":
        shape = activation_shape(layer)
    else:
        channels = int(layer.get("n_filt") or layer.get("n_chan") or layer.get("n_out") or 1)
        shape = (
            prod(spatial_of(layer, "out")) if layer["kind"] != "dense_config" else 1,
            channels,
        )
    return with_fifo(cost, TensorType.full(shape, fixed(layer.get("out"))), 1, target.backend)


def synthesis(design: Layer, total: Cost) -> Iterator[Point]:
    """Yield the figures of logic synthesis, where a design has them."""
    if design["vsynth"]:
        for figure in ("lut", "ff"):
            real = float(design["vsynth"][figure])
            yield Point(
                "design synthesis",
                f"{figure}_synth",
                design["repo"],
                real,
                getattr(total, f"{figure}_synth"),
                design["id"],
            )


def single_dense(folder: Path) -> Iterator[Point]:
    """Yield the resource layers of wa-hls4ml-search; no weights are needed for those."""
    columns = {"lut": "LUT_hls", "ff": "FF_hls", "dsp": "DSP_hls", "bram18": "BRAM_18K_hls",
               "lat_max": "WorstLatency_hls", "ii_max": "IntervalMax_hls"}  # fmt: skip
    with (folder / "wa_search_single_dense.csv").open() as file:
        for row in csv.DictReader(file):
            if row["strategy"] == "resource" and int(row["rf"]) > 1:
                n_in, n_out, bits = int(row["d_in"]), int(row["d_out"]), int(row["prec"])
                rf = int(row["rf"])
                cost = resource_cost(
                    n_in=n_in,
                    n_out=n_out,
                    n=n_in * n_out,
                    input_bits=16,
                    weight_bits=bits,
                    reuse_factor=rf,
                    part=row["part"],
                )
                real = {name: row[column] for name, column in columns.items()}
                yield from points_of(
                    "resource",
                    "wa-hls4ml-search",
                    row["model_name"] + "/" + row["rf"],
                    cost,
                    real,
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
