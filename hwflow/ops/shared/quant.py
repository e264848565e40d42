"""A quantiser of an activation: its parameters, and the steps to its grid and back."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, Rounding
from hwflow.ir.op import OnnxNode, Op
from hwflow.ir.qonnx.nodes import quantizer_of
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.tensor import TensorType
from hwflow.ops.scale_bias import ScaleBias
from hwflow.ops.shared.broadcast import to_hardware

F64 = npt.NDArray[np.float64]

ROUNDING = {
    "ROUND": Rounding.RND_CONV,
    "FLOOR": Rounding.TRN,
    "DOWN": Rounding.TRN_ZERO,
    "HALF_UP": Rounding.RND_INF,
    "HALF_DOWN": Rounding.RND_ZERO,
}
"""ap_fixed's name of each QONNX rounding mode that it has (UG1399, ap_fixed)."""


def read_quantizer(node: OnnxNode) -> tuple[TensorType, Quantizer]:
    """Return the activation and the constant parameters of a Quant, BipolarQuant or Trunc.

    Raises:
        RefusedError: a scale is not a power of two, or a parameter is not constant.
    """
    x = node.inputs[0]
    values = [c.values for c in (node.constant(i) for i in range(1, len(node.inputs))) if c]
    if not isinstance(x, TensorType) or len(values) != len(node.inputs) - 1:
        raise node.refuse(
            "quantiser with parameters computed at run time",
            supported="an activation, with constant scale, zero point and bit width",
        )
    quantizer = quantizer_of(node.op_type, values, node.attributes)
    for scale in (quantizer.scale, quantizer.output_scale):
        if scale is not None and not np.all(np.frexp(scale)[0] == 0.5):
            raise node.refuse("quantiser as casts, with a scale that is no 2**n", code="HW213")
    return x, quantizer


def rescaled(node: OnnxNode, x: TensorType, scale: F64, bias: F64) -> list[Op]:
    """Return ``scale * x + bias`` for powers of two and whole numbers, or nothing for 1 and 0."""
    factor = FixedArray.exactly(to_hardware(node, x, scale))
    offset = FixedArray.exactly(to_hardware(node, x, bias))
    if np.all(factor.values == 1) and not offset.raw.any():
        return []
    return [ScaleBias(scale=factor, bias=offset)]
