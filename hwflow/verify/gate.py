"""The gate for CI: what was found out, held against limits, as a list of checks.

A check passes or fails. A limit that cannot be evaluated is an error, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.limits import RESOURCES, VerifySettings
from hwflow.estimate.graph import BOARD_COLUMN
from hwflow.estimate.report import EstimateReport
from hwflow.ir.cost import Estimate
from hwflow.ir.qonnx.model import printable
from hwflow.verify.budget import OutputLoss
from hwflow.verify.checks import (
    Check,
    agreement_check,
    check_name,
    cost_check,
    coverage_check,
    exact_check,
    exact_percent,
    saturation_check,
    share_check,
)
from hwflow.verify.verification import Verification

_LABELS = "give data with labels (y) for a model that gives classes, or leave out the limit"
_FLOAT_MODEL = "give the model before quantisation, --float-model, or leave out the limit"
_NUMBER = "give a number instead of a share, or a board that has some"
_LEAVE_OUT = "leave out the limit"
"""What to do where a limit cannot be evaluated."""


@dataclass
class Gate:
    """Holds what was found out about a design against limits.

    Attributes:
        limits: the limits to check.
        verification: what was found out with data.
        estimate: the estimate of the same design.
    """

    limits: VerifySettings
    verification: Verification
    estimate: EstimateReport
    _unknown: list[Diagnostic] = field(init=False, default_factory=list)

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
            name, share = check_name("accuracy", error, found), self._share(error.accuracy)
            yield share_check(name, share, limit, at_least=True, detail="of the hardware")

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
            name = check_name("drop", error, [pair[0] for pair in pairs])
            detail = f"float reference {exact_percent(real)}, hardware {exact_percent(ours)}"
            yield share_check(name, real - ours, limit, at_least=False, detail=detail)

    def _same_classes(self) -> Iterator[Check]:
        limit = self.limits.share("min_agreement")
        if limit is None:
            return
        losses = self._losses("min_agreement")
        found = [loss for loss in losses if loss.hardware_agreement is not None]
        if losses and not found:
            self._cannot("min_agreement", "no output gives a class", _LEAVE_OUT)
        for loss in found:
            name = check_name("agreement", loss.error, [other.error for other in found])
            share = self._share(loss.hardware_agreement)
            detail = "samples with the float reference's class"
            yield share_check(name, share, limit, at_least=True, detail=detail)

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
            use = next((u for u in self.estimate.utilisation if u.resource == resource), None)
            if not amount.percent:
                used = getattr(self.estimate.total, BOARD_COLUMN[resource], Estimate())
                if use and (use.basis == "extrapolated" or resource == "bram_18k"):
                    used = use.used  # in the blocks of the board, and as many as are asked for
                yield cost_check(setting, used, amount, f"of {use.available:,}" if use else "")
            elif use is None or not use.available:
                where = self.estimate.board or "no board"
                self._cannot(setting, f"{where} has no {resource}", _NUMBER)
            else:
                yield cost_check(setting, use.percent, amount, f"of {use.available:,}")

    def _timing(self) -> Iterator[Check]:
        latency, ii = self.limits.amount("max_latency_us"), self.limits.amount("max_ii")
        if latency is not None:
            found = self.estimate.latency_ns.scaled(1e-3)
            yield cost_check("max_latency_us", found, latency, "", unit=" µs")
        if ii is not None:
            yield cost_check("max_ii", self.estimate.total.ii, ii, "")

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
