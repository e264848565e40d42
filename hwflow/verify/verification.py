"""The record of everything that was found out about a design with data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from hwflow.core.distance import OutputError
from hwflow.core.errors import Diagnostic
from hwflow.ir.notebook import Cell, html_table
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.coverage.words import Saturation, kinds_text, percent, worst_saturation
from hwflow.simulate.numpy import Simulation
from hwflow.verify.agreement import Agreement
from hwflow.verify.budget import Budget
from hwflow.verify.words.distances import error_parts, loss_parts
from hwflow.verify.words.statements import (
    FAITHFUL,
    GOLDEN,
    LOSSLESS,
    Claim,
    first_difference,
    judge_lines,
)


@dataclass(frozen=True)
class Statement:
    """One statement about a design.

    Attributes:
        claim: what it says.
        found: the comparison that shows it; None where there was none.
        reason: why there was none, or empty.
    """

    claim: Claim
    found: Agreement | None
    reason: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Verification:
    """Everything that was found out with data.

    Attributes:
        faithful: simulation against C++; None where the C++ was not run.
        lossless: hardware against the trained model; None where it was not compared.
        errors: per output, hardware against the quantised model as float32 executes it on the data
            as given, before the ports round it.
        simulation: the simulation itself, with its counters.
        data: where the data comes from.
        seconds: time taken by step.
        budget: the quantised model against the float reference; None where it was not compared.
        no_budget: why it was not, or empty.
        data_sha256: digest of inputs and labels.
        seed: seed of made-up data; None where the data was given.
        golden: simulation against the golden model; None where there is none.
        no_golden: why there is none, or empty.
        coverage: what the data reached in each layer; None where that was not found out.
        findings: warnings about the data: it tries little of the design, or saturates at a port.
    """

    faithful: Agreement | None
    lossless: Agreement | None
    errors: tuple[OutputError, ...]
    simulation: Simulation
    data: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    budget: Budget | None = None
    no_budget: str = ""
    data_sha256: str = ""
    seed: int | None = None
    golden: Agreement | None = None
    no_golden: str = ""
    coverage: Coverage | None = None
    findings: tuple[Diagnostic, ...] = ()

    @property
    def saturation(self) -> Saturation:
        """The layer that clipped the largest share of its values."""
        return worst_saturation(self.simulation.counters)

    def __repr__(self) -> str:
        """Return the statements in a line each."""
        lines = [f"Verification: {self.simulation.samples:,} samples from {self.data or 'data'}"]
        lines += [f"  {said.claim.name}: {said.found or 'not checked'}" for said in self.statements]
        return "\n".join(lines)

    @property
    def statements(self) -> tuple[Statement, ...]:
        """Every statement with what was found out about it, in the order in which they stand."""
        return (
            Statement(FAITHFUL, self.faithful),
            Statement(GOLDEN, self.golden, self.no_golden),
            Statement(LOSSLESS, self.lossless),
        )

    @property
    def made_up(self) -> bool:
        """Whether nobody gave data."""
        return self.seed is not None

    @property
    def bit_exact(self) -> bool:
        """Whether C++ and golden model give the simulation's bits; without the latter, the C++."""
        golden = self.golden is None or self.golden.holds
        return self.faithful is not None and self.faithful.holds and golden

    def _repr_html_(self) -> str:
        """Return the statements and the errors of the outputs, for notebooks."""
        rows = [row for said in self.statements for row in _rows(said)]
        for error in self.errors:
            name = f"hardware against quantised model, {error.output}"
            rows.append((name, ", ".join(error_parts(error)), ""))
        for loss in () if self.budget is None else self.budget.outputs:
            name = f"quantised against float model, {loss.error.output}"
            rows.append((name, ", ".join(loss_parts(loss)), ""))
        if self.coverage is not None:
            rows.append(("coverage", percent(self.coverage.share), kinds_text(self.coverage)))
        rows.append(("saturated", str(self.saturation), ""))
        caption = f"{self.simulation.samples:,} samples from {self.data}"
        return html_table(caption, ("statement", "outcome", "where, why"), rows)


def _rows(said: Statement) -> Iterator[tuple[object, ...]]:
    """Yield what a notebook shows of a statement."""
    name, found = said.claim.name, said.found
    if found is None:
        yield name, Cell("not checked", "unsure"), said.reason
        return
    detail = "" if found.first is None else first_difference(found.first)
    if found.verdict is not None and found.verdict.approximate:
        detail = str(found.verdict)
    says = {"yes": "good", "no": "bad"}.get(found.answer, "unsure")
    yield name, Cell(found.answer, says), detail
    for line in judge_lines(found):
        yield "", line, ""
