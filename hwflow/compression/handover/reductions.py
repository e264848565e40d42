"""What is told of float networks that were made smaller: pruned, or factored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwflow.compression.folder import MODEL
from hwflow.compression.handover.lineage import chain
from hwflow.compression.handover.page import Story, Table
from hwflow.compression.handover.sides import BeforeAfter, before_after
from hwflow.compression.handover.stories import target_settings
from hwflow.compression.lowrank.lowrank import Factored
from hwflow.compression.pruning.prune import Pruned
from hwflow.ir.qonnx.model import QonnxModel


def story_of_pruned(found: Pruned) -> Story:
    """Return what is told of a finished pruning; networks are judged and timed for it.

    Raises:
        CompileError: the original or its data cannot be read any more.
    """
    result, request = found.result, found.result["request"]
    rows = [
        (row["layer"], *(f"{a:,} to {b:,}" for a, b in (row[k] for k in KINDS)))
        for row in result["layers"]
    ]
    return Story(
        model=Path(request["source"]["model"]).name, method="prune", reached=found.reached,
        verdict=f"The goal {result['goal']} is {'met' if found.reached else 'not met'}.",
        facts={"Goal": result["goal"], "Values": request["method"], "Leaves": request["pattern"]},
        sides=_sides(request["source"], found.model), links=chain(found.folder / MODEL),
        tables=(Table(title="Layers", lead="What is left of each layer.",
                      heads=("layer", *KINDS), rows=tuple(rows)),),
    )  # fmt: skip


KINDS = ("outputs", "inputs", "weights")
"""What a layer has less of."""

HEADS = ("layer", "rank", "error", "LUT", "LUT of factors", "DSP", "DSP of factors", "LUT by FFT",
         "decision")  # fmt: skip


def story_of_factored(found: Factored) -> Story:
    """Return what is told of a finished factorisation.

    Raises:
        CompileError: the original or its data cannot be read any more.
    """
    result, request = found.result, found.result["request"]
    taken = sum(row["taken"] for row in result["layers"])
    goal = f" The goal {result['goal']} is {'met' if found.reached else 'not met'}."
    return Story(
        model=Path(request["source"]["model"]).name, method="lowrank", reached=found.reached,
        verdict=f"{taken} of {len(result['layers'])} layers were factored."
        + (goal if result["goal"] else ""),
        sides=_sides(request["source"], found.model), links=chain(found.folder / MODEL),
        tables=(Table(title="Layers", lead="Where factors are cheaper, and where not.",
                      heads=HEADS, rows=tuple(map(factored_row, result["layers"]))),),
    )  # fmt: skip


def factored_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was decided of a layer, in words."""
    before, after, fft = row["before"], row["after"], row["fft"]
    costs = (before["lut_synth"], after["lut_synth"], before["dsp"], after["dsp"])
    return (
        row["layer"], row["rank"], f"{row['error']:.1%}", *(f"{cost:,.0f}" for cost in costs),
        f"{fft['lut_synth']:,.0f}" if fft else "", row["why"],
    )  # fmt: skip


def _sides(source: Mapping[str, Any], after: QonnxModel) -> BeforeAfter:
    """Return the networks before and after, as hardware of the bits that were asked for."""
    hardware = dict(source["hardware"])
    bits = hardware.pop("bits")
    return before_after(
        source["model"], source["data"], after, target_settings(**hardware),
        task=source["training"]["task"], bits=bits,
    )  # fmt: skip
