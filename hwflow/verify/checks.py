"""Checks: statements that a design must meet, with what was found and what is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from hwflow.core.distance import OutputError
from hwflow.core.limits import Amount
from hwflow.ir.cost import Estimate
from hwflow.ir.qonnx.model import printable
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.coverage.words import Saturation, kinds_text
from hwflow.verify.agreement import Agreement
from hwflow.verify.verdict.state import State
from hwflow.verify.words.statements import first_difference

HARDWARE = "hardware against quantised model"
ACCURACY = "accuracy on the data"
DATA = "what the data tried"
COST = "estimated cost"
PROJECT = "project"
"""What checks are about."""

WORST = 3
"""Layers that a check of coverage names."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One statement that a design must meet.

    Attributes:
        name: the check in a word, unique among the checks of a design.
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

    def __str__(self) -> str:
        """Return the name with what was found and asked for."""
        return f"{self.name}: {self.compared}"

    @property
    def compared(self) -> str:
        """What was found beside what is asked for, e.g. ``3 of 300 differ, limit 0 differ``."""
        return f"{self.value}, limit {self.limit}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, for JSON."""
        texts = {k: getattr(self, k) for k in ("name", "about", "value", "limit", "detail")}
        return {**texts, "passed": self.passed, "found": self.figures[0], "bound": self.figures[1]}


def coverage_check(found: Coverage, limit: Fraction) -> Check:
    """Return whether data reached a share of all goals, and where it missed most."""
    missed = sorted(found.layers, key=lambda layer: layer.share)[:WORST]
    texts = [f"{n.name} ({kinds_text(n, missed=True)})" for n in missed if n.total.missed]
    detail = f"least in {'; '.join(texts)}" if texts else "all there is to reach"
    return share_check("coverage", found.share, limit, at_least=True, detail=detail, about=DATA)


def saturation_check(found: Saturation, limit: Fraction) -> Check:
    """Return whether no layer clipped more than a share of its values."""
    counters = found.counters
    share = Fraction(counters.saturated, max(counters.elements, 1))
    detail = f"{found.layer}: {found.counted}" if found.layer else "no layer clips a value"
    return share_check("saturation", share, limit, at_least=False, detail=detail, about=DATA)


def agreement_check(name: str, agreement: Agreement | None) -> Check:
    """Return whether two computations agree in every bit, and where they first do not."""
    if agreement is None:
        return Check(name=name, about=HARDWARE, value="not run", limit="0 differ", passed=False)
    detail = "" if agreement.first is None else first_difference(agreement.first)
    figures = (agreement.mismatches, 0)
    value = f"{agreement.counted} differ"
    return Check(
        name=name,
        about=HARDWARE,
        value=value,
        limit="0 differ",
        passed=agreement.holds,
        detail=detail,
        figures=figures,
    )


def exact_check(agreement: Agreement) -> Check:
    """Return whether a design is lossless without any layer that is approximate."""
    verdict = agreement.verdict
    assert verdict is not None  # every comparison with a model has one
    wrong = verdict.state is State.NOT_LOSSLESS and agreement.first is not None
    details = [first_difference(agreement.first)] if wrong and agreement.first else []
    details += verdict.reasons()
    return Check(
        name="exact",
        about=HARDWARE,
        value=str(verdict),
        limit=str(State.LOSSLESS),
        passed=verdict.state is State.LOSSLESS,
        detail="; ".join(details),
        figures=(agreement.mismatches, 0),
    )


def files_check(files: int, changed: Sequence[str]) -> Check:
    """Return whether the files of a project are as they were written.

    Args:
        files: how many were written.
        changed: those that are not as they were, one line for each.
    """
    shown = "; ".join(changed[:3]) + ("; ..." if len(changed) > 3 else "")
    value = f"{len(changed):,} of {files:,} changed"
    return Check(
        name="files",
        about=PROJECT,
        value=value,
        limit="0 changed",
        passed=not changed,
        detail=shown,
        figures=(len(changed), 0),
    )


def check_name(what: str, error: OutputError, all_errors: Sequence[OutputError]) -> str:
    """Return the name of a check of one output, with its name where there are several."""
    return what if len(all_errors) == 1 else f"{what} of {printable(error.output)}"


def share_check(
    name: str,
    share: Fraction,
    limit: Fraction,
    *,
    at_least: bool,
    detail: str = "",
    about: str = ACCURACY,
) -> Check:
    """Return whether a share keeps to a limit.

    Args:
        name: name of the check.
        share: what was found.
        limit: what is asked for.
        at_least: the limit is the least share, and not the greatest.
        detail: what the share rests on.
        about: what the check is about.
    """
    passed = share >= limit if at_least else share <= limit
    sign = "≥" if at_least else "≤"
    value, asked = exact_percent(share), f"{sign} {exact_percent(limit)}"
    return Check(
        name=name,
        about=about,
        value=value,
        limit=asked,
        passed=passed,
        detail=detail,
        figures=(float(share), float(limit)),
    )


def exact_percent(share: Fraction) -> str:
    """Return a share in per cent, with as many decimals as it takes, four at most."""
    text = f"{float(100 * share):.4f}".rstrip("0").rstrip(".")
    return f"{text} %"


def cost_check(setting: str, found: Estimate, amount: Amount, of: str, *, unit: str = "") -> Check:
    """Return whether the best value of an estimate, or its upper end, keeps to a limit.

    Args:
        setting: name of the limit in the settings.
        found: what is estimated, in ``unit``, or in per cent where the limit is.
        amount: the limit.
        of: what the figure is a part of, in words, or empty.
        unit: unit of the figure.
    """
    factor, unit = (100, " %") if amount.percent else (1, unit)
    bound = amount.value * factor
    ends = (found.value, found.low, found.high)
    best, low, high = (f"{v:,.4g}" if v < 1000 else f"{v:,.0f}" for v in ends)
    held, value, which = found.value, best, "best value"
    if amount.high:
        held, value, which = found.high, high, "upper end"
    interval = f"{which}, estimated {low} to {high}{unit}" if low != high else "estimated"
    return Check(
        name=setting.removeprefix("max_").removesuffix("_us"),
        about=COST,
        value=f"{value}{unit} {of}".strip() if amount.percent else f"{value}{unit}",
        limit=f"≤ {float(bound):,.10g}{unit}",
        passed=Fraction(held) <= bound,
        detail=interval if amount.percent or not of else f"{interval}; {of}",
        figures=(held, float(bound)),
    )


def outcome(checks: Sequence[Check]) -> str:
    """Return what checks came to, e.g. ``2 of 6 checks failed``."""
    failed = sum(not check.passed for check in checks)
    return f"{failed} of {len(checks)} checks failed" if failed else "passed"
