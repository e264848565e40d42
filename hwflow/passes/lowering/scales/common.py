"""What the rules for scaled values share."""

from __future__ import annotations

from fractions import Fraction

import onnx_ir

from hwflow.ir.grid import Grid
from hwflow.passes.lowering.deferred import Deferred, on_grid
from hwflow.passes.lowering.fuse_elementwise import deferred_of
from hwflow.passes.lowering.walk import Walk, defer


def lone_line(walk: Walk, value: onnx_ir.Value) -> Grid | None:
    """Return what the one hardware value behind an ONNX value means, or None."""
    deferred = deferred_of(walk, value)
    return walk.grid(value.name or "") if deferred.lone_source else None


def on_line(walk: Walk, node: onnx_ir.Node, held: str, grid: Grid) -> None:
    """Record that the result of a node lies on a line over the hardware value."""
    result = node.outputs[0]
    axes = walk.values[result.name or ""][1]
    defer(walk, result, Deferred((held,), on_grid(grid, walk.types[held])), axes)


def attribute(node: onnx_ir.Node, name: str, default: float) -> float:
    """Return a number among a node's attributes."""
    found = node.attributes.get(name)
    return default if found is None else float(found.value)


def is_power_of_two(x: Fraction) -> bool:
    """Return whether a number is a positive power of two."""
    return x.numerator.bit_count() == 1 == x.denominator.bit_count() and x > 0
