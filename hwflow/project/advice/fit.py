"""What does not fit the board: the largest layer, and what the estimator shows to help."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hwflow.core.board import Board
from hwflow.core.errors import Diagnostic
from hwflow.estimate.graph import BOARD_COLUMN
from hwflow.estimate.report import EstimateReport, Utilisation
from hwflow.ir.graph import Graph
from hwflow.ops.requantize import Requantize
from hwflow.project.advice.biases import WORTH, wide_bias
from hwflow.project.advice.changes import Change, best_changes, board_that_fits
from hwflow.project.advice.trial import Settled, Trial


def fit_warnings(found: EstimateReport, graph: Graph, settled: Settled) -> Iterator[Diagnostic]:
    """Yield a warning for each resource that the board does not, or may not, have enough of.

    Args:
        found: the estimate.
        graph: that was estimated.
        settled: the same design, to try other settings on.
    """
    short = [use for use in found.utilisation if use.fits != "yes"]
    if not short:
        return
    short.sort(key=lambda use: -use.percent.value)
    sizes = layer_sizes(found, short[0].resource)
    changes = best_changes(settled, short[0].resource, [name for name, _ in sizes])
    now = Trial(found.total, found.utilisation)
    verdicts = {"no": "does not fit", "borderline": "may not fit"}
    yield Diagnostic(
        code="HW512",
        severity="warning",
        title=", ".join(f"{use.resource} {verdicts[use.fits]}" for use in short),
        where=f"board {found.board}",
        found="; ".join([*map(_share, short), *_largest(sizes, short[0], graph, settled)]),
        help=_help(short, now, changes, board_that_fits(settled, now)),
    )


def _share(use: Utilisation) -> str:
    percent = use.percent
    return (
        f"{use.resource}: {percent.value:.0f} % of {use.available:,} "
        f"({percent.low:.0f} to {percent.high:.0f} %)"
    )


def layer_sizes(found: EstimateReport, resource: str) -> list[tuple[str, float]]:
    """Return the layers that take something of a resource, and how much, largest first."""
    column = BOARD_COLUMN[resource]
    sizes = []
    for row in found.layers:
        size = getattr(row.cost, column, None)
        if size is not None and size.value > 0:
            sizes.append((row.name, size.value))
    return sorted(sizes, key=lambda entry: -entry[1])


def _largest(
    sizes: list[tuple[str, float]], use: Utilisation, graph: Graph, settled: Settled
) -> Iterator[str]:
    """Yield which layer is the largest, and what may be done about it."""
    if not sizes:
        return
    name, size = sizes[0]
    node = graph.by_name[name]
    share = f"{100 * size / sum(value for _, value in sizes):.0f} % of the {use.resource}"
    text = f"the largest layer is {name} ({node.op.kind}) with {share}"
    bias = wide_bias(graph, node, settled.target)
    if isinstance(node.op, Requantize):
        yield f"{text}, a requantiser by {node.op.plan}, which a reuse factor shares"
    elif "table_t" in node.op.settings:
        yield f"{text}, a table, which a reuse factor shares"
    elif "strategy" not in node.op.settings:
        yield f"{text}, which has no strategies"
    elif bias is not None and bias.ratio >= WORTH:
        wide, narrow = bias.widths
        yield f"{text}, because of its bias: sums of {wide} bits instead of {narrow} (HW514)"
    else:
        yield text


def _help(
    short: Sequence[Utilisation],
    now: Trial,
    changes: Sequence[Change],
    larger: tuple[Board, Trial] | None,
) -> str:
    """Return what the estimator shows to help, with its figures."""
    parts = []
    before = {use.resource: use.percent.value for use in short}
    for change in changes:
        trial = change.trial
        figures = [f"{r} {trial.percent(r):.0f} % instead of {v:.0f} %" for r, v in before.items()]
        cycles = f"latency {change.cycles:,.0f} cycles instead of {_cycles(now):,.0f}"
        parts.append(f"{change}: {trial.verdict}, {', '.join(figures)}, {cycles}")
    if not changes:
        parts.append("no strategy, reuse factor or io_type that was tried takes less")
    if larger is not None:
        board, trial = larger
        figures = [f"{resource} {trial.percent(resource):.0f} %" for resource in before]
        parts.append(f'board = "{board.name}" in [target]: fits, {", ".join(figures)}')
    return "; or ".join(parts)


def _cycles(trial: Trial) -> float:
    return trial.total.latency_cycles.value
