"""Small hardware graphs built by hand, and whether two graphs compute the same."""

from collections.abc import Sequence

import numpy as np

from hwflow.core.config import make_config
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.op import Op, Target
from hwflow.ops.cast import Cast
from hwflow.ops.dense import Dense
from hwflow.ops.input import Input
from hwflow.ops.scale_bias import ScaleBias
from hwflow.passes import Context
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples import mixed_data

X = FixedType(6, 3)
"""Type of inputs: 6 bits, 3 of them fractional."""
NARROW = FixedType(4, 2, True, Rounding.RND_CONV, Overflow.SAT)
WIDE = FixedType(12, 6, True, Rounding.RND_CONV, Overflow.SAT)
UNSIGNED = FixedType(4, 2, False, Rounding.RND_CONV, Overflow.SAT)

CONTEXT = Context(config=make_config({}), target=Target())

Entry = tuple[str, Op, Sequence[str]]


def graph(*entries: Entry, outputs: Sequence[str] = ()) -> Graph:
    """Return a graph of ``(name, operator, inputs)``; the last is the output, if none is named."""
    nodes = [Node(name, op, tuple(inputs), name) for name, op, inputs in entries]
    axes = {name: tuple(range(1, 4)) for name, _, _ in entries}
    ports = [Port(n.name, n.name, ()) for n in nodes if isinstance(n.op, Input)]
    built = Graph.build("net", nodes, ports, [])
    axes = {n: tuple(range(1, len(t.shape) + 1)) for n, t in built.types.items()}
    chosen = outputs or [nodes[-1].name]
    return Graph.build(
        "net",
        nodes,
        [Port(p.value, p.name, axes[p.value]) for p in ports],
        [Port(n, n, axes[n]) for n in chosen],
    )


def source(shape: tuple[int, ...] = (3,), dtype: FixedType = X, *, assumed: bool = False) -> Entry:
    """Return the input ``x``."""
    return "x", Input(shape=shape, dtype=dtype, assumed=assumed), ()


def dense(n_in: int = 3, n_out: int = 2, *, bias: FixedArray | None = None) -> Dense:
    """Return a dense layer with seeded weights."""
    rng = np.random.default_rng(n_in + n_out)
    weight = FixedArray(rng.integers(-8, 8, (n_in, n_out)), FixedType(4, 2))
    return Dense(weight=weight, bias=bias or FixedArray.exactly(np.zeros(n_out)))


def offset(*values: float, scale: float = 1.0) -> ScaleBias:
    """Return the operator that scales by a number and adds one number per channel."""
    return ScaleBias(
        scale=FixedArray.exactly(np.array(scale)), bias=FixedArray.exactly(np.array(values))
    )


def cast(to: FixedType) -> Cast:
    return Cast(result_t=to)


def kinds(of: Graph) -> list[str]:
    return [node.op.kind for node in of.nodes]


def assert_same(before: Graph, after: Graph, samples: int = 200) -> None:
    """Check that two graphs give the same outputs for the same data, bit for bit."""
    data = mixed_data(after, samples).inputs
    expected, found = simulate(before, data).outputs, simulate(after, data).outputs
    assert list(expected) == list(found)
    for name, values in expected.items():
        np.testing.assert_array_equal(values, found[name])
