"""Two statements about a design, never mixed.

*Faithful*: the Python simulation and the compiled C++ agree in every bit of every layer; and so
does the golden model, where there is one.
*Lossless*: the hardware's numbers are those of the trained model in exact arithmetic, at every
quantiser and output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.distance import OutputError
from hwflow.core.errors import Diagnostic
from hwflow.ir.graph import Graph, Node
from hwflow.ir.notebook import Cell, html_table
from hwflow.ops.shared.port_data import FloatArray, prepare_inputs
from hwflow.simulate.coverage.record import Coverage
from hwflow.simulate.coverage.words import Saturation, kinds_text, percent, worst_saturation
from hwflow.simulate.cpp import Csim
from hwflow.simulate.numpy import Simulation, simulate
from hwflow.verify.budget import Budget
from hwflow.verify.port_loss import PortLoss
from hwflow.verify.verdict.state import State, Verdict

Cause = Callable[[Node, float, float], str]
"""Says what a difference looks like, from the layer, the expected and the found value."""


@dataclass(frozen=True)
class LayerMatch:
    """How many values of one layer agree.

    Attributes:
        name: the layer.
        origin: its framework name.
        elements: values compared.
        mismatches: values that differ.
        float32_differs: values that float32 execution of the model rounds differently from exact
            arithmetic; None where that was not compared.
    """

    name: str
    origin: str
    elements: int
    mismatches: int
    float32_differs: int | None = None


@dataclass(frozen=True)
class Divergence:
    """The first place where two computations differ.

    Attributes:
        layer: name of the first layer, in order of computation, that differs.
        origin: its framework name.
        index: sample and position of the first differing element, channels last.
        expected: what the simulation (or the trained model) has there.
        found: what the C++ (or the hardware) has there.
        cause: what this difference looks like.
        reproducer: path of the saved inputs and values, why they were not saved, or empty.
    """

    layer: str
    origin: str
    index: tuple[int, ...]
    expected: float
    found: float
    cause: str
    reproducer: str = ""


@dataclass(frozen=True)
class Float32Match:
    """Where float32 execution of the model differs from exact arithmetic.

    Attributes:
        elements: values of quantisers compared.
        differs: those with another level.
        first: origin of the first layer with such a value, or empty.
        unquantized: values of outputs that no quantiser gives.
        unquantized_differs: those that are not the float32 nearest to the exact result.
    """

    elements: int
    differs: int
    first: str
    unquantized: int
    unquantized_differs: int


@dataclass(frozen=True)
class Agreement:
    """The outcome of comparing two computations layer by layer.

    Attributes:
        holds: every compared value agrees.
        samples: size of the batch.
        layers: one entry per compared layer, in order.
        first: where they first differ, or None.
        float32: how float32 execution of the model compares with the same judge; None where the
            judge is float32 itself, or no model.
        float32_only: why the judge is float32 and not exact arithmetic; empty where it is not.
        verdict: what the hardware is to the model; None where no model is compared.
        ports: input ports that change numbers of the data, beside the model's own quantisers.
    """

    holds: bool
    samples: int
    layers: tuple[LayerMatch, ...]
    first: Divergence | None = None
    float32: Float32Match | None = None
    float32_only: str = ""
    verdict: Verdict | None = None
    ports: tuple[PortLoss, ...] = ()

    def __repr__(self) -> str:
        """Return the answer and the counts in one line."""
        return f"Agreement: {self}"

    def __str__(self) -> str:
        """Return the same without the name."""
        answer = "yes" if self.holds else "no"
        answer = answer if self.verdict is None else self.verdict.answer
        elements = sum(layer.elements for layer in self.layers)
        text = f"{answer}, {self.mismatches:,} of {elements:,} values differ"
        return text if self.first is None else f"{text}, first in {self.first.layer}"

    @property
    def mismatches(self) -> int:
        """Number of differing values over all layers."""
        return sum(layer.mismatches for layer in self.layers)


@dataclass(frozen=True, eq=False)
class Verification:
    """Everything that was found out with data.

    Attributes:
        faithful: simulation against C++; None where the C++ was not run.
        lossless: hardware against the trained model; None where it was not compared.
        errors: per output, hardware against the quantised model as float32 executes it on the data
            as given, before the ports round it.
        simulation: the simulation itself, with its counters.
        data: where the data comes from.
        seconds: time taken by step.
        budget: the quantised model against the float reference; None where it was not compared.
        no_budget: why it was not, or empty.
        data_sha256: digest of inputs and labels.
        seed: of made-up data; None where the data was given.
        golden: simulation against the golden model; None where there is none.
        no_golden: why there is none, or empty.
        coverage: what the data reached in each layer; None where that was not found out.
        findings: warnings about the data: it tries little of the design, or saturates at a port.
    """

    faithful: Agreement | None
    lossless: Agreement | None
    errors: tuple[OutputError, ...]
    simulation: Simulation
    data: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    budget: Budget | None = None
    no_budget: str = ""
    data_sha256: str = ""
    seed: int | None = None
    golden: Agreement | None = None
    no_golden: str = ""
    coverage: Coverage | None = None
    findings: tuple[Diagnostic, ...] = ()

    @property
    def saturation(self) -> Saturation:
        """The layer that clipped the largest share of its values."""
        return worst_saturation(self.simulation.counters)

    def __repr__(self) -> str:
        """Return the statements in a line each."""
        named = (("faithful", self.faithful), ("golden", self.golden), ("lossless", self.lossless))
        lines = [f"Verification: {self.simulation.samples:,} samples from {self.data or 'data'}"]
        lines += [f"  {name}: {agreement or 'not checked'}" for name, agreement in named]
        return "\n".join(lines)

    @property
    def made_up(self) -> bool:
        """Whether nobody gave data."""
        return self.seed is not None

    @property
    def bit_exact(self) -> bool:
        """Whether C++ and golden model give the simulation's bits; without the latter, the C++."""
        golden = self.golden is None or self.golden.holds
        return self.faithful is not None and self.faithful.holds and golden

    def _repr_html_(self) -> str:
        """Return the statements and the errors of the outputs, for notebooks."""
        rows: list[tuple[object, ...]] = []
        for name, agreement in (
            ("faithful", self.faithful), ("golden", self.golden), ("lossless", self.lossless),
        ):  # fmt: skip
            if agreement is None:
                rows.append((name, Cell("not checked", "unsure"), ""))
                continue
            first = agreement.first
            detail = f"first in {first.layer}: {first.cause}" if first is not None else ""
            verdict = agreement.verdict
            answer = "yes" if agreement.holds else "no"
            if verdict is not None:
                answer = verdict.answer
                detail = str(verdict) if verdict.state is State.APPROXIMATE else detail
            says = {"yes": "good", "no": "bad"}.get(answer, "unsure")
            rows.append((name, Cell(answer, says), detail))
            if agreement.float32 is not None and agreement.float32.differs:
                match = agreement.float32
                counted = f"{match.differs:,} of {match.elements:,} values, first at {match.first}"
                rows.append(("float32 differs from exact", counted, ""))
        for error in self.errors:
            text = f"max {error.max_abs:.3g}, SQNR {error.sqnr_db:.1f} dB"
            rows.append((f"hardware against quantised model, {error.output}", text, ""))
        for loss in () if self.budget is None else self.budget.outputs:
            text = f"max {loss.error.max_abs:.3g}, SQNR {loss.error.sqnr_db:.1f} dB"
            rows.append((f"quantised against float model, {loss.error.output}", text, ""))
        if self.coverage is not None:
            text = percent(self.coverage.share)
            rows.append(("coverage", text, kinds_text(self.coverage)))
        rows.append(("saturated", str(self.saturation), ""))
        caption = f"{self.simulation.samples} samples from {self.data}"
        return html_table(caption, ("statement", "outcome", "where, why"), rows)


def check_faithful(
    graph: Graph,
    csim: Csim,
    data: Mapping[str, npt.NDArray[Any]],
    simulation: Simulation,
    reproducer: Path | None = None,
) -> Agreement:
    """Compare every layer of a simulation with the compiled C++, bit for bit.

    Args:
        graph: the hardware graph.
        csim: its project, compiled.
        data: by input name of the original model.
        simulation: of the same data, with all layers kept.
        reproducer: where to save the offending sample if there is one.

    Raises:
        ToolError: the C++ crashed or took too long.
    """
    arrays = prepare_inputs(graph, data)
    found = csim.run(arrays).layers
    pairs = [
        (node, simulation.layers[node.name].values, found[node.name])
        for node in graph.nodes
        if node.name in found
    ]
    agreement = compare(pairs, simulation.samples, cause=_cpp_cause(graph))
    if agreement.first is not None and reproducer is not None:
        saved = _save_reproducer(graph, agreement.first, arrays, simulation, found, reproducer)
        first = Divergence(**{**vars(agreement.first), "reproducer": saved})
        agreement = Agreement(False, agreement.samples, agreement.layers, first)
    return agreement


def compare(
    pairs: Sequence[tuple[Node, npt.NDArray[Any], npt.NDArray[Any]]], samples: int, cause: Cause
) -> Agreement:
    """Compare values layer by layer.

    Args:
        pairs: for each layer, in order, what is expected and what was found, of the same shape.
        samples: size of the batch.
        cause: says what a difference looks like, from the layer and both values.
    """
    layers: list[LayerMatch] = []
    first: Divergence | None = None
    for node, expected, found in pairs:
        differs = expected != found
        count = int(differs.sum())
        layers.append(LayerMatch(node.name, node.origin, int(differs.size), count))
        if count and first is None:
            index = tuple(int(i) for i in np.argwhere(differs)[0])
            first = Divergence(
                node.name,
                node.origin,
                index,
                float(expected[index]),
                float(found[index]),
                cause(node, float(expected[index]), float(found[index])),
            )
    return Agreement(first is None, samples, tuple(layers), first)


def _cpp_cause(graph: Graph) -> Cause:
    def cause(node: Node, expected: float, found: float) -> str:
        dtype = graph.types[node.name].dtype
        steps = (found - expected) / dtype.step
        if not np.isfinite(found):
            return "the C++ gives no number: uninitialised memory or a crash inside the layer"
        if abs(steps) == 1:
            return "one step apart: rounding differs"
        if abs(steps) >= 2 ** (dtype.width - 1):
            return "apart by the type's range: overflow differs (wrap against saturation)"
        if found == 0 and expected != 0:
            return "the C++ gives 0: a weight, a bias or an input is not read"
        return f"{steps:g} steps apart: the layer's arithmetic or its weights differ"

    return cause


def _save_reproducer(
    graph: Graph,
    first: Divergence,
    inputs: Mapping[str, FloatArray],
    simulation: Simulation,
    found: Mapping[str, FloatArray],
    path: Path,
) -> str:
    """Save the one sample that differs: the inputs, and the layer's operands and both results."""
    sample = first.index[0]
    operands = graph.by_name[first.layer].inputs
    content: dict[str, npt.NDArray[Any]] = {
        f"input/{port.name}": inputs[port.value][sample : sample + 1] for port in graph.inputs
    }
    content |= {f"operand/{n}": simulation.layers[n].values[sample : sample + 1] for n in operands}
    content["expected"] = simulation.layers[first.layer].values[sample : sample + 1]
    content["found"] = found[first.layer][sample : sample + 1]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **content)  # type: ignore[arg-type]
    except OSError as error:  # the finding matters more than its file
        return f"not saved: {path}: {error.strerror}"
    return str(path)


def full_simulation(
    graph: Graph, data: Mapping[str, npt.NDArray[Any]], **options: Any
) -> Simulation:
    """Return a simulation that keeps every layer's values."""
    return simulate(graph, data, keep=lambda name: True, **options)
