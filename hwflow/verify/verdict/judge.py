"""The verdict on a simulation: what differs from the model, and which layer makes it differ.

Behind an approximate layer the model is evaluated once more, exactly, with the hardware's own
value of that layer in the place of the model's. What differs then is an error of its own, whatever
the approximate layer did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Inexact
from hwflow.ops.shared.port_data import real_values, to_original
from hwflow.simulate.numpy import Simulation
from hwflow.verify.references.exact import OnGrid
from hwflow.verify.verdict.state import Approximation, State, Verdict
from hwflow.verify.verdict.walk import Causes, causes, inexact_layers

F64 = npt.NDArray[np.float64]
Values = Mapping[str, F64]
"""Values of the model by name."""

FLOAT64 = 2.0**-52
"""Twice the largest relative error of rounding to float64, as both sides of a difference are."""


@dataclass(frozen=True, eq=False)
class Suspects:
    """The approximate layers of a graph, and what rests on them.

    Attributes:
        graph: the hardware graph.
        names: names of values of the model that can be compared; the passes make further ones.
    """

    graph: Graph
    names: Set[str]

    @cached_property
    def approximate(self) -> Mapping[str, Inexact]:
        """Approximate layers by name."""
        return inexact_layers(self.graph)

    @cached_property
    def upstream(self) -> Causes:
        """The approximate layers that each layer rests on, over any distance."""
        return causes(self.graph, self.approximate)

    @cached_property
    def own(self) -> Causes:
        """The approximate layers that each layer rests on, with the values of ``cuts`` given."""
        return causes(self.graph, self.approximate, self._known)

    @cached_property
    def cuts(self) -> tuple[Node, ...]:
        """The first layers on approximate ones, or these, whose value the model has, too."""
        return tuple(n for n in self.graph.nodes if self.own[n.name] and self._known(n))

    def _known(self, node: Node) -> bool:
        return node.source is not None and node.source.name in self.names

    @property
    def values(self) -> tuple[str, ...]:
        """Names of the model's values at the cuts."""
        return tuple(n.source.name for n in self.cuts if n.source is not None)

    def given(self, simulation: Simulation, model: Values) -> dict[str, OnGrid]:
        """Return the hardware's values at the cuts where they are not the model's own.

        Args:
            simulation: a simulation with all layers kept.
            model: the model's values by name.
        """
        found = {}
        for node in self.cuts:
            assert node.source is not None
            held = simulation.layers[node.name]
            ours = real_values(held, node.source)
            if not np.array_equal(ours, np.reshape(model[node.source.name], ours.shape)):
                found[node.source.name] = _on_grid(held, node.source)
        return found

    def explained(self, node: Node, *, apart: bool) -> frozenset[str]:
        """Return the approximate layers that a difference at a layer can come from.

        Args:
            node: the layer.
            apart: the model was fed with the hardware's values at the cuts.
        """
        return (self.own if apart else self.upstream)[node.name]


def _on_grid(held: FixedArray, port: Port) -> OnGrid:
    """Return a value of the hardware as exact numbers in the model's order of axes."""
    shape, step = held.shape[1:], Fraction(2) ** -held.dtype.fractional

    def spread(part: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
        whole = part if part.size == 1 else np.broadcast_to(part, shape)[None]
        return whole if part.size == 1 else np.asarray(to_original(whole, port)[0])

    scale, offset = (spread(part) for part in (port.grid.scale * step, port.grid.offset))
    return OnGrid(to_original(held.raw, port), scale, offset)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The values that the model and the hardware both have, from either.

    Attributes:
        suspects: the approximate layers.
        ours: the hardware's real numbers of a layer.
        model: the model's values.
        fed: the same with the hardware's own values at the cuts; None where the model cannot be
            evaluated like this.
    """

    suspects: Suspects
    ours: Callable[[Node], F64]
    model: Values
    fed: Values | None

    def difference(self, node: Node, values: Values) -> F64:
        """Return how far the hardware's value of a layer is from the model's."""
        assert node.source is not None
        ours = self.ours(node)
        return np.abs(ours - np.asarray(values[node.source.name], np.float64).reshape(ours.shape))

    def unexplained(self, nodes: Iterator[Node]) -> tuple[Node, str] | None:
        """Return the first layer that differs and no approximate layer explains, and its cause.

        The cause is empty where it is not known.
        """
        apart = self.fed is not None
        judge = self.model if self.fed is None else self.fed
        for node in nodes:
            differs = self.difference(node, judge)
            if not differs.any():
                continue
            suspected = self.suspects.explained(node, apart=apart)
            if not suspected:
                return node, ""
            bound = self._bound(node) if apart and suspected == {node.name} else None
            rounding = FLOAT64 * float(np.abs(self.ours(node)).max())
            if bound is not None and differs.max() > bound + rounding:
                why = f"differs by {differs.max():.3g}, where at most {bound:.3g} is proven"
                return node, why
        return None

    def _bound(self, node: Node) -> float | None:
        """Return the proven bound of an approximate layer as real numbers of the model."""
        bound = self.suspects.approximate[node.name].bound
        if bound is None or node.source is None:
            return None
        return bound * float(max(abs(s) for s in node.source.grid.scale.ravel()))

    def verdict(self, *, wrong: bool) -> Verdict:
        """Return the verdict.

        Args:
            wrong: a difference was found that nothing explains.
        """
        found = tuple(self._approximations())
        state = State.APPROXIMATE if found else State.LOSSLESS
        graph = self.suspects.graph
        ends = [graph.by_name[port.value] for port in graph.outputs]
        known = [n for n in ends if n.source is not None and n.source.name in self.model]
        bounds = [self._output_bound(node) for node in ends]
        return Verdict(
            state=State.NOT_LOSSLESS if wrong else state,
            because=found,
            at_most=max(
                (float(self.difference(n, self.model).max(initial=0.0)) for n in known), default=0
            ),
            bound=None if not found or None in bounds else max(b for b in bounds if b is not None),
            apart=self.fed is not None,
        )

    def _output_bound(self, node: Node) -> float | None:
        """Return the proven largest difference of an output, or None."""
        upstream = self.suspects.upstream[node.name]
        if not upstream:
            return 0.0
        return self._bound(node) if upstream == {node.name} else None

    def _approximations(self) -> Iterator[Approximation]:
        """Yield what each approximate layer was seen to do."""
        judge = self.model if self.fed is None else self.fed
        for name, reason in self.suspects.approximate.items():
            seen = [n for n in self.suspects.cuts if name in self.suspects.own[n.name]]
            parts = [self.difference(n, judge) for n in seen]
            node = self.suspects.graph.by_name[name]
            alone = node in seen and self.suspects.own[name] == {name}
            yield Approximation(
                layer=name,
                origin=node.origin,
                why=reason.why,
                differs=sum(int((part != 0).sum()) for part in parts),
                largest=max((float(part.max(initial=0.0)) for part in parts), default=0.0),
                bound=self._bound(node) if alone else None,
            )
