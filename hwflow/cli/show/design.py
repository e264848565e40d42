"""What the command line prints: rich tables for people, JSON for programs."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, errors, print_json, table, warnings
from hwflow.cli.terminal.text import escape
from hwflow.core.errors import HwflowError
from hwflow.estimate.stages import COLUMNS, ESTIMATED
from hwflow.report.power import energy_words, joules

if TYPE_CHECKING:
    from hwflow.estimate.report import EstimateReport
    from hwflow.ir.cost import Estimate
    from hwflow.ir.qonnx.model import QonnxModel
    from hwflow.project.baseline.measuring import Baseline
    from hwflow.project.design import Design
    from hwflow.verify.verification import Verification


def print_error(problem: HwflowError, *, json: bool) -> None:
    """Print a user error: on standard error, or as JSON on standard output."""
    if json:
        print_json({"errors": [d.as_dict() for d in problem.diagnostics]})
        return
    errors.print(escape(str(problem)), soft_wrap=True)
    count = sum(finding.severity == "error" for finding in problem.diagnostics)
    written = f"See also {', '.join(problem.written)}." if problem.written else ""
    ends = written or problem.kept or "Nothing was written."
    text = f"\n{count} error{'s' * (count > 1)}. {ends}"
    errors.print(escape(text), soft_wrap=True)


def layer_rows(design: Design) -> list[dict[str, Any]]:
    """Return name, operator, shape, type and settings of every layer as plain data."""
    graph = design.graph
    rows = []
    for node in graph.nodes:
        tensor = graph.types[node.name]
        low, high = tensor.bounds
        inexact = node.op.inexact(*graph.input_types(node))
        settings = {
            key: str(value)
            for key in node.op.settings
            if (value := getattr(node.op, key)) is not None and key != "result_t"
        }
        rows.append(
            {
                "name": node.name,
                "origin": node.origin,
                "operator": node.op.kind,
                "inputs": list(node.inputs),
                "shape": list(tensor.shape),
                "result_t": str(tensor.dtype),
                "range": [low * tensor.dtype.step, high * tensor.dtype.step],
                "settings": settings,
                "approximate": "" if inexact is None else inexact.why,
                "bound": None if inexact is None else inexact.bound,
            }
        )
    return rows


def print_layers(design: Design, *, json: bool) -> None:
    """Print the layers of a design."""
    rows = layer_rows(design)
    if json:
        print_json(
            {
                "model": design.source,
                "board": design.board.name,
                "layers": rows,
                "warnings": [w.as_dict() for w in design.warnings],
            }
        )
        return
    columns = ("layer", "operator", "shape", "type", "range", "settings")
    shown = table(columns, title=f"{design.source}: {len(rows)} layers")
    for row in rows:
        shown.add_row(
            escape(row["name"] + _origin(row)),
            row["operator"],
            "x".join(map(str, row["shape"])),
            row["result_t"],
            "{:g} .. {:g}".format(*row["range"]),
            escape(", ".join(f"{k}={v}" for k, v in row["settings"].items())),
        )
    console.print(shown)
    for row in rows:
        if row["approximate"]:
            bound = "" if row["bound"] is None else f", proven at most {row['bound']:.3g}"
            text = f"approximate: {row['name']}: {row['approximate']}{bound}"
            console.print(escape(text), soft_wrap=True)
    warnings(design.warnings)


def _origin(row: dict[str, Any]) -> str:
    return f" ({row['origin']})" if row["origin"] not in ("", row["name"]) else ""


def print_model(model: QonnxModel, path: Path, *, json: bool) -> None:
    """Print which model was written."""
    graph = model.ir.graph
    if json:
        names = {"inputs": graph.inputs, "outputs": graph.outputs}
        ports = {kind: [v.name for v in values] for kind, values in names.items()}
        print_json({"model": str(path), "source": model.source, "nodes": len(graph), **ports})
        return
    console.print(escape(f"{path}: {model.source}, {len(graph)} nodes"))


def _figure(figure: Estimate) -> str:
    return f"{figure.value:,.0f} [dim]({figure.low:,.0f}-{figure.high:,.0f})[/]"


def print_estimate(
    design: Design, found: EstimateReport, baseline: Baseline | None = None, *, json: bool
) -> None:
    """Print estimated resources and timing, each with its interval, beside what was measured."""
    if json:
        timed = None if baseline is None else baseline.to_dict()
        print_json({"model": design.source, **found.to_dict(), "baseline": timed})
        return
    title = f"{design.source} on {design.board.name}, {ESTIMATED}"
    shown = table(("layer", *(f">{column}" for column in COLUMNS.values())), title=title)
    for row in found.layers:
        shown.add_row(escape(row.name), *(f"{getattr(row.cost, c).value:,.0f}" for c in COLUMNS))
    shown.add_section()
    shown.add_row("total", *(_figure(getattr(found.total, c)) for c in COLUMNS))
    shown.add_row("basis", *(getattr(found.total, c).basis for c in COLUMNS))
    console.print(shown)
    for note in found.total.notes:
        console.print(escape(note), soft_wrap=True)
    for entry in found.utilisation:
        if entry.available:
            used = f"{entry.percent.value:.1f} % ({entry.percent.low:.1f}-{entry.percent.high:.1f})"
            console.print(f"{entry.resource:<9} {used} of {entry.available:,}: {entry.answer}")
    console.print(
        f"latency   {_figure(found.latency_ns)} ns at {found.clock_period_ns:g} ns; "
        f"fits {design.board.name}: [bold]{found.fits}[/]"
    )
    if found.power is not None:
        text = f"energy    {joules(found.power.single_uj.value)} ({energy_words(found.power)})"
        console.print(escape(text), soft_wrap=True)
    if found.calibration:
        console.print(escape(found.calibration), soft_wrap=True)
    if baseline is not None:
        from hwflow.cli.show.baseline import print_baseline

        print_baseline(design, found, baseline)
    warnings(design.warnings)
    warnings(found.warnings)


def print_requantizers(design: Design) -> None:
    """Print how each layer requantises, and what proves it, if any does."""
    from hwflow.ops.requantize import Requantize

    figures = (">multiplier bits", ">shift", ">points compared")
    rows = []
    for node in design.graph.nodes:
        plan = node.op.plan if isinstance(node.op, Requantize) else None
        if plan is None or plan.proof is None:
            continue
        shift = "" if plan.shift is None else str(plan.shift)
        bits = str(plan.multiplier_bits or "")
        proof = (f"{plan.proof.points:,}", plan.proof.method)
        rows.append((escape(node.name), str(plan), bits, shift, *proof))
    if rows:
        columns = ("layer", "implementation", *figures, "which points")
        shown = table(columns, title="requantisers")
        for row in rows:
            shown.add_row(*row)
        console.print(shown)


def print_build(
    design: Design,
    found: Verification,
    folder: Path,
    *,
    plugins: Sequence[Path] = (),
    json: bool,
) -> None:
    """Print the outcome of a build, made with plugins that the command line names."""
    from hwflow.cli.show.verification import INDENT, print_verification
    from hwflow.package.packaging import block_folder
    from hwflow.verify.json import verification_dict

    estimated = design.estimate()
    if json:
        print_json(
            {
                "model": design.source,
                "folder": str(folder),
                "digest": design.project.digest,
                **verification_dict(found),
                "estimate": estimated.to_dict(),
                "warnings": [w.as_dict() for w in (*design.warnings, *design.golden.warnings)],
                "seconds": design.seconds,
            }
        )
        return
    print_verification(design, found)
    print_requantizers(design)
    total = estimated.total
    console.print(
        f"estimate  csynth: LUT {_figure(total.lut)}, FF {_figure(total.ff)}, "
        f"DSP {_figure(total.dsp)}, BRAM18 {_figure(total.bram_18k)}, "
        f"latency {_figure(estimated.latency_ns)} ns",
        soft_wrap=True,
    )
    console.print(
        f"{INDENT}post-synthesis: LUT {_figure(total.lut_synth)}, FF {_figure(total.ff_synth)}, "
        f"DSP {_figure(total.dsp_synth)}, BRAM18 {_figure(total.bram_18k_synth)}; "
        f"fits {design.board.name}: {estimated.fits}",
        soft_wrap=True,
    )
    warnings(estimated.warnings)
    package = ["hwflow", "package", str(folder), "-o", str(block_folder(folder))]
    for plugin in plugins:
        package += ["--plugin", str(plugin)]
    lines = (
        f"project   {folder}/hls, report {folder}/report.html",
        f"next      make -C {shlex.quote(f'{folder}/sim')}    # the C++ against its vectors, "
        "with g++ alone",
        f"          {shlex.join(package)}    # an IP block with a bus around it",
    )
    for line in lines:
        console.print(escape(line), soft_wrap=True)
