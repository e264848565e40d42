"""Constants of operators: from the model's real numbers to exact fixed-point arrays."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.ir.op import Constant, OnnxNode, RefusedError

MAX_WEIGHT_WIDTH = 24
"""Widest weight taken: beyond it the weights are floats that nobody quantised."""


def weight_constant(node: OnnxNode, weight: Constant) -> FixedArray:
    """Return weights exactly, in the narrowest type that holds them all.

    Raises:
        RefusedError: the weights are not quantised, or to scales that are not powers of two.
    """
    try:
        exact = FixedArray.exactly(weight.values)
    except OverflowError:
        exact = None
    if exact is not None and exact.dtype.width <= MAX_WEIGHT_WIDTH:
        return exact
    if weight.quantized:
        raise power_of_two_only(node, "weights")
    raise node.refuse(
        "weights are not quantised",
        code="HW211",
        found="floating-point weights",
        supported=f"weights on a power-of-two grid of at most {MAX_WEIGHT_WIDTH} bits",
        help="train with a weight quantiser with power-of-two scale "
        "(Brevitas: weight_quant=Int8WeightPerTensorFixedPoint)",
    )


def bias_constant(node: OnnxNode, bias: npt.NDArray[np.float64]) -> FixedArray:
    """Return a bias exactly; float32 values that nobody quantised keep all their bits.

    Raises:
        RefusedError: the values span more than 62 bits.
    """
    try:
        return FixedArray.exactly(bias)
    except OverflowError:
        raise node.refuse(
            "bias cannot be represented exactly",
            code="HW212",
            found=f"values from {np.abs(bias[bias != 0]).min():.3g} to {np.abs(bias).max():.3g}, "
            "which span more than 62 bits",
            help="quantise the bias (Brevitas: bias_quant=Int16Bias)",
        ) from None


def power_of_two_only(node: OnnxNode, what: str) -> RefusedError:
    """Return the refusal of a scale that is not a power of two."""
    return node.refuse(
        f"{what}: scale is not a power of two",
        code="HW213",
        found=f"a scale of the {what} that is not 2**n",
        supported="power-of-two scales, per tensor or per channel",
        help="use a fixed-point quantiser (Brevitas: Int8WeightPerTensorFixedPoint, "
        "Int8ActPerTensorFixedPoint) or set restrict_scaling_type=POWER_OF_TWO",
    )
