"""The processes and FIFOs of a project in io_stream, and how deep each FIFO is made.

hls4ml makes every FIFO as deep as the whole value. Here each has the least depth that is proven to
be free of deadlock (``dataflow.proof``) and loses no cycle (``dataflow.balance``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod
from typing import Any

from hwflow.codegen.hls.layers import NamedLayer, layers_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.dataflow.balance import fast_depths
from hwflow.dataflow.model import Outcome
from hwflow.dataflow.network import Channel, Network, Process
from hwflow.dataflow.pattern import Pattern
from hwflow.dataflow.proof import Safety, safe_depths
from hwflow.estimate.graph import node_cost
from hwflow.estimate.streams import Fifo, Fifos
from hwflow.ir.graph import Graph, Node
from hwflow.ir.names import port_name
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops import is_built_in
from hwflow.ops.pad import zero_padding

COPY = "clone_"
"""What hls4ml puts before the name of a value for the process that copies it (``clone.py``)."""


@dataclass(frozen=True, eq=False)
class Streams:
    """The streams of a project.

    Attributes:
        network: processes and FIFOs.
        given: depths that the user set, by FIFO.
    """

    network: Network
    given: Mapping[str, int]

    @cached_property
    def safety(self) -> Safety:
        """The least depths that are free of deadlock, with the proof."""
        return safe_depths(self.network, self.given)

    @cached_property
    def _fast(self) -> tuple[Mapping[str, int], Outcome | None]:
        return fast_depths(self.network, self.safety.depths, self.given)

    @property
    def depths(self) -> Mapping[str, int]:
        """The depth of each FIFO, by name."""
        return self._fast[0]

    @property
    def outcome(self) -> Outcome | None:
        """What the model says of inferences with these depths; None where it is not run."""
        return self._fast[1]

    @property
    def fifos(self) -> Fifos:
        """What the FIFOs are, for the estimate, by layer."""
        return self._fifos(self.depths)

    @property
    def least_fifos(self) -> Fifos:
        """The same with the least depths that are free of deadlock, which no depth is below."""
        return self._fifos(self.safety.depths)

    def _fifos(self, depths: Mapping[str, int]) -> Fifos:
        found: dict[str, list[Fifo]] = {}
        for name, channel in self.network.channels.items():
            fifo = Fifo(depths[name], channel.elements, channel.bits)
            found.setdefault(channel.value, []).append(fifo)
        return found


def streams_of(graph: Graph, target: Target) -> Streams:
    """Return the streams of a graph in io_stream, with the depth of every FIFO."""
    network = _Builder(graph, target).network()
    asked = {node.name: node.op.fifo_depth for node in graph.nodes if node.op.fifo_depth}
    given = {c.name: asked[c.carried] for c in network.channels.values() if c.carried in asked}
    return Streams(network, given)


def check_depths(graph: Graph, target: Target) -> None:
    """Make sure that the depths which the user set can be had, and cannot lock the design.

    Raises:
        CompileError: HW122; carries every finding.
    """
    asked = [node for node in graph.nodes if node.op.fifo_depth is not None]
    if not asked:
        return
    streams = streams_of(graph, target) if target.streams else None
    findings = [found for node in asked if (found := _unsuited(node, streams)) is not None]
    if findings:
        raise CompileError(findings)


def _unsuited(node: Node, streams: Streams | None) -> Diagnostic | None:
    """Return what is wrong with the depth that was set for a layer."""
    found = Diagnostic(
        code="HW122",
        title="illegal depth of a FIFO",
        where=f"{node.origin or node.name}: {node.op.kind}, layer {node.name!r}",
        found=f"fifo_depth = {node.op.fifo_depth}",
    )
    if streams is None:
        return replace(
            found,
            supported="io_stream, which has FIFOs",
            help='remove it, or set io_type = "io_stream" in [target]',
        )
    own = [c.name for c in streams.network.channels.values() if c.carried == node.name]
    if not own:
        return replace(
            found,
            supported="layers whose result another layer reads from a stream of its own",
            help="remove it",
        )
    least = max(streams.safety.short.get(name, 0) for name in own)
    if not least:
        return None
    return replace(
        found,
        supported=f"{least} or more; the design locks with less",
        help=f"set fifo_depth = {least}, or remove it",
    )


class _Builder:
    """Walks a graph and notes who writes and who reads each stream."""

    def __init__(self, graph: Graph, target: Target) -> None:
        self.graph, self.target = graph, target
        self.types: dict[str, TensorType] = {}
        self.layers: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self.held: dict[str, str] = {}
        self.readers: dict[str, list[tuple[str, int]]] = {}
        self.processes: dict[str, Process] = {}

    def network(self) -> Network:
        for node in self.graph.nodes:
            if node.op.kind == "Input":
                self._value(port_name(node.name), self.graph.types[node.name])
                self.held[node.name] = port_name(node.name)
                self.layers[port_name(node.name)] = node.name
            else:
                self._add(node)
        outputs = {self.held[name] for name in self.graph.output_values}
        channels = [c for name in self.counts for c in self._channels(name, name in outputs)]
        names = {name: index for index, name in enumerate(self.processes)}
        inputs: dict[str, dict[int, str]] = {name: {} for name in names}
        written: dict[str, list[str]] = {name: [] for name in names}
        for channel, place in channels:
            inputs[channel.target][place] = channel.name
            written[channel.source].append(channel.name)
        processes = (
            replace(
                process,
                inputs=tuple(inputs[name].get(k, "") for k in range(len(process.pattern.reads))),
                outputs=tuple(written[name]),
            )
            for name, process in self.processes.items()
        )
        return Network.of(processes, [channel for channel, _ in channels])

    def _value(self, name: str, carried: TensorType, tokens: int = 0) -> None:
        """Add a stream that carries a value, which has a token for each position by default."""
        self.types[name], self.readers[name] = carried, []
        self.counts[name] = tokens or prod(carried.shape[:-1])

    def _add(self, node: Node) -> None:
        """Add the processes of a layer; a view is another name for its input's stream."""
        layers = layers_of(self.graph, node, self.target)
        if layers[-1].layer.class_name == "Reshape":
            self.held[node.name] = self.held[node.inputs[0]]
            return
        sources = [self.held[name] for name in node.inputs]
        for padding in layers[:-1]:
            pattern = zero_padding(padding.layer.attributes)
            self._process(padding.name, "Pad", pattern, sources, self.graph.input_types(node)[0])
            self.layers[padding.name] = node.name
            sources = [padding.name]
        own = type(node.op)
        known = is_built_in(own) or own.tokens is not Op.tokens
        counts = [self.counts[source] for source in sources]
        types, result = self.graph.input_types(node), self.graph.types[node.name]
        if known:
            pattern = node.op.tokens(counts, *types)
        else:
            pattern = Pattern.buffered(counts, prod(result.shape[:-1]))
        ii = node_cost(self.graph, node, self.target).ii.value / pattern.steps
        self._process(node.name, node.op.kind, pattern, sources, result)
        self.held[node.name] = node.name
        self.processes[node.name] = replace(
            self.processes[node.name], known=known, **_speed(layers[-1], pattern, ii)
        )

    def _process(
        self, name: str, kind: str, pattern: Pattern, sources: list[str], result: TensorType
    ) -> None:
        for place, source in enumerate(sources):
            self.readers[source].append((name, place))
        self.processes[name] = _idle(name, kind, pattern)
        self._value(name, result, int(pattern.writes[-1]))

    def _channels(self, value: str, leaves: bool) -> Iterator[tuple[Channel, int]]:
        """Yield the FIFOs of a value, each with the place that it has among its reader's inputs.

        A stream with several readers is copied; a port counts as one, and comes first.
        """
        readers, tokens = self.readers[value], self.counts[value]
        carried = self.types[value]
        made = Channel(
            name=value, value=self.layers.get(value, value), carried=value, source=value,
            target="", tokens=tokens, elements=carried.channels, bits=carried.dtype.width,
        )  # fmt: skip
        copies = len(readers) + leaves
        if copies == 1:
            if readers and value in self.processes:
                (reader, place) = readers[0]
                yield replace(made, target=reader), place
            return
        if not copies:
            return
        copy = COPY + value
        pattern = Pattern.elementwise(tokens)
        self.processes[copy] = _idle(copy, "Copy", pattern)
        if value in self.processes:
            yield replace(made, target=copy), 0
        for number, (reader, place) in enumerate(readers, 1 + leaves):
            name = f"{value}_cpy{number}"
            yield replace(made, name=name, source=copy, target=reader), place


def _idle(name: str, kind: str, pattern: Pattern) -> Process:
    """Return a process that is not joined to others yet, with a step a cycle."""
    return Process(
        name=name, kind=kind, pattern=pattern, inputs=(), outputs=(), deepest=pattern.depth
    )


def _speed(layer: NamedLayer, pattern: Pattern, ii: float) -> dict[str, Any]:
    """Return how fast a process is, as estimated, and how much a stalled pipeline holds at most.

    Loops of the latency strategy start every ``reuse_factor`` cycles, so that few steps are on the
    way; those of the resource strategy end each step before the next one.
    """
    least, cycles = 1, max(round(ii), 1)
    if "Conv" in layer.layer.class_name:
        least = layer.layer.reuse_factor
    deepest = 1 + ceil(pattern.depth / least)
    if "Conv" in layer.layer.class_name and layer.layer.strategy == "resource":
        deepest = 1
    return {
        "ii": cycles,
        "deepest": deepest,
        "lag": min(1 + pattern.depth // (2 * cycles), deepest),
    }
