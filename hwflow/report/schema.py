"""The report as plain data: what the HTML, the Markdown and the JSON are all made from.

Every field is a string, a number, a truth value, None, or a tuple of such records. What was found
out with data is in the records of ``hwflow.verify`` and ``hwflow.simulate.coverage`` themselves;
``statements``, ``losses`` and ``observed`` say what JSON has of those. ``docs/report.md`` describes
the JSON for readers, ``schema.json`` beside this file is the same for programs.
"""

from __future__ import annotations

from dataclasses import dataclass

from hwflow.report.losses import ReportedBudget, ReportedDistance
from hwflow.report.observations import (
    CountersData,
    EnteredData,
    ReportedCoverage,
    ReportedLayerCoverage,
    ReportedSaturation,
)
from hwflow.report.parts import (
    BoardData,
    ConstantData,
    CostData,
    Digest,
    FifosData,
    Interval,
    PowerData,
    Range,
    RequantizerData,
    Stage,
    TargetData,
    Version,
)
from hwflow.report.statements import ReportedAgreement, ReportedMatch
from hwflow.report.synthesized import SynthesisData


@dataclass(frozen=True, kw_only=True)
class PortData:
    """A graph input or output as seen from outside.

    Attributes:
        name: name in the original model.
        layer: the layer that holds the value.
        shape: shape in the original order of axes, without the batch axis.
        type: fixed-point type of the port.
        scale: what a value of the port is multiplied with to get the model's number: one factor,
            one for each channel, or one for each element, channels last.
        offset: what is then added, in the same form.
        quantizer: how the host quantises what enters; empty where the port rounds by its type.
        entered: what of the data was beyond its ends; None for outputs and without data.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    type: str
    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    quantizer: str = ""
    entered: EnteredData | None = None


@dataclass(frozen=True, kw_only=True)
class LayerData:
    """One layer of the hardware graph.

    Attributes:
        name: name in the generated C++.
        origin: name in the framework; equal to ``name`` where nothing else is known.
        operator: what it computes.
        inputs: the layers whose results it takes.
        input_shapes: shapes of those, without the batch axis, channels last.
        output_shape: shape of the result, the same way.
        result_t: type of the result.
        accum_t: type of the accumulator; None where there is none.
        constants: weights, biases and other constants.
        strategy: how multiplications are laid out; None where the operator has no such choice.
        reuse_factor: multiplications per multiplier; None where the operator has no such choice.
        requantizer: how the layer requantises; None where it does not.
        type_range: what the result's type can hold.
        proven_range: what the result can be for any input, by interval arithmetic.
        counters: what the data did to the layer; None without data.
        coverage: what the data reached of the layer; None where that was not found out.
        faithful: simulation against C++; None where the layer was not compared.
        lossless: hardware against trained model; None where the layer was not compared.
        cost: estimated cost.
    """

    name: str
    origin: str
    operator: str
    inputs: tuple[str, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    output_shape: tuple[int, ...]
    result_t: str
    accum_t: str | None
    constants: tuple[ConstantData, ...]
    strategy: str | None
    reuse_factor: int | None
    requantizer: RequantizerData | None
    type_range: Range
    proven_range: Range
    counters: CountersData | None
    coverage: ReportedLayerCoverage | None
    faithful: ReportedMatch | None
    lossless: ReportedMatch | None
    cost: CostData


@dataclass(frozen=True)
class UtilisationData:
    """Share of one resource of the board; ``used`` is post-synthesis-equivalent.

    Attributes:
        resource: ``lut``, ``ff``, ``dsp``, ``bram_18k`` or ``uram``.
        used: estimated figure.
        available: what the device has.
        percent: ``used`` in per cent of it.
        fits: ``yes``, ``borderline`` or ``no``.
    """

    resource: str
    used: Interval
    available: int
    percent: Interval
    fits: str


@dataclass(frozen=True, kw_only=True)
class EstimateData:
    """Estimated cost of the whole design; nothing here was synthesized.

    Attributes:
        total: sums over layers; latency and II of the whole.
        latency_ns: total latency in time.
        inferences_per_s: throughput at the requested clock.
        utilisation: one entry per resource of the board; empty without a board.
        fits: worst of the utilisations; None without a board.
        calibration: what the figures were multiplied with and why; empty where with nothing.
        power: power and energy; None where nobody knows what the board takes.
    """

    total: CostData
    latency_ns: Interval
    inferences_per_s: Interval
    utilisation: tuple[UtilisationData, ...]
    fits: str | None
    calibration: str
    power: PowerData | None


@dataclass(frozen=True, kw_only=True)
class WarningData:
    """One warning: a diagnostic's parts, each empty where not set.

    Attributes:
        code: ``HWnnn``.
        title: what it is about.
        where: the layer or file.
        found: the offending value.
        supported: the legal values.
        help: what to do.
    """

    code: str
    title: str
    where: str
    found: str
    supported: str
    help: str


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything that a report says.

    Attributes:
        name: name of the design, that of the generated top function.
        source: the model file or object it was made from.
        data: where the data comes from that it was tried on; empty without data.
        digests: what identifies the model, the settings and the generated project.
        versions: versions of the programs that took part.
        target: what the hardware is generated for.
        board: what it is compared with; None when with nothing.
        inputs: ports that data comes in by.
        outputs: ports that results leave by.
        layers: the layers in order of computation.
        coverage: what the data reached of all layers; None where that was not found out.
        saturation: the layer that clipped the largest share of its values; None without data.
        faithful: simulation against compiled C++, every layer; None where it was not run.
        golden: simulation against the golden model; None where there is none.
        no_golden: why there is none, or empty.
        lossless: hardware against the trained model; None where it was not compared.
        errors: per output, hardware against quantised model; empty without data.
        quantisation: quantised model against float reference; None where it was not compared.
        no_quantisation: why it was not, or empty.
        estimate: resources and timing.
        fifos: depth of each FIFO, and why; None in io_parallel.
        synthesized: what vendor tools reported, beside the estimate; None where none was read.
        warnings: what the reader should know.
        stages: time by stage; empty where the caller gives none.
    """

    name: str
    source: str
    data: str
    digests: tuple[Digest, ...]
    versions: tuple[Version, ...]
    target: TargetData
    board: BoardData | None
    inputs: tuple[PortData, ...]
    outputs: tuple[PortData, ...]
    layers: tuple[LayerData, ...]
    coverage: ReportedCoverage | None
    saturation: ReportedSaturation | None
    faithful: ReportedAgreement | None
    golden: ReportedAgreement | None
    no_golden: str
    lossless: ReportedAgreement | None
    errors: tuple[ReportedDistance, ...]
    quantisation: ReportedBudget | None
    no_quantisation: str
    estimate: EstimateData
    fifos: FifosData | None
    synthesized: SynthesisData | None
    warnings: tuple[WarningData, ...]
    stages: tuple[Stage, ...]

    def __repr__(self) -> str:
        """Return what the report is about, in one line."""
        on = "no board" if self.board is None else self.board.name
        return f"ReportData {self.name}: {self.source} on {on}, {len(self.layers)} layers"
