"""A ``Gemm`` that adds what the network computes is a product, and an addition behind it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from hwflow.ir.op import Constant
from hwflow.ir.qonnx.model import QonnxModel, constant_of
from hwflow.passes.model.rewrites.writer import Rewriter


def to_product_and_sum(model: QonnxModel, node: ir.Node) -> bool:
    """Write ``alpha A B + beta C``, where C is no constant, as ``alpha A B`` and ``+ beta C``."""
    added = node.inputs[2] if len(node.inputs) > 2 else None
    if added is None or constant_of(added) is not None:
        return False
    write, attributes = Rewriter(model, node), dict(node.attributes)
    beta = attributes.pop("beta", None)
    kept = {name: value.value for name, value in attributes.items()}
    product = write.add("Gemm", node.inputs[:2], **kept)
    if beta is not None and beta.as_float() != 1.0:
        factor = write.numbers("beta", Constant(np.array(beta.as_float()), quantized=False))
        added = write.add("Mul", [added, factor])
    write.replace("Add", [product, added])
    return write.done()
