"""The hardware against the trained model: who judges, and what float32 execution makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.ir.graph import Graph, Node
from hwflow.ir.qonnx.model import printable
from hwflow.ops.shared.port_data import real_values
from hwflow.simulate.numpy import Simulation
from hwflow.verify.agreement import Agreement, Divergence, Float32Match, LayerMatch
from hwflow.verify.comparison import Cause, compare, divergence
from hwflow.verify.verdict.judge import Evidence, Suspects

NOT_VALUES = ("strategy", "reuse_factor", "implementation", "product")
"""Settings that change how a layer is computed, and none of its numbers."""


@dataclass(frozen=True, eq=False)
class ModelValues:
    """What the trained model gives for the data.

    Attributes:
        float32: values by ONNX value name as ONNX Runtime computes them, batch first, ONNX axes.
        exact: the same in exact arithmetic, each rounded once to float64, and the values at the
            cuts of approximate layers; None where it has none.
        quantized: names of the values that a quantiser gives.
        float32_only: why there are no exact values, or empty.
        fed: values as in ``exact``, with the hardware's own at the cuts; None without cuts.
    """

    float32: Mapping[str, npt.NDArray[Any]]
    exact: Mapping[str, npt.NDArray[Any]] | None
    quantized: Set[str] = frozenset()
    float32_only: str = ""
    fed: Mapping[str, npt.NDArray[Any]] | None = None


@dataclass(frozen=True, eq=False)
class Comparison:
    """One simulation, to be compared with the model.

    Attributes:
        graph: the hardware graph.
        simulation: a simulation with all layers kept.
        settings: what the user set for layers, by the name or the origin of the layer.
    """

    graph: Graph
    simulation: Simulation
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def lossless(self, model: ModelValues) -> Agreement:
        """Compare the hardware's values with the trained model's own, at quantisers and outputs.

        The judge is exact arithmetic: every value of the hardware must be the exact result, both
        rounded once to float64. Where the model has no exact evaluation, float32 execution is the
        judge and the hardware's values are rounded to float32 as well.

        Args:
            model: what the trained model gives for the same data.
        """
        judge = model.float32 if model.exact is None else model.exact
        exact = model.exact is not None

        def ours(node: Node) -> npt.NDArray[np.float64]:
            assert node.source is not None  # only such layers are compared
            found = real_values(self.simulation.layers[node.name], node.source)
            return found if exact else found.astype(np.float32).astype(np.float64)

        pairs = []
        for node in self._compared(model.float32):
            assert node.source is not None
            found = ours(node)
            expected = np.asarray(judge[node.source.name], np.float64).reshape(found.shape)
            pairs.append((node, expected, found))
        suspects = Suspects(self.graph, judge.keys())
        fed = model.fed if suspects.cuts else model.exact
        evidence = Evidence(suspects, ours, judge, fed)
        cause = self._cause(suspects, exact=exact, apart=False)
        agreement = compare(pairs, self.simulation.samples, cause, self._step)
        agreement = self._judged(agreement, evidence, judge)
        if model.exact is None:
            return replace(agreement, float32_only=model.float32_only)
        return _with_float32(agreement, self.graph, model, model.exact)

    def _compared(self, values: Mapping[str, Any]) -> Iterator[Node]:
        """Yield the layers whose value is one of these values of the model."""
        for node in self.graph.nodes:
            if node.source is not None and node.source.name in values:
                yield node

    def _judged(
        self, agreement: Agreement, evidence: Evidence, judge: Mapping[str, Any]
    ) -> Agreement:
        """Return an agreement with its verdict, and the first difference that nothing explains."""
        found = evidence.unexplained(self._compared(judge))
        verdict = evidence.verdict(wrong=found is not None)
        if found is None:
            return replace(agreement, verdict=verdict)
        node, why = found
        values = judge if evidence.fed is None else evidence.fed
        first = self._divergence(node, evidence, values, why)
        return replace(agreement, verdict=verdict, first=first)

    def _divergence(
        self, node: Node, evidence: Evidence, values: Mapping[str, Any], why: str
    ) -> Divergence:
        """Return the first difference at a layer."""
        assert node.source is not None
        found, off = evidence.ours(node), evidence.difference(node, values)
        worst = np.argwhere(off == off.max())[0] if why else np.argwhere(off)[0]
        index = tuple(int(i) for i in worst)
        expected = float(np.asarray(values[node.source.name]).reshape(found.shape)[index])
        apart = evidence.fed is not None
        told = self._cause(evidence.suspects, exact=apart, apart=apart)
        cause = why or told(node, expected, found[index])
        step = self._step(node)
        return divergence(node, index, expected, float(found[index]), step=step, cause=cause)

    def _step(self, node: Node) -> float:
        """Return the smallest distance between two real numbers of a layer."""
        assert node.source is not None
        return node.source.grid.step(self.graph.types[node.name].dtype)

    def _cause(self, suspects: Suspects, *, exact: bool, apart: bool) -> Cause:
        """Return what says where a difference comes from.

        Args:
            suspects: the approximate layers.
            exact: the model's values are exact.
            apart: they rest on the hardware's own values at the cuts.
        """

        def cause(node: Node, expected: float, found: float) -> str:
            if suspects.explained(node, apart=apart):
                return _named(suspects, sorted(suspects.explained(node, apart=False)))
            changed = list(self._changes(node))
            if changed:
                return "set in the settings: " + ", ".join(changed)
            wrapped = self.simulation.counters[node.name].wrapped
            if wrapped:
                return f"{wrapped} values of this layer wrapped around"
            if not exact:
                return "the reference's float32 arithmetic rounds differently"
            return "no setting and no approximate layer explains it: an error in hwflow"

        return cause

    def _changes(self, node: Node) -> Iterator[str]:
        """Yield what the user set at the layers that a value rests on and that changes numbers."""
        before = {node.name}
        for each in reversed(self.graph.nodes):
            if each.name in before:
                before.update(each.inputs)
        for each in self.graph.nodes:
            if each.name not in before:
                continue
            given = self.settings.get(each.name) or self.settings.get(each.origin) or {}
            for key, value in given.items():
                if key in each.op.settings and key not in NOT_VALUES:
                    yield f"{key} = {value} of {printable(each.name)}"


def _named(suspects: Suspects, names: Sequence[str]) -> str:
    """Return which approximate layers a difference comes from, and why they are that."""
    parts = (f"{name} ({suspects.approximate[name].why})" for name in names)
    return f"approximate because of {', '.join(parts)}"


def _with_float32(
    agreement: Agreement, graph: Graph, model: ModelValues, exact: Mapping[str, npt.NDArray[Any]]
) -> Agreement:
    """Return an agreement with the count of what float32 execution of the model rounds otherwise.

    A float32 number agrees with an exact one that rounds to it: levels times scales that are not
    powers of two are rounded once.
    """
    layers: list[LayerMatch] = []
    levels: list[LayerMatch] = []
    for layer in agreement.layers:
        source = graph.by_name[layer.name].source
        assert source is not None  # only such layers are compared
        nearest = np.asarray(exact[source.name]).astype(np.float32)
        float32 = np.asarray(model.float32[source.name]).astype(np.float32)
        differs = int((nearest != float32.reshape(nearest.shape)).sum())
        layers.append(replace(layer, float32_differs=differs))
        if source.name in model.quantized:
            levels.append(layers[-1])
    match = Float32Match(
        elements=_elements(levels),
        differs=_float32_differs(levels),
        first=next((n.origin or n.name for n in levels if n.float32_differs), ""),
        unquantized=_elements(layers) - _elements(levels),
        unquantized_differs=_float32_differs(layers) - _float32_differs(levels),
    )
    return replace(agreement, layers=tuple(layers), float32=match)


def _elements(layers: Sequence[LayerMatch]) -> int:
    return sum(layer.elements for layer in layers)


def _float32_differs(layers: Sequence[LayerMatch]) -> int:
    return sum(layer.float32_differs or 0 for layer in layers)
