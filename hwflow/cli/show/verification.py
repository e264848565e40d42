"""What the command line prints about a verification: one screen, or JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table, warnings
from hwflow.cli.terminal.text import escape
from hwflow.simulate.coverage.words import coverage_text
from hwflow.verify.checks import outcome
from hwflow.verify.json import verification_dict
from hwflow.verify.words.distances import (
    changed_samples,
    error_parts,
    layer_part,
    loss_parts,
    worst_samples,
)
from hwflow.verify.words.statements import first_difference, judge_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hwflow.project.design import Design
    from hwflow.project.verification import CheckedDesign
    from hwflow.verify.agreement import Agreement
    from hwflow.verify.budget import Budget
    from hwflow.verify.checks import Check
    from hwflow.verify.verification import Statement, Verification

LAYERS = 3
"""Layers with the lowest signal to noise ratio that are printed; the report has all."""

INDENT = " " * 10
"""What stands before a line that belongs to the one above it."""


def exit_status(verification: Verification) -> int:
    """Return the exit status: 0 when simulation, C++ and golden model agree in every bit."""
    return 0 if verification.bit_exact else 1


def print_checks(found: CheckedDesign, *, json: bool) -> None:
    """Print both budgets and every check."""
    if json:
        content = {"model": found.design.source, **verification_dict(found.verification)}
        content |= {"passed": found.passed, "checks": [c.to_dict() for c in found.checks]}
        print_json(content)
        return
    print_verification(found.design, found.verification)
    print_check_table(found.checks)


def print_verification(design: Design, found: Verification) -> None:
    """Print the two budgets, each under its heading."""
    warnings((*design.warnings, *design.golden.warnings, *found.findings))
    _data(found)
    _tried(found)
    console.print("[bold]hardware against quantised model[/]")
    for said in found.statements:
        _statement(said)
    for error in found.errors:
        parts = ", ".join(error_parts(error))
        console.print(f"output    {escape(error.output)} against the model in float32: {parts}")
    console.print("[bold]quantised model against float reference[/]")
    if found.budget is None:
        _line(f"not compared: {found.no_budget}")
    else:
        _budget(found.budget)


def _data(found: Verification) -> None:
    text = f"data      {found.simulation.samples:,} samples from {escape(found.data)}"
    console.print(f"[yellow]{text}[/]" if found.made_up else text, soft_wrap=True)


def _tried(found: Verification) -> None:
    """Print what the data reached, and what it clipped."""
    if found.coverage is not None:
        console.print(f"coverage  {coverage_text(found.coverage)}", soft_wrap=True)
    console.print(f"saturated {escape(str(found.saturation))}", soft_wrap=True)


def _budget(found: Budget) -> None:
    console.print(f"reference {escape(found.reference)}", soft_wrap=True)
    for loss in found.outputs:
        console.print(f"output    {escape(loss.error.output)}: {', '.join(loss_parts(loss))}")
        if loss.worst:
            _line(f"largest errors in samples {worst_samples(loss)}")
        if loss.changed:
            _line(f"another class for {loss.changed:,} samples: {changed_samples(loss)}")
    if found.layers:
        lowest = sorted(found.layers, key=lambda layer: layer.sqnr_db)[:LAYERS]
        texts = [f"{escape(n.layer)} {layer_part(n)}" for n in lowest]
        console.print(f"layers    lowest SQNR of {len(found.layers)}: {', '.join(texts)}")


def print_check_table(checks: Sequence[Check]) -> None:
    """Print every check, and what they came to."""
    shown = table(("check", "value", "limit", "", ""), title="checks")
    for check in checks:
        verdict = "[green]pass[/]" if check.passed else "[red]FAIL[/]"
        cells = map(escape, (check.name, check.value, check.limit))
        shown.add_row(*cells, verdict, escape(check.detail))
    console.print(shown)
    said = outcome(checks)
    whole = f"[green]all {len(checks)} checks pass[/]"
    console.print(whole if said == "passed" else f"[red]{said}[/]")


def _statement(said: Statement) -> None:
    """Print what a comparison came to; where it differs, where and why."""
    name, found = said.claim.name, said.found
    if found is None:
        why = f": {escape(said.reason)}" if said.reason else ""
        console.print(f"{name:<9} not checked{why}", soft_wrap=True)
        return
    counted = f"{found.counted} values differ, {len(found.layers)} layers"
    console.print(f"{name:<9} {_answer(found)}  {said.claim.meaning}: {counted}")
    if found.verdict is not None and found.verdict.because:
        for text in found.verdict.lines():
            _line(text)
    if found.first is not None:
        _line(first_difference(found.first))
    for text in judge_lines(found):
        _line(text)


def _answer(found: Agreement) -> str:
    """Return whether a statement holds, coloured."""
    colour = {"yes": "green", "no": "red"}.get(found.answer, "yellow")
    return f"[{colour}]{found.answer}[/]"


def _line(text: str) -> None:
    """Print what belongs to the line above."""
    console.print(f"{INDENT}{escape(text)}", soft_wrap=True)
