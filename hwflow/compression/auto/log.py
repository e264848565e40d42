"""The log of decisions: what was tried, what it bought, and why the search ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwflow.compression.auto.bench import ACCURACY, AGREEMENT, Bench
from hwflow.compression.auto.trial import Outcome
from hwflow.compression.handover.page import Table
from hwflow.core.files import write_file
from hwflow.exploration.pictures.page import finite
from hwflow.report.power import joules
from hwflow.report.words import duration
from hwflow.verify.words import numbers

LINES = "decisions.jsonl"
"""One line of JSON for each trial; ``seconds`` differ from run to run, all else does not."""

FIGURES = ("lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth", "latency_ns", "ii", "energy_uj")

HEADS = ("trial", "method", "settings", "right, chosen by", "LUT", "DSP", "latency", "energy",
         "hardware", "decision")  # fmt: skip


def entry_of(
    number: int, method: str, params: Mapping[str, Any], outcome: Outcome
) -> dict[str, Any]:  # fmt: skip
    """Return a line of the log, without a decision.

    Args:
        number: which trial, from 0.
        method: its method.
        params: its settings.
        outcome: what came of it.
    """
    priced = outcome.priced
    found: dict[str, Any] = {
        "trial": number, "method": method,
        "settings": {name.partition(".")[2]: value for name, value in params.items()},
        "network": outcome.candidate.name if outcome.candidate else "",
        "validation": dict(outcome.chosen), "beyond": dict(outcome.beyond), "note": outcome.note,
    }  # fmt: skip
    if priced is None:
        return found
    cost = priced.point["cost"]
    return found | {
        "cost": {name: cost[name] for name in FIGURES if name in cost},
        "share": priced.point["share"], "io_type": priced.io_type,
        "clock_period_ns": priced.clock_period_ns, "reuse_factor": priced.reuse,
        "unmet": list(priced.reasons),
    }  # fmt: skip


def decision(entry: Mapping[str, Any], bench: Bench, best: float | None) -> str:
    """Return what follows from a trial, in words.

    Args:
        entry: its line.
        bench: the requirements.
        best: what was beyond all limits in the best trial before; None in the first.
    """
    if entry["note"]:
        return str(entry["note"]) + "".join(f"; {reason}" for reason in entry.get("unmet", ()))
    held = entry.get("held_out")
    if held is not None:
        said = f"keeps to all limits; on held-out samples {right(held, bench)}"
        if not entry.get("verified", True):
            return f"{said}; the build is not handed over: {'; '.join(entry['unmet'])}"
        return f"{said}: met, built and verified" if entry["met"] else f"{said}: not met"
    missing = list(entry.get("unmet", ()))
    if entry["beyond"].get("samples"):
        missing.append(f"right answers {right(entry['validation'], bench)}")
    total = sum(entry["beyond"].values())
    closer = "; nearest so far" if best is None or total < best else ""
    return ", ".join(missing) + closer


def right(shares: Mapping[str, Any], bench: Bench) -> str:
    """Return shares of samples with their intervals, of what is asked for."""
    kinds = [limit.figure for limit in bench.wanted.floors] or [
        ACCURACY if ACCURACY in shares else AGREEMENT
    ]
    said = []
    for kind in kinds:
        if kind in shares:
            low, high = shares[f"{kind}_interval"]
            said.append(f"{100 * shares[kind]:.1f} % ({100 * low:.1f} to {100 * high:.1f})")
    return ", ".join(said)


def table_of(entries: Sequence[Mapping[str, Any]], bench: Bench) -> Table:
    """Return the log as a table."""
    rows = []
    for entry in entries:
        cost = entry.get("cost", {})
        settings = " ".join(f"{name}={value}" for name, value in entry["settings"].items())
        hardware = ""
        if "io_type" in entry:
            reuse = f", reuse factor {entry['reuse_factor']}" if entry["reuse_factor"] > 1 else ""
            hardware = f"{entry['io_type']}, {entry['clock_period_ns']:g} ns{reuse}"
        rows.append(
            (
                str(entry["trial"] + 1), entry["method"], settings,
                right(entry["validation"], bench) or "-",
                _said(cost, "lut_synth", numbers.count), _said(cost, "dsp_synth", numbers.count),
                _said(cost, "latency_ns", duration), _said(cost, "energy_uj", joules),
                hardware or "-", entry["decision"],
            )
        )  # fmt: skip
    return Table(
        title="Decisions", heads=HEADS, rows=tuple(rows),
        lead="What was tried, in order. Designs are chosen by the samples for validation; the "
        "held-out samples are asked only where all else is met.",
    )  # fmt: skip


def _said(cost: Mapping[str, Any], name: str, words: Any) -> str:
    return str(words(cost[name][0])) if name in cost else "-"


def write_log(entries: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write the log, whole or not at all.

    Raises:
        CompileError: HW552, it cannot be written.
    """
    lines = [json.dumps(finite(entry), sort_keys=True, allow_nan=False) for entry in entries]
    write_file(folder / LINES, "".join(f"{line}\n" for line in lines).encode(), parents=True)
