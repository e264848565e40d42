"""What the command line prints about a verification: one screen, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table, warnings
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwflow.core.distance import OutputError
    from hwflow.project.design import Design
    from hwflow.project.verification import Verified
    from hwflow.verify.agreement import Agreement, Verification
    from hwflow.verify.budget import Budget, OutputLoss
    from hwflow.verify.gate import Check
    from hwflow.verify.verdict import Verdict

LAYERS = 3
"""Layers with the lowest signal to noise ratio that are printed; the report has all."""

SAMPLES = 5
"""Samples that are named of each kind."""


def status(verification: Verification) -> int:
    """Return the exit status: 0 when simulation, C++ and golden model agree in every bit."""
    return 0 if verification.bit_exact else 1


def verified(found: Verified, *, json: bool) -> None:
    """Print both budgets and every check."""
    if json:
        content = {"model": found.design.source, **verification_dict(found.verification)}
        content |= {"passed": found.passed, "checks": [c.to_dict() for c in found.checks]}
        print_json(content)
        return
    verification(found.design, found.verification)
    _checks(found.checks)
    verdict = f"[red]{found.failed} of {len(found.checks)} checks failed[/]"
    console.print(f"[green]all {len(found.checks)} checks pass[/]" if found.passed else verdict)


def verification(design: Design, found: Verification) -> None:
    """Print the two budgets, each under its heading."""
    warnings((*design.warnings, *design.golden.warnings, *found.findings))
    _data(found)
    _tried(found)
    console.print("[bold]hardware against quantised model[/]")
    _statement("faithful", "simulation == C++", found.faithful)
    _statement("golden", "simulation == golden model", found.golden, found.no_golden)
    _statement("lossless", "hardware == trained model", found.lossless)
    _judge(found.lossless)
    for error in found.errors:
        parts = ", ".join(error_parts(error))
        console.print(f"output    {escape(error.output)} against the model in float32: {parts}")
    console.print("[bold]quantised model against float reference[/]")
    if found.budget is None:
        console.print(f"          not compared: {escape(found.no_budget)}", soft_wrap=True)
    else:
        _budget(found.budget)


def _data(found: Verification) -> None:
    text = f"data      {found.simulation.samples:,} samples from {escape(found.data)}"
    console.print(f"[yellow]{text}[/]" if found.made_up else text, soft_wrap=True)


def _tried(found: Verification) -> None:
    """Print what the data reached, and what it clipped."""
    from hwflow.simulate.coverage.words import coverage_text

    if found.coverage is not None:
        console.print(f"coverage  {coverage_text(found.coverage)}", soft_wrap=True)
    console.print(f"saturated {escape(str(found.saturation))}", soft_wrap=True)


def error_parts(error: OutputError, reference: str = "quantised model") -> list[str]:
    """Return the figures of an output in words.

    Args:
        error: the figures.
        reference: what it was compared with.
    """
    parts = [f"max |error| {error.max_abs:.3g}", f"mean {error.mean_abs:.3g}"]
    parts.append(f"SQNR {error.sqnr_db:.1f} dB" if error.max_abs else "no difference")
    if error.argmax_agreement is not None:
        parts.append(f"same class {error.argmax_agreement:.2%}")
    if error.accuracy is not None and error.reference_accuracy is not None:
        text = f"accuracy {error.accuracy:.2%} ({reference} {error.reference_accuracy:.2%})"
        parts.append(text)
    return parts


def loss_parts(loss: OutputLoss) -> list[str]:
    """Return what an output lost in words."""
    parts = error_parts(loss.error, "float reference")
    if loss.kl_divergence is not None:
        of = "softmax of the logits" if loss.softmaxed else "probabilities"
        parts.append(f"KL {loss.kl_divergence:.3g} nats ({of})")
    return parts


def _budget(found: Budget) -> None:
    console.print(f"reference {escape(found.reference)}", soft_wrap=True)
    for loss in found.outputs:
        console.print(f"output    {escape(loss.error.output)}: {', '.join(loss_parts(loss))}")
        if loss.worst:
            worst = ", ".join(f"{w.index} ({w.max_abs:.3g})" for w in loss.worst[:SAMPLES])
            console.print(f"          largest errors in samples {worst}")
        if loss.changed:
            named = ", ".join(map(str, loss.changed_samples[:SAMPLES]))
            more = ", ..." if loss.changed > SAMPLES else ""
            console.print(f"          another class for {loss.changed:,} samples: {named}{more}")
    if found.layers:
        lowest = sorted(found.layers, key=lambda layer: layer.sqnr_db)[:LAYERS]
        texts = [f"{escape(n.layer)} {n.sqnr_db:.1f} dB (max {n.max_abs:.3g})" for n in lowest]
        console.print(f"layers    lowest SQNR of {len(found.layers)}: {', '.join(texts)}")


def _checks(checks: Sequence[Check]) -> None:
    shown = table(("check", "value", "limit", "", ""), title="checks")
    for check in checks:
        verdict = "[green]pass[/]" if check.passed else "[red]FAIL[/]"
        cells = map(escape, (check.name, check.value, check.limit))
        shown.add_row(*cells, verdict, escape(check.detail))
    console.print(shown)


def _statement(name: str, meaning: str, agreement: Agreement | None, reason: str = "") -> None:
    if agreement is None:
        why = f": {escape(reason)}" if reason else ""
        console.print(f"{name:<9} not checked{why}", soft_wrap=True)
        return
    elements = sum(layer.elements for layer in agreement.layers)
    counted = f"{agreement.mismatches:,} of {elements:,} values differ"
    console.print(
        f"{name:<9} {_answer(agreement)}  {meaning}: {counted}, {len(agreement.layers)} layers"
    )
    _verdict(agreement.verdict)
    first = agreement.first
    if first is not None:
        console.print(
            f"          first in {escape(first.layer)} at {first.index}: "
            f"{first.expected:.10g} against {first.found:.10g}\n          {escape(first.cause)}"
        )
        if first.reproducer:
            console.print(f"          sample saved in {escape(first.reproducer)}")


def _answer(agreement: Agreement) -> str:
    """Return whether a statement holds, coloured."""
    if agreement.verdict is None:
        return "[green]yes[/]" if agreement.holds else "[red]no[/]"
    colour = {"yes": "green", "no": "red"}.get(agreement.verdict.answer, "yellow")
    return f"[{colour}]{agreement.verdict.answer}[/]"


def _verdict(verdict: Verdict | None) -> None:
    """Print what is approximate, and how far outputs are off."""
    if verdict is None or not verdict.because:
        return
    for text in (str(verdict), *verdict.reasons()):
        console.print(f"          {escape(text)}", soft_wrap=True)


def _judge(agreement: Agreement | None) -> None:
    """Print what the hardware was held against, where that is not plain exact arithmetic."""
    if agreement is None:
        return
    if agreement.float32_only:
        text = f"compared against float32 execution only: {agreement.float32_only}"
        console.print(f"          {escape(text)}")
    match = agreement.float32
    if match is not None and match.differs:
        console.print(
            "          float32 execution of the model itself differs from exact arithmetic at "
            f"{match.differs:,} of {match.elements:,} values (first at {escape(match.first)})",
            soft_wrap=True,
        )


def agreement_dict(agreement: Agreement | None) -> dict[str, Any] | None:
    """Return a comparison as plain data."""
    if agreement is None:
        return None
    return {
        "holds": agreement.holds,
        "samples": agreement.samples,
        "elements": sum(layer.elements for layer in agreement.layers),
        "mismatches": agreement.mismatches,
        "layers": [vars(layer) for layer in agreement.layers],
        "first": None if agreement.first is None else vars(agreement.first),
        "float32": None if agreement.float32 is None else vars(agreement.float32),
        "float32_only": agreement.float32_only,
        "verdict": verdict_dict(agreement.verdict),
        "ports": [{**vars(port), "dtype": str(port.dtype)} for port in agreement.ports],
    }


def verdict_dict(verdict: Verdict | None) -> dict[str, Any] | None:
    """Return a verdict as plain data; None for a comparison of the hardware with itself."""
    from dataclasses import asdict

    return None if verdict is None else {**asdict(verdict), "text": str(verdict)}


def verification_dict(verification: Verification) -> dict[str, Any]:
    """Return everything that was found out with data, as plain data."""
    from dataclasses import asdict

    from hwflow.simulate.coverage.words import counters_dict, coverage_dict, ports_dict

    budget, coverage = verification.budget, verification.coverage
    return {
        "data": verification.data,
        "made_up": verification.made_up,
        "seed": verification.seed,
        "samples": verification.simulation.samples,
        "coverage": None if coverage is None else coverage_dict(coverage),
        "layers": counters_dict(verification.simulation.counters),
        "ports": ports_dict(verification.simulation.ports),
        "findings": [finding.as_dict() for finding in verification.findings],
        "faithful": agreement_dict(verification.faithful),
        "golden": agreement_dict(verification.golden),
        "no_golden": verification.no_golden,
        "lossless": agreement_dict(verification.lossless),
        "errors": [vars(e) for e in verification.errors],
        "quantisation": None if budget is None else asdict(budget),
        "no_quantisation": verification.no_budget,
    }
