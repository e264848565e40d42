"""What holds the values between layers, which only the graph knows: beats, FIFOs and registers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

from hwflow.estimate.liveness import is_dataflow, used_channels
from hwflow.estimate.memories import fifo_brams, fifo_brams_left
from hwflow.estimate.spread import FF_SYNTH, SIMPLE, make_cost, side_by_side
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.graph import Graph, Node


def beats_of(graph: Graph, name: str) -> int:
    """Return in how many beats a value comes: its positions, or those of what was flattened."""
    node = graph.by_name[name]
    while node.op.kind == "Reshape":
        (name,) = node.inputs
        node = graph.by_name[name]
    return prod(graph.types[name].shape[:-1])


def with_beats(cost: Cost, graph: Graph, node: Node) -> Cost:
    """Return the cost of a layer that waits for its whole input, with all beats of that but one."""
    if node.op.kind != "Dense" or len(graph.input_types(node)[0].shape) > 1:
        return cost
    more = float(beats_of(graph, node.inputs[0]) - 1)
    wait = Estimate.exact(more)
    return replace(cost, ii=cost.ii + wait, latency_cycles=cost.latency_cycles + wait)


@dataclass(frozen=True)
class Fifo:
    """A FIFO of a streamed design.

    Attributes:
        depth: words that it holds.
        channels: elements of a word.
        bits: width of an element.
    """

    depth: int
    channels: int
    bits: int

    def cost(self, backend: str) -> Cost:
        """Return what it takes."""
        return fifo_cost(self.depth, self.channels, self.bits, backend)


Fifos = Mapping[str, Sequence[Fifo]]
"""The FIFOs of a streamed design, by the layer whose result they carry, padding included."""


def whole_fifos(graph: Graph, node: Node) -> Sequence[Fifo]:
    """Return a FIFO as deep as the whole value for each reader of a layer's result.

    Streams that enter the top function have theirs outside of it.
    """
    out, readers = graph.types[node.name], len(graph.users[node.name])
    if node.op.kind in ("Input", "Reshape"):
        return ()
    return (Fifo(prod(out.shape[:-1]), out.channels, out.dtype.width),) * readers


def with_fifos(cost: Cost, fifos: Sequence[Fifo], backend: str) -> Cost:
    """Return the cost of a streamed layer with FIFOs."""
    for fifo in fifos:
        cost = side_by_side(cost, fifo.cost(backend))
    return cost


def fifo_cost(depth: int, channels: int, bits: int, backend: str) -> Cost:
    """Return the cost of the FIFO of a value.

    What stands at the top level of 40 reports of nine repositories, beside the layers: for each
    channel 45 LUTs and 24 flip-flops with a block RAM and 30 and 6 without one (Vivado HLS), or 1.1
    and 2.1 a bit (Vitis HLS).
    """
    blocks = fifo_brams(depth, channels, bits, backend)
    luts, ff = (45.0, 24.0) if blocks else (30.0, 6.0)
    luts, ff = channels * luts, channels * ff
    if backend == "Vitis":
        luts, ff = 40.0 + 1.1 * channels * bits, 60.0 + 2.1 * channels * bits
    left = fifo_brams_left(depth, channels, bits, backend)
    return make_cost(
        SIMPLE, lut=luts, ff=ff, bram=float(blocks), bram_synth=float(left), cycles=0.0
    )


CHANNEL_LUT, CHANNEL_LUT_PER_BIT = 20.0, 0.9
"""LUTs of the FIFO of two words that carries one value between stages in io_parallel, and per bit
(three designs of two repositories: 23, 33 and 56 for 12, 12 and 48 bits)."""

CHANNEL_FF = {"Vivado": (6.0, 0.0), "Vitis": (5.0, 2.1)}
"""Flip-flops of that FIFO, and those per bit (the same designs: 6; 21 and 31 with Vitis HLS)."""


def with_channels(cost: Cost, graph: Graph, node: Node, backend: str) -> Cost:
    """Return the cost of a stage in io_parallel with what carries its result to the next ones."""
    out, readers = graph.types[node.name], len(graph.users[node.name])
    if not readers or node.op.kind in ("Input", "Reshape"):
        return cost
    bits, values = out.dtype.width, out.size * readers
    each, per_bit = CHANNEL_FF[backend]
    luts = values * (CHANNEL_LUT + CHANNEL_LUT_PER_BIT * bits)
    held = make_cost(SIMPLE, lut=luts, ff=values * (each + per_bit * bits), cycles=0.0)
    return side_by_side(cost, held)


def with_registers(cost: Cost, graph: Graph, node: Node) -> Cost:
    """Return the cost of a layer in io_parallel with registers for what enters and what it makes.

    A module that takes multipliers or adders ends with its result in registers; what never changes,
    and what is only passed on, has none.
    """
    out = graph.types[node.name]
    weight = getattr(node.op, "weight", None)
    if weight is None and node.op.kind != "Input":
        return cost
    built = out.lo != out.hi
    if not is_dataflow(graph):
        built = built & used_channels(graph, node.name)
    live = built.mean() if out.channels else 0.0
    held = Estimate.spread(float(out.size * out.dtype.width * live), SIMPLE.ff)
    return replace(cost, ff=cost.ff + held, ff_synth=cost.ff_synth + held.scaled(FF_SYNTH))
