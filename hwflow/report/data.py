"""Gathers what a report says from the graph, its verification and its estimate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import hwflow
from hwflow.codegen.hls.streams import Streams
from hwflow.core.board import Board
from hwflow.core.distance import OutputError
from hwflow.core.errors import Diagnostic
from hwflow.estimate.report import EstimateReport
from hwflow.fixed import FixedArray
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import printable
from hwflow.ops.input import Input
from hwflow.ops.requantize import Requantize
from hwflow.ops.shared.port_data import original_shape
from hwflow.report.fifos import fifos_data
from hwflow.report.losses import OutputDistance, printable_budget, printable_error
from hwflow.report.observations import counters_data, entered_data
from hwflow.report.parts import (
    BoardData,
    ConstantData,
    CostData,
    Digest,
    Interval,
    Range,
    RequantizerData,
    Stage,
    TargetData,
    Version,
)
from hwflow.report.power import power_data
from hwflow.report.schema import (
    EstimateData,
    LayerData,
    PortData,
    ReportData,
    UtilisationData,
    WarningData,
)
from hwflow.report.statements import one_line, printable_agreement
from hwflow.report.synthesized import synthesis_data
from hwflow.synthesis.comparison import Comparison
from hwflow.verify.agreement import Agreement, LayerMatch
from hwflow.verify.verification import Verification

__all__ = ["ReportData", "Subject", "report_data"]

PACKAGES = ("hls4ml", "numpy", "onnx", "onnx-ir", "onnxruntime")
"""Libraries whose version can change a result."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Subject:
    """What a report is about.

    Attributes:
        graph: the hardware graph.
        target: what it was generated for.
        board: what it is compared with, or None.
        estimate: the estimate of the same graph and target.
        verification: what was found out with data, or None.
        warnings: warnings of all stages; those of ``estimate`` are added where they are missing.
        digests: SHA-256 in hexadecimal by what was hashed.
        seconds: time by stage.
        source: the model file or object, for people.
        synthesis: reports of vendor tools held against the estimate, or None.
        streams: the streams in io_stream, or None.
    """

    graph: Graph
    target: Target
    board: Board | None
    estimate: EstimateReport
    verification: Verification | None
    warnings: Sequence[Diagnostic]
    digests: Mapping[str, str]
    seconds: Mapping[str, float]
    source: str
    synthesis: Comparison | None = None
    streams: Streams | None = None


def report_data(subject: Subject) -> ReportData:
    """Return everything a report says; equal subjects give equal reports."""
    graph, target, found = subject.graph, subject.target, subject.verification
    seen = dict.fromkeys((*subject.warnings, *subject.estimate.warnings))
    return ReportData(
        name=graph.name,
        source=printable(subject.source),
        data=one_line(found.data) if found else "",
        digests=tuple(Digest(name, digest) for name, digest in subject.digests.items()),
        versions=tuple(_versions()),
        target=TargetData(target.backend, target.io_type, target.part, target.clock_period_ns),
        board=_board(subject.board),
        inputs=tuple(_input(graph, port, found) for port in graph.inputs),
        outputs=tuple(_port(graph, port) for port in graph.outputs),
        layers=tuple(_layers(graph, subject.estimate, found)),
        coverage=found.coverage if found else None,
        saturation=found.saturation if found else None,
        faithful=printable_agreement(found.faithful if found else None),
        golden=printable_agreement(found.golden if found else None),
        no_golden=one_line(found.no_golden) if found else "",
        lossless=printable_agreement(found.lossless if found else None),
        errors=tuple(_error(graph, error) for error in (found.errors if found else ())),
        quantisation=printable_budget(found.budget if found else None),
        no_quantisation=one_line(found.no_budget) if found else "",
        estimate=_estimate(subject.estimate),
        fifos=None if subject.streams is None else fifos_data(subject.streams, target.backend),
        synthesized=None if subject.synthesis is None else synthesis_data(subject.synthesis),
        warnings=tuple(_warning(w) for w in seen),
        stages=tuple(Stage(name, round(time, 3)) for name, time in subject.seconds.items()),
    )


def _board(board: Board | None) -> BoardData | None:
    if board is None:
        return None
    return BoardData(board.name, board.part, board.family, board.memory)


def _versions() -> Iterable[Version]:
    yield Version("hwflow", hwflow.__version__)
    for package in PACKAGES:
        try:
            yield Version(package, version(package))
        except PackageNotFoundError:
            yield Version(package, "not installed")


def _port(graph: Graph, port: Port) -> PortData:
    value = graph.types[port.value]
    shape = original_shape(value.shape, port)
    scale, offset = (
        tuple(float(v) for v in part.ravel()) for part in (port.grid.scale, port.grid.offset)
    )
    op = graph.by_name[port.value].op
    quantizer = op.quantizer if isinstance(op, Input) else None
    rule = "" if quantizer is None else quantizer.formula
    return PortData(
        name=printable(port.name),
        layer=port.value,
        shape=shape,
        type=str(value.dtype),
        scale=scale,
        offset=offset,
        quantizer=rule,
    )


def _input(graph: Graph, port: Port, verification: Verification | None) -> PortData:
    found = verification.simulation.ports.get(port.name) if verification else None
    return replace(_port(graph, port), entered=entered_data(found))


def _layers(
    graph: Graph, estimate: EstimateReport, verification: Verification | None
) -> Iterable[LayerData]:
    """Yield one record per node, in graph order."""
    costs = {row.name: row.cost for row in estimate.layers}
    counters = verification.simulation.counters if verification else {}
    coverage = verification.coverage if verification else None
    reached = {layer.name: layer for layer in coverage.layers} if coverage else {}
    faithful = _matches(verification.faithful if verification else None)
    lossless = _matches(verification.lossless if verification else None)
    for node in graph.nodes:
        value = graph.types[node.name]
        step, dtype = value.dtype.step, value.dtype
        lo, hi = value.bounds
        yield LayerData(
            name=node.name,
            origin=printable(node.origin or node.name),
            operator=node.op.kind,
            inputs=node.inputs,
            input_shapes=tuple(t.shape for t in graph.input_types(node)),
            output_shape=value.shape,
            result_t=str(dtype),
            **_lowered(graph, node),
            requantizer=_requantizer(node),
            type_range=Range(dtype.raw_min * step, dtype.raw_max * step),
            proven_range=Range(lo * step, hi * step),
            counters=counters_data(counters.get(node.name)),
            coverage=reached.get(node.name),
            faithful=faithful.get(node.name),
            lossless=lossless.get(node.name),
            cost=_cost(costs[node.name]),
        )


def _lowered(graph: Graph, node: Node) -> dict[str, Any]:
    """Return the fields of a layer that its hls4ml layer knows."""
    layer = node.op.lower(*graph.input_types(node))
    chooses = "strategy" in node.op.settings
    accum = layer.types.get("accum")
    return {
        "accum_t": None if accum is None else str(accum),
        "constants": tuple(_constant(name, array) for name, array in layer.weights.items()),
        "strategy": layer.strategy if chooses else None,
        "reuse_factor": layer.reuse_factor if "reuse_factor" in node.op.settings else None,
    }


def _requantizer(node: Node) -> RequantizerData | None:
    plan = node.op.plan if isinstance(node.op, Requantize) else None
    if plan is None or plan.proof is None:
        return None
    low, high = plan.proof.range
    return RequantizerData(
        implementation=plan.implementation,
        detail=plan.detail,
        multiplier_bits=plan.multiplier_bits,
        shift=plan.shift,
        domain=Range(low, high),
        method=plan.proof.method,
        points=plan.proof.points,
    )


def _constant(name: str, array: FixedArray) -> ConstantData:
    raw, step = array.raw, array.dtype.step
    return ConstantData(
        name=name,
        type=str(array.dtype),
        shape=array.shape,
        range=Range(int(raw.min()) * step, int(raw.max()) * step) if raw.size else None,
        zeros=int((raw == 0).sum()),
        elements=int(raw.size),
    )


def _matches(agreement: Agreement | None) -> dict[str, LayerMatch]:
    """Return how many values of each layer agree, by its name."""
    return {} if agreement is None else {layer.name: layer for layer in agreement.layers}


def _error(graph: Graph, error: OutputError) -> OutputDistance:
    port = next(port for port in graph.outputs if port.name == error.output)
    return OutputDistance(printable_error(error), port.grid.step(graph.types[port.value].dtype))


def _estimate(report: EstimateReport) -> EstimateData:
    return EstimateData(
        total=_cost(report.total),
        latency_ns=Interval.of(report.latency_ns),
        inferences_per_s=_throughput(report.total.ii, report.clock_period_ns),
        utilisation=tuple(
            UtilisationData(
                u.resource, Interval.of(u.used), u.available, Interval.of(u.percent), u.fits
            )
            for u in report.utilisation
        ),
        fits=report.fits or None,
        calibration=one_line(report.calibration),
        power=None if report.power is None else power_data(report.power),
    )


def _throughput(ii: Estimate, clock_period_ns: float) -> Interval:
    """Return inferences per second: one is started every ``ii`` cycles."""
    rates = (1e9 / (max(cycles, 1.0) * clock_period_ns) for cycles in (ii.value, ii.high, ii.low))
    value, low, high = (round(rate, 3) for rate in rates)
    return Interval(value, low, high, ii.basis.value)


def _cost(cost: Cost) -> CostData:
    return CostData(
        lut_csynth_equivalent=Interval.of(cost.lut),
        lut_post_synthesis_equivalent=Interval.of(cost.lut_synth),
        ff_csynth_equivalent=Interval.of(cost.ff),
        ff_post_synthesis_equivalent=Interval.of(cost.ff_synth),
        dsp_post_synthesis_equivalent=Interval.of(cost.dsp_synth),
        bram_18k_post_synthesis_equivalent=Interval.of(cost.bram_18k_synth),
        dsp=Interval.of(cost.dsp),
        bram_18k=Interval.of(cost.bram_18k),
        latency_cycles=Interval.of(cost.latency_cycles),
        ii=Interval.of(cost.ii),
        notes=cost.notes,
    )


def _warning(diagnostic: Diagnostic) -> WarningData:
    parts = {name: one_line(text) for name, text in diagnostic.as_dict().items()}
    parts.pop("severity")
    return WarningData(**parts)
