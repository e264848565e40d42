"""What the command line prints of simulations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from hwflow.terminal import console, errors, print_json, table, warnings

if TYPE_CHECKING:
    from hwflow.simulated import Simulated


def simulated(found: Simulated, out: Path | None, *, json: bool) -> None:
    """Print what a simulation came to, and what it counted."""
    if json:
        print_json(_as_dict(found, out))
        return
    threads = f", {found.workers} threads" if found.workers > 1 else ""
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
    if found.fallback:
        errors.print(
            "No golden model computes every layer of this design; numpy did, with the same bits.",
            style="yellow",
        )
    warnings(found.design.warnings)
    if out is not None:
        console.print(escape(f"saved     {out}"), soft_wrap=True)


def _as_dict(found: Simulated, out: Path | None) -> dict[str, Any]:
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
        "batch": found.batch,
        "outputs": outputs,
        "layers": [
            {"name": name, "saturated": c.saturated, **vars(c)}
            for name, c in found.counters.items()
        ],
        "saved": None if out is None else str(out),
        "warnings": [w.as_dict() for w in found.design.warnings],
    }


def _outputs(found: Simulated) -> Table:
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


def _counters(found: Simulated) -> Table:
    """Return what the layers' casts did, layer by layer."""
    figures = (">values", ">saturated", ">wrapped", ">near ties", ">observed")
    shown = table(("layer", *figures))
    for name, counted in found.counters.items():
        counts = (counted.elements, counted.saturated, counted.wrapped, counted.near_ties)
        observed = "{:g} .. {:g}".format(*counted.observed)
        shown.add_row(escape(name), *(f"{c:,}" for c in counts), observed)
    return shown
