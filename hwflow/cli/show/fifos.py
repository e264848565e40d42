"""What the command line prints of FIFOs: their depths, why, and what the model of streams says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.project.design import Design
    from hwflow.report.fifos import Tried
    from hwflow.report.parts import FifosData


def print_fifos(design: Design, found: FifosData, tried: Tried, *, json: bool) -> None:
    """Print every FIFO, the proof in a line, and what the model says of two inferences."""
    outcome = tried.outcome
    if json:
        told = {
            "model": design.source,
            **asdict(found),
            "tried": {
                "depths": dict(tried.depths),
                "least": dict(tried.least),
                "locked": [str(wait) for wait in outcome.locked],
                "cycles": list(outcome.cycles),
                "most": dict(outcome.most),
                "held_cycles": dict(outcome.held),
            },
        }
        print_json(told)
        return
    columns = ("FIFO", "from", "to", ">words", ">depth", ">most", ">held", "why")
    shown = table(columns, title=f"{design.source}: FIFOs")
    for fifo in found.fifos:
        depth, other = str(fifo.depth), tried.depths[fifo.name]
        texts = (fifo.name, fifo.source, fifo.target)
        shown.add_row(
            *map(escape, texts),
            f"{fifo.tokens:,}",
            depth if other == fifo.depth else f"[yellow]{other}[/] ({depth})",
            f"{outcome.most[fifo.name]:,}",
            f"{outcome.held[fifo.name]:,}",
            escape(fifo.why),
        )
    console.print(shown)
    words, whole = (sum(getattr(f, n) for f in found.fifos) for n in ("depth", "tokens"))
    console.print(
        f"saved     {whole - words:,} of {whole:,} words: {found.bram_18k_saved:,.0f} block RAMs, "
        f"{found.lut_saved:,.0f} LUTs (estimated)",
        soft_wrap=True,
    )
    _print_outcome(found, tried)


def _print_outcome(found: FifosData, tried: Tried) -> None:
    for name, least in tried.least.items():
        console.print(f"[red]too small[/] {escape(name)}: the design locks below {least}")
    for wait in tried.outcome.locked:
        console.print(f"[red]locked[/]    {escape(str(wait))}", soft_wrap=True)
    if tried.outcome.locked:
        return
    console.print("deadlock  impossible: no process can wait for itself (docs/fifo-depths.md)")
    first, interval = tried.outcome.cycles[0], tried.outcome.interval
    usual = (found.latency_cycles, found.interval_cycles)
    more = "" if (first, interval) == usual else f", instead of {usual[0]:,} and {usual[1]:,}"
    console.print(
        f"model     {first:,} cycles for an inference, the next one {interval:,} later{more}",
        soft_wrap=True,
    )
