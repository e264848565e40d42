"""A value over one and its magnitude is ``Softsign``, which torch exports so."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter


def to_softsign(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``x / (1 + |x|)`` as ``Softsign``."""
    x, divisor = node.inputs
    total = None if divisor is None else divisor.producer()
    if x is None or total is None or total.op_type != "Add" or total.domain:
        return False
    ones = [v for v in total.inputs if v is not None and constant_of(v) is not None]
    rest = [v for v in total.inputs if v is not None and constant_of(v) is None]
    if len(ones) != 1 or len(rest) != 1:
        return False
    one, magnitude = constant_of(ones[0]), rest[0].producer()
    if one is None or not np.all(one.values == 1) or magnitude is None or magnitude.domain:
        return False
    if magnitude.op_type != "Abs" or magnitude.inputs[0] is not x:
        return False
    write = Rewriter(model, node)
    write.replace("Softsign", [x])
    return write.done()
