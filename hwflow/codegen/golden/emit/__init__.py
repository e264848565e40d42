"""The bodies of the operators, by operator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hwflow.codegen.golden.body import Body
from hwflow.codegen.golden.emit import (
    elementwise,
    fixed_quant,
    linear,
    moves,
    pools,
    ranks,
    requantize,
    tables,
)
from hwflow.codegen.golden.values import Span, Tensor
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType

Emit = Callable[[Op, Body, Sequence[Tensor], Sequence[TensorType]], tuple[Tensor, Span, bool]]
"""Writes an operator's body and returns the result, where its mantissas lie, and whether they are
divided already by what the grid is finer than that of ``result_t``."""

EMITTERS: Mapping[type[Op], Emit] = {
    **linear.EMITTERS,
    **pools.EMITTERS,
    **elementwise.EMITTERS,
    **moves.EMITTERS,
    **ranks.EMITTERS,
    **requantize.EMITTERS,
    **tables.EMITTERS,
    **fixed_quant.EMITTERS,
}
