"""What it saves to declare results in the types that hold them, and no wider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hwflow.codegen.hls.streams import streams_of
from hwflow.core.errors import Diagnostic
from hwflow.estimate.graph import estimate
from hwflow.estimate.report import EstimateReport
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.passes.graph.narrow_types import as_declared

MOST = 4
"""Layers that are named."""

FIGURES = {"lut": "LUT", "ff": "FF", "dsp": "DSP", "bram_18k": "BRAM18"}


def narrowing(
    graph: Graph, declared: Mapping[str, FixedType], found: EstimateReport, target: Target
) -> Iterator[Diagnostic]:
    """Yield the note about results whose types are narrower than the model declares them.

    Args:
        graph: the graph that is built.
        declared: the types that layers had, by name.
        found: the estimate of the graph.
        target: backend, io type, part and clock.
    """
    if not declared:
        return
    before = as_declared(graph, declared)
    fifos = streams_of(before, target).fifos if target.streams else None
    wide = estimate(before, target, fifos=fifos).total
    less = {
        unit: round(getattr(wide, figure).value - getattr(found.total, figure).value)
        for figure, unit in FIGURES.items()
    }
    saved = ", ".join(f"{n:,} {unit}" for unit, n in less.items() if n > 0) or "nothing"
    more_of = ", ".join(f"{-n:,} {unit}" for unit, n in less.items() if n < 0)
    price = f" and takes {more_of} more" if more_of else ""
    shown = [f"{n}: {to} is {graph.types[n].dtype}" for n, to in [*declared.items()][:MOST]]
    more = f"; and {len(declared) - MOST} more" if len(declared) > MOST else ""
    first = next(iter(declared))
    count = "a type" if len(declared) == 1 else f"{len(declared)} types"
    yield Diagnostic(
        code="HW515",
        severity="note",
        title=f"narrowed {count}, which saves {saved}{price} (estimated)",
        where="; ".join(shown) + more,
        found="values that provably need no more; no bit of any result changes",
        help=f'to keep a type, set it: result_t = "{declared[first]}" in [layer.{first}]',
    )
