"""Products, convolutions and pools on torch tensors, exact on every device.

A matrix product adds up products alone, in some order, with which integers are exact while no
partial sum passes the significand. Convolutions are not always such sums: Winograd's transform
(Lavin and Gray 2016) and Fourier's, which NNPACK and cuDNN choose by shape, round on the way, and
no switch of torch excludes them from cuDNN. So on CUDA a convolution is a matrix product of copied
windows. On the CPU it is torch's, without NNPACK: torch asks oneDNN for ``convolution_direct``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import product
from typing import Any

import torch

from hwflow.simulate.torch.call import Call, RefusedError, Run

Tensor = Any

WINDOW_ELEMENTS = 2**22
"""Elements of copied windows at once: 16 MiB of float32, so that memory does not grow with the
batch and most of it stays in the caches."""


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product of two tensors.

    Integers elsewhere than on the CPU are added up one by one: CUDA has no product for them.
    """
    if a.dtype.is_floating_point or a.device.type == "cpu":
        return torch.matmul(a, b)
    return multiply_whole(a, b)


def multiply_whole(a: Tensor, b: Tensor) -> Tensor:
    """Return the matrix product of tensors of two axes or more by elementwise operations."""
    total = a[..., :, :1] * b[..., :1, :]
    for k in range(1, a.shape[-1]):
        total += a[..., :, k : k + 1] * b[..., k : k + 1, :]
    return total


def make_gemm(call: Call) -> Run:
    """Return Gemm without factors."""
    call.expect(alpha=1.0, beta=1.0)
    left, right = call.take("transA", 0), call.take("transB", 0)

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        a, b = a.t() if left else a, b.t() if right else b
        if c is not None and a.dtype.is_floating_point:
            return torch.addmm(c, a, b)
        return multiply(a, b) if c is None else multiply(a, b) + c

    return run


def padded(x: Tensor, pads: Sequence[int], value: float | int = 0) -> Tensor:
    """Return a tensor with elements before and behind its last axes.

    Args:
        x: the tensor.
        pads: elements before each of the axes, then behind each, as ONNX orders them.
        value: value of the new elements.
    """
    if not any(pads):
        return x
    rank = len(pads) // 2
    pairs = [end for axis in reversed(range(rank)) for end in (pads[axis], pads[axis + rank])]
    return torch.constant_pad_nd(x, pairs, value)


def windows(x: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Return a view ``(N, C, *out, *kernel)`` of what a window sees of ``(N, C, *spatial)``."""
    for axis, (size, step) in enumerate(zip(kernel, strides, strict=True)):
        x = x.unfold(2 + axis, size, step)
    return x


def make_conv(call: Call) -> Run:
    """Return Conv without dilation, over one or two axes."""
    kernel = call.take("kernel_shape", [])
    rank = len(kernel)
    if rank not in (1, 2):
        raise RefusedError(f"over {rank} axes")
    strides, pads = call.take("strides", [1] * rank), call.take("pads", [0] * 2 * rank)
    groups = call.take("group", 1)
    call.expect(auto_pad="NOTSET", dilations=[1] * rank)
    begin, end = pads[:rank], pads[rank:]
    inside = tuple(begin) if begin == end else (0,) * rank  # the convolution itself pads

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        if begin != end:
            x = padded(x, pads)
        if rank == 2:
            return convolve(x, weight, bias, strides=strides, pads=inside, groups=groups)
        x, weight = x.unsqueeze(2), weight.unsqueeze(2)
        return convolve(
            x, weight, bias, strides=(1, *strides), pads=(0, *inside), groups=groups
        ).squeeze(2)

    return run


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None,
    *, strides: Sequence[int], pads: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return a convolution over two axes, with as many new elements on both sides of an axis.

    Channels are kept last in memory, where most of the time is saved on the CPU.
    """
    if x.device.type == "cpu":
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.conv2d(x, weight, bias, strides, pads, 1, groups)
    return convolve_windows(x, weight, bias, strides=strides, pads=pads, groups=groups)


def convolve_windows(
    x: Tensor, weight: Tensor, bias: Tensor | None,
    *, strides: Sequence[int], pads: Sequence[int], groups: int,
) -> Tensor:  # fmt: skip
    """Return the same without any library for convolutions."""
    x = padded(x, [*pads, *pads]).contiguous(memory_format=torch.channels_last)
    if groups > 1 and weight.shape[1] == 1:
        y = _by_channel(x, weight, strides)
    else:
        y = _by_windows(x, weight, strides, groups)
    return y if bias is None else y.add_(bias.reshape(-1, 1, 1))


def _by_windows(x: Tensor, weight: Tensor, strides: Sequence[int], groups: int) -> Tensor:
    """Return a convolution as matrix products of copied windows, some samples at a time."""
    kernel = weight.shape[2:]
    seen = windows(x, kernel, strides).unflatten(1, (groups, -1)).permute(1, 0, 3, 4, 5, 6, 2)
    samples, out = seen.shape[1], seen.shape[2:4]
    each = weight.unflatten(0, (groups, -1)).permute(0, 3, 4, 2, 1)
    matrix = each.reshape(groups, -1, each.shape[-1])
    step = max(WINDOW_ELEMENTS // seen[:, :1].numel(), 1)
    parts = [
        torch.matmul(seen[:, i : i + step].reshape(groups, -1, matrix.shape[1]), matrix)
        for i in range(0, samples, step)
    ]
    y = (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)).unflatten(1, (samples, *out))
    return y.permute(1, 0, 4, 2, 3).flatten(1, 2)


def _by_channel(x: Tensor, weight: Tensor, strides: Sequence[int]) -> Tensor:
    """Return a convolution in which every output has one input channel, as a sum over its taps."""
    samples, channels = x.shape[:2]
    kernel = weight.shape[2:]
    each = weight.reshape(channels, -1, *kernel)
    total = None
    for tap, seen in _taps(x, kernel, strides):
        factor = each[(..., *tap)].reshape(1, channels, -1, *[1] * len(kernel))
        term = seen.unsqueeze(2) * factor
        total = term if total is None else total.add_(term)
    assert total is not None
    return total.reshape(samples, -1, *total.shape[3:])


def _taps(
    x: Tensor, kernel: Sequence[int], strides: Sequence[int]
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Yield each place in the kernel with what stands there in all windows."""
    out = [(n - k) // s + 1 for n, k, s in zip(x.shape[2:], kernel, strides, strict=True)]
    for tap in product(*map(range, kernel)):
        places = [
            slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(tap, out, strides, strict=True)
        ]
        yield tap, x[(..., *places)]


def make_max_pool(call: Call) -> Run:
    """Return MaxPool without padding and dilation, over one or two axes."""
    kernel = call.take("kernel_shape", [])
    rank = len(kernel)
    strides = call.take("strides", [1] * rank)
    call.expect(
        auto_pad="NOTSET", ceil_mode=0, dilations=[1] * rank, pads=[0] * 2 * rank, storage_order=0
    )
    if rank not in (1, 2):
        raise RefusedError(f"over {rank} axes")

    def run(x: Tensor) -> Tensor:
        if rank == 2:
            return _max_pool(x, kernel, strides)
        return _max_pool(x.unsqueeze(2), (1, *kernel), (1, *strides)).squeeze(2)

    return run


def _max_pool(x: Tensor, kernel: Sequence[int], strides: Sequence[int]) -> Tensor:
    """Return the greatest elements of windows over two axes; torch's pools know no integers."""
    if x.dtype.is_floating_point:
        x = x.contiguous(memory_format=torch.channels_last)
        return torch.max_pool2d(x, kernel, strides)
    return reduce(torch.maximum, (seen for _, seen in _taps(x, kernel, strides)))
