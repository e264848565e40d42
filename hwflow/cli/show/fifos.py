"""What the command line prints of FIFOs: their depths, why, and what the model of streams says."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.dataflow.model import Outcome
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
                "locks": tried.locks,
                "proven": tried.proven,
                **_model(outcome),
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
            "" if outcome is None else f"{outcome.most[fifo.name]:,}",
            "" if outcome is None else f"{outcome.held[fifo.name]:,}",
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


def _model(outcome: Outcome | None) -> dict[str, object]:
    """Return what the model of streams says, for JSON; empty where it was not run."""
    if outcome is None:
        return {}
    return {
        "waits": [str(wait) for wait in outcome.locked],
        "cycles": list(outcome.cycles),
        "most": dict(outcome.most),
        "held_cycles": dict(outcome.held),
    }


def _print_outcome(found: FifosData, tried: Tried) -> None:
    for name, least in tried.least.items():
        console.print(f"[red]too small[/] {escape(name)}: the design locks below {least}")
    for wait in tried.outcome.locked if tried.outcome else ():
        console.print(f"[red]locked[/]    {escape(str(wait))}", soft_wrap=True)
    if tried.locks:
        return
    proof = "impossible: no process can wait for itself (docs/fifo-depths.md)"
    if not tried.proven:
        proof = "[yellow]not excluded[/]: the circles of the network are too many to list"
    console.print(f"deadlock  {proof}")
    if tried.outcome is None or found.latency_cycles is None or found.interval_cycles is None:
        console.print("model     not run: the network is too large for it")
        return
    first, interval = tried.outcome.cycles[0], tried.outcome.interval
    usual = (found.latency_cycles, found.interval_cycles)
    more = "" if (first, interval) == usual else f", instead of {usual[0]:,} and {usual[1]:,}"
    console.print(
        f"model     {first:,} cycles for an inference, the next one {interval:,} later{more}",
        soft_wrap=True,
    )
