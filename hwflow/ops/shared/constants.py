"""Constants of operators: from the model's real numbers to exact fixed-point arrays."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray
from hwflow.ir.op import Constant, OnnxNode

MAX_WEIGHT_WIDTH = 24
"""Widest weight taken: beyond it the weights are floats that nobody quantised."""

SHORT = 12
"""Widest factor that is multiplied as it stands."""

ROOT_BITS = 256
"""Bits of a batch norm's square root: far beyond what any rounding behind it can tell."""


def is_short(values: npt.NDArray[np.float64]) -> bool:
    """Return whether constants are short binary fractions, or not finite, which is refused."""
    if not np.isfinite(values).all():
        return True
    try:
        return FixedArray.exactly(values).dtype.width <= SHORT
    except OverflowError:
        return False


def weight_constant(node: OnnxNode, weight: Constant) -> FixedArray:
    """Return weights exactly, in the narrowest type that holds them all.

    Raises:
        RefusedError: the weights are not quantised, or not with scales that a layer can take out.
    """
    try:
        exact = FixedArray.exactly(weight.values)
    except OverflowError:
        exact = None
    if exact is not None and exact.dtype.width <= MAX_WEIGHT_WIDTH:
        return exact
    mixed = "quantised weights whose scale is neither one for all nor one for each output"
    raise node.refuse(
        "weights are not quantised",
        code="HW211",
        found=mixed if weight.quantized else "floating-point weights",
        supported="weights that are whole multiples of a scale, one for all or one for each "
        f"output, of at most {MAX_WEIGHT_WIDTH} bits",
        help="run `hwflow quantize` on the float model, or train with a weight quantiser "
        "(Brevitas: weight_quant=Int8WeightPerTensorFloat); torch.onnx.export(..., dynamo=False) "
        "keeps in the file what its newer exporter folds into the weights",
    )


def bias_values(node: OnnxNode, outputs: int) -> npt.NDArray[np.float64]:
    """Return the bias of a layer, its third operand: one value for each output, 0 without any.

    Raises:
        RefusedError: there is another number of values, more than the one that spreads.
    """
    bias = node.constant(2)
    if bias is None:
        return np.zeros(outputs)
    if bias.values.size not in (1, outputs):
        raise node.refuse(
            "bias does not suit the layer",
            code="HW223",
            found=f"a bias of {bias.values.size} elements for {outputs} outputs",
        )
    return np.broadcast_to(bias.values.reshape(-1), (outputs,)).astype(np.float64)


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


def distance(real: npt.NDArray[np.float64], held: FixedArray) -> float:
    """Return the largest distance of constants from real numbers that float64 rounds."""
    off = np.abs(real - held.values)
    return float((off + np.abs(np.spacing(real)) * 4).max()) if off.any() else 0.0


def real_constant(values: npt.NDArray[np.float64], bits: int) -> FixedArray:
    """Return finite real numbers in at most ``bits`` bits, exactly where that is possible."""
    for candidate in (values, values.astype(np.float32).astype(np.float64)):
        try:
            exact = FixedArray.exactly(candidate)
        except OverflowError:
            continue
        if exact.dtype.width <= bits:
            return exact
    fractional = bits - 2 - int(np.floor(np.log2(np.abs(values).max())))
    return FixedArray.exactly(narrowest_grid(values, fractional))


def narrowest_grid(values: npt.NDArray[np.float64], fractional: int) -> npt.NDArray[np.float64]:
    """Return real numbers rounded, half to even, to multiples of ``2**-fractional``."""
    return np.asarray(np.ldexp(np.rint(np.ldexp(values, fractional)), -fractional))


def square_root(x: Fraction) -> Fraction:
    """Return the square root of a positive rational number to ``ROOT_BITS`` bits."""
    top = x.numerator * x.denominator
    return Fraction(isqrt(top << 2 * ROOT_BITS), x.denominator << ROOT_BITS)
