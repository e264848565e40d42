"""Each operator is asked whether it can be generated for the target; all findings come at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hwflow.config import Config
from hwflow.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target

MAX_COMPARED_WIDTH = 53
"""C++ simulation hands values over as doubles, which are exact up to 53 bits."""

MAX_CLONES = 7
"""hls4ml 1.3.0 copies a stream at most seven times (backends/fpga/passes/clone.py)."""


def legalize(graph: Graph, target: Target, config: Config) -> Graph:
    """Return the graph unchanged when every layer can be generated.

    Raises:
        CompileError: carries every finding of every layer.
    """
    findings = [
        _located(finding, graph, node, config)
        for node in graph.nodes
        for finding in _findings(graph, node, target)
    ]
    if findings:
        raise CompileError(findings)
    return graph


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
        found = f"{finding.found}, set in {config.source}, [target]"
        return replace(finding, where=where, found=found)
    return replace(finding, where=where)
