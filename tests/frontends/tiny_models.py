"""Builds small QONNX models in memory for the tests of the front door."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

QONNX = "qonnx.custom_op.general"


def constant(name: str, values: Any, dtype: Any = np.float32) -> TensorProto:
    """Return an initializer."""
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def node(op_type: str, inputs: Sequence[str], output: str, domain: str = "", **attrs: Any) -> Any:
    """Return a node named after its output."""
    return helper.make_node(op_type, inputs, [output], name=f"n_{output}", domain=domain, **attrs)


def model(
    nodes: Sequence[onnx.NodeProto],
    initializers: Sequence[TensorProto] = (),
    *,
    shape: Sequence[Any] | None = (1, 4),
    output: str = "y",
    opset: int = 13,
    name: str = "tiny",
    **settings: Any,
) -> onnx.ModelProto:
    """Return a model with one float input ``x`` and one output."""
    graph = helper.make_graph(
        list(nodes),
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        list(initializers),
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid(QONNX, 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8, **settings)


def quant(
    scale: Any = 0.25,
    zero_point: Any = 0.0,
    bits: Any = 4.0,
    *,
    op_type: str = "Quant",
    domain: str = QONNX,
    shape: Sequence[Any] = (1, 4),
    **attrs: Any,
) -> onnx.ModelProto:
    """Return a model of one ``Quant``."""
    attrs = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"} | attrs
    return model(
        [node(op_type, ["x", "s", "z", "b"], "y", domain, **attrs)],
        [constant("s", scale), constant("z", zero_point), constant("b", bits)],
        shape=shape,
    )
