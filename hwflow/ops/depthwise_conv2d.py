"""Convolution over two spatial axes, one filter for each channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Example
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.depthwise import _Depthwise


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthwiseConv2D(_Depthwise):
    """Depthwise convolution over two axes; weights of shape ``(height, width, channels)``."""

    @classmethod
    def examples(cls) -> Iterable[Example]:
        rng = np.random.default_rng(4)
        signed = TensorType.full((5, 6, 4), FixedType(5, 2))
        unsigned = TensorType.full((6, 5, 4), FixedType(4, 0, signed=False))
        for name, x, kernel, strides, pads in (
            ("valid", signed, (3, 2), (1, 1), ((0, 0), (0, 0))),
            ("same", unsigned, (3, 3), (1, 1), ((1, 1), (1, 1))),
            ("asymmetric", signed, (3, 3), (2, 1), ((0, 1), (2, 0))),
            ("flat", signed, (1, 3), (1, 2), ((0, 0), (1, 1))),
            ("single", signed, (1, 1), (1, 1), ((0, 0), (0, 0))),
        ):
            weight = FixedArray(rng.integers(-8, 8, (*kernel, 4)), FixedType(4, 1))
            bias = FixedArray(rng.integers(-16, 16, 4), FixedType(5, 2))
            op = cls(weight=weight, bias=bias, strides=strides, pads=pads)
            yield Example(name, op, (x,))
