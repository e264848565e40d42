"""Errors with the scales of the relations refitted, and a repository left out.

Each relation has one free factor here, the scale of its constants: a figure of a design is the sum
of what families of layers take (areas), or one number (II and cycles). The factors are fitted on
all other repositories, by least absolute logarithm of real over estimated, every repository
weighing the square root of its designs; the designs of the one left out are then estimated with
them. Thresholds and the form of the relations are not fitted again.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hwflow.estimate.report import EstimateReport
from hwflow.estimate.spread import AREA, PLUS
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target
from tests.benchmarks.calibration_points import Figure, smape

STEPS = np.exp(np.linspace(-0.7, 0.7, 29))
"""Factors that are tried, half to twice."""

ROUNDS = 3
"""How often each factor is fitted beside the others."""

FEW = 10
"""Repositories below which a figure has one factor: more would fit single repositories."""

F64 = npt.NDArray[np.float64]


def family_of(node: Node) -> str:
    """Return which relations estimate a layer."""
    strategy = getattr(node.op, "strategy", "")
    if not strategy:
        return "other"
    return str(strategy) if getattr(node.op, "reuse_factor", 1) > 1 else "unrolled"


def parts_of(
    figure: str, report: EstimateReport, graph: Graph, target: Target
) -> tuple[tuple[str, float], ...]:
    """Return what each family of layers has of a figure of a design."""
    if figure not in AREA:
        return ((target.backend, getattr(report.total, figure).value),)
    parts: Counter[str] = Counter()
    for node, row in zip(graph.nodes, report.layers, strict=True):
        parts[family_of(node)] += getattr(row.cost, figure).value
    parts["design"] += getattr(report.total, figure).value - sum(parts.values())
    return tuple(parts.items())


def left_out_errors(figures: Sequence[Figure]) -> list[float]:
    """Return the SMAPE of each design with factors that its repository had no part in."""
    names = sorted({name for f in figures for name, _ in f.parts})
    parts = np.array([[dict(f.parts).get(name, 0.0) for name in names] for f in figures])
    repos = np.array([f.repo for f in figures])
    if len(set(repos.tolist())) < FEW:
        parts = parts.sum(axis=1, keepdims=True)
    real = np.array([f.real for f in figures])
    count = Counter(repos.tolist())
    weights = np.array([count[repo] ** -0.5 for repo in repos])
    errors = np.zeros(len(figures))
    for repo in set(repos.tolist()):
        others, plus = repos != repo, PLUS[figures[0].figure]
        scale = _fitted(parts[others], real[others] + plus, weights[others], plus)
        mine = np.flatnonzero(~others)
        errors[mine] = [smape(real[i], float(parts[i] @ scale)) for i in mine]
    return [float(error) for error in errors]


def _fitted(parts: F64, real: F64, weights: F64, plus: float) -> F64:
    """Return the factors of families, one after the other and several times over."""
    scale = np.ones(parts.shape[1])
    for _ in range(ROUNDS):
        for family in range(len(scale)):
            trials = np.repeat(scale[None], len(STEPS), axis=0)
            trials[:, family] = STEPS
            found = np.maximum(parts @ trials.T, 0.0) + plus
            errors = (weights[:, None] * np.abs(np.log(real[:, None] / found))).sum(axis=0)
            scale[family] = STEPS[int(errors.argmin())]
    return scale
