"""Gathers what a manifest says from a design, its report and its files."""

from __future__ import annotations

import platform
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from math import isfinite
from typing import Any

from hwflow.codegen.hls.kernels import kernel_templates
from hwflow.codegen.hls.layers import layers_of
from hwflow.core.board import Board
from hwflow.core.config import Config, settings_of
from hwflow.core.digests import content_digest, digest
from hwflow.core.distance import OutputError
from hwflow.core.toolchain import CXX
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.report.manifest import digests, schema
from hwflow.report.manifest.fields import cut, distinct
from hwflow.report.manifest.fifo import Fifo
from hwflow.report.manifest.hls4ml import in_hls4mls_words
from hwflow.report.manifest.made import made_of
from hwflow.report.manifest.provenance import Provenance
from hwflow.report.manifest.schema import SCHEMA, Manifest
from hwflow.report.parts import CostData
from hwflow.report.schema import LayerData, ReportData
from hwflow.verify.agreement import Agreement
from hwflow.verify.verification import Verification

MANIFEST_FILE = "manifest.json"
"""Name of the manifest in the folder of a project."""

COSTS = {
    "lut": "lut_csynth_equivalent",
    "lut_synth": "lut_post_synthesis_equivalent",
    "ff": "ff_csynth_equivalent",
    "ff_synth": "ff_post_synthesis_equivalent",
    **{name: name for name in ("dsp", "bram_18k", "latency_cycles", "ii")},
}
"""Names of a cost's figures in the report by those in ``Cost``."""

PLAIN = 80
"""Longest text of a parameter that is given as it is, and not as a digest."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Build:
    """What a manifest is made from.

    Attributes:
        graph: the hardware graph.
        target: what it was generated for.
        board: the board it is compared with.
        config: the settings.
        model: the model as read, before the passes.
        provenance: the files it was read from.
        report: the report on the same graph.
        verification: what was found out with data, or None.
        files: contents of the build by path.
        measured: paths of those that hold times.
    """

    graph: Graph
    target: Target
    board: Board
    config: Config
    model: QonnxModel
    provenance: Provenance
    report: ReportData
    verification: Verification | None
    files: Mapping[str, bytes] = field(default_factory=dict)
    measured: Collection[str] = ()


def manifest(build: Build) -> Manifest:
    """Return the manifest of a build; the same build gives the same one in every process."""
    report, graph = build.report, build.graph
    return Manifest(
        form=SCHEMA,
        name=graph.name,
        model=schema.Model(
            source=cut(report.source),
            file_sha256=build.provenance.model or None,
            sha256=digests.model_digest(build.model),
        ),
        target=_target(build),
        settings=_settings(build.config),
        plugins=tuple(
            schema.Plugin(operator=cut(o.operator), file=cut(o.file), sha256=o.sha256 or None)
            for o in sorted(build.provenance.operators, key=lambda o: (o.operator, o.file))
        ),
        templates=_templates(graph, build.target),
        versions=dict(_versions(build)),
        data=_data(build.verification),
        ports=tuple(_ports(build)),
        graph_sha256=digests.graph_digest(graph),
        layers=tuple(_layers(build)),
        fifos=tuple(_fifos(report)),
        total=_cost(report.estimate.total),
        fits=report.estimate.fits,
        results=_results(build),
        hls4ml=in_hls4mls_words(graph, build.target),
        made=made_of(build.model),
        files={
            path: None if path in build.measured else content_digest(content)
            for path, content in sorted(build.files.items())
        },
    )


def _target(build: Build) -> schema.Target:
    target, defaults = build.target, build.config.target
    return schema.Target(
        board=cut(build.board.name),
        board_sha256=digest(build.board.model_dump(exclude_none=True)),
        part=cut(target.part),
        backend=target.backend,
        io_type=target.io_type,
        clock_period_ns=target.clock_period_ns,
        tool=target.tool or None,
        calibration=None if target.correction is None else cut(target.correction.basis),
        strategy=defaults.strategy,
        reuse_factor=defaults.reuse_factor,
    )


def _settings(config: Config) -> schema.Settings:
    given = settings_of(config)
    inputs, layers = given.get("input", {}), given.get("layer", {})
    return schema.Settings(
        input=_named({name: entry["type"] for name, entry in inputs.items()}),
        layer=_named({name: _scalars(values) for name, values in layers.items()}),
        verify=_scalars(config.verify.model_dump()),
    )


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values in the order of their names, as a manifest can hold those."""
    ordered = sorted(values.items())
    return dict(zip(distinct(name for name, _ in ordered), (v for _, v in ordered), strict=True))


def _scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    return _named({name: _scalar(value) for name, value in values.items()})


def _scalar(value: Any) -> Any:
    exact = value is None or isinstance(value, (bool, int))
    return value if exact or (isinstance(value, float) and isfinite(value)) else cut(value)


def _templates(graph: Graph, target: Target) -> dict[str, str]:
    found = sorted(kernel_templates(x for n in graph.nodes for x in layers_of(graph, n, target)))
    contents = (content_digest(text.encode()) for _, text in found)
    return dict(zip(distinct(name for name, _ in found), contents, strict=True))


def _versions(build: Build) -> Iterator[tuple[str, str]]:
    yield from ((cut(v.name), cut(v.version)) for v in build.report.versions)
    yield "python", platform.python_version()
    if build.verification is not None and build.verification.faithful is not None:
        yield "c++ compiler", cut(CXX.version())


def _data(verification: Verification | None) -> schema.Data | None:
    if verification is None:
        return None
    return schema.Data(
        source=cut(verification.data), samples=verification.simulation.samples,
        sha256=verification.data_sha256, seed=verification.seed,
    )  # fmt: skip


def _ports(build: Build) -> Iterator[schema.Port]:
    graph, report = build.graph, build.report
    ports, ends = (*graph.inputs, *graph.outputs), (*report.inputs, *report.outputs)
    for port, described in zip(ports, ends, strict=True):
        yield schema.Port(
            name=cut(described.name),
            layer=port.value,
            shape=described.shape,
            quantizer=cut(described.quantizer),
            sha256=digest((digests.port_content(port), described.quantizer)),
        )


def _layers(build: Build) -> Iterator[schema.Layer]:
    values = build.verification.simulation.layers if build.verification is not None else {}
    for node, described in zip(build.graph.nodes, build.report.layers, strict=True):
        yield _layer(build.graph, node, described, values.get(node.name))


def _layer(graph: Graph, node: Node, data: LayerData, values: FixedArray | None) -> schema.Layer:
    """Return what the manifest says of a layer.

    Args:
        graph: the hardware graph.
        node: the layer.
        data: what the report says of it.
        values: its simulated values, or None.
    """
    op = node.op
    settings = {k: getattr(op, k) for k in op.settings if k not in ("result_t", "accum_t")}
    own = [f.name for f in fields(op) if f.name not in (*op.settings, "result_t", "accum_t")]
    return schema.Layer(
        name=node.name,
        origin=cut(data.origin),
        tensor="" if node.source is None else cut(node.source.name),
        operator=cut(data.operator),
        inputs=node.inputs,
        shape=data.output_shape,
        result_t=data.result_t,
        accum_t=data.accum_t,
        settings=_scalars(settings),
        parameters={name: _shown(getattr(op, name)) for name in own},
        sha256=digests.node_digest(graph, node),
        implementation=None if data.requantizer is None else cut(data.requantizer.detail),
        cost=_cost(data.cost),
        observed=_observed(data, values),
        faithful_mismatches=None if data.faithful is None else data.faithful.mismatches,
        lossless_mismatches=None if data.lossless is None else data.lossless.mismatches,
    )


def _shown(value: Any) -> str:
    """Return a parameter as text: what is short as it is, anything else by its digest."""
    if isinstance(value, FixedArray):
        shape = "x".join(map(str, value.shape))
        return f"[{shape}] {value.dtype} {digest(value)}"
    plain = (bool, int, float, str, FixedType, Enum, type(None))
    parts: Iterable[Any] = value if isinstance(value, tuple) else (value,)
    flat = [p for part in parts for p in (part if isinstance(part, tuple) else (part,))]
    text = cut(value) if all(isinstance(p, plain) for p in flat) else ""
    if text and len(text) <= PLAIN:
        return text
    shape = f"[{'x'.join(map(str, value.shape))}]" if hasattr(value, "shape") else ""
    return f"{shape or type(value).__name__} {digest(value)}"


def _observed(data: LayerData, values: FixedArray | None) -> schema.Observed | None:
    if data.counters is None or values is None:
        return None
    counters = data.counters
    return schema.Observed(
        elements=counters.elements,
        saturated=counters.saturated,
        wrapped=counters.wrapped,
        low=counters.observed.low,
        high=counters.observed.high,
        sha256=digests.raw_digest(values),
    )


def _fifos(report: ReportData) -> Iterator[Fifo]:
    for f in () if report.fifos is None else report.fifos.fifos:
        yield Fifo(name=f.name, tokens=f.tokens, depth=f.depth, least=f.least, why=cut(f.why))


def _cost(cost: CostData) -> schema.Cost:
    return schema.Cost(**{name: getattr(cost, said).value for name, said in COSTS.items()})


def _results(build: Build) -> schema.Results | None:
    if build.verification is None:
        return None
    return schema.Results(
        faithful=_statement(build.report.faithful),
        lossless=_statement(build.report.lossless),
        outputs=tuple(_output(distance.error) for distance in build.report.errors),
    )


def _output(error: OutputError) -> schema.Output:
    return schema.Output(
        name=cut(error.output),
        accuracy=error.accuracy,
        reference_accuracy=error.reference_accuracy,
        argmax_agreement=error.argmax_agreement,
        max_abs=error.max_abs,
        mean_abs=error.mean_abs,
        sqnr_db=error.sqnr_db if isfinite(error.sqnr_db) else None,
    )


def _statement(found: Agreement | None) -> schema.Statement | None:
    if found is None:
        return None
    return schema.Statement(
        holds=found.holds,
        elements=found.elements,
        mismatches=found.mismatches,
        verdict="" if found.verdict is None else cut(found.verdict),
    )
