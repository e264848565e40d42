"""The outcome of a gate as Markdown, for the summary of a CI job."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from hwflow.core.errors import Diagnostic
from hwflow.report.markdown import finding
from hwflow.report.markup import plain, table
from hwflow.simulate.coverage.words import coverage_text
from hwflow.verify.agreement import Agreement
from hwflow.verify.budget import Budget
from hwflow.verify.checks import Check, outcome
from hwflow.verify.verification import Verification
from hwflow.verify.words.distances import sqnr
from hwflow.verify.words.numbers import percent, real


def gate_markdown(
    name: str, subject: str, checks: Sequence[Check], verification: Verification
) -> str:
    """Return a section in GitHub's Markdown: every check, where one fails, and what was lost.

    Args:
        name: name of the design.
        subject: model and target, in one line.
        checks: the checks in order.
        verification: what they rest on.
    """
    samples = f"{verification.simulation.samples:,} samples"
    lines = [
        f"## hwflow verify: {plain(name)}: {outcome(checks)}",
        "",
        f"{plain(subject)}; data: {samples} from {plain(verification.data)}",
        "",
        *_tried(verification),
        *_table_of(checks),
        *_failures(checks),
        *_verdict(verification.lossless),
        *_lost(verification),
    ]
    return "\n".join(lines) + "\n\n"


def _tried(verification: Verification) -> Iterator[str]:
    """Yield what the data reached and clipped, and what is to be said about it."""
    if verification.coverage is not None:
        yield f"Coverage {plain(coverage_text(verification.coverage))}"
        yield ""
    yield f"Saturated: {plain(str(verification.saturation))}"
    yield ""
    yield from map(finding, verification.findings)
    if verification.findings:
        yield ""


def errors_markdown(name: str, findings: Sequence[Diagnostic]) -> str:
    """Return a section in GitHub's Markdown that says why nothing was checked.

    Args:
        name: name of the model or the project.
        findings: why.
    """
    count = f"{len(findings)} error{'s' * (len(findings) > 1)}"
    lines = [f"## hwflow verify: {plain(name)}: {count}, nothing was checked", ""]
    for said in findings:
        text = _shown(said.title)
        lines += [f"- **{said.code}** {plain(text)}", "", *_verbatim(_shown(str(said))), ""]
    return "\n".join(lines) + "\n"


def _shown(text: str) -> str:
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in text)


def _verbatim(text: str) -> Iterator[str]:
    """Yield text as it is, in a block that nothing in it can end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"  {fence}text"
    yield from (f"  {line}" for line in text.split("\n"))
    yield f"  {fence}"


def _table_of(checks: Sequence[Check]) -> Iterator[str]:
    head = ("Check", "About", "Value:", "Limit:", "Outcome")
    rows = (
        (plain(c.name), plain(c.about), plain(c.value), plain(c.limit), _answer(c)) for c in checks
    )
    yield from table(head, rows)


def _answer(check: Check) -> str:
    return "pass" if check.passed else "**FAIL**"


def _failures(checks: Sequence[Check]) -> Iterator[str]:
    failed = [check for check in checks if not check.passed and check.detail]
    if failed:
        yield ""
    for check in failed:
        yield f"- **{plain(check.name)}**: {plain(check.detail)}"


def _verdict(lossless: Agreement | None) -> Iterator[str]:
    """Yield what the hardware is to the quantised model."""
    if lossless is None or lossless.verdict is None:
        return
    yield ""
    yield f"Hardware against quantised model: **{plain(str(lossless.verdict))}**"
    for text in lossless.verdict.reasons():
        yield f"- {plain(text)}"


def _lost(verification: Verification) -> Iterator[str]:
    """Yield what quantisation cost, apart from what the hardware does."""
    budget = verification.budget
    yield ""
    yield "### Quantised model against float reference"
    yield ""
    if budget is None:
        yield f"Not compared: {plain(verification.no_budget)}."
        return
    yield f"Reference: {plain(budget.reference)}."
    yield ""
    yield from table(
        ("Output", "Accuracy:", "of the reference:", "Same class:", "SQNR:", "KL, nats:",
         "Largest error:", "Mean error:"),
        _rows(budget),
    )  # fmt: skip


def _rows(budget: Budget) -> Iterator[tuple[str, ...]]:
    for loss in budget.outputs:
        error = loss.error
        shares = (error.accuracy, error.reference_accuracy, error.argmax_agreement)
        yield (
            plain(error.output),
            *("" if share is None else percent(share, 2) for share in shares),
            sqnr(error),
            "" if loss.kl_divergence is None else f"{loss.kl_divergence:.3g}",
            real(error.max_abs),
            real(error.mean_abs),
        )
