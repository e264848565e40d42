"""Configurations computed a second time, by the way that everyone goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.core.distance import classes_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.power import power_of
from hwflow.exploration.costs import ENERGY, SUMS
from hwflow.exploration.explorer import Explorer, Priced
from hwflow.exploration.tree import Samples
from hwflow.ir.cost import Cost
from hwflow.project.compiler import compile as compile_model
from hwflow.project.design import Design
from hwflow.simulate.stream.summary import label_outputs


@dataclass(frozen=True, eq=False)
class Golden:
    """What the golden model and the estimator of a configuration's design say.

    Attributes:
        design: the design.
        right: for each sample, whether its label is given; None without labels.
        agree: for each sample, whether the float model's class is given.
    """

    design: Design
    right: npt.NDArray[np.bool_] | None
    agree: npt.NDArray[np.bool_]

    @property
    def counts(self) -> tuple[int, int]:
        """Right answers as ``Tree.counts`` gives them."""
        return (-1 if self.right is None else int(self.right.sum()), int(self.agree.sum()))


def golden(explorer: Explorer, number: int, board: str, samples: Samples) -> Golden:
    """Compile a configuration and run its golden model on samples."""
    model = explorer.bench.quantized(explorer.space.bits(number))
    design = compile_model(model, config=explorer.request.config(board))
    return judged(design, samples)


def judged(design: Design, samples: Samples) -> Golden:
    """Run a design's golden model on samples."""
    name = design.graph.outputs[0].name
    outputs = [batch.outputs[name] for batch in design.stream(dict(samples.inputs), threads=1)]
    whole = name in label_outputs(design.graph)
    classes = classes_of(np.concatenate(outputs), whole=whole)
    assert classes is not None
    right = None if samples.labels is None else np.asarray(classes == samples.labels)
    return Golden(design, right, np.asarray(classes == samples.wanted))


def priced_total(design: Design) -> Cost:
    """Return the estimate that explorations compare: with FIFOs of whole values in io_stream.

    Least depths are a matter of the whole design, and are found for what is built.
    """
    return estimate(design.graph, design.target, design.board).total


@dataclass(frozen=True)
class Recomputed:
    """What the usual way gives for a configuration.

    Attributes:
        number: the configuration.
        counts: right answers of the golden model, as ``Tree.counts`` gives them.
        figures: estimates, by the names that ``Priced.figures`` has for them.
    """

    number: int
    counts: tuple[int, int]
    figures: dict[str, float]


def recomputed(explorer: Explorer, priced: Priced, number: int) -> Recomputed:
    """Compute a configuration by golden model and estimate, in any process that has the model."""
    found = golden(explorer, number, priced.name, explorer.search)
    design = found.design
    total = priced_total(design)
    figures = {name: getattr(total, name).value for name in (*SUMS, "ii", "latency_cycles")}
    power = power_of(total, priced.board, design.target.clock_period_ns)
    if power is not None:
        figures[ENERGY] = power.single_uj.value
    return Recomputed(number, found.counts, figures)


def compare(priced: Priced, counts: tuple[int, int], usual: Recomputed) -> None:
    """Compare what a search found of a configuration with what the usual way gives.

    Raises:
        CompileError: HW329, they differ.
    """
    number = usual.number
    if usual.counts != counts:
        raise CompileError([differs(number, "right answers", counts, usual.counts)])
    ours = {k: float(v[0]) for k, v in priced.figures(np.array([number])).items()}
    for name, value in usual.figures.items():
        if abs(ours[name] - value) > 1e-9 * abs(value):
            raise CompileError([differs(number, name, ours[name], value)])


def differs(number: int, what: str, ours: object, theirs: object) -> Diagnostic:
    """Return what is said where a search and a design differ."""
    return Diagnostic(
        code="HW329", title="exploration that differs from the design", where=f"point {number}",
        found=f"{what}: {ours} in the search, {theirs} in the design",
        help="this is an error of hwflow, please report it; nothing of this run can be trusted",
    )  # fmt: skip
