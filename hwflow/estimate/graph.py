"""Resources and timing of a whole graph, before any vendor tool runs.

Everything here is *estimated*: "csynth" columns stand for what the HLS tool's C synthesis would
report, "post-synthesis" ones for what logic synthesis would leave of it; ``docs/estimates.md``
says how good both are. Nothing in this module is called synthesized.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hwflow.core.board import RESOURCES, Board
from hwflow.core.errors import Diagnostic
from hwflow.estimate.calibration import correction_for
from hwflow.estimate.capacity import as_reported
from hwflow.estimate.evidence import judged
from hwflow.estimate.liveness import is_dataflow, live_cost
from hwflow.estimate.logic import logic_of
from hwflow.estimate.power import power_of
from hwflow.estimate.report import EstimateReport, LayerEstimate, Utilisation
from hwflow.estimate.streams import (
    Fifos,
    beats_of,
    whole_fifos,
    with_beats,
    with_channels,
    with_fifos,
    with_registers,
)
from hwflow.estimate.total import of_reports, total_cost
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target

UNROLL_LIMIT = 4096
"""Elements per array and products per layer from which Vivado HLS stops unrolling ("Stop unrolling
loop"; hls4ml FAQ) and Vitis HLS leaves sums unbalanced."""

BOARD_COLUMN = {
    "lut": "lut_synth", "ff": "ff_synth", "dsp": "dsp", "bram_18k": "bram_18k_synth", "uram": "uram"
}  # fmt: skip
"""Which estimated figure stands against which resource of a board."""


def estimate(
    graph: Graph, target: Target, board: Board | None = None, *, fifos: Fifos | None = None
) -> EstimateReport:
    """Return the estimated cost of every layer and of the whole graph.

    Args:
        graph: the hardware graph.
        target: backend, io type, part and clock.
        board: what to compare with; None to compare with nothing.
        fifos: the FIFOs in io_stream; None for those of hls4ml, which hold whole values.
    """
    rows = tuple(
        LayerEstimate(n.name, n.origin, n.op.kind, node_cost(graph, n, target, fifos=fifos))
        for n in graph.nodes
    )
    costs = {row.name: row.cost for row in rows}
    asked = total_of(graph, costs, target)
    utilisation = tuple(board_utilisation(asked, board)) if board else ()
    total = as_reported(asked, target.part)
    correction = correction_for(target)
    return EstimateReport(
        layers=rows,
        total=total,
        clock_period_ns=target.clock_period_ns,
        latency_ns=total.latency_cycles.scaled(target.clock_period_ns),
        board=board.name if board else "",
        utilisation=utilisation,
        fits=worst_fit([u.fits for u in utilisation]),
        warnings=tuple(warn(graph, target, board)),
        calibration=correction.basis if correction else "",
        power=power_of(total, board, target.clock_period_ns) if board else None,
    )


def total_of(graph: Graph, costs: Mapping[str, Cost], target: Target) -> Cost:
    """Return the cost of a whole graph from those of its layers, by name."""
    nodes = [(n.name, n.inputs) for n in graph.nodes]
    return of_reports(total_cost(nodes, costs, target, one_shot(graph)))


def one_shot(graph: Graph) -> dict[str, int]:
    """Return in how many beats the layers get their input that wait for all of it."""
    return {
        n.name: max((beats_of(graph, i) for i in n.inputs), default=1)
        for n in graph.nodes
        if all(len(t.shape) == 1 for t in graph.input_types(n))
    }


def node_cost(graph: Graph, node: Node, target: Target, *, fifos: Fifos | None = None) -> Cost:
    """Return the cost of a layer, with what holds its result: registers, or FIFOs in streams."""
    cost = judged(_with_result(graph, node, target, fifos), graph, node, target)
    correction = correction_for(target)
    return cost if correction is None else correction.applied(cost)


def _with_result(graph: Graph, node: Node, target: Target, fifos: Fifos | None) -> Cost:
    if not target.streams:
        cost = live_cost(graph, node, target)
        if is_dataflow(graph):
            return with_channels(cost, graph, node, target.backend)
        return with_registers(cost, graph, node)
    cost = node.op.cost(target, *graph.input_types(node))
    own = whole_fifos(graph, node) if fifos is None else fifos.get(node.name, ())
    return with_fifos(with_beats(cost, graph, node), own, target.backend)


def board_utilisation(total: Cost, board: Board) -> Iterator[Utilisation]:
    """Yield the share of each resource that the design would take of a board, in its own blocks."""
    logic = logic_of(board)
    for resource in RESOURCES:
        available = board.resources.count(resource)
        used = logic.converted(resource, getattr(total, BOARD_COLUMN[resource], Estimate.exact(0)))
        if available == 0 and used.high == 0:
            continue
        percent = used.scaled(100.0 / available) if available else Estimate(*(_ABSENT,) * 3)
        yield Utilisation(
            resource=resource,
            used=used,
            available=available,
            percent=percent,
            fits=_fit(used, available),
            basis=Basis.EXTRAPOLATED if logic.why else used.basis,
        )


_ABSENT = 999.0
"""Per cent shown for a resource that is needed and that the device does not have."""


def _fit(used: Estimate, available: int) -> str:
    if used.high <= available:
        return "yes"
    return "no" if used.value > available else "borderline"


def worst_fit(fits: Sequence[str]) -> str:
    """Return the worst of several answers; empty when there is none."""
    return next((answer for answer in ("no", "borderline", "yes") if answer in fits), "")


def warn(graph: Graph, target: Target, board: Board | None) -> Iterator[Diagnostic]:
    """Yield what would make synthesis run for hours, or the figures another device's."""
    for node in graph.nodes:
        yield from _warn_node(graph, node, target)
    why = logic_of(board).why if board else ""
    if board and why:
        yield Diagnostic(
            code="HW513",
            severity="warning",
            title="estimates are for AMD devices",
            where=f"board {board.name}: {board.family}, {board.vendor}",
            found=f"shares are extrapolated: {why}; cycles are those of AMD's UltraScale",
            help="take the figures as an order of magnitude; those for boards of AMD, such as "
            "--board zcu104, rest on reports",
        )


def _warn_node(graph: Graph, node: Node, target: Target) -> Iterator[Diagnostic]:
    """Yield the warnings about one layer."""
    where = f"{node.origin or node.name}: {node.op.kind}"
    out = graph.types[node.name]
    if not target.streams and out.size > UNROLL_LIMIT:
        yield Diagnostic(
            code="HW511",
            severity="warning",
            title="too many parallel values",
            where=where,
            found=f"{out.size} values in io_parallel",
            supported=f"arrays of up to {UNROLL_LIMIT} elements are partitioned completely",
            help='set io_type = "io_stream"',
        )
    layer = node.op.lower(*graph.input_types(node))
    weight = layer.weights.get("weight")
    if weight is None:
        return
    products = int((weight.raw != 0).sum()) / layer.reuse_factor
    if layer.strategy == "latency" and products > UNROLL_LIMIT:
        yield Diagnostic(
            code="HW510",
            severity="warning",
            title="layer too large to unroll",
            where=where,
            found=f"{products:.0f} multiplications at once, strategy latency",
            supported=f"about {UNROLL_LIMIT}; beyond, Vivado HLS stops unrolling and Vitis HLS "
            "adds in long chains, both after hours",
            help='raise reuse_factor, set strategy = "resource", or prune the layer',
        )
