"""Each operator is asked whether it can be generated for the target; all findings come at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Target
from hwflow.ops.shared.matvec import nearest, shown_values
from hwflow.passes.graph.apply_settings import of_target

MAX_COMPARED_WIDTH = 53
"""C++ simulation hands values over as doubles, which are exact up to 53 bits."""

MOST = 8
"""Layers that are named of each kind."""

OF_TARGET = {"HW104": "reuse_factor", "HW108": "strategy"}
"""Codes of findings about settings that ``[target]`` gives every layer."""

MAX_CLONES = 7
"""hls4ml 1.3.0 copies a stream at most seven times (backends/fpga/passes/clone.py)."""


def legalize(graph: Graph, target: Target, config: Config) -> Graph:
    """Return the graph unchanged when every layer can be generated.

    Raises:
        CompileError: carries every finding of every layer.
    """
    found = [(node, finding) for node in graph.nodes for finding in _findings(graph, node, target)]
    common: dict[str, list[Node]] = {code: [] for code in OF_TARGET}
    for node, finding in found:
        if _of_every_layer(graph, node, finding, target, config):
            common[finding.code].append(node)
    findings = [
        _located(finding, graph, node, config)
        for node, finding in found
        if node not in common.get(finding.code, ())
    ]
    if common["HW104"]:
        findings.append(_without_common_value(common["HW104"], graph, target, config))
    if common["HW108"]:
        said = next(f for node, f in found if f.code == "HW108" and node in common["HW108"])
        findings.append(_without_strategy(common["HW108"], said, config))
    if findings:
        raise CompileError(findings)
    return graph


def _of_every_layer(
    graph: Graph, node: Node, finding: Diagnostic, target: Target, config: Config
) -> bool:
    """Return whether a finding has a code, and is about the one value of ``[target]``."""
    own = {key for name in (node.name, node.origin) for key in config.layers.get(name, {})}
    if finding.code not in OF_TARGET or OF_TARGET[finding.code] in own:
        return False
    number = isinstance(config.target.reuse_factor, int) and bool(_legal(graph, node, target))
    return number or finding.code != "HW104"


def _legal(graph: Graph, node: Node, target: Target) -> Sequence[int]:
    return node.op.reuse_factors(target, *graph.input_types(node))


def _named(shown: Sequence[str]) -> str:
    """Return the first of some texts, and how many more there are."""
    more = f" and {len(shown) - MOST} more" if len(shown) > MOST else ""
    return f"{', '.join(shown[:MOST])}{more}"


def _counted(nodes: Sequence[Node]) -> str:
    return "a layer" if len(nodes) == 1 else f"{len(nodes)} layers"


def _without_strategy(nodes: Sequence[Node], said: Diagnostic, config: Config) -> Diagnostic:
    """Return the finding about a strategy of ``[target]`` that some layers do not have."""
    names = _named([node.name for node in nodes])
    each = f"[layer.{nodes[0].name}]" if len(nodes) == 1 else "[layer.NAME] of each of them"
    return replace(
        said,
        where=config.place_of("strategy"),
        found=f"{said.found}, which {_counted(nodes)} cannot have: {names}",
        help=f'set strategy = "latency" in {each}, or in [target]',
    )


def _without_common_value(
    nodes: Sequence[Node], graph: Graph, target: Target, config: Config
) -> Diagnostic:
    """Return the finding about a reuse factor of ``[target]`` that some layers cannot have."""
    asked = config.target.reuse_factor
    takers = [
        node
        for node in graph.nodes
        if "reuse_factor" in of_target(node.op) and getattr(node.op, "reuse_factor", None) == asked
    ]
    choices = sorted((_legal(graph, node, target) for node in takers), key=len)
    others = [frozenset(c) if isinstance(c, list) else c for c in choices[1:]]
    legal = [value for value in choices[0] if all(value in other for other in others)]
    shown = _named([f"{n.name} ({shown_values(_legal(graph, n, target))})" for n in nodes])
    return Diagnostic(
        code="HW104",
        title="illegal reuse factor",
        where=config.place_of("reuse_factor"),
        found=f"reuse_factor = {asked}, which {_counted(nodes)} cannot have: {shown}",
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
