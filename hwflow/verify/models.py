"""The hardware against the trained model, and the trained model against its float reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy.typing as npt

from hwflow.core.data import Data
from hwflow.core.distance import OutputError, output_error
from hwflow.ir.graph import Graph
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer
from hwflow.ops.shared.port_data import original_inputs, real_values
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from hwflow.simulate.numpy import Simulation
from hwflow.verify.agreement import Agreement
from hwflow.verify.budget import Budget, layer_losses, output_loss
from hwflow.verify.lossless import Comparison, ModelValues
from hwflow.verify.port_loss import port_losses
from hwflow.verify.references.exact import ExactReference, NoExactReferenceError
from hwflow.verify.references.float_model import FloatValues, check_outputs, float_values
from hwflow.verify.references.unquantized import NoFloatReferenceError
from hwflow.verify.verdict.judge import Suspects
from hwflow.verify.verdict.ports import because_of_ports

Array = npt.NDArray[Any]
Progress = Callable[[str, float], None]
Timed = Callable[[str], AbstractContextManager[None]]


@dataclass(frozen=True, eq=False)
class ModelCheck:
    """What comparing with models found.

    Attributes:
        lossless: the hardware against the quantised model; None where that cannot be run.
        errors: per output, the hardware against float32 execution of the quantised model.
        budget: the quantised model against the float reference; None without one.
        no_budget: why there is no float reference, or empty.
    """

    lossless: Agreement | None
    errors: tuple[OutputError, ...]
    budget: Budget | None
    no_budget: str


@dataclass(frozen=True, eq=False)
class _Exact:
    """The model in exact arithmetic, fed with the data and with the hardware's own values."""

    values: Mapping[str, Array] | None
    fed: Mapping[str, Array] | None
    problem: str = ""


NOT_RUN = ModelCheck(None, (), None, "the model cannot be run")
"""Outcome for a model with an operator that nobody defines; a warning says which."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelChecker:
    """Compares one simulation with the models behind it.

    Attributes:
        graph: the hardware graph.
        given: the data.
        simulation: the simulation of the data, with all layers kept.
        load: reads the quantised model anew.
        timed: notes how long a stage takes.
        progress: called as stages go on.
        settings: what the user set for layers, by the name or the origin of the layer.
    """

    graph: Graph
    given: Data
    simulation: Simulation
    load: Callable[[], QonnxModel]
    timed: Timed
    progress: Progress
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def check(self, float_model: Any) -> ModelCheck:
        """Compare the hardware with the quantised model, and that with its float reference.

        Args:
            float_model: see ``float_values``.

        Raises:
            CompileError: the float model cannot be used.
        """
        model = clean_model(self.load())
        values = quantized_values(model, self.graph)
        raw = original_inputs(self.graph, self.given.inputs)
        real, problem = self._float_values(float_model, model, raw, values)
        self.progress("quantised model", 0.0)
        with self.timed("quantised model"):
            reference = Reference(infer_shapes(model))
            ours = reference.run(raw, values)
        self.progress("quantised model", 1.0)
        budget = None if real is None else self._budget(real, ours, values)
        lossless = self._lossless(model, raw, ours, values)
        losses = port_losses(self.graph, self.given.inputs)
        if losses and not lossless.holds:
            rounded = self._rounded_inputs()
            behind = self._lossless(model, rounded, reference.run(rounded, values), values)
            lossless = because_of_ports(lossless, behind, losses)
        lossless = replace(lossless, ports=losses)
        return ModelCheck(lossless, self._errors(ours), budget, problem)

    def _lossless(
        self,
        model: QonnxModel,
        data: Mapping[str, Array],
        float32: Mapping[str, Array],
        values: list[str],
    ) -> Agreement:
        """Compare the hardware with the model on what enters by the inputs.

        Args:
            model: shapes known.
            data: arrays by input.
            float32: the model's values for it, as ONNX Runtime computes them.
            values: names of what quantisers give.
        """
        exact = self._exactly(model, data, values)
        found = ModelValues(float32, exact.values, frozenset(values), exact.problem, exact.fed)
        return Comparison(self.graph, self.simulation, self.settings).lossless(found)

    def _float_values(
        self, given: Any, model: QonnxModel, data: Mapping[str, Array], values: list[str]
    ) -> tuple[FloatValues | None, str]:
        """Return the float reference's values, or None and why there are none."""
        self.progress("float reference", 0.0)
        try:
            with self.timed("float reference"):
                found = float_values(given, model, data, values)
        except NoFloatReferenceError as problem:
            return None, str(problem)
        self.progress("float reference", 1.0)
        return found, ""

    def _budget(self, real: FloatValues, ours: Mapping[str, Array], values: list[str]) -> Budget:
        """Return what quantisation cost."""
        outputs = self.graph.outputs
        check_outputs(real, ours, [p.name for p in outputs])
        simulated, labels = self.simulation.outputs, self.given.labels
        wanted = set(values)
        held = [
            (node.name, node.origin, node.source.name)
            for node in self.graph.nodes
            if node.source is not None and node.source.name in wanted
        ]
        return Budget(
            real.reference,
            self.simulation.samples,
            tuple(
                output_loss(p.name, ours[p.name], real.values[p.name], simulated[p.name], labels)
                for p in outputs
            ),
            layer_losses(held, ours, real.values),
        )

    def _errors(self, ours: Mapping[str, Array]) -> tuple[OutputError, ...]:
        """Return the distance of the hardware's outputs from those of the quantised model."""
        simulated, labels = self.simulation.outputs, self.given.labels
        return tuple(
            output_error(p.name, simulated[p.name], ours[p.name], labels)
            for p in self.graph.outputs
        )

    def _exactly(
        self, model: QonnxModel, data: Mapping[str, Array], values: Sequence[str]
    ) -> _Exact:
        """Return the model's values in exact arithmetic, or why there are none."""
        self.progress("exact reference", 0.0)
        try:
            with self.timed("exact reference"):
                reference = ExactReference(model)
                suspects = Suspects(self.graph, reference.computed)
                wanted = [*values, *suspects.values]
                found = reference.run(data, wanted)
                given = suspects.given(self.simulation, found)
                fed = reference.run(data, wanted, given) if given else found
        except NoExactReferenceError as problem:
            return _Exact(None, None, str(problem))
        self.progress("exact reference", 1.0)
        return _Exact(found, fed)

    def _rounded_inputs(self) -> dict[str, Array]:
        """Return the data as the ports round it, by input name."""
        layers = self.simulation.layers
        return {p.name: real_values(layers[p.value], p) for p in self.graph.inputs}


def quantized_values(model: QonnxModel, graph: Graph) -> list[str]:
    """Return the ONNX values that the hardware holds and a quantiser gives."""
    held = {node.source.name for node in graph.nodes if node.source is not None}
    return [
        value.name
        for node in model.ir.graph
        if is_quantizer(node) or is_fixed_quant(node)
        for value in node.outputs
        if value.name and value.name in held
    ]
