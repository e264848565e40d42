"""What all convolutions share: exact sums over windows, legal settings, hls4ml's attributes.

Dilation is an expanded kernel and groups are a block-diagonal one, both with exact zeros: zero
weights cost no multiplier, and hls4ml 1.3.0 computes neither form right by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Pattern
from hwflow.estimate.convolution import conv_cost
from hwflow.fixed import FixedArray, FixedType, RawArray, cast_raw
from hwflow.ir.body.values import Carrier, Result, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Layout, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.matvec import multiply_accumulate, nearest, reuse_factors, sum_depth
from hwflow.ops.shared.products import GoldenSum, _Products
from hwflow.ops.shared.sliding import convolved, convolved_by_taps
from hwflow.ops.shared.window import Window
from hwflow.ops.shared.xnor import xnor_layer

SIDES = (("left", "right"), ("top", "bottom"))
"""hls4ml's names of the two ends of the last spatial axis and of the one before."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Convolution(_Products):
    """A convolution over one or two spatial axes, channels last.

    Attributes:
        weight: shape ``(*kernel, c_in, c_out)``, dilation and groups written out as zeros.
        bias: shape ``(c_out,)``.
        strides: step along each spatial axis.
        pads: zeros before and after each spatial axis.
        groups: number of groups the weights were expanded from; for the estimate only.
        accum_t: accumulator; None for the narrowest that cannot overflow.
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier.
        parallelization_factor: output positions computed at once (io_parallel).
        product: ``multiply`` or ``xnor``; None for the cheaper one. Depthwise layers multiply.
        input_exponent: every input is proven to be ``+-2**input_exponent``; None where not asked.
    """

    layout: ClassVar[Layout] = Layout.CHANNELS_LAST
    settings: ClassVar[tuple[str, ...]] = (
        "result_t", "accum_t", "strategy", "reuse_factor", "parallelization_factor", "product",
    )  # fmt: skip

    tap_product: ClassVar[str] = "MatMul"
    """ONNX operator of what a tap sees and its weights."""

    weight: FixedArray
    bias: FixedArray
    strides: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    groups: int = 1
    accum_t: FixedType | None = None
    strategy: str = "latency"
    reuse_factor: int = 1
    parallelization_factor: int = 1
    product: str | None = None
    input_exponent: int | None = None

    @property
    def kernel(self) -> tuple[int, ...]:
        """Extent of the kernel along each spatial axis."""
        return self.weight.shape[: len(self.strides)]

    @property
    def matrix(self) -> RawArray:
        """Weights as a matrix ``(prod(kernel) * c_in, c_out)``."""
        return self.weight.raw.reshape(-1, self.weight.shape[-1])

    def window(self, shape: tuple[int, ...]) -> Window:
        """Return the window over an input of a shape."""
        begin, end = zip(*self.pads, strict=True)
        return Window(shape[:-1], self.kernel, self.strides, begin, end)

    @property
    def padded(self) -> bool:
        return any(map(any, self.pads))

    def out_shape(self, x: TensorType) -> tuple[int, ...]:
        return (*self.window(x.shape).out, len(self.bias.raw))

    def _input_ends(self, x: TensorType) -> tuple[RawArray, RawArray]:
        return self.window(x.shape).tap_bounds(x.lo, x.hi)

    def sums(self, x: FixedArray, accum_t: FixedType | None) -> FixedArray:
        window = self.window(x.shape[1:])
        total_t = self.exact_sum(TensorType.full(x.shape[1:], x.dtype)).dtype
        accum_t = accum_t or total_t
        every_product = not accum_t.holds(total_t.raw_min, total_t.raw_max, total_t.fractional)
        padded = window.pad(x.raw)
        total = np.broadcast_to(
            self.bias.cast(accum_t).raw, (len(x.raw), *window.out, len(self.bias.raw))
        ).copy()
        for tap in window.taps():  # int64 wraps, and a wrapping accumulator keeps the low bits
            seen = FixedArray(window.at(padded, tap), x.dtype)
            total += self._tap(seen, self.weight.raw[tap], accum_t, every_product)
        return FixedArray(cast_raw(total, accum_t.fractional, accum_t), accum_t)

    def _tap(
        self, x: FixedArray, weight: RawArray, accum_t: FixedType, every_product: bool
    ) -> RawArray:
        """Return one tap's share of the sum, in ``accum_t``'s mantissas."""
        fractional = self.weight.dtype.fractional
        none = FixedArray(np.zeros(weight.shape[1], np.int64), accum_t)
        return multiply_accumulate(
            x, weight, fractional, none, accum_t, every_product=every_product
        ).raw

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), found = operands, GoldenSum(self, types[0])
        x, window = body.carried(x, found.carrier), self.window(x.shape)
        weight, bias = found.scaled(found.weight), found.scaled(found.bias)
        if found.carrier is not Carrier.FLOAT32:  # ONNX Runtime convolves float32 only
            y = convolved_by_taps(body, x, window, weight, bias, product=self.tap_product)
            return found.accumulated(body, y)
        x = self.arranged(body, x)
        kernel, groups = self._kernel_and_groups(weight, x)
        factors = body.constant(kernel, np.float32, "weight")
        offset = body.constant(bias, np.float32, "bias")
        return found.accumulated(body, self.write_sums(body, x, factors, offset, groups))

    def arranged(self, body: Body, x: Tensor) -> Tensor:
        return body.channels_first(x)

    def arranged_weight(self, weight: npt.NDArray[Any], x: Tensor) -> npt.NDArray[Any]:
        return np.moveaxis(weight, (-1, -2), (0, 1))

    def _kernel_and_groups(
        self, weight: npt.NDArray[Any], x: Tensor
    ) -> tuple[npt.NDArray[Any], int]:
        """Return ONNX's weights without what is zero by construction, and the groups they are."""
        kernel = self.arranged_weight(weight, x)
        if self.groups == 1:
            return kernel, 1
        outs, ins = kernel.shape[0] // self.groups, kernel.shape[1] // self.groups
        blocks = [
            kernel[g * outs : (g + 1) * outs, g * ins : (g + 1) * ins] for g in range(self.groups)
        ]
        return np.concatenate(blocks), self.groups

    def write_sums(self, body: Body, x: Tensor, weight: str, bias: str, groups: int = 1) -> Tensor:
        window = self.window(x.shape)
        name = convolved(body, x, window, weight, bias, groups=groups)
        return Tensor(name=name, shape=(*window.out, len(self.bias.raw)), first=True)

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        yield from super().check(target, x)
        yield from self._check_sliding(target, x)

    def _factors(self, target: Target) -> Sequence[int]:
        n_in, n_out = self.matrix.shape
        return reuse_factors(self.strategy, n_in, n_out, max_reuse=None if target.streams else n_in)

    def parallelization_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        if target.streams:
            return (1,)
        positions = prod(self.window(inputs[0].shape).out)
        return [d for d in range(1, positions + 1) if positions % d == 0]

    def _check_sliding(self, target: Target, x: TensorType) -> Iterator[Diagnostic]:
        yield from self._check_parallel(self.parallelization_factors(target, x))
        if target.streams and self._slides_flat() and self.strides[0] > 1:
            yield Diagnostic(
                code="HW115",
                title="flat kernel with a vertical stride in io_stream",
                found=f"kernel {self.kernel}, strides {self.strides}",
                supported="vertical stride 1 for kernels of height 1, or io_parallel",
                help='hls4ml\'s stream kernel ignores this stride; set io_type = "io_parallel"',
            )

    def _slides_flat(self) -> bool:
        """Return whether hls4ml streams the two-dimensional layer by its one-dimensional kernel.

        It does for kernels of height 1, but for 1 x 1 ones, which have a kernel of their own.
        """
        return len(self.kernel) == 2 and self.kernel[0] == 1 < self.kernel[1]

    def _check_parallel(self, legal: Sequence[int]) -> Iterator[Diagnostic]:
        if self.parallelization_factor not in legal:
            closest = nearest(self.parallelization_factor, legal)
            yield Diagnostic(
                code="HW107",
                title="illegal parallelization factor",
                found=f"parallelization_factor = {self.parallelization_factor}",
                supported=", ".join(map(str, legal)),
                help=f"set parallelization_factor = {closest}, the nearest legal value",
            )

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return the steps of a line buffer: each takes a pixel, and the last of a window ends it.

        The pixels are those with padding, which a process of its own adds. A 1 x 1 kernel takes
        every pixel, too, and leaves out those that its strides skip (``nnet_sepconv2d_stream.h``).
        """
        (x,) = inputs
        window = self.window(x.shape)
        completed = window.completed()
        return Pattern.choosing(np.ones(completed.size), completed, sum_depth(self.matrix.shape[0]))

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        window = self.window(x.shape)
        padded = TensorType((*window.padded, x.channels), x.dtype, x.lo, x.hi)
        return conv_cost(
            self.matrix, padded, self.exact(x).dtype, self.infer(x).dtype,
            target=target, kernel=self.kernel, out_positions=prod(window.out),
            strategy=self.strategy, reuse_factor=self.reuse_factor, bias=self.bias.raw,
            weight_t=self.weight.dtype, parallel=self.parallelization_factor, groups=self._blocks(),
            xnor=self.product == "xnor",
        )  # fmt: skip

    def _blocks(self) -> int:
        return 1 if self.strategy == "resource" else self.groups

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        layer = HlsLayer(
            class_name=f"Conv{len(self.strides)}D",
            attributes=self._attributes(x),
            weights={"weight": self.weight, "bias": self.bias},
            types={"accum": self.exact(x).dtype},
            strategy=self.strategy,
            reuse_factor=self.reuse_factor,
        )
        return xnor_layer(layer, self.input_exponent) if self.product == "xnor" else layer

    def _attributes(self, x: TensorType) -> dict[str, Any]:
        """Return hls4ml's attributes of a convolution."""
        window = self.window(x.shape)
        found: dict[str, Any] = {
            "n_chan": x.channels,
            "n_filt": len(self.bias.raw),
            "data_format": "channels_last",
            "parallelization_factor": self.parallelization_factor,
        }
        for axis, extent in enumerate(reversed(("height", "width")[-len(self.strides) :])):
            at = len(self.strides) - 1 - axis
            found |= {
                f"in_{extent}": window.size[at],
                f"out_{extent}": window.out[at],
                f"filt_{extent}": self.kernel[at],
                f"stride_{extent}": self.strides[at],
            }
            found |= {f"pad_{side}": n for side, n in zip(SIDES[axis], self.pads[at], strict=True)}
        return found


def expand_weight(
    weight: npt.NDArray[np.float64], groups: int, dilations: tuple[int, ...]
) -> npt.NDArray[np.float64]:
    """Return ONNX weights as ``(*kernel, c_in, c_out)``, dilation and groups as zeros.

    Args:
        weight: shape ``(c_out, c_in / groups, *kernel)``, the order of ONNX Conv.
        groups: number of groups.
        dilations: step between taps along each spatial axis.
    """
    c_out, per_group, *kernel = weight.shape
    extent = tuple((k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True))
    full = np.zeros((*extent, groups * per_group, c_out))
    taps = tuple(slice(None, None, d) for d in dilations)
    columns = c_out // groups
    for g in range(groups):
        block = weight[g * columns : (g + 1) * columns]
        rows = slice(g * per_group, (g + 1) * per_group)
        full[(*taps, rows, slice(g * columns, (g + 1) * columns))] = np.moveaxis(
            block, (0, 1), (-1, -2)
        )
    return full
