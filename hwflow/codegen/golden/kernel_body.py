"""Bodies of the layers that ``plan_kernels`` chose, in the form that ONNX Runtime fuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.codegen.golden.kernels import Kernel, Multiplying
from hwflow.codegen.golden.quantization import SIGNED_ZERO, Quantize
from hwflow.ir.body.values import Carrier, Tensor
from hwflow.ir.body.writer import Body


def quantized_layer(op: Multiplying, body: Body, x: Tensor, kernel: Kernel) -> Tensor:
    """Write a dense layer or a convolution of a value in uint8.

    Returns:
        The result in uint8, or the sums in float32 where the kernel has no step.
    """
    bias = _dequantized(body, kernel.bias.astype(np.int32), 0, "bias")
    weight = _weight(body, kernel, op.arranged_weight(kernel.weight, x))
    x = body.carried(op.arranged(body, x), Carrier.FLOAT32)
    y = op.write_sums(body, x, weight, bias)
    return y if kernel.quantize is None else quantized(body, y, kernel.quantize)


def quantized(body: Body, x: Tensor, to: Quantize) -> Tensor:
    """Write what becomes of sums in float32."""
    y = body.in_uint8(x, to.zero, step=float(to.step), point=to.point)
    return body.cut(y, to.low, to.high)


def _weight(body: Body, kernel: Kernel, values: npt.NDArray[Any]) -> str:
    if kernel.offset_weights:
        above = (values + SIGNED_ZERO).astype(np.uint8)
        return _dequantized(body, above, SIGNED_ZERO, "weight")
    return _dequantized(body, values.astype(np.int8), 0, "weight")


def _dequantized(body: Body, values: npt.NDArray[Any], zero: int, name: str) -> str:
    one = body.constant(1.0, np.float32, "one")
    point = body.constant(zero, values.dtype, f"zero_{values.dtype}")
    return body.node("DequantizeLinear", body.constant(values, values.dtype, name), one, point)
