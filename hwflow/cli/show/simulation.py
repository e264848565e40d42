"""What the command line prints of simulations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from hwflow.cli.terminal import console, errors, print_json, table, warnings
from hwflow.cli.terminal.text import escape
from hwflow.simulate.coverage.words import (
    counters_dict,
    coverage_dict,
    coverage_text,
    percent,
    ports_dict,
    ports_text,
    worst_saturation,
)

if TYPE_CHECKING:
    from hwflow.project.simulation import SimulatedDesign


def print_simulation(found: SimulatedDesign, out: Path | None, *, json: bool) -> None:
    """Print what a simulation came to, and what it counted."""
    if json:
        print_json(_as_dict(found, out))
        return
    several = found.workers > 1 or found.place
    threads = f", {found.workers} {found.place or 'threads'}" if several else ""
    device = f" on {found.device}" if found.device != "cpu" else ""
    title = (
        f"{found.design.source}: {found.summary.samples:,} samples in {found.seconds:.2f} s, "
        f"{found.rate:,.0f} a second ({found.engine}{device}{threads}, "
        f"batches of {found.batch:,})"
    )
    console.print(escape(title), soft_wrap=True)
    data = f"data      {escape(found.data)}"
    console.print(f"[yellow]{data}[/]" if found.made_up else data, soft_wrap=True)
    console.print(_outputs(found))
    if found.counters:
        console.print(_counters(found))
    _tried(found)
    if found.fallback:
        errors.print(
            "No golden model computes every layer of this design; numpy did, with the same bits.",
            style="yellow",
        )
    warnings((*found.design.warnings, *found.findings))
    if out is not None:
        console.print(escape(f"saved     {out}"), soft_wrap=True)


def _as_dict(found: SimulatedDesign, out: Path | None) -> dict[str, Any]:
    outputs = {
        name: {
            "shape": list(output.shape),
            "range": list(output.range),
            "accuracy": found.summary.accuracy(name),
        }
        for name, output in found.summary.outputs.items()
    }
    return {
        "model": found.design.source,
        "data": found.data,
        "made_up": found.made_up,
        "samples": found.summary.samples,
        "seconds": found.seconds,
        "samples_per_second": found.rate,
        "engine": found.engine,
        "device": found.device,
        "threads": found.workers,
        "place": found.place,
        "batch": found.batch,
        "outputs": outputs,
        "layers": counters_dict(found.counters),
        "coverage": None if found.coverage is None else coverage_dict(found.coverage),
        "ports": ports_dict(found.ports),
        "saved": None if out is None else str(out),
        "warnings": [w.as_dict() for w in (*found.design.warnings, *found.findings)],
    }


def _outputs(found: SimulatedDesign) -> Table:
    shown = table(("output", "shape", "range", "accuracy"))
    for name, output in found.summary.outputs.items():
        accuracy = found.summary.accuracy(name)
        shown.add_row(
            escape(name),
            "x".join(map(str, output.shape)),
            "{:g} .. {:g}".format(*output.range),
            "" if accuracy is None else f"{accuracy:.2%}",
        )
    return shown


def _tried(found: SimulatedDesign) -> None:
    """Print what the data reached, and what it clipped; of most engines, at the ports alone."""
    if found.coverage is not None:
        console.print(f"coverage  {coverage_text(found.coverage)}", soft_wrap=True)
        worst = escape(str(worst_saturation(found.counters)))
        console.print(f"saturated {worst}", soft_wrap=True)
        return
    console.print(
        f"ports     {escape(ports_text(found.ports))}; values of layers are counted by "
        "--engine numpy",
        soft_wrap=True,
    )


def _counters(found: SimulatedDesign) -> Table:
    """Return what happened to the values of layers, and what of each the data reached."""
    sides = (">saturated low", ">high", ">wrapped", ">near ties", ">coverage", ">observed")
    shown = table(("layer", ">values", *sides))
    covered = {layer.name: layer for layer in found.coverage.layers} if found.coverage else {}
    for name, counted in found.counters.items():
        counts = (
            counted.elements, counted.saturated_low, counted.saturated_high,
            counted.wrapped, counted.near_ties,
        )  # fmt: skip
        reached = percent(covered[name].share) if name in covered else ""
        observed = "{:g} .. {:g}".format(*counted.observed)
        shown.add_row(escape(name), *(f"{c:,}" for c in counts), reached, observed)
    return shown
