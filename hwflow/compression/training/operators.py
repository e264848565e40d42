"""What trained networks hold beside the operators of the golden model, with gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from hwflow.simulate.torch.call import Call, RefusedError, Run
from hwflow.simulate.torch.linear import padded
from hwflow.simulate.torch.operators import OPERATORS, Make

Tensor = Any

LOWEST = -3.0e38
"""What stands around a value before its greatest elements are taken."""


@dataclass(frozen=True)
class _Window:
    """A window that moves over one or two axes.

    Attributes:
        kernel: its size.
        strides: steps from one place to the next.
        dilations: distance of its elements.
        pads: elements before each axis, then behind each; None for as many as ``SAME`` says.
        lower: the larger half of an odd number stands before.
    """

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int] | None
    lower: bool

    @classmethod
    def of(cls, call: Call) -> _Window:
        """Read the attributes of a node.

        Raises:
            RefusedError: other axes than one or two, or an unknown ``auto_pad``.
        """
        kernel = call.take("kernel_shape", [])
        rank = len(kernel)
        if rank not in (1, 2):
            raise RefusedError(f"over {rank} axes")
        mode, pads = call.take("auto_pad", "NOTSET"), call.take("pads", [0] * 2 * rank)
        if mode not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
            raise RefusedError(f"auto_pad = {mode}")
        fixed = {"NOTSET": pads, "VALID": [0] * 2 * rank}
        return cls(
            kernel, call.take("strides", [1] * rank), call.take("dilations", [1] * rank),
            fixed.get(mode), mode == "SAME_LOWER",
        )  # fmt: skip

    def pad(self, x: Tensor, value: float = 0.0) -> Tensor:
        """Return ``(N, C, *spatial)`` with elements around it."""
        if self.pads is not None:
            return padded(x, self.pads, value)
        sizes = zip(x.shape[2:], self.strides, self.kernel, self.dilations, strict=True)
        totals = [max((-(-n // s) - 1) * s + (k - 1) * d + 1 - n, 0) for n, s, k, d in sizes]
        less, more = [t // 2 for t in totals], [t - t // 2 for t in totals]
        return padded(x, [*more, *less] if self.lower else [*less, *more], value)


def _conv(call: Call) -> Run:
    window, groups = _Window.of(call), call.take("group", 1)
    function = functional.conv1d if len(window.kernel) == 1 else functional.conv2d

    def run(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        settings = (window.strides, 0, window.dilations, groups)
        return function(window.pad(x), weight, bias, *settings)

    return run


def _max_pool(call: Call) -> Run:
    window = _Window.of(call)
    call.expect(ceil_mode=0, storage_order=0)
    function = functional.max_pool1d if len(window.kernel) == 1 else functional.max_pool2d
    settings = (window.kernel, window.strides, 0, window.dilations)
    return lambda x: function(window.pad(x, LOWEST), *settings)


def _average_pool(call: Call) -> Run:
    window, zeros = _Window.of(call), call.take("count_include_pad", 0)
    call.expect(ceil_mode=0)
    if any(d != 1 for d in window.dilations) or (
        not zeros and (window.pads is None or any(window.pads))
    ):
        raise RefusedError("an average of a window at the border, or with gaps")
    function = functional.avg_pool1d if len(window.kernel) == 1 else functional.avg_pool2d
    return lambda x: function(window.pad(x), window.kernel, window.strides)


def _mean(call: Call) -> Run:
    axes, keep = call.ints(1) or call.take("axes", None), bool(call.take("keepdims", 1))
    call.expect(noop_with_empty_axes=0)
    return lambda x, *_: x.mean(dim=tuple(axes or range(x.dim())), keepdim=keep)


def _mean_of_values(*values: Tensor) -> Tensor:
    return sum(values) / len(values)


def _global_average(call: Call) -> Run:
    return lambda x: x.mean(dim=tuple(range(2, x.dim())), keepdim=True)


def _batch_norm(call: Call) -> Run:
    epsilon = call.take("epsilon", 1e-5)
    call.take("momentum", 0.9)  # of training in ONNX; the statistics stay
    call.expect(training_mode=0)

    def run(x: Tensor, gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> Tensor:
        return functional.batch_norm(x, mean, variance, gamma, beta, eps=epsilon)

    return run


def _softmax(call: Call) -> Run:
    axis = call.take("axis", -1)
    return lambda x: torch.softmax(x, dim=axis)


def _leaky(call: Call) -> Run:
    slope = call.take("alpha", 0.01)
    return lambda x: functional.leaky_relu(x, slope)


def _gemm(call: Call) -> Run:
    call.expect(alpha=1.0, beta=1.0)
    left, right = call.take("transA", 0), call.take("transB", 0)

    def run(a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
        product = torch.matmul(a.t() if left else a, b.t() if right else b)
        return product if c is None else product + c

    return run


def _quant(call: Call) -> Run:
    """Return a quantiser that is not learned: of an input that has a grid of its own."""
    signed, narrow = call.take("signed", 1), call.take("narrow", 0)
    call.expect(rounding_mode="ROUND")

    def run(x: Tensor, scale: Tensor, zero: Tensor, bits: Tensor) -> Tensor:
        top = torch.exp2(bits - signed) - 1
        bottom = -top - 1 + narrow if signed else torch.zeros_like(top)
        whole = torch.minimum(torch.maximum(x / scale + zero, bottom), top)
        return (torch.round(whole) - zero) * scale

    return run


TRAINED: Mapping[str, Make] = {
    **OPERATORS,
    "AveragePool": _average_pool, "BatchNormalization": _batch_norm, "Conv": _conv,
    "Gemm": _gemm, "GlobalAveragePool": _global_average, "LeakyRelu": _leaky,
    "MaxPool": _max_pool, "Mean": lambda call: _mean_of_values, "Quant": _quant,
    "ReduceMean": _mean,
    "Sigmoid": lambda call: torch.sigmoid, "Softmax": _softmax, "Tanh": lambda call: torch.tanh,
}  # fmt: skip
"""Makers of closures by operator."""


def closure_of(operator: str, call: Call) -> Run:
    """Return the function of a node.

    Raises:
        RefusedError: the operator, or this form of it, cannot be trained.
    """
    make: Callable[[Call], Run] | None = TRAINED.get(operator)
    if make is None:
        raise RefusedError("no such operator")
    run = make(call)
    call.finish()
    return run
