"""Synthesized figures held against estimated ones: ratio, and whether the interval held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hwflow.estimate.report import EstimateReport
from hwflow.estimate.stages import CSYNTH
from hwflow.ir.cost import Cost, Estimate
from hwflow.synthesis.joining import Joined
from hwflow.synthesis.records import CSynth, Figures, Logic

LOGIC = {
    "lut": "lut_synth", "ff": "ff_synth", "dsp": "dsp_synth", "bram_18k": "bram_18k_synth",
}  # fmt: skip
"""Figures of logic synthesis, and the estimates that they are held against."""

STATES = {"synthesized": "logic synthesis", "implemented": "implementation"}
"""Stages by the state of a design in reports of Vivado."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure.

    Attributes:
        figure: its name in a cost.
        estimated: what was estimated.
        synthesized: what the tool reported.
    """

    figure: str
    estimated: Estimate
    synthesized: float

    @property
    def ratio(self) -> float | None:
        """Estimated over synthesized; None where the tool reported 0."""
        return self.estimated.value / self.synthesized if self.synthesized else None

    @property
    def held(self) -> bool:
        """Whether the interval holds the synthesized figure, ends rounded to whole numbers."""
        low, high = round(self.estimated.low), round(self.estimated.high)
        return low <= self.synthesized <= high


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What one report says of the whole design.

    Attributes:
        name: ``"C synthesis"``, ``"logic synthesis"`` or ``"implementation"``.
        tool: the tool with its version.
        device: the device, as the report calls it.
        file: name of the report.
        clock_period_ns: requested clock period; None where the report does not say.
        estimated_clock_ns: clock period that C synthesis expects; None of other stages.
        slack_ns: worst setup slack of Vivado; None where it was not reported.
        figures: each figure against its estimate.
    """

    name: str
    tool: str
    device: str
    file: str
    clock_period_ns: float | None = None
    estimated_clock_ns: float | None = None
    slack_ns: float | None = None
    figures: tuple[Compared, ...]


@dataclass(frozen=True, kw_only=True)
class LayerCompared:
    """The figures of one layer.

    Attributes:
        name: name of the layer.
        figures: those of C synthesis that the report has; empty where no module is of the layer.
    """

    name: str
    figures: tuple[Compared, ...]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Reports of one design held against its estimate.

    Attributes:
        stages: the whole design, a stage for each report, in the order of the flow.
        layers: each layer of the design; empty without a report of C synthesis.
        rest: what the design has beside its layers, by C synthesis.
        others: modules that are of no layer.
        notes: what of the reports is not as the project asks, and files that cannot be read.
    """

    stages: tuple[Stage, ...]
    layers: tuple[LayerCompared, ...]
    rest: Figures | None
    others: tuple[str, ...]
    notes: tuple[str, ...] = ()


def csynth_stage(report: CSynth, cost: Cost) -> Stage:
    """Return a report of C synthesis, held against the estimated cost of the design."""
    return Stage(
        name="C synthesis",
        tool=report.tool,
        device=report.part,
        file=report.file.name,
        clock_period_ns=report.clock_period_ns,
        estimated_clock_ns=report.estimated_clock_ns,
        figures=tuple(_compared({name: name for name in CSYNTH}, cost, report.figures)),
    )


def logic_stage(report: Logic, cost: Cost) -> Stage:
    """Return a report of Vivado, held against the estimated cost of the design."""
    return Stage(
        name=STATES[report.state],
        tool=report.tool,
        device=report.device,
        file=report.file.name,
        slack_ns=report.slack_ns,
        figures=tuple(_compared(LOGIC, cost, report.figures)),
    )


def compare_layers(estimate: EstimateReport, joined: Joined) -> tuple[LayerCompared, ...]:
    """Return each layer's figures of C synthesis, held against its estimate."""
    none, names = Figures(), {name: name for name in CSYNTH}
    return tuple(
        LayerCompared(
            name=row.name,
            figures=tuple(_compared(names, row.cost, joined.layers.get(row.name, none))),
        )
        for row in estimate.layers
    )


def _compared(names: Mapping[str, str], cost: Cost, found: Figures) -> Iterator[Compared]:
    for name, estimated in names.items():
        value = getattr(found, name)
        if value is not None:
            yield Compared(figure=estimated, estimated=getattr(cost, estimated), synthesized=value)
