"""What the command line prints of float networks that were made smaller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.show.handover import handed_over
from hwflow.cli.terminal import console, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.compression.handover.page import Story
    from hwflow.compression.lowrank.lowrank import Factored
    from hwflow.compression.pruning.prune import Pruned


def print_reduced(found: Pruned | Factored, story: Story, *, json: bool) -> None:
    """Print the layers, before and after, and what to do next."""
    result = found.result
    if json:
        handed_over(story, found.folder, result, json=True)
        return
    for told in story.tables:
        shown = table((told.heads[0], *(f">{head}" for head in told.heads[1:])), title=told.lead)
        for row in told.rows:
            shown.add_row(*map(escape, row))
        console.print(shown)
    handed_over(story, found.folder, result, json=False)
    before, after = result["before"], result["after"]
    left = ", ".join(
        f"{name} {before[key]:,.0f} to {after[key]:,.0f}"
        for name, key in (("weights", "weights"), ("EBOPs", "ebops"))
    )
    console.print(escape(f"{story.verdict}\n{left}"), soft_wrap=True)
    console.print(escape(_next(found.folder, result["request"]["source"])), soft_wrap=True)


def _next(folder: Path, source: dict[str, Any]) -> str:
    """Return how the network in a folder becomes hardware."""
    hardware, training, path = source["hardware"], source["training"], folder / "model.onnx"
    return (
        f"next: hwflow compress qat {path} --data {source['data']} --teacher {source['model']} "
        f"--task {training['task']} --target fits={hardware['board']} "
        f"--io-type {hardware['io_type']} --run {folder}-qat"
        f"\n  or: hwflow quantize {path} --data {source['data']} --bits {hardware['bits']} "
        f"-o {folder}/quantized.onnx"
    )
