"""Everything that an operator of one's own is written with, in one place.

``Op`` says what an operator must tell; ``docs/custom-layers.md`` walks through one.
"""

from __future__ import annotations

from hwflow.core.errors import Diagnostic
from hwflow.estimate.layer import (
    elementwise_cost,
    free_cost,
    move_cost,
    product_cost,
    scale_cost,
    table_cost,
)
from hwflow.estimate.spread import SIMPLE, make_cost, per_position, side_by_side
from hwflow.fixed import MAX_RAW_BITS, FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.grid import Grid
from hwflow.ir.op import Constant, Example, HlsLayer, Layout, OnnxNode, Op, Target
from hwflow.ir.scaled import OnIntegers, Operand, Scaled, Total, Way
from hwflow.ir.tensor import TensorType

__all__ = [
    "MAX_RAW_BITS",
    "SIMPLE",
    "Constant",
    "Cost",
    "Diagnostic",
    "Estimate",
    "Example",
    "FixedArray",
    "FixedType",
    "Grid",
    "HlsLayer",
    "Layout",
    "OnIntegers",
    "OnnxNode",
    "Op",
    "Operand",
    "Overflow",
    "RawArray",
    "Rounding",
    "Scaled",
    "Target",
    "TensorType",
    "Total",
    "Way",
    "elementwise_cost",
    "free_cost",
    "make_cost",
    "move_cost",
    "per_position",
    "product_cost",
    "scale_cost",
    "side_by_side",
    "table_cost",
]
