"""Where the reports end: what each figure rests on, and how much wider it is beyond them.

The bounds are those of the designs in ``docs/estimation-accuracy.md`` and of wa-hls4ml-search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hwflow.estimate.device import FAMILIES, family_of
from hwflow.estimate.spread import BLOCKS, WIDER
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target

KINDS = (
    "Input", "Reshape", "Dense", "Conv1D", "Conv2D", "DepthwiseConv2D", "Relu", "Cast", "MaxPool",
    "AveragePool", "Pad", "ScaleBias", "Softmax", "Sigmoid", "Tanh",
)  # fmt: skip
"""Operators that reports have, with hls4ml's own kernels."""

CLOCKS = {FAMILIES[0]: (2.5, 30.0), FAMILIES[1]: (3.33, 25.0)}
"""Shortest and longest clock period in reports, ns."""

TOOLS = {"vivado": ("2019.2", "2020.1"), "vitis": ("2021.1", "2024.2")}
"""Oldest and newest version that reports were made with."""

LARGEST = {"latency": 4096, "resource": 65536}
"""Most weights of an unrolled layer, and most of one whose multipliers take turns."""

WIDEST = {"input": 27, "accum": 32}
"""Most bits of a product's input and accumulator, but for two designs. Of wider inputs each product
takes several DSP blocks, and one of the two reports has almost none left of them after logic
synthesis."""

LOGIC = ("lut", "ff", "lut_synth", "ff_synth")
TIMING = ("ff", "ff_synth", "latency_cycles", "ii")
EVERY = (*LOGIC, *BLOCKS, "latency_cycles", "ii")


def judged(cost: Cost, graph: Graph, node: Node, target: Target) -> Cost:
    """Return the cost of a layer with what is extrapolated marked, wider and explained.

    Figures that follow from a rule stay as they are: no report is needed for them.
    """
    notes, figures = [], {}
    for reason, names in beyond(graph, node, target):
        found = {name: getattr(cost, name) for name in names}
        doubtful = {n: extrapolated(e) for n, e in found.items() if _rests_on_reports(e)}
        if doubtful:
            figures.update(doubtful)
            notes.append(f"extrapolated: {reason}")
    return replace(cost, **figures, notes=(*cost.notes, *notes)) if notes else cost


def _rests_on_reports(figure: Estimate) -> bool:
    return figure.basis is not Basis.RULE and figure.high > 0


def extrapolated(figure: Estimate) -> Estimate:
    """Return a figure beyond the reports, with the wider interval."""
    low, high = figure.low * WIDER[0], figure.high * WIDER[1]
    return Estimate(figure.value, low, high, Basis.EXTRAPOLATED)


def beyond(graph: Graph, node: Node, target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield why reports do not cover a layer on a target, and which figures that concerns."""
    yield from _target_beyond(target)
    if node.op.kind not in KINDS:
        yield f"no report has the operator {node.op.kind}", EVERY
        return
    op: Any = node.op
    if getattr(op, "reuse_factor", 1) > 1 and not hasattr(op, "weight") and not target.streams:
        yield f"no report has a reuse factor for {op.kind} in io_parallel", EVERY
    if hasattr(op, "strategy"):
        yield from _product_beyond(graph, node, target)


def _target_beyond(target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what reports do not cover of a target: family, clock, tool."""
    family = family_of(target.part)
    if family is None:
        yield f"no report is for the family of {target.part}", EVERY
    low, high = CLOCKS[family or FAMILIES[1]]
    if not low <= target.clock_period_ns <= high:
        yield f"reports for this family have clocks of {low:g} to {high:g} ns", TIMING
    name, _, version = target.tool.partition(" ")
    oldest, newest = TOOLS[target.backend.lower()]
    if version and not oldest <= version[: len(oldest)] <= newest:
        yield f"reports are of {name} {oldest} to {newest}", EVERY


def _product_beyond(
    graph: Graph, node: Node, target: Target
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what reports do not cover of a layer that multiplies by constants."""
    op: Any = node.op
    (x,) = graph.input_types(node)
    if op.product == "xnor":
        yield "no report has XNOR and population count", EVERY
    if op.strategy not in LARGEST:
        yield f"no report has the strategy {op.strategy}", EVERY
    elif op.weight.raw.size > LARGEST[op.strategy]:
        most = LARGEST[op.strategy]
        yield f"reports have up to {most} weights with strategy {op.strategy}", EVERY
    if "Conv" in op.kind and not target.streams:
        yield "reports have six convolutions in io_parallel, of two repositories", EVERY
    accum = op.exact(x).dtype.width
    if x.dtype.width > WIDEST["input"] or accum > WIDEST["accum"]:
        widths = "inputs of up to {input} bits and sums of up to {accum}".format(**WIDEST)
        yield f"reports have {widths}", (*LOGIC, *BLOCKS)
