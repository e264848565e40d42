"""A bias finer than the sum it is added to loses the bits that no later rounding can see.

Let the sum of products be a multiple of ``g`` and the next rounding have all its thresholds on
multiples of ``g``. A bias strictly between two multiples of ``g`` puts every sum strictly between
two multiples too, where rounding is constant; so the midpoint between them does as well as the bias
itself, and needs one bit below ``g``. A relu in between changes nothing: its kink, 0, is a multiple
of ``g``.

Unquantised float32 biases (Brevitas' default) shrink from about 30 fractional bits to a few.
"""

from __future__ import annotations

from hwflow.core.environment import explain
from hwflow.fixed import FixedArray, FixedType, Rounding
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ops.relu import Relu
from hwflow.ops.shared.products import _Products


def narrow_biases(graph: Graph) -> Graph:
    """Return the graph with biases no finer than what can change a result."""
    changed: dict[str, Op] = {}
    for node in graph.nodes:
        op = node.op
        if not isinstance(op, _Products) or op.accum_t is not None:
            continue
        (x,) = graph.input_types(node)
        grid = x.dtype.fractional + op.weight.dtype.fractional
        if op.bias.dtype.fractional <= grid + 1:
            continue
        rounding = _next_rounding(graph, node)
        if rounding is None or not _on_grid(rounding, grid):
            explain("narrow_biases", f"{node.name}: no rounding behind it that is coarse enough")
            continue
        changed[node.name] = op.with_bias(_narrowed(op.bias, grid))
    return graph.replace_ops(changed) if changed else graph


def _next_rounding(graph: Graph, node: Node) -> FixedType | None:
    """Return the type that the layer's sum is rounded to, directly or behind a relu."""
    if node.op.result_t is not None:
        return node.op.result_t
    users = graph.users[node.name]
    if len(users) == 1 and node.name not in graph.output_values and isinstance(users[0].op, Relu):
        return users[0].op.result_t
    return None


def _on_grid(to: FixedType, grid: int) -> bool:
    """Return whether the thresholds of a rounding are multiples of ``2**-grid``."""
    truncates = to.rounding in (Rounding.TRN, Rounding.TRN_ZERO)
    return to.fractional + (0 if truncates else 1) <= grid


def _narrowed(bias: FixedArray, grid: int) -> FixedArray:
    """Return each bias on ``2**-grid``, or the midpoint of the interval it lies in."""
    below = bias.dtype.fractional - grid
    floor = bias.raw >> below
    inside = (floor << below) != bias.raw
    return FixedArray.narrowest(2 * floor + inside, grid + 1)
