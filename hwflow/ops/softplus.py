"""Softplus by table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedType
from hwflow.ir.op import OnnxNode, Op
from hwflow.ops.shared.table_activation import _TableActivation
from hwflow.ops.shared.tables import F32, F64, c_float_function, saturating


@dataclass(frozen=True, kw_only=True, eq=False)
class Softplus(_TableActivation):
    """``log(1 + exp(x))``; hls4ml's table spans -8 to 8."""

    onnx: ClassVar[tuple[str, ...]] = ("Softplus",)
    functions: ClassVar[tuple[str, ...]] = onnx
    function: ClassVar[str] = "softplus"
    span: ClassVar[int] = 16
    bounded: ClassVar[bool] = False
    default_t: ClassVar[FixedType] = saturating(18, 5, signed=False)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return [cls()]

    @staticmethod
    def real(x: F64) -> F64:
        return np.logaddexp(0.0, x)

    @staticmethod
    def entries(x: F32) -> F32:
        total = c_float_function("expf")(x).astype(np.float64) + 1.0
        return np.array([log(v) for v in total], np.float32)
