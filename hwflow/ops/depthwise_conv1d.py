"""Convolution over one spatial axis, one filter for each channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Example
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.depthwise import _Depthwise


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthwiseConv1D(_Depthwise):
    """Depthwise convolution over one axis; weights of shape ``(kernel, channels)``."""

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(3)
        x = TensorType.full((9, 4), FixedType(5, 2))
        for name, k, stride, pads in (
            ("valid", 3, 1, (0, 0)), ("asymmetric", 4, 2, (2, 1)), ("single", 1, 2, (0, 0)),
        ):  # fmt: skip
            weight = FixedArray(rng.integers(-8, 8, (k, 4)), FixedType(4, 1))
            bias = FixedArray(rng.integers(-16, 16, 4), FixedType(5, 2))
            op = cls(weight=weight, bias=bias, strides=(stride,), pads=(pads,))
            yield Example(name, op, (x,))
