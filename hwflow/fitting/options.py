"""What each layer of a graph can be, with its cost: the choices of which a design is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.board import RESOURCES
from hwflow.core.config import Config
from hwflow.estimate.graph import BOARD_COLUMN, node_cost, one_shot
from hwflow.estimate.liveness import is_stage
from hwflow.estimate.streams import Fifos
from hwflow.estimate.total import FEW, step_of
from hwflow.fitting.knobs import variants
from hwflow.ir.cost import Basis, Cost, Estimate
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.passes.graph.choose_xnor import magnitudes, with_product

FIGURES = (*RESOURCES, "built", "step", "interval", "ii", "plain")
"""What counts of a layer: blocks of AMD's logic, DSP blocks after logic synthesis, cycles as
``step_of`` gives them, and 1 for what makes no dataflow of an io_parallel design (``is_stage``)."""

ENDS = ("margin", "doubt", "unsure")
"""What upper ends of areas follow from (``of_reports``): how far that of a layer is above its best
value; what it adds to the share that is extrapolated, less what is allowed; and 1 where it follows
from no rule. They count where a budget is for an upper end."""

COLUMNS = (*FIGURES, *(f"{resource} {end}" for resource in RESOURCES for end in ENDS))
"""All columns of a layer's table."""

Table = npt.NDArray[np.float64]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Option:
    """One choice for a layer.

    Attributes:
        settings: what is chosen, as in ``[layer.NAME]``; empty where there is nothing to choose.
        op: the operator with it.
        cost: what it takes.
    """

    settings: Mapping[str, Any]
    op: Op
    cost: Cost


@dataclass(frozen=True, eq=False)
class Layer:
    """The choices for a layer, none of them worse than another in every figure.

    Attributes:
        name: the layer's.
        inputs: names of the layers before it.
        options: the choices.
        table: ``COLUMNS`` of each, of shape ``(options, columns)``.
        tried: how many choices there were before those that are worse in every figure were left
            out.
    """

    name: str
    inputs: tuple[str, ...]
    options: tuple[Option, ...]
    table: Table
    tried: int

    def only(self, kept: Sequence[int]) -> Layer:
        """Return the layer with some of its choices."""
        options = tuple(self.options[i] for i in kept)
        return replace(self, options=options, table=self.table[kept])

    def index(self, option: Option) -> int | None:
        """Return where a choice stands; None where it is not among them."""
        return next((i for i, one in enumerate(self.options) if one is option), None)

    def column(self, figure: str) -> Table:
        """Return a figure of each choice."""
        column: Table = self.table[:, COLUMNS.index(figure)]
        return column


Choice = tuple[Mapping[str, Any], Op]
Ops = Mapping[str, Sequence[Choice]]

PARALLEL = "parallelization_factor"


def ops_of(graph: Graph, target: Target, config: Config) -> Ops:
    """Return all legal settings of every layer of a graph, with the operators that they give.

    Args:
        graph: with its requantisers chosen; products are not yet.
        target: what the hardware is generated for.
        config: what the user set for layers is not chosen.
    """
    sizes = magnitudes(graph)
    found: dict[str, list[Choice]] = {}
    for node in graph.nodes:
        inputs, found[node.name] = graph.input_types(node), []
        for settings, op in variants(node.op, target, inputs, pinned_settings(config, node)):
            counted = with_product(graph, replace(node, op=op), sizes, target)
            found[node.name].append((settings, op if counted is None else counted))
    return found


def regimes(ops: Ops, target: Target) -> Iterator[tuple[bool, Ops]]:
    """Yield whether the design is a dataflow in io_parallel, and the settings with which it can be.

    Costs of all layers depend on whether any layer makes it one. Streams always are.
    """
    if target.streams:
        yield True, ops
        return
    plain = {name: [each for each in of if not is_stage(each[1])] for name, of in ops.items()}
    if all(plain.values()):
        yield False, plain
    if any(len(plain[name]) < len(of) for name, of in ops.items()):
        yield True, ops


def layers_of(
    graph: Graph,
    target: Target,
    ops: Ops,
    *,
    ends: bool = False,
    fifos: Fifos | None = None,
    progress: Progress = lambda stage, done: None,
) -> tuple[Layer, ...]:
    """Return what the layers of a graph can be on a target, with costs.

    Args:
        graph: with operators of the same regime.
        target: what the hardware is generated for.
        ops: what the layers can be in a regime.
        fifos: the FIFOs in io_stream.
        ends: keep choices that are better in the upper end of an area alone.
        progress: called with the stage and the share of it that is done.
    """
    waits, counted = one_shot(graph), len(COLUMNS if ends else FIGURES)
    found = []
    for done, node in enumerate(graph.nodes):
        progress("estimate choices", done / len(graph.nodes))
        beats = waits.get(node.name)

        def layer_of(some: Sequence[Choice], node: Node = node, beats: int | None = beats) -> Layer:
            options = tuple(
                Option(settings, op, node_cost(graph, replace(node, op=op), target, fifos=fifos))
                for settings, op in some
            )
            rows = [_figures(option, target, beats) for option in options]
            table = np.array(rows, np.float64).reshape(len(options), len(COLUMNS))
            return Layer(node.name, node.inputs, options, table, len(ops[node.name]))

        layer = layer_of(_worth_a_look(ops[node.name], layer_of, counted))
        found.append(layer.only(undominated(layer.table[:, :counted])))
    progress("estimate choices", 1.0)
    return tuple(found)


def _worth_a_look(
    choices: Sequence[Choice], layer_of: Callable[[Sequence[Choice]], Layer], counted: int
) -> Sequence[Choice]:
    """Return the choices without those that can be told to be worse by two parallelization factors.

    All figures of a convolution are linear in those of its product: areas times the factor, cycles
    times the positions over the factor (``conv_cost``). What is worse at the least and the greatest
    factor is worse between them, too.
    """
    factors = sorted({settings.get(PARALLEL, 1) for settings, _ in choices})
    if len(factors) < 3:
        return choices
    ends = [[c for c in choices if c[0].get(PARALLEL) == f] for f in (factors[0], factors[-1])]
    tables = [layer_of(end).table[:, :counted] for end in ends]
    kept = [_without_parallel(ends[0][i][0]) for i in undominated(np.hstack(tables))]
    return [choice for choice in choices if _without_parallel(choice[0]) in kept]


def _without_parallel(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != PARALLEL}


def pinned_settings(config: Config, node: Node) -> dict[str, Any]:
    """Return what the user set for a layer, by its own name or by its framework name."""
    return {**config.layers.get(node.origin, {}), **config.layers.get(node.name, {})}


def _figures(option: Option, target: Target, waits: int | None) -> list[float]:
    cost = option.cost
    areas = [getattr(cost, BOARD_COLUMN[r], Estimate.exact(0)) for r in RESOURCES]
    timing = (cost.dsp_synth.value, *step_of(cost, target, waits), cost.ii.value)
    ends = (end for area in areas for end in _ends(area))
    return [*(a.value for a in areas), *timing, float(not is_stage(option.op)), *ends]


def _ends(area: Estimate) -> tuple[float, ...]:
    doubtful = float(area.basis is Basis.EXTRAPOLATED) - FEW
    unsure = float(area.basis is not Basis.RULE)
    return (area.high - area.value, doubtful * area.value, unsure)


def undominated(table: Table) -> Sequence[int]:
    """Return the rows that no other row is at most as large as in every column.

    Of equal rows, the first stands for all.
    """
    kept: list[int] = []
    for i in sorted(range(len(table)), key=lambda i: (table[i].sum(), i)):
        if not kept or not (table[kept] <= table[i]).all(axis=1).any():
            kept.append(i)
    return sorted(kept)
