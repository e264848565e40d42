"""The standard operators of the golden model on torch tensors, one entry each.

Only operators that IEEE 754 defines to the last bit are here: others, such as Exp, differ between
libraries. A divisor is always a tensor on the device, never a Python number: torch multiplies by
the reciprocal of numbers on CUDA.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import onnx
import torch

from hwflow.simulate.torch.call import Call, RefusedError, Run
from hwflow.simulate.torch.linear import make_conv, make_gemm, make_max_pool, multiply, padded

Tensor = Any
Make = Callable[[Call], Run]

DTYPES: Mapping[int, Any] = {
    onnx.TensorProto.FLOAT: torch.float32,
    onnx.TensorProto.DOUBLE: torch.float64,
    onnx.TensorProto.INT8: torch.int8,
    onnx.TensorProto.UINT8: torch.uint8,
    onnx.TensorProto.INT16: torch.int16,
    onnx.TensorProto.INT32: torch.int32,
    onnx.TensorProto.INT64: torch.int64,
    onnx.TensorProto.BOOL: torch.bool,
}
"""torch's types of elements by ONNX's."""


def _same(function: Run) -> Make:
    """Return the maker of an operator without attributes that torch has as well."""
    return lambda call: function


def _divide(call: Call) -> Run:
    def run(a: Tensor, b: Tensor) -> Tensor:
        return torch.div(a, b, rounding_mode=None if a.dtype.is_floating_point else "trunc")

    return run


def _mod(call: Call) -> Run:
    function: Run = torch.fmod if call.take("fmod", 0) else torch.remainder
    return function


def _clip(call: Call) -> Run:
    if call.is_number(1) and call.is_number(2):  # faster than tensors
        low, high = call.scalar(1), call.scalar(2)
        return lambda x, *_: x if low is high is None else torch.clamp(x, low, high)
    return lambda x, low=None, high=None: torch.clamp(x, low, high)


def _extreme(pick: Run, bound: str) -> Make:
    """Return the maker of Max or Min; ``bound`` is clamp's name of a limit that does the same."""

    def make(call: Call) -> Run:
        limit = call.scalar(1)
        if limit is None:
            return lambda *values: reduce(pick, values)
        return lambda x, _, *others: reduce(pick, others, torch.clamp(x, **{bound: limit}))

    return make


def _cast(call: Call) -> Run:
    to = call.take("to", 0)
    call.expect(saturate=1)
    if to not in DTYPES:
        raise RefusedError(f"to = {to}")
    dtype = DTYPES[to]
    return lambda x: x.to(dtype)


def _concat(call: Call) -> Run:
    axis = call.take("axis", 0)
    return lambda *values: torch.cat(values, dim=axis)


def _gather(call: Call) -> Run:
    axis = call.take("axis", 0)

    def run(x: Tensor, places: Tensor) -> Tensor:
        return x[(*[slice(None)] * (axis % x.dim()), places)]

    return run


def _pad(call: Call) -> Run:
    call.expect(mode="constant")
    pads, axes = call.ints(1), call.ints(3)
    value = call.scalar(2) if 2 in call.known else 0
    if pads is None or value is None or axes is not None:
        raise RefusedError("a value that is no constant, or some axes only")
    return lambda x, *_: padded(x, pads, value)


def _reduction(function: Callable[..., Tensor], **more: Any) -> Make:
    def make(call: Call) -> Run:
        axes, keep = call.ints(1), bool(call.take("keepdims", 1))
        empty = call.take("noop_with_empty_axes", 0)
        if not axes and empty:
            return lambda x, *_: x

        def run(x: Tensor, *_: Tensor) -> Tensor:
            return function(x, dim=tuple(axes or range(x.dim())), keepdim=keep)

        return run

    return make


def _sum(x: Tensor, **which: Any) -> Tensor:
    return torch.sum(x, dtype=x.dtype, **which)


def _reshape(call: Call) -> Run:
    shape = call.ints(1)
    if shape is None:
        raise RefusedError("without a shape")
    if call.take("allowzero", 0) or 0 not in shape:
        return lambda x, _: x.reshape(shape)
    return lambda x, _: x.reshape([n or x.shape[i] for i, n in enumerate(shape)])


def _slice(call: Call) -> Run:
    starts, ends = call.ints(1), call.ints(2)
    if starts is None or ends is None:
        raise RefusedError("without starts and ends")
    axes = call.ints(3) or list(range(len(starts)))
    steps = call.ints(4) or [1] * len(starts)

    def run(x: Tensor, *_: Tensor) -> Tensor:
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
            part = slice(start, end, step)
            if step > 0:
                x = x[(*[slice(None)] * (axis % x.dim()), part)]
            else:  # which torch does not know
                places = list(range(x.shape[axis]))[part]
                x = x.index_select(axis, torch.tensor(places, device=x.device, dtype=torch.int64))
        return x

    return run


def _split(call: Call) -> Run:
    axis, sizes = call.take("axis", 0), call.ints(1)
    pieces = call.take("num_outputs", call.outputs)

    def run(x: Tensor, *_: Tensor) -> Tensor:
        return torch.split(x, sizes or -(-x.shape[axis] // pieces), dim=axis)

    return run


def _squeeze(call: Call) -> Run:
    axes = call.ints(1)
    return lambda x, *_: x.squeeze() if axes is None else x.squeeze(tuple(axes))


def _unsqueeze(call: Call) -> Run:
    axes = call.ints(1) or []

    def run(x: Tensor, *_: Tensor) -> Tensor:
        rank = x.dim() + len(axes)
        for axis in sorted(a % rank for a in axes):
            x = x.unsqueeze(axis)
        return x

    return run


def _flatten(call: Call) -> Run:
    axis = call.take("axis", 1)
    return lambda x: x.reshape(x.shape[:axis].numel(), -1)


def _top_k(call: Call) -> Run:
    """Return TopK; of equal elements the first comes first, as ONNX wants and torch.topk not."""
    axis, largest = call.take("axis", -1), bool(call.take("largest", 1))
    call.expect(sorted=1)
    (count,) = call.ints(1) or [0]
    extreme = torch.max if largest else torch.min  # both give the first of equal elements

    def run(x: Tensor, _: Tensor) -> Any:
        if count == 1:
            return extreme(x, dim=axis, keepdim=True)
        values, places = torch.sort(x, dim=axis, descending=largest, stable=True)
        return values.narrow(axis, 0, count), places.narrow(axis, 0, count)

    return run


def _transpose(call: Call) -> Run:
    perm = call.take("perm", None)
    return lambda x: x.permute(perm if perm is not None else list(range(x.dim()))[::-1])


def _aligned(x: Tensor, each: Tensor, axis: int) -> Tensor:
    """Return a scale or a zero point so that it broadcasts to ``x``, in its arithmetic."""
    if each.dim() == 1:
        each = each.reshape(-1, *[1] * (x.dim() - 1 - axis % x.dim()))
    return each.to(x.dtype)


def _quantize(call: Call) -> Run:
    """Return QuantizeLinear: ``saturate(round(x / scale) + zero)``, halves to even."""
    axis, unscaled, unmoved = call.take("axis", 1), call.scalar(1) == 1, call.scalar(2) == 0
    call.expect(saturate=1, block_size=0, output_dtype=0)

    def run(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        dtype = torch.uint8 if zero is None else zero.dtype
        ends = torch.iinfo(dtype)
        y = torch.round(x) if unscaled else (x / _aligned(x, scale, axis)).round_()
        if zero is not None and not unmoved:
            y += _aligned(y, zero, axis)
        return y.clamp_(ends.min, ends.max).to(dtype)

    return run


def _dequantize(call: Call) -> Run:
    """Return DequantizeLinear: ``(x - zero) * scale``."""
    axis, unscaled, unmoved = call.take("axis", 1), call.scalar(1) == 1, call.scalar(2) == 0
    call.expect(block_size=0)

    def run(x: Tensor, scale: Tensor, zero: Tensor | None = None) -> Tensor:
        y = x.to(scale.dtype)  # a copy: integers and reals differ
        if zero is not None and not unmoved:
            y -= _aligned(y, zero, axis)
        return y if unscaled else y.mul_(_aligned(y, scale, axis))

    return run


OPERATORS: Mapping[str, Make] = {
    "Abs": _same(torch.abs), "Add": _same(torch.add), "And": _same(torch.logical_and),
    "BitwiseAnd": _same(torch.bitwise_and), "Cast": _cast, "Ceil": _same(torch.ceil),
    "Clip": _clip, "Concat": _concat, "Conv": make_conv, "DequantizeLinear": _dequantize,
    "Div": _divide, "Equal": _same(torch.eq),
    "Flatten": _flatten, "Floor": _same(torch.floor), "Gather": _gather, "Gemm": make_gemm,
    "Greater": _same(torch.gt), "GreaterOrEqual": _same(torch.ge), "Identity": _same(lambda x: x),
    "Less": _same(torch.lt), "LessOrEqual": _same(torch.le), "MatMul": _same(multiply),
    "Max": _extreme(torch.maximum, "min"), "MaxPool": make_max_pool,
    "Min": _extreme(torch.minimum, "max"), "Mod": _mod, "Mul": _same(torch.mul),
    "Neg": _same(torch.neg), "Not": _same(torch.logical_not), "Or": _same(torch.logical_or),
    "Pad": _pad, "QuantizeLinear": _quantize, "ReduceMax": _reduction(torch.amax),
    "ReduceMin": _reduction(torch.amin), "ReduceSum": _reduction(_sum), "Relu": _same(torch.relu),
    "Reshape": _reshape, "Round": _same(torch.round), "Sign": _same(torch.sign),
    "Slice": _slice, "Split": _split, "Sqrt": _same(torch.sqrt), "Squeeze": _squeeze,
    "Sub": _same(torch.sub), "TopK": _top_k, "Transpose": _transpose, "Unsqueeze": _unsqueeze,
    "Where": _same(torch.where), "Xor": _same(torch.logical_xor),
}  # fmt: skip
"""Makers of closures by operator, in the default domain, opset 18."""
