"""Each operator is asked whether it can be generated for the target; all findings come at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target
from hwflow.ops.shared.matvec import nearest, shown_values

MAX_COMPARED_WIDTH = 53
"""C++ simulation hands values over as doubles, which are exact up to 53 bits."""

MOST = 8
"""Layers that are named of each kind."""

MAX_CLONES = 7
"""hls4ml 1.3.0 copies a stream at most seven times (backends/fpga/passes/clone.py)."""


def legalize(graph: Graph, target: Target, config: Config) -> Graph:
    """Return the graph unchanged when every layer can be generated.

    Raises:
        CompileError: carries every finding of every layer.
    """
    found = [(node, finding) for node in graph.nodes for finding in _findings(graph, node, target)]
    common = [pair[0] for pair in found if _of_every_layer(*pair, target, config)]
    findings = [
        _located(finding, graph, node, config)
        for node, finding in found
        if not _of_every_layer(node, finding, target, config)
    ]
    if common:
        findings.append(_without_common_value(common, graph, target, config))
    if findings:
        raise CompileError(findings)
    return graph


def _of_every_layer(node: Node, finding: Diagnostic, target: Target, config: Config) -> bool:
    """Return whether a finding is about the one reuse factor of ``[target]``."""
    own = {key for name in (node.name, node.origin) for key in config.layers.get(name, {})}
    return (
        finding.code == "HW104"
        and "reuse_factor" not in own
        and isinstance(config.target.reuse_factor, int)
        and bool(node.op.reuse_factors(target))
    )


def _without_common_value(
    nodes: Sequence[Node], graph: Graph, target: Target, config: Config
) -> Diagnostic:
    """Return the finding about a reuse factor of ``[target]`` that some layers cannot have."""
    asked = config.target.reuse_factor
    takers = [node.op for node in graph.nodes if getattr(node.op, "reuse_factor", None) == asked]
    choices = sorted((op.reuse_factors(target) for op in takers), key=len)
    others = [frozenset(c) if isinstance(c, list) else c for c in choices[1:]]
    legal = [value for value in choices[0] if all(value in other for other in others)]
    named = ((node.name, node.op.reuse_factors(target)) for node in nodes[:MOST])
    shown = [f"{name} ({shown_values(factors)})" for name, factors in named]
    more = f" and {len(nodes) - MOST} more" if len(nodes) > MOST else ""
    word = "a layer" if len(nodes) == 1 else f"{len(nodes)} layers"
    return Diagnostic(
        code="HW104",
        title="illegal reuse factor",
        where=config.place_of("reuse_factor"),
        found=f"reuse_factor = {asked}, which {word} cannot have: {', '.join(shown)}{more}",
        supported=f"{shown_values(legal)}, for all layers that take it",
        help=f"set reuse_factor = {nearest(asked, legal)}, the nearest that all of them can have; "
        f'or "<={asked}", of which each takes its largest legal value',
    )


def _findings(graph: Graph, node: Node, target: Target) -> Iterator[Diagnostic]:
    yield from node.op.check(target, *graph.input_types(node))
    dtype = graph.types[node.name].dtype
    if dtype.width > MAX_COMPARED_WIDTH:
        yield Diagnostic(
            code="HW302",
            title="result too wide to be verified",
            found=f"{dtype}",
            supported=f"results of at most {MAX_COMPARED_WIDTH} bits",
            help="put a quantiser behind this layer, or set its result_t",
        )
    copies = len(graph.users[node.name]) + (node.name in graph.output_values)
    if target.streams and copies > MAX_CLONES:
        yield Diagnostic(
            code="HW120",
            title="stream with too many readers",
            found=f"{copies} readers",
            supported=f"at most {MAX_CLONES} in io_stream",
            help='set io_type = "io_parallel"',
        )


def _located(finding: Diagnostic, graph: Graph, node: Node, config: Config) -> Diagnostic:
    """Add which layer a finding is about, and where the offending value was set."""
    shapes = ", ".join("x".join(map(str, t.shape)) for t in graph.input_types(node))
    result = "x".join(map(str, graph.types[node.name].shape))
    shown = f"{node.origin or node.name}: {node.op.kind}"
    where = f"{shown} ({shapes} -> {result}), layer {node.name!r}"
    key = finding.found.split(" = ")[0]
    if node.name in config.layers or node.origin in config.layers:
        layer = node.name if node.name in config.layers else node.origin
        if key in config.layers[layer]:
            found = f"{finding.found}, set in {config.source}, [layer.{layer}]"
            return replace(finding, where=where, found=found)
    if key in ("strategy", "reuse_factor"):
        found = f"{finding.found}, set in {config.place_of(key)}"
        return replace(finding, where=where, found=found)
    return replace(finding, where=where)
