"""What the command line prints about an operator that is written or checked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.testing.operators.outcome import Difference, OpCheck, Outcome

SHOWN = 8
"""Problems and skipped examples shown of one comparison; JSON has all."""


def print_skeleton(name: str, files: list[Path], *, json: bool) -> None:
    """Print which files were written, and what to do with them."""
    check_it = f"hwflow op check {name} --plugin {files[0]}"
    if json:
        print_json({"operator": name, "files": [str(f) for f in files], "check": check_it})
        return
    for file in files:
        console.print(f"wrote {escape(str(file))}", soft_wrap=True)
    console.print(f"check it with: {escape(check_it)}", soft_wrap=True)


def print_check(found: OpCheck, *, json: bool) -> None:
    """Print the outcome of every comparison, and where each first differs."""
    if json:
        print_json(check_dict(found))
        return
    console.print(
        f"{found.operator}: {found.samples} inputs for each example, seed {found.seed}",
        soft_wrap=True,
    )
    for outcome in found.outcomes:
        _outcome(outcome)
    verdict = "[green]every bit agrees[/]" if found.holds else "[red]not equal[/]"
    console.print(verdict)


def _outcome(outcome: Outcome) -> None:
    mark = "[green]yes[/]" if outcome.holds else "[red]no [/]"
    if not outcome.examples and outcome.holds:
        mark = "[yellow]-[/]  "
    console.print(
        f"{mark} {outcome.name}: {outcome.mismatches:,} of {outcome.values:,} values differ, "
        f"{outcome.examples} examples",
        soft_wrap=True,
    )
    for problem in outcome.problems[:SHOWN]:
        console.print(f"      {escape(problem)}", soft_wrap=True)
    reasons: dict[str, list[str]] = {}
    for example, reason in outcome.skipped.items():
        reasons.setdefault(reason, []).append(example)
    for reason, examples in list(reasons.items())[:SHOWN]:
        console.print(f"      left out {len(examples)}: {escape(reason)}", soft_wrap=True)
    if outcome.first is not None:
        for line in difference_lines(outcome.first):
            console.print(f"      {escape(line)}", soft_wrap=True)


def difference_lines(first: Difference) -> list[str]:
    """Return where two computations differ, one fact a line."""
    lines = [
        f"first in example {first.example!r}, at element {first.element} of the result",
        f"expected {_number(first.expected, first.step)}",
        f"found    {_number(first.found, first.step)}",
        "smallest input found on which they differ:"
        if first.alone
        else "the input, which agrees when it comes alone: the C++ keeps something between inputs",
    ]
    for i, (raw, step) in enumerate(zip(first.operands, first.steps, strict=True)):
        lines.append(f"  x{i} mantissas {_flat(raw.tolist())}")
        lines.append(f"  x{i} reals     {_flat((raw * step).tolist())}")
    return lines


def _number(value: float, step: float) -> str:
    return f"{value:.17g} (mantissa {value / step:.17g})"


def _flat(values: Any) -> str:
    return str(values).replace("\n", "")


def check_dict(found: OpCheck) -> dict[str, Any]:
    """Return what was found out as plain data."""
    return {
        "operator": found.operator,
        "file": found.file,
        "samples": found.samples,
        "seed": found.seed,
        "holds": found.holds,
        "outcomes": [
            {
                "name": outcome.name,
                "holds": outcome.holds,
                "examples": outcome.examples,
                "values": outcome.values,
                "mismatches": outcome.mismatches,
                "problems": list(outcome.problems),
                "skipped": dict(outcome.skipped),
                "first": None if outcome.first is None else _difference_dict(outcome.first),
            }
            for outcome in found.outcomes
        ],
    }


def _difference_dict(first: Difference) -> dict[str, Any]:
    operands = [
        {"mantissas": raw.tolist(), "reals": (raw * step).tolist()}
        for raw, step in zip(first.operands, first.steps, strict=True)
    ]
    return {
        "example": first.example,
        "element": list(first.element),
        "expected": first.expected,
        "found": first.found,
        "step": first.step,
        "operands": operands,
        "alone": first.alone,
    }
