"""Recurrent operators of ONNX have no quantisers inside, so that no integers come of them."""

from __future__ import annotations

from typing import NoReturn

import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer
from hwflow.passes.model.recurrence.unrolled import is_recurrent

_QUANTIZE = (
    "quantise it: `hwflow quantize MODEL --data DATA -o QUANTIZED.onnx` writes the steps one after "
    "the other, with quantisers between them; build that"
)
_TRAIN = (
    "start from the float model and `hwflow quantize`; or train layers that have quantisers inside "
    "(QKeras: QLSTM, QGRU; HGQ2: QGRU; Brevitas: a cell in a loop, see docs/recurrent.md)"
)


def to_steps(model: QonnxModel, node: ir.Node) -> NoReturn:
    """Refuse a recurrent operator, whose states and gates are real numbers.

    Raises:
        CompileError: HW380, for each of the model.
    """
    trained = any(is_quantizer(other) for other in model.ir.graph)
    raise CompileError(
        [
            Diagnostic(
                code="HW380",
                title="recurrent operator without quantisers inside",
                where=model.where(other),
                found="states and gates in floating point",
                supported="the steps of a cell, with a quantiser at each state and gate",
                help=_TRAIN if trained else _QUANTIZE,
            )
            for other in model.ir.graph
            if is_recurrent(other)
        ]
    )
