"""What depthwise convolutions share: one filter for each channel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType, RawArray, cast_raw
from hwflow.ir.body.values import Tensor
from hwflow.ir.op import HlsLayer, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.conv import _Convolution
from hwflow.ops.shared.matvec import check_accumulator, check_reuse_factor, legal_reuse_factors


@dataclass(frozen=True, kw_only=True, eq=False)
class _Depthwise(_Convolution):
    """A convolution with one filter for each channel: weights of shape ``(*kernel, channels)``."""

    settings: ClassVar[tuple[str, ...]] = tuple(s for s in _Convolution.settings if s != "product")
    tap_product: ClassVar[str] = "Mul"

    @property
    def matrix(self) -> RawArray:
        """Weights as the block-diagonal matrix of a full convolution."""
        channels = self.weight.shape[-1]
        taps = self.weight.raw.reshape(-1, channels)
        return (taps[:, :, None] * np.eye(channels, dtype=np.int64)).reshape(-1, channels)

    def _sum_bounds(self, lo: RawArray, hi: RawArray) -> tuple[RawArray, RawArray]:
        taps = self.weight.raw.reshape(-1, self.weight.shape[-1])
        ends = np.stack([_multiply(lo, taps), _multiply(hi, taps)])
        return ends.min(axis=0).sum(axis=0), ends.max(axis=0).sum(axis=0)

    def _tap(
        self, x: FixedArray, weight: RawArray, accum_t: FixedType, every_product: bool
    ) -> RawArray:
        fractional = x.dtype.fractional + self.weight.dtype.fractional
        return cast_raw(_multiply(x.raw, weight), fractional, accum_t)

    def _kernel_and_groups(
        self, weight: npt.NDArray[Any], x: Tensor
    ) -> tuple[npt.NDArray[Any], int]:
        return np.moveaxis(weight, -1, 0)[:, None], x.shape[-1]

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        supported = ("latency", "resource") if target.streams else ("latency",)
        if self.strategy not in supported:
            yield Diagnostic(
                code="HW108",
                title="strategy not available for depthwise convolutions",
                found=f"strategy = {self.strategy!r}, {target.io_type}",
                supported=", ".join(supported),
                help='set strategy = "latency" for this layer',
            )
        yield from check_reuse_factor(self.reuse_factor, self.reuse_factors(target, x))
        yield from check_accumulator(self.accum_t, x.dtype, self.weight.dtype, self.bias.dtype)
        yield from self._check_sliding(target, x)

    def _slides_flat(self) -> bool:
        return len(self.kernel) == 2 and self.kernel[0] == 1

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return what hls4ml takes and its depthwise kernels compute right.

        They step through ``prod(kernel) * channels`` products, reuse factor by reuse factor
        (nnet_depthwise_product.h), and read past the end where that is not a whole number.
        """
        channels = self.weight.shape[-1]
        products = prod(self.kernel) * channels
        if self.strategy != "resource" or not target.streams:
            return range(1, products + 1)
        return [rf for rf in legal_reuse_factors(products, channels) if products % rf == 0]

    def _blocks(self) -> int:
        return int(self.weight.shape[-1])

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        weight = FixedArray(self.weight.raw[..., None], self.weight.dtype)
        layer = super().lower(x)
        return replace(
            layer,
            class_name=f"DepthwiseConv{len(self.strides)}D",
            attributes={**layer.attributes, "depth_multiplier": 1},
            weights={"depthwise": weight, "bias": self.bias},
            types={**layer.types, "weight": self.weight.dtype},
        )


def _multiply(x: RawArray, weight: RawArray) -> RawArray:
    """Return ``x * weight``, elementwise.

    Raises:
        OverflowError: a product could pass 62 bits.
    """
    bits = int(np.abs(x).max(initial=0)).bit_length() + int(np.abs(weight).max()).bit_length()
    if bits > 62:
        raise OverflowError("a product could pass 62 bits")
    return x * weight
