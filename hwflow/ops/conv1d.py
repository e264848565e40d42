"""Convolution over one spatial axis."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Example
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.conv import _Convolution


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv1D(_Convolution):
    """Convolution over one axis; weights of shape ``(kernel, c_in, c_out)``."""

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(1)
        x = TensorType.full((9, 2), FixedType(5, 2))
        for name, k, stride, pads in (
            ("valid", 3, 1, (0, 0)), ("asymmetric", 4, 2, (2, 1)), ("sparse", 2, 3, (0, 0)),
            ("pointwise", 1, 1, (0, 0)), ("pointwise_stride", 1, 2, (0, 0)),
        ):  # fmt: skip
            weight = FixedArray(rng.integers(-8, 8, (k, 2, 3)), FixedType(4, 1))
            bias = FixedArray(rng.integers(-16, 16, 3), FixedType(5, 2))
            op = cls(weight=weight, bias=bias, strides=(stride,), pads=(pads,))
            yield Example(name, op, (x,))
