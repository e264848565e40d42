"""A mean times the number of its elements is a sum, which is exact where the mean has no end."""

from __future__ import annotations

from fractions import Fraction
from math import prod

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter, attribute, dims

WINDOW_SUM = "hwflow.tflite::WindowSum"

_PLAIN = {"count_include_pad", "kernel_shape", "pads", "strides"}


def to_window_sum(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``Mul`` of an average pooling as the sum of each window times a binary fraction.

    Quantised averages are exported so (Quant, AveragePool, Mul, Trunc).
    """
    if len(node.inputs) != 2 or None in node.inputs:
        return False
    left, right = (v for v in node.inputs if v is not None)
    mean, factor = (left, right) if constant_of(left) is None else (right, left)
    constant, pool = constant_of(factor), mean.producer()
    if constant is None or constant.values.size != 1 or pool is None or pool.domain:
        return False
    if len(list(mean.uses())) != 1 or mean.is_graph_output() or dims(mean) != dims(node.outputs[0]):
        return False
    window = _window(pool)
    x = pool.inputs[0]
    if window is None or x is None:
        return False
    count = prod(window["kernel_shape"])
    rest = Fraction(float(constant.values.flat[0])) / count
    if not count & (count - 1) or rest.denominator & (rest.denominator - 1):
        return False
    write = Rewriter(model, pool)
    total = write.add(WINDOW_SUM, [x], **window, elements=float(count))
    write = Rewriter(model, node)
    share = Constant(np.array(float(rest)), constant.quantized)
    write.replace("Mul", [total, write.numbers("share", share)])
    write.done()
    model.ir.graph.remove(pool, safe=True)
    return True


def _window(pool: ir.Node) -> dict[str, list[int]] | None:
    """Return kernel, strides and pads of an average over equally many elements; else None."""
    rank = len(dims(pool.inputs[0])) - 2
    if pool.op_type == "GlobalAveragePool":
        kernel = list(dims(pool.inputs[0])[2:])
        return {"kernel_shape": kernel, "strides": [1] * rank, "pads": [0] * 2 * rank}
    if pool.op_type != "AveragePool" or set(pool.attributes) - _PLAIN:
        return None
    defaults = {"kernel_shape": [], "strides": [1] * rank, "pads": [0] * 2 * rank}
    window = {
        name: list(pool.attributes[name].as_ints()) if name in pool.attributes else default
        for name, default in defaults.items()
    }
    if any(window["pads"]) and not attribute(pool, "count_include_pad", 0):
        return None
    return window if window["kernel_shape"] else None
