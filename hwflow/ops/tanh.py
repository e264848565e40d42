"""Hyperbolic tangent by table."""

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
class Tanh(_TableActivation):
    """``tanh(x)``; hls4ml's table spans -4 to 4."""

    onnx: ClassVar[tuple[str, ...]] = ("Tanh",)
    functions: ClassVar[tuple[str, ...]] = onnx
    function: ClassVar[str] = "tanh"
    span: ClassVar[int] = 8
    default_t: ClassVar[FixedType] = saturating(18, 2, signed=True)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        return [cls()]

    @staticmethod
    def real(x: F64) -> F64:
        return np.tanh(x)

    @staticmethod
    def entries(x: F32) -> F32:
        return c_float_function("tanhf")(x)
