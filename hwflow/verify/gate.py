"""The gate for CI: what was found out, held against limits, as a list of checks.

A check passes or fails. A limit that cannot be evaluated is an error, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from hwflow.core.distance import OutputError
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.limits import RESOURCES, Amount, VerifySettings
from hwflow.estimate.graph import BOARD_COLUMN, EstimateReport
from hwflow.ir.cost import Estimate
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.coverage.words import Saturation, kinds_text
from hwflow.verify.agreement import Agreement, Divergence, Verification
from hwflow.verify.budget import OutputLoss
from hwflow.verify.verdict.state import State

HARDWARE = "hardware against quantised model"
ACCURACY = "accuracy on the data"
DATA = "what the data tried"
COST = "estimated cost"
PROJECT = "project"
"""What checks are about."""

WORST = 3
"""Layers that a check of coverage names."""

_LABELS = "give data with labels (y) for a model that gives classes, or leave out the limit"
_FLOAT_MODEL = "give the model before quantisation, --float-model, or leave out the limit"
_NUMBER = "give a number instead of a share, or a board that has some"
_LEAVE_OUT = "leave out the limit"
"""What to do where a limit cannot be evaluated."""


@dataclass(frozen=True)
class Check:
    """One statement that a design must meet.

    Attributes:
        name: in a word, unique among the checks of a design.
        about: one of ``HARDWARE``, ``ACCURACY``, ``DATA``, ``COST``, ``PROJECT``.
        value: what was found, for people.
        limit: what is asked for, for people.
        passed: whether it is met.
        detail: where it fails, or what the value rests on; may be empty.
        figures: value and limit as numbers.
    """

    name: str
    about: str
    value: str
    limit: str
    passed: bool
    detail: str = ""
    figures: tuple[float, float] = (0.0, 0.0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        texts = {k: getattr(self, k) for k in ("name", "about", "value", "limit", "detail")}
        return {**texts, "passed": self.passed, "found": self.figures[0], "bound": self.figures[1]}


@dataclass
class Gate:
    """Holds what was found out about a design against limits.

    Attributes:
        limits: to check.
        verification: what was found out with data.
        estimate: of the same design.
    """

    limits: VerifySettings
    verification: Verification
    estimate: EstimateReport
    _unknown: list[Diagnostic] = field(default_factory=list)

    def checks(self) -> tuple[Check, ...]:
        """Return all checks: every bit, and each limit that is set.

        Raises:
            CompileError: HW408, for each limit that cannot be evaluated.
        """
        self._unknown.clear()
        found = (
            *self._agreements(),
            *self._accuracies(),
            *self._drops(),
            *self._same_classes(),
            *self._data(),
            *self._resources(),
            *self._timing(),
        )
        if self._unknown:
            raise CompileError(self._unknown)
        return found

    def _agreements(self) -> Iterator[Check]:
        """Yield whether every bit agrees."""
        yield agreement_check("faithful", self.verification.faithful)
        if self.verification.golden is not None:
            yield agreement_check("golden", self.verification.golden)
        if self.limits.lossless:
            lossless = self.verification.lossless
            if lossless is None:
                self._cannot("lossless", "the hardware was not compared with the model", _LEAVE_OUT)
            else:
                yield agreement_check("lossless", lossless)
        if self.limits.exact:
            if self.verification.lossless is None:
                self._cannot("exact", "the hardware was not compared with the model", _LEAVE_OUT)
            else:
                yield exact_check(self.verification.lossless)

    def _accuracies(self) -> Iterator[Check]:
        limit = self.limits.share("min_accuracy")
        if limit is None:
            return
        found = [e for e in self.verification.errors if e.accuracy is not None]
        if not found:
            self._cannot("min_accuracy", self._no_accuracy(), _LABELS)
        for error in found:
            name, share = _named("accuracy", error, found), self._share(error.accuracy)
            yield _share_check(name, share, limit, at_least=True, detail="of the hardware")

    def _drops(self) -> Iterator[Check]:
        limit = self.limits.share("max_drop")
        if limit is None:
            return
        losses = self._losses("max_drop")
        hardware = {e.output: e.accuracy for e in self.verification.errors}
        pairs = [
            (loss.error, self._share(loss.error.reference_accuracy), self._share(accuracy))
            for loss in losses
            if (accuracy := hardware.get(loss.error.output)) is not None
            and loss.error.reference_accuracy is not None
        ]
        if losses and not pairs:
            self._cannot("max_drop", self._no_accuracy(), _LABELS)
        for error, real, ours in pairs:
            name = _named("drop", error, [pair[0] for pair in pairs])
            detail = f"float reference {_percent(real)}, hardware {_percent(ours)}"
            yield _share_check(name, real - ours, limit, at_least=False, detail=detail)

    def _same_classes(self) -> Iterator[Check]:
        limit = self.limits.share("min_agreement")
        if limit is None:
            return
        losses = self._losses("min_agreement")
        found = [loss for loss in losses if loss.hardware_agreement is not None]
        if losses and not found:
            self._cannot("min_agreement", "no output gives a class", _LEAVE_OUT)
        for loss in found:
            name = _named("agreement", loss.error, [other.error for other in found])
            share = self._share(loss.hardware_agreement)
            detail = "samples with the float reference's class"
            yield _share_check(name, share, limit, at_least=True, detail=detail)

    def _data(self) -> Iterator[Check]:
        """Yield whether the data reached enough, and was not clipped too much."""
        limit, found = self.limits.share("min_coverage"), self.verification.coverage
        if limit is not None and found is None:
            self._cannot("min_coverage", "what the data reached was not found out", _LEAVE_OUT)
        elif limit is not None and found is not None:
            yield coverage_check(found, limit)
        limit = self.limits.share("max_saturation")
        if limit is not None:
            yield saturation_check(self.verification.saturation, limit)

    def _losses(self, limit: str) -> tuple[OutputLoss, ...]:
        """Return what outputs lost against the float reference, which a limit needs."""
        budget = self.verification.budget
        if budget is None:
            why = self.verification.no_budget or "not compared"
            self._cannot(limit, f"no float reference: {why}", _FLOAT_MODEL)
            return ()
        return budget.outputs

    def _resources(self) -> Iterator[Check]:
        for setting, resource in RESOURCES.items():
            amount = self.limits.amount(setting)
            if amount is None:
                continue
            used = getattr(self.estimate.total, BOARD_COLUMN[resource], Estimate())
            use = next((u for u in self.estimate.utilisation if u.resource == resource), None)
            if not amount.percent:
                yield _cost_check(setting, used, amount, f"of {use.available:,}" if use else "")
            elif use is None or not use.available:
                where = self.estimate.board or "no board"
                self._cannot(setting, f"{where} has no {resource}", _NUMBER)
            else:
                yield _cost_check(setting, use.percent, amount, f"of {use.available:,}")

    def _timing(self) -> Iterator[Check]:
        latency, ii = self.limits.amount("max_latency_us"), self.limits.amount("max_ii")
        if latency is not None:
            found = self.estimate.latency_ns.scaled(1e-3)
            yield _cost_check("max_latency_us", found, latency, "", unit=" µs")
        if ii is not None:
            yield _cost_check("max_ii", self.estimate.total.ii, ii, "")

    def _share(self, share: float | None) -> Fraction:
        """Return a share of the samples as the fraction that it was counted as."""
        samples = self.verification.simulation.samples
        return Fraction(round((share or 0.0) * samples), samples)

    def _no_accuracy(self) -> str:
        if not self.verification.errors:
            return self.verification.no_budget or "the model was not run"
        return f"{self.verification.data} has no labels, or no output gives a class"

    def _cannot(self, limit: str, why: str, what_to_do: str) -> None:
        self._unknown.append(
            Diagnostic(
                code="HW408",
                title="a limit cannot be evaluated",
                where=limit,
                found=printable(why),
                help=what_to_do,
            )
        )


def coverage_check(found: Coverage, limit: Fraction) -> Check:
    """Return whether data reached a share of all goals, and where it missed most."""
    missed = sorted(found.layers, key=lambda layer: layer.share)[:WORST]
    texts = [f"{n.name} ({kinds_text(n, missed=True)})" for n in missed if n.total.missed]
    detail = f"least in {'; '.join(texts)}" if texts else "all there is to reach"
    return _share_check("coverage", found.share, limit, at_least=True, detail=detail, about=DATA)


def saturation_check(found: Saturation, limit: Fraction) -> Check:
    """Return whether no layer clipped more than a share of its values."""
    counters = found.counters
    share = Fraction(counters.saturated, max(counters.elements, 1))
    detail = f"{found.layer}: {found.counted}" if found.layer else "no layer clips a value"
    return _share_check("saturation", share, limit, at_least=False, detail=detail, about=DATA)


def agreement_check(name: str, agreement: Agreement | None) -> Check:
    """Return whether two computations agree in every bit, and where they first do not."""
    if agreement is None:
        return Check(name, HARDWARE, "not run", "0 differ", passed=False)
    elements = sum(layer.elements for layer in agreement.layers)
    count = agreement.mismatches
    detail = "" if agreement.first is None else divergence_text(agreement.first)
    value = f"{count:,} of {elements:,} differ"
    return Check(name, HARDWARE, value, "0 differ", agreement.holds, detail, (count, 0))


def exact_check(agreement: Agreement) -> Check:
    """Return whether a design is lossless without any layer that is approximate."""
    verdict = agreement.verdict
    assert verdict is not None  # every comparison with a model has one
    wrong = verdict.state is State.NOT_LOSSLESS and agreement.first is not None
    details = [divergence_text(agreement.first)] if wrong and agreement.first else []
    details += verdict.reasons()
    return Check(
        "exact", HARDWARE, str(verdict), str(State.LOSSLESS), verdict.state is State.LOSSLESS,
        "; ".join(details), (agreement.mismatches, 0),
    )  # fmt: skip


def divergence_text(first: Divergence) -> str:
    """Return where two computations first differ, in one line."""
    known = first.origin not in ("", first.layer)
    layer = f"{first.layer} ({printable(first.origin)})" if known else first.layer
    index = ", ".join(map(str, first.index))
    text = (
        f"first in {layer} at [{index}]: expected {first.expected:.10g}, found {first.found:.10g}; "
        f"{first.cause}"
    )
    return f"{text}; sample saved in {first.reproducer}" if first.reproducer else text


def files_check(files: int, changed: Sequence[str]) -> Check:
    """Return whether the files of a project are as they were written.

    Args:
        files: how many were written.
        changed: those that are not as they were, one line for each.
    """
    shown = "; ".join(changed[:3]) + ("; ..." if len(changed) > 3 else "")
    value = f"{len(changed):,} of {files:,} changed"
    return Check("files", PROJECT, value, "0 changed", not changed, shown, (len(changed), 0))


def _named(what: str, error: OutputError, all_errors: Sequence[OutputError]) -> str:
    """Return the name of a check of one output, with its name where there are several."""
    return what if len(all_errors) == 1 else f"{what} of {printable(error.output)}"


def _share_check(
    name: str,
    share: Fraction,
    limit: Fraction,
    *,
    at_least: bool,
    detail: str = "",
    about: str = ACCURACY,
) -> Check:
    passed = share >= limit if at_least else share <= limit
    sign = "≥" if at_least else "≤"
    figures = (float(share), float(limit))
    return Check(name, about, _percent(share), f"{sign} {_percent(limit)}", passed, detail, figures)


def _percent(share: Fraction) -> str:
    """Return a share in per cent, with as many decimals as it takes, four at most."""
    text = f"{float(100 * share):.4f}".rstrip("0").rstrip(".")
    return f"{text} %"


def _cost_check(setting: str, found: Estimate, amount: Amount, of: str, *, unit: str = "") -> Check:
    """Return whether the best single figure of an estimate keeps to a limit."""
    factor, unit = (100, " %") if amount.percent else (1, unit)
    bound = amount.value * factor
    value, low, high = (f"{v:,.4g}" if v < 1000 else f"{v:,.0f}" for v in vars(found).values())
    interval = f"estimated, {low} to {high}{unit}" if low != high else "estimated"
    return Check(
        setting.removeprefix("max_").removesuffix("_us"),
        COST,
        f"{value}{unit} {of}".strip() if amount.percent else f"{value}{unit}",
        f"≤ {float(bound):,.10g}{unit}",
        Fraction(found.value) <= bound,
        interval if amount.percent or not of else f"{interval}; {of}",
        (found.value, float(bound)),
    )
