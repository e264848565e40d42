"""Random hardware graphs: random operators in chains and branches, from a seeded generator.

Operators take values of the graph where shapes meet; elsewhere a value is brought into their
shape and type by further operators, with any rounding and overflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedType, Overflow
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.cast import Cast
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.pad import MODES, Pad
from hwflow.ops.reshape import Reshape
from hwflow.ops.slice import Slice
from hwflow.testing.operators.cases import Case
from tests.ops.random_ops import Rng, castable, constant, draw, random_type, value

WIDEST = 26
"""Of the few types that are wider than those of random operators."""


@cache
def random_kinds() -> list[str]:
    """Return the names of the operators that ``draw`` knows."""
    return sorted(k for k, cls in Op.registry.items() if cls is not Input and list(cls.examples()))


@dataclass
class GraphBuilder:
    """Collects the nodes of one graph."""

    rng: Rng
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)

    def enter(self) -> None:
        """Add an input with a random shape, type, rounding and overflow."""
        x = value(self.rng)
        self.put(Input(shape=x.shape, dtype=self.any_type()), ())

    def any_type(self, like: FixedType | None = None) -> FixedType:
        """Return a type with any rounding and overflow; as wide as another, or rarely far wider."""
        if self.rng.random() < 0.1:
            return random_type(self.rng, WIDEST, modes=True)
        drawn = random_type(self.rng, 9, modes=True)
        if like is None:
            return drawn
        return replace(like, rounding=drawn.rounding, overflow=drawn.overflow)

    def put(self, op: Op, inputs: Sequence[str]) -> str | None:
        """Append an operator and return its name, or None where it does not take such values."""
        types = tuple(self.types[name] for name in inputs)
        name = f"{op.kind.lower()}_{len(self.nodes)}"
        try:
            usable = Case(name, op, types).legal(Target()) and castable(op, types)
            result = op.infer(*types) if usable else None
        except (OverflowError, ValueError):
            return None
        if result is None or not result.size:
            return None
        self.nodes.append(Node(name, op, tuple(inputs)))
        self.types[name] = result
        return name

    def grow(self, kind: str) -> None:
        """Append a random operator of a kind and what feeds it, as far as they are legal."""
        op, operands = draw(self.rng, kind)
        inputs = [self.operand(x, exact=kind == "Requantize") for x in operands]
        known = [name for name in inputs if name is not None]
        if len(known) == len(inputs):
            self.put(op, known)

    def operand(self, wanted: TensorType, *, exact: bool) -> str | None:
        """Return a value of a shape, and with ``exact`` of a type; None where none can be made."""
        same = [name for name, t in self.types.items() if t.shape == wanted.shape]
        if same and not exact and self.rng.random() < 0.6:
            return str(self.rng.choice(same))
        name: str | None = str(self.rng.choice(list(self.types)))
        assert name is not None
        if len(self.types[name].shape) != 1:
            name = self.put(Reshape(shape=(self.types[name].size,)), [name])
        if name is not None and self.types[name].size != wanted.size:
            name = self.put(self.resized(self.types[name], wanted.size), [name])
        if name is not None and self.types[name].shape != wanted.shape:
            name = self.put(Reshape(shape=wanted.shape), [name])
        if name is None:
            return None
        to = replace(wanted.dtype, overflow=Overflow.SAT) if exact else self.any_type(wanted.dtype)
        name = self.put(Cast(result_t=to), [name])
        if exact and name is not None and not _within(self.types[name], wanted):
            return None
        return name

    def resized(self, x: TensorType, size: int) -> Op:
        """Return an operator from a vector to one of another size."""
        if self.rng.random() < 0.5:
            weight, bias = constant(self.rng, (x.size, size), 9), constant(self.rng, (size,), 9)
            result = self.any_type() if self.rng.random() < 0.5 else None
            return Dense(weight=weight, bias=bias, result_t=result)
        if size < x.size:
            return Slice(picks=((int(self.rng.integers(x.size - size + 1)), size, 1),))
        before = int(self.rng.integers(size - x.size + 1))
        mode = str(self.rng.choice(["constant", "edge", "wrap"]))
        mode = mode if mode != "wrap" or size - x.size <= x.size else "edge"
        known = next(m for m in MODES if m == mode)
        return Pad(pads=((before, size - x.size - before),), mode=known)

    def graph(self, name: str) -> Graph:
        """Return the graph; values that nobody takes leave it."""
        used = {name for node in self.nodes for name in node.inputs}
        inputs = [self.port(n.name) for n in self.nodes if isinstance(n.op, Input)]
        left = [n.name for n in self.nodes if n.name not in used]
        outputs = [replace(self.port(name), name=f"{name}_out") for name in left]
        return Graph.build(name, self.nodes, inputs, outputs)

    def port(self, name: str) -> Port:
        """Return the port of a value, in the hardware's order of axes."""
        return Port(name, name, tuple(range(1, len(self.types[name].shape) + 1)))


def _within(x: TensorType, wanted: TensorType) -> bool:
    """Return whether a value keeps to the range and grid that an operator was made for."""
    same = x.shape == wanted.shape and x.dtype.fractional == wanted.dtype.fractional
    return same and bool(np.all(x.lo >= wanted.lo) and np.all(x.hi <= wanted.hi))


def random_graph(seed: int) -> Graph:
    """Return a random graph; the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    builder = GraphBuilder(rng)
    kinds = random_kinds()
    for _ in range(int(rng.integers(1, 4))):
        builder.enter()
    for _ in range(int(rng.integers(3, 9))):
        builder.grow(str(rng.choice(kinds)))
    return builder.graph(f"graph_{seed}")


def port_data(graph: Graph, samples: int, seed: int) -> dict[str, npt.NDArray[np.float32]]:
    """Return float32 numbers for the ports: on the grid, on ties, between, and out of range."""
    rng = np.random.default_rng(seed)
    found = {}
    for port in graph.inputs:
        tensor = graph.types[port.value]
        order = np.argsort(port.axes)
        shape = (samples, *(tensor.shape[i] for i in order))
        low, high = tensor.bounds
        raw = rng.uniform(low - 2, high + 2, shape)
        raw[: samples // 3] = np.rint(2 * raw[: samples // 3]) / 2
        raw[samples // 3] *= 1000
        found[port.name] = np.ldexp(raw, -tensor.dtype.fractional).astype(np.float32)
    return found
