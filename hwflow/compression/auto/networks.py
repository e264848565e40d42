"""Smaller float networks with the ports of another one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import onnx
import onnx_ir as ir
from onnx import TensorProto, helper, numpy_helper

from hwflow.compression.pruning.channels import channels_of
from hwflow.frontends.onnx.reader import read_proto
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.runs import clone
from hwflow.ir.qonnx.model import QonnxModel

OPSET = 17


def has_student(model: QonnxModel) -> bool:
    """Return whether a network of dense layers can stand for a network: one input, classes."""
    graph = model.ir.graph
    shapes = [v.shape for v in (*graph.inputs, *graph.outputs)]
    if len(shapes) != 2 or any(shape is None for shape in shapes):
        return False
    return shapes[1] is not None and len(shapes[1]) == 2


def dense_student(model: QonnxModel, widths: Sequence[int], scale: float, seed: int) -> QonnxModel:
    """Return a network of dense layers with the input and the output of another one.

    Weights are drawn as He et al. (ICCV 2015) have it for relus.

    Args:
        model: the other one, prepared; ``has_student`` is true of it.
        widths: outputs of the hidden layers.
        scale: root of the mean square of the inputs.
        seed: draws the weights.
    """
    taken, given = model.ir.graph.inputs[0], model.ir.graph.outputs[0]
    shape, classes = _shape(taken), _shape(given)[0]
    rng = np.random.default_rng([seed, *widths])
    sizes = [int(np.prod(shape, dtype=np.int64)), *widths, classes]
    nodes = [helper.make_node("Flatten", [taken.name or ""], ["flat"], name="flat", axis=1)]
    constants, before = [], "flat"
    for i, (reads, makes) in enumerate(pairwise(sizes)):
        name, last = f"fc{i + 1}", i == len(widths)
        spread = np.sqrt((1.0 if last else 2.0) / reads) / (scale if i == 0 else 1.0)
        matrix = (spread * rng.standard_normal((makes, reads))).astype(np.float32)
        constants.append(numpy_helper.from_array(matrix, f"{name}.weight"))
        constants.append(numpy_helper.from_array(np.zeros(makes, np.float32), f"{name}.bias"))
        result = given.name or "" if last else f"{name}_sum"
        operands = [before, f"{name}.weight", f"{name}.bias"]
        nodes.append(helper.make_node("Gemm", operands, [result], name=name, transB=1))
        if not last:
            before = f"{name}_out"
            nodes.append(helper.make_node("Relu", [result], [before], name=f"relu{i + 1}"))
    ports = [
        helper.make_tensor_value_info(
            value.name or "", TensorProto.FLOAT, ["batch", *_shape(value)]
        )
        for value in (taken, given)
    ]
    graph = helper.make_graph(nodes, "student", ports[:1], ports[1:], constants)
    opsets = [helper.make_opsetid("", OPSET)]
    proto = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(proto)
    return read_proto(proto, "student", "student.onnx")


def _shape(value: ir.Value) -> list[int]:
    return [] if value.shape is None else [int(d) for d in value.shape.numpy()[1:]]


def can_slim(model: QonnxModel) -> bool:
    """Return whether a network has channels that can leave."""
    return bool(channels_of(model).free)


def sparse(model: QonnxModel, share: float) -> QonnxModel:
    """Return a network with zeros for a part of the weights of each layer, the least ones.

    Args:
        model: a prepared network; it is not changed.
        share: part of the weights that become 0.
    """
    found = clone(model)
    for layer in list(layers_of(found)):
        matrix = layer.matrix()
        limit = np.quantile(np.abs(matrix), share)
        layer.set_matrix(np.where(np.abs(matrix) < limit, 0.0, matrix))
    return found
