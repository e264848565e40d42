"""What the command line prints of trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwflow.cli.show.handover import handed_over
from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.compression.distill import Distilled
    from hwflow.compression.fusing.run import FusedRun
    from hwflow.compression.handover.page import Story
    from hwflow.compression.qat import Trained

Plain = dict[str, Any]

ERRORS = ("label_squared_error", "mean_squared_error")
"""Figures that are less where a network is better."""


def print_trained(found: Trained, story: Story, *, json: bool) -> None:
    """Print the front, the point that was chosen, and what to do next."""
    result = found.result
    if json:
        handed_over(story, found.folder, result, json=True)
        return
    title = f"{found.model.source}, {result['float']['samples']} held-out samples"
    kinds = _kinds(result["float"])
    figures = (">EBOPs", ">LUT", ">DSP", ">FF", ">latency ns")
    shown = table(
        ("point", *(f">{k.replace('_', ' ')}" for k in kinds), ">95 %", *figures), title=title
    )
    shown.add_row(
        "float",
        *(_quality(result["float"], k) for k in kinds),
        _interval(result["float"], kinds[0]),
    )
    for point in result["points"]:
        mark = " chosen" if point["epoch"] == result["chosen"]["epoch"] else ""
        costs = (point["ebops"], point["lut_synth"], point["dsp"], point["ff"], point["latency_ns"])
        shown.add_row(
            f"epoch {point['epoch'] + 1}{mark}", *(_quality(point, k) for k in kinds),
            _interval(point, kinds[0]), *(f"{cost:,.0f}" for cost in costs),
        )  # fmt: skip
    console.print(shown)
    handed_over(story, found.folder, result, json=False)
    met = "met" if found.reached else "not met: the cheapest point was taken"
    path = found.folder / "model.onnx"
    console.print(
        escape(
            f"{result['goal']} {met}; design and training give the same bits on "
            f"{result['compared']:,} samples\n"
            f"next: hwflow build {path} --board {result['request']['board']} "
            f"--io-type {result['request']['io_type']} -o build/compressed"
        ),
        soft_wrap=True,
    )


def print_distilled(found: Distilled, story: Story, *, json: bool) -> None:
    """Print student and teachers on held-out samples, and what to do next."""
    result = found.result
    if json:
        handed_over(story, found.folder, result, json=True)
        return
    chosen = result["chosen"]
    kinds, request = _kinds(chosen), result["request"]
    shown = table(
        ("network", *(f">{k.replace('_', ' ')}" for k in kinds), ">95 %"),
        title=f"{found.model.source}, {chosen['samples']} held-out samples",
    )
    rows = [(f"teacher {row['name']}", row) for row in result["teachers"]]
    if len(rows) > 1:
        rows.append(("teachers together", result["taught"]))
    rows += [("before", result["before"]), (f"epoch {chosen['epoch'] + 1} chosen", chosen)]
    for name, row in rows:
        shown.add_row(name, *(_quality(row, k) for k in kinds), _interval(row, kinds[0]))
    console.print(shown)
    handed_over(story, found.folder, result, json=False)
    path = found.folder / "model.onnx"
    teachers = "".join(f" --teacher {t}" for t in request["teachers"] or [request["model"]])
    console.print(
        escape(
            f"next: hwflow compress qat {path} --data {request['data']}{teachers} "
            f"--task {request['task']} --target fits=pynq-z2 --run {found.folder}-qat"
        ),
        soft_wrap=True,
    )


def print_fused(found: FusedRun, *, json: bool) -> None:
    """Print the networks and what became of them on held-out samples, and what to do next."""
    result = found.result
    if json:
        print_json({"folder": str(found.folder), **result})
        return
    if "fused" in result:
        kinds = _kinds(result["fused"])
        shown = table(
            ("network", *(f">{k.replace('_', ' ')}" for k in kinds), ">95 %"),
            title=f"{result['fused']['samples']} held-out samples",
        )
        for row in (*result["members"], {"name": "fused", **result["fused"]}):
            cells = (*(_quality(row, k) for k in kinds), _interval(row, kinds[0]))
            shown.add_row(escape(row["name"]), *cells)
        console.print(shown)
    lines = [f"{a} is part of {b}" for a, b in result.get("merged", ())]
    lines += [f"{name} stays: {why}" for name, why in result.get("left", ())]
    if "greedy" in result:
        lines.append(f"mean of {', '.join(result['chosen'])}")
    lines.append(f"written: {found.folder / 'model.onnx'}")
    console.print(escape("\n".join(lines)), soft_wrap=True)


def _kinds(row: Plain) -> list[str]:
    """Return the figures of quality that a row has."""
    return [k for k in ("accuracy", "agreement", *ERRORS) if k in row]


def _quality(row: Plain, kind: str) -> str:
    return f"{row[kind]:.4g}" if kind in ERRORS else f"{100 * row[kind]:.2f}"


def _interval(row: Plain, kind: str) -> str:
    ends = row.get(f"{kind}_interval")
    return "" if ends is None else f"{100 * ends[0]:.1f}-{100 * ends[1]:.1f}"
