"""Biases finer than the products that they are added to, and what the finer sums cost.

A bias that nothing rounds behind it keeps every bit (``passes/narrow_biases``): a float32 bias at
an output makes sums of a few bits as wide as itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from hwflow.core.errors import Diagnostic
from hwflow.estimate.graph import node_cost
from hwflow.fixed import FixedArray
from hwflow.ir.cost import Cost
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.ops.shared.products import _Products

WORTH = 1.5
"""A layer that is so many times larger because of its bias is worth a warning."""


@dataclass(frozen=True)
class WideBias:
    """A layer whose sums are wide because of its bias.

    Attributes:
        node: the layer.
        grid: fractional bits of its products.
        widths: bits of its sums, as they are and with the bias on the grid of the products.
        costs: costs of the layer, as it is and with the bias on the grid of the products.
    """

    node: Node
    grid: int
    widths: tuple[int, int]
    costs: tuple[Cost, Cost]

    @property
    def ratio(self) -> float:
        """How many times as many look-up tables the layer takes."""
        with_bias, without = (cost.lut_synth.value for cost in self.costs)
        return with_bias / max(without, 1.0)


def wide_bias(graph: Graph, node: Node, target: Target) -> WideBias | None:
    """Return what the bias of a layer costs; None where it is no finer than the products."""
    op = node.op
    if not isinstance(op, _Products) or op.accum_t is not None:
        return None
    (x,) = graph.input_types(node)
    grid = x.dtype.fractional + op.weight.dtype.fractional
    finer = op.bias.dtype.fractional - grid
    if finer <= 0:
        return None
    rounded = (op.bias.raw + (1 << (finer - 1))) >> finer
    other: Op = op.with_bias(FixedArray.narrowest(rounded, grid))
    widths = (op.exact(x).dtype.width, other.exact(x).dtype.width)
    costs = (node_cost(graph, node, target), node_cost(graph, replace(node, op=other), target))
    return WideBias(node, grid, widths, costs)


def wide_biases(graph: Graph, target: Target) -> Iterator[Diagnostic]:
    """Yield a warning for each layer that its bias makes much larger."""
    for node in graph.nodes:
        found = wide_bias(graph, node, target)
        if found is None or found.ratio < WORTH:
            continue
        luts = [f"{cost.lut_synth.value:,.0f}" for cost in found.costs]
        yield Diagnostic(
            code="HW514",
            severity="warning",
            title="a bias finer than the products makes the layer larger",
            where=f"{node.origin or node.name}: {node.op.kind}",
            found=f"{_bits(node)}: sums of {found.widths[0]} bits, {luts[0]} LUT estimated",
            supported=f"with a bias in steps of 2^{-found.grid}: sums of {found.widths[1]} bits, "
            f"{luts[1]} LUT",
            help="quantise the bias in the model with the scale of the products (Brevitas: "
            "bias_quant=Int16Bias), or put a quantiser behind the layer",
        )


def _bits(node: Node) -> str:
    assert isinstance(node.op, _Products)
    return f"a bias with {node.op.bias.dtype.fractional} fractional bits, which nothing rounds"
