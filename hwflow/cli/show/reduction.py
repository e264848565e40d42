"""What the command line prints of float networks that were made smaller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.compression.pruning.prune import Pruned

Plain = dict[str, Any]

MODEL = "model.onnx"

COSTS = (
    ("weights", "weights"), ("EBOPs", "ebops"), ("LUT", "lut_synth"), ("DSP", "dsp"), ("FF", "ff"),
    ("BRAM", "bram_18k"), ("latency ns", "latency_ns"),
)  # fmt: skip


def print_pruned(found: Pruned, *, json: bool) -> None:
    """Print what is left of the layers, before and after, and what to do next."""
    result = found.result
    if json:
        print_json({"folder": str(found.folder), **result})
        return
    shown = table(("layer", ">outputs", ">inputs", ">weights"), title="before and after")
    for row in result["layers"]:
        pairs = (row["outputs"], row["inputs"], row["weights"])
        shown.add_row(escape(row["layer"]), *(f"{a:,} to {b:,}" for a, b in pairs))
    console.print(shown)
    print_sides(result)
    console.print(
        escape(f"{result['goal']} {'met' if found.reached else 'not met'}"), soft_wrap=True
    )
    print_next(found.folder, result)


def print_sides(result: Plain) -> None:
    """Print a network before and after, as hardware by ``quantize``."""
    before, after = result["before"], result["after"]
    source = result["request"]["source"]
    title = f"{source['hardware']['bits']}, {before['samples']} held-out samples"
    kinds = [k for k in ("accuracy", "agreement", "mean_squared_error") if k in before]
    shown = table(("", ">before", ">after"), title=title)
    for kind in kinds:
        shown.add_row(f"{kind.replace('_', ' ')}, float", *(
            quality(side["float"], kind) for side in (before, after)))  # fmt: skip
        shown.add_row(f"{kind.replace('_', ' ')}, hardware", *(
            quality(side, kind) for side in (before, after)))  # fmt: skip
    for name, figure in COSTS:
        shown.add_row(name, *(f"{side[figure]:,.0f}" for side in (before, after)))
    console.print(shown)


def print_next(folder: Path, result: Plain) -> None:
    """Print how the network in a folder becomes hardware."""
    path = folder / MODEL
    source = result["request"]["source"]
    hardware, training = source["hardware"], source["training"]
    console.print(
        escape(
            f"next: hwflow compress qat {path} --data {source['data']} --teacher {source['model']} "
            f"--task {training['task']} --target fits={hardware['board']} "
            f"--io-type {hardware['io_type']} --run {folder}-qat"
            f"\n  or: hwflow quantize {path} --data {source['data']} --bits {hardware['bits']} "
            f"-o {folder}/quantized.onnx"
        ),
        soft_wrap=True,
    )


def quality(row: Plain, kind: str) -> str:
    """Return a share with its interval, or an error."""
    if kind not in row:
        return ""
    if f"{kind}_interval" not in row:
        return f"{row[kind]:.4g}"
    low, high = row[f"{kind}_interval"]
    return f"{100 * row[kind]:.2f} ({100 * low:.1f}-{100 * high:.1f})"
