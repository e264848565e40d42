"""Logistic sigmoid by table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedType
from hwflow.ir.op import OnnxNode, Op
from hwflow.ops.shared.table_activation import _TableActivation
from hwflow.ops.shared.tables import F32, F64, c_float_function, saturating


@dataclass(frozen=True, kw_only=True, eq=False)
class Sigmoid(_TableActivation):
    """``1 / (1 + exp(-x))``; hls4ml's table spans -8 to 8."""

    onnx: ClassVar[tuple[str, ...]] = ("Sigmoid",)
    functions: ClassVar[tuple[str, ...]] = onnx
    function: ClassVar[str] = "sigmoid"
    span: ClassVar[int] = 16
    default_t: ClassVar[FixedType] = saturating(18, 1, signed=False)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return [cls()]

    @staticmethod
    def real(x: F64) -> F64:
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / (1.0 + np.exp(-x)))

    @staticmethod
    def entries(x: F32) -> F32:
        below = np.float32(1) + c_float_function("expf")(-x)  # a float sum, a double quotient
        return np.asarray(1.0 / below.astype(np.float64), np.float32)
