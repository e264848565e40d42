"""Random networks of processes: small ones with any patterns, and those of branched nets."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hwflow.codegen.hls.streams import streams_of
from hwflow.dataflow.network import Channel, Network, Process
from hwflow.dataflow.pattern import Loop, Pattern, none, ones, only
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ops.add import Add
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.concat import Concat
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.input import Input
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.mul import Mul
from hwflow.ops.relu import Relu
from hwflow.ops.resize import Resize
from hwflow.ops.transpose import Transpose


def random_pattern(rng: random.Random, tokens: int, inputs: int) -> Pattern:
    """Return what a process of one or two inputs may do; it writes as much as it reads of each."""
    kind = rng.random()
    if inputs > 1:
        if kind < 0.6:
            return Pattern.elementwise(tokens, inputs)
        if kind < 0.8:  # all of the first, then the others with the results
            rest = np.concatenate([none(1, tokens), ones(inputs - 1, tokens)])
            return Pattern.of(
                [Loop(only(inputs, 0, tokens), none(tokens)), Loop(rest, ones(tokens))]
            )
        return Pattern.buffered([tokens] * inputs, tokens)
    if kind < 0.4:  # a line buffer, with what follows the image
        late = rng.randrange(tokens // 2)
        return Pattern.choosing([1] * tokens + [0] * late, [0] * late + [1] * tokens)
    if kind < 0.5:
        return Pattern.buffered([tokens], tokens)
    return Pattern.elementwise(tokens, turns=rng.choice([1, 1, 2]))


def random_readers(rng: random.Random) -> dict[str, list[str]]:
    """Return who reads the port and each process; some read one thing twice."""
    sources: dict[str, list[str]] = {}
    for number in range(rng.randrange(3, 8)):
        before = ["port", *sources][-4:]
        count = 1 if not sources or rng.random() < 0.45 else 2
        sources[f"p{number}"] = [rng.choice(before) for _ in range(count)]
    readers: dict[str, list[str]] = {name: [] for name in ("port", *sources)}
    for name, taken in sources.items():
        for source in taken:
            readers[source].append(name)
    return readers


def random_network(seed: int) -> Network:
    """Return a small network with forks and joins anywhere."""
    rng = random.Random(seed)
    tokens = rng.choice([6, 9, 12])
    readers = random_readers(rng)
    channels: list[Channel] = []

    def fifo(name: str, value: str, source: str, target: str) -> Channel:
        return Channel(
            name=name,
            value=value,
            carried=value,
            source=source,
            target=target,
            tokens=tokens,
            bits=wide,
        )

    inputs: dict[str, list[str]] = {name: [] for name in readers if name != "port"}
    processes: list[Process] = []
    for name, taken in readers.items():
        copies = len(taken) > 1
        start = f"copy_{name}" if copies else name
        wide = rng.randrange(1, 9)
        if copies and name != "port":
            channels.append(fifo(name, name, name, start))
        if copies:
            entered = (name,) if name != "port" else ("",)
            processes.append(_process(rng, start, Pattern.elementwise(tokens), entered))
        for number, reader in enumerate(taken):
            found = f"{name}_{number}" if copies or name != "port" else ""
            inputs[reader].append(found)
            if found:
                channels.append(fifo(found, name, start, reader))
    for name, entered in inputs.items():
        pattern = random_pattern(rng, tokens, len(entered))
        processes.append(_process(rng, name, pattern, entered))
    outputs = {p.name: tuple(c.name for c in channels if c.source == p.name) for p in processes}
    return Network.of([replace(p, outputs=outputs[p.name]) for p in processes], channels)


def _process(rng: random.Random, name: str, pattern: Pattern, inputs: Sequence[str]) -> Process:
    deepest = rng.randrange(4)
    ii, lag = rng.choice([1, 1, 2]), rng.randint(0, deepest)
    return Process(
        name=name,
        kind="",
        pattern=pattern,
        inputs=tuple(inputs),
        outputs=(),
        ii=ii,
        lag=lag,
        deepest=deepest,
    )


NARROW = FixedType(4, 2)


@dataclass
class NetBuilder:
    """Collects the layers of one net, all of whose values have one shape."""

    rng: random.Random
    shape: tuple[int, int, int]
    nodes: list[Node] = field(default_factory=list)

    def put(self, op: Op, *inputs: str) -> str:
        name = f"{op.kind.lower()}{len(self.nodes)}"
        self.nodes.append(Node(name, op, inputs))
        return name

    def conv(self, x: str, size: int, channels: int) -> str:
        weight = np.ones((size, size, channels, self.shape[2]), np.int64)
        bias = FixedArray(none(self.shape[2]), NARROW)
        pads = ((size // 2, size // 2),) * 2
        factor = self.rng.choice([1, 1, 3])
        return self.put(
            Conv2D(weight=FixedArray(weight, NARROW), bias=bias, strides=(1, 1), pads=pads,
                   result_t=NARROW, reuse_factor=factor), x
        )  # fmt: skip

    def one(self, x: str) -> str:
        """Append something on a value."""
        kind = self.rng.choice(["conv", "conv", "point", "relu", "pool", "turn", "scale"])
        if kind in ("conv", "point"):
            return self.conv(x, 3 if kind == "conv" else 1, self.shape[2])
        if kind == "relu":
            return self.put(Relu(result_t=FixedType(4, 2, signed=False)), x)
        if kind == "pool":
            return self.put(MaxPool(kernel=(3, 3), strides=(1, 1), pads=((1, 1), (1, 1))), x)
        if kind == "turn" and self.shape[0] == self.shape[1]:
            return self.put(Transpose(perm=(1, 0, 2)), x)
        rows, columns = (tuple(np.repeat(range(n), 2).tolist()) for n in self.shape[:2])
        large = self.put(Resize(indices=(rows, columns, None)), x)
        return self.put(MaxPool(kernel=(2, 2), strides=(2, 2), pads=((0, 0), (0, 0))), large)

    def two(self, a: str, b: str) -> str:
        """Append what joins two values."""
        kind = self.rng.choice(["add", "add", "concat", "gate"])
        if kind == "add":
            return self.put(Add(result_t=NARROW), a, b)
        if kind == "concat":
            return self.conv(self.put(Concat(axis=2), a, b), 1, 2 * self.shape[2])
        mean = self.put(
            replace(AveragePool.over_all(self.shape[:2], squeeze=False), result_t=NARROW), b
        )
        return self.put(Mul(result_t=NARROW), a, mean)


def random_net(seed: int) -> Graph:
    """Return a net with forks and joins: convolutions, pools, sums, gates, resized maps."""
    rng = random.Random(seed)
    builder = NetBuilder(rng, (rng.randint(3, 7), rng.randint(3, 7), rng.randint(1, 3)))
    builder.nodes.append(Node("x", Input(shape=builder.shape, dtype=NARROW)))
    values = ["x"]
    for _ in range(rng.randint(3, 9)):
        recent = values[-4:]
        if len(values) > 2 and rng.random() < 0.45:
            values.append(builder.two(*rng.sample(recent, 2)))
        else:
            values.append(builder.one(rng.choice(recent)))
    used = {name for node in builder.nodes for name in node.inputs}
    ends = [node.name for node in builder.nodes if node.name not in used]
    ports = [Port(name, name, (1, 2, 3)) for name in ends]
    return Graph.build(f"net{seed}", builder.nodes, [Port("x", "x", (1, 2, 3))], ports)


def network_of(graph: Graph) -> Network:
    """Return the network of a graph for Vitis HLS."""
    return streams_of(graph, Target(io_type="io_stream")).network
