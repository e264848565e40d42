"""What the command line prints of single choices of bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hwflow.cli.show.runs import line
from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

Plain = Mapping[str, Any]


def print_sensitivity(result: Plain, front: Plain, *, json: bool) -> None:
    """Print losses of single choices, and what the next bits from the knee gain."""
    if json:
        told = {name: front[name] for name in ("board", "knee", "next_bits")}
        print_json({**result["sensitivity"], **told})
        return
    _print_losses(result)
    line(f"loss: {result['sensitivity']['loss']}, all other choices at their most bits")
    _print_next(front)
    line(
        "gain: of the same divergence, from the knee; for 1,000 LUT after synthesis, most first. "
        "Steps that take no LUT come before all others where they gain"
    )


def _print_losses(result: Plain) -> None:
    losses, variables = result["sensitivity"]["losses"], result["variables"]
    bits = sorted({option for v in variables for option in v["options"]})
    shown = table(("choice", *(f">{b} bits" for b in bits)), title=f"loss in {result['model']}")
    for v in variables:
        found = dict(zip(v["options"], losses[v["name"]], strict=True))
        shown.add_row(escape(v["name"]), *(f"{found[b]:.4f}" if b in found else "" for b in bits))
    console.print(shown)


def _print_next(front: Plain) -> None:
    title = f"next bits from the knee, point {front['knee']} on {front['board']}"
    columns = ("choice", ">bits", ">gain", ">post-synthesis LUT", ">gain for 1,000 LUT")
    shown = table(columns, title=title)
    for step in front["next_bits"]:
        rate = f"{1000 * step['gain'] / step['lut']:.4f}" if step["lut"] > 0 else "none taken"
        shown.add_row(
            escape(step["variable"]), f"{step['from']} -> {step['to']}", f"{step['gain']:+.4f}",
            f"{step['lut']:+,.0f}", rate,
        )  # fmt: skip
    console.print(shown)
