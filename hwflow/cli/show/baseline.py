"""What the command line prints of a network on this machine, beside the hardware's estimate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, stage_progress, table
from hwflow.cli.terminal.text import escape
from hwflow.report.power import joules
from hwflow.report.words import duration, rate

if TYPE_CHECKING:
    from hwflow.estimate.report import EstimateReport
    from hwflow.ir.cost import Estimate
    from hwflow.project.baseline.measuring import Baseline, Timed
    from hwflow.project.design import Design

COLUMNS = (
    "", "where", "how", ">latency of one sample", ">throughput", ">batch", ">energy of one sample",
)  # fmt: skip


def measured(design: Design, data: Path | None, *, json: bool) -> Baseline:
    """Time the network of a design on this machine."""
    from hwflow.project.baseline.measuring import measure

    with stage_progress(quiet=json) as progress:
        return measure(design, data, progress=progress)


def print_baseline(design: Design, found: EstimateReport, baseline: Baseline) -> None:
    """Print the hardware, estimated, and the network on this machine, measured, side by side."""
    title = "the same network: hardware estimated without transfers, this machine measured"
    shown = table(COLUMNS, title=title)
    shown.add_row(*_hardware(design, found))
    for row in baseline.rows:
        shown.add_row(*_machine(row))
    console.print(shown)
    for row in baseline.rows:
        why = f"; not measured: {row.reason}" if row.reason else ""
        console.print(escape(f"{row.network}: {row.what}{why}"), soft_wrap=True)
    console.print(escape(f"data      {baseline.data}"), soft_wrap=True)


def _hardware(design: Design, found: EstimateReport) -> tuple[str, ...]:
    time, ii, clock = found.latency_ns, found.total.ii, found.clock_period_ns
    rates = (1e9 / (max(cycles, 1.0) * clock) for cycles in (ii.value, ii.high, ii.low))
    value, low, high = map(rate, rates)
    power = found.power
    return (
        "hardware, estimated",
        escape(design.board.name),
        f"{clock:g} ns",
        f"{duration(time.value)} ({duration(time.low)} to {duration(time.high)})",
        value if low == high else f"{value} ({low} to {high})",
        "1",
        "unknown" if power is None else _energy(power.single_uj),
    )


def _energy(figure: Estimate) -> str:
    return f"{joules(figure.value)} ({joules(figure.low)} to {joules(figure.high)})"


def _machine(row: Timed) -> tuple[str, ...]:
    time, speed = row.latency, row.throughput
    latency = "not measured"
    if time is not None:
        ends = f"{duration(time.low_us * 1e3)} to {duration(time.high_us * 1e3)}"
        latency = f"{duration(time.median_us * 1e3)} ({ends}; {_threads(row.latency_threads)})"
    through = ""
    if speed is not None:
        through = f"{rate(speed.per_s)} ({_threads(row.throughput_threads)})"
    batch = "" if speed is None else f"{speed.batch:,}"
    return (
        f"{row.network}, measured", escape(row.device), escape(row.engine), latency, through, batch,
        "not measured",
    )  # fmt: skip


def _threads(count: int) -> str:
    if not count:
        return "GPU"
    return f"{count} thread{'s' * (count > 1)}"
