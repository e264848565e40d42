"""What the command line prints of synthesized figures, beside the estimated ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.estimate.stages import CSYNTH, POST_SYNTHESIS

if TYPE_CHECKING:
    from hwflow.project.design import Design
    from hwflow.synthesis.comparison import Compared, Comparison, LayerCompared, Stage

NAMES = {**CSYNTH, **POST_SYNTHESIS}


def print_synthesis(design: Design, found: Comparison, folder: Path, *, json: bool) -> None:
    """Print each stage of the whole design, C synthesis by layer, and what is to be known."""
    if json:
        from hwflow.report.synthesized import synthesis_data, synthesis_dict

        content = synthesis_dict(synthesis_data(found))
        print_json({"model": design.source, "folder": str(folder), **content})
        return
    print_tables(found)
    if found.others:
        others = ", ".join(found.others)
        console.print(f"modules that are no layer's: {escape(others)}", soft_wrap=True)
    for note in found.notes:
        console.print(f"[yellow]{escape(note)}[/]", soft_wrap=True)
    console.print(escape(f"written   {folder}"), soft_wrap=True)


def print_tables(found: Comparison) -> None:
    """Print each stage of the whole design, and C synthesis by layer."""
    for stage in found.stages:
        console.print(_stage(stage))
    if found.layers:
        console.print(_layers(found))


def _stage(stage: Stage) -> object:
    facts = [stage.tool, stage.device, stage.file]
    if stage.clock_period_ns is not None:
        facts.append(f"{stage.clock_period_ns:g} ns")
    if stage.estimated_clock_ns is not None:
        facts.append(f"expected to reach {stage.estimated_clock_ns:g} ns")
    if stage.slack_ns is not None:
        facts.append(f"worst slack {stage.slack_ns:g} ns")
    columns = ("", ">estimated", ">interval", ">synthesized", ">ratio", "interval held")
    shown = table(columns, title=f"{stage.name}: {', '.join(filter(None, facts))}")
    for row in stage.figures:
        low, high = row.estimated.low, row.estimated.high
        shown.add_row(
            NAMES[row.figure],
            f"{row.estimated.value:,.0f}",
            f"{low:,.0f}-{high:,.0f}",
            f"{row.synthesized:,.0f}",
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "yes" if row.held else "[yellow]no[/]",
        )
    return shown


def _layers(found: Comparison) -> object:
    kinds = ("estimated", "synthesized")
    columns = [f">{name} {kind}" for name in CSYNTH.values() for kind in kinds]
    shown = table(("layer", *columns), title="C synthesis by layer")
    for layer in found.layers:
        shown.add_row(escape(layer.name), *_cells(layer))
    if found.rest is not None:
        shown.add_section()
        rest = (getattr(found.rest, name) for name in CSYNTH)
        cells = ("" if value is None else f"{value:,.0f}" for value in rest)
        shown.add_row("beside the layers", *(c for cell in cells for c in ("", cell)))
    return shown


def _cells(layer: LayerCompared) -> Iterator[str]:
    """Yield estimated and synthesized figures; nothing where no module is the layer."""
    rows: dict[str, Compared] = {row.figure: row for row in layer.figures}
    for name in CSYNTH:
        row = rows.get(name)
        yield "" if row is None else f"{row.estimated.value:,.0f}"
        yield "" if row is None else f"{row.synthesized:,.0f}"
