"""What vendor tools reported of a design, beside its estimate, as plain data of the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hwflow.report.parts import Interval

if TYPE_CHECKING:
    from hwflow.synthesis.comparison import Compared, Comparison, Stage
    from hwflow.synthesis.records import Figures


@dataclass(frozen=True, kw_only=True)
class ComparedData:
    """One figure.

    Attributes:
        figure: its name, as in a cost.
        estimated: what was estimated.
        synthesized: what the tool reported.
        ratio: estimated over synthesized; None where the tool reported 0.
        held: whether the interval holds what the tool reported.
    """

    figure: str
    estimated: Interval
    synthesized: float
    ratio: float | None
    held: bool


@dataclass(frozen=True, kw_only=True)
class StageData:
    """What one report says of the whole design.

    Attributes:
        stage: ``C synthesis``, ``logic synthesis`` or ``implementation``.
        tool: the tool with its version.
        device: the device, as the report calls it.
        file: name of the report.
        clock_period_ns: requested clock period; None where the report does not say.
        estimated_clock_ns: clock period that C synthesis expects; None of other stages.
        slack_ns: worst setup slack of Vivado; None where it was not reported.
        figures: each figure beside its estimate.
    """

    stage: str
    tool: str
    device: str
    file: str
    clock_period_ns: float | None
    estimated_clock_ns: float | None
    slack_ns: float | None
    figures: tuple[ComparedData, ...]


@dataclass(frozen=True, kw_only=True)
class LayerSynthesis:
    """What C synthesis reported of a layer.

    Attributes:
        layer: its name.
        figures: each figure beside its estimate; empty where no module of the report is the layer.
    """

    layer: str
    figures: tuple[ComparedData, ...]


@dataclass(frozen=True, kw_only=True)
class RestData:
    """What the design has beside its layers, by C synthesis; None where the report does not say.

    Attributes:
        lut: look-up tables of FIFOs, registers, control and other modules.
        ff: flip-flops of those.
        dsp: DSP blocks of those.
        bram_18k: 18 kbit block RAMs of those.
    """

    lut: float | None
    ff: float | None
    dsp: float | None
    bram_18k: float | None


@dataclass(frozen=True, kw_only=True)
class SynthesisData:
    """What vendor tools reported.

    Attributes:
        stages: one entry for each report, in the order of the flow.
        layers: one entry for each layer; empty without a report of C synthesis.
        rest: what the design has beside its layers; None without a report of C synthesis.
        other_modules: modules of the top function that are no layer's.
        notes: what of the reports is not as the project asks, and files that cannot be read.
    """

    stages: tuple[StageData, ...]
    layers: tuple[LayerSynthesis, ...]
    rest: RestData | None
    other_modules: tuple[str, ...]
    notes: tuple[str, ...]


def synthesis_data(found: Comparison) -> SynthesisData:
    """Return what was found as data of the report."""
    return SynthesisData(
        stages=tuple(map(_stage, found.stages)),
        layers=tuple(
            LayerSynthesis(layer=layer.name, figures=tuple(_compared(layer.figures)))
            for layer in found.layers
        ),
        rest=None if found.rest is None else _rest(found.rest),
        other_modules=found.others,
        notes=found.notes,
    )


def synthesis_dict(found: SynthesisData) -> dict[str, Any]:
    """Return the data as it stands in JSON."""
    from pydantic import TypeAdapter

    content: dict[str, Any] = TypeAdapter(SynthesisData).dump_python(found, mode="json")
    return content


def _stage(stage: Stage) -> StageData:
    return StageData(
        stage=stage.name,
        tool=stage.tool,
        device=stage.device,
        file=stage.file,
        clock_period_ns=stage.clock_period_ns,
        estimated_clock_ns=stage.estimated_clock_ns,
        slack_ns=stage.slack_ns,
        figures=tuple(_compared(stage.figures)),
    )


def _compared(rows: tuple[Compared, ...]) -> Iterator[ComparedData]:
    for row in rows:
        yield ComparedData(
            figure=row.figure,
            estimated=Interval.of(row.estimated),
            synthesized=row.synthesized,
            ratio=None if row.ratio is None else round(row.ratio, 4),
            held=row.held,
        )


def _rest(figures: Figures) -> RestData:
    return RestData(lut=figures.lut, ff=figures.ff, dsp=figures.dsp, bram_18k=figures.bram_18k)
