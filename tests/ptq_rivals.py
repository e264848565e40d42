"""What post-training quantisation is compared with: ONNX Runtime's, and its arithmetic emulated.

ONNX Runtime quantises to 8 bits (weights also to 4). For other widths its default method is written
down here: minmax ranges, one asymmetric scale per activation, symmetric weights, int32 biases,
a quantiser at every operand and result of Conv, Gemm, Add and MaxPool.
"""

import logging
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from hwflow.ir.qonnx.functions import add_quantizer_functions
from tests.networks import DOMAIN

QUANTIZED = ("Conv", "Gemm", "MatMul", "Add", "MaxPool")


class Samples(CalibrationDataReader):
    """Calibration data in one batch."""

    def __init__(self, name: str, data: np.ndarray) -> None:
        self.left = [{name: data}]

    def get_next(self) -> dict[str, np.ndarray] | None:
        return self.left.pop() if self.left else None


def onnxruntime_static(
    model: onnx.ModelProto, data: np.ndarray, *, per_channel: bool, weight_bits: int = 8
) -> onnx.ModelProto:
    """Return ONNX Runtime's quantised model: its defaults, 8 bits, weights of 8 or 4."""
    weight_type = {8: QuantType.QInt8, 4: QuantType.QInt4}[weight_bits]
    model = onnx.version_converter.convert_version(model, 21) if weight_bits == 4 else model
    logging.disable(logging.WARNING)
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
            onnx.save(model, source)
            quantize_static(
                source,
                target,
                Samples(model.graph.input[0].name, data),
                quant_format=QuantFormat.QDQ,
                per_channel=per_channel,
                activation_type=QuantType.QUInt8,
                weight_type=weight_type,
            )
            return onnx.load(target)
    finally:
        logging.disable(logging.NOTSET)


def minmax(
    model: onnx.ModelProto, data: np.ndarray, bits: int, *, per_channel: bool
) -> onnx.ModelProto:
    """Return a model quantised to any width as ONNX Runtime does by default."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model)
    emulation = Emulation(proto, data, bits, per_channel)
    emulation.run()
    return proto


class Emulation:
    """Puts quantisers into a model, in place."""

    def __init__(
        self, proto: onnx.ModelProto, data: np.ndarray, bits: int, per_channel: bool
    ) -> None:
        self.proto, self.bits, self.per_channel = proto, bits, per_channel
        self.constants = {t.name: t for t in proto.graph.initializer}
        chosen = [n for n in proto.graph.node if n.op_type in QUANTIZED]
        names = {v for n in chosen for v in (*n.input, *n.output) if v not in self.constants}
        self.ranges = _ranges(proto, data, sorted(names))
        self.nodes: list[onnx.NodeProto] = []
        self.renamed: dict[str, str] = {}
        self.scales: dict[str, float] = {}

    def run(self) -> None:
        graph = self.proto.graph
        for value in graph.input:
            self.activation(value.name)
        for node in graph.node:
            source = node.input[0]
            node.input[:] = [self.renamed.get(i, i) for i in node.input]
            if node.op_type in QUANTIZED and len(node.input) > 1:
                self.parameters(node, source)
            self.nodes.append(node)
            self.scales[node.output[0]] = self.scales[source]
            self.activation(node.output[0])
        copies = [onnx.NodeProto.FromString(n.SerializeToString()) for n in self.nodes]
        del graph.node[:]
        graph.node.extend(copies)
        self.proto.opset_import.append(helper.make_opsetid(DOMAIN, 1))
        for output in graph.output:
            output.name = self.renamed.get(output.name, output.name)

    def quant(self, name: str, scale: Any, zero: int, bits: int, *, signed: bool) -> str:
        """Append a quantiser; signed weights have symmetric integers."""
        inputs = [name, *(f"{name}/{k}" for k in "szb")]
        for part, key in zip((scale, zero, bits), inputs[1:], strict=True):
            tensor = numpy_helper.from_array(np.asarray(part, np.float32), key)
            self.proto.graph.initializer.append(tensor)
        attributes = {"signed": int(signed), "narrow": int(signed), "rounding_mode": "ROUND"}
        self.nodes.append(
            helper.make_node("Quant", inputs, [f"{name}/q"], domain=DOMAIN, **attributes)
        )
        return f"{name}/q"

    def activation(self, name: str) -> None:
        """Quantise a value to unsigned integers with a zero point, if it is to be."""
        if name not in self.ranges:
            return
        low, high = self.ranges[name]
        scale = (high - low) / (2**self.bits - 1) or 1.0
        self.scales[name] = scale
        self.renamed[name] = self.quant(name, scale, round(-low / scale), self.bits, signed=False)

    def parameters(self, node: onnx.NodeProto, source: str) -> None:
        """Quantise weights, and the bias to 32 bits on the scale of the products."""
        if node.input[1] not in self.constants:
            return
        weights = numpy_helper.to_array(self.constants[node.input[1]])
        axes = tuple(range(1, weights.ndim)) if self.per_channel else None
        widest = np.abs(weights).max(axes, keepdims=self.per_channel)
        scale = np.maximum(widest, 1e-12) / (2 ** (self.bits - 1) - 1)
        node.input[1] = self.quant(node.input[1], scale, 0, self.bits, signed=True)
        if len(node.input) > 2:
            step = (self.scales[source] * scale).reshape(-1 if self.per_channel else ())
            node.input[2] = self.quant(node.input[2], step, 0, 32, signed=True)


def _ranges(
    model: onnx.ModelProto, data: np.ndarray, names: list[str]
) -> dict[str, tuple[float, float]]:
    """Return the range of each value, zero included."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    known = {model.graph.input[0].name, *(o.name for o in model.graph.output)}
    probe.graph.output.extend(
        helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in names if n not in known
    )
    session = onnxruntime.InferenceSession(probe.SerializeToString())
    outputs = [o.name for o in session.get_outputs()]
    found = dict(zip(outputs, session.run(outputs, {model.graph.input[0].name: data}), strict=True))
    found[model.graph.input[0].name] = data
    return {n: (min(float(found[n].min()), 0.0), max(float(found[n].max()), 0.0)) for n in names}


def classes(model: onnx.ModelProto, data: np.ndarray) -> np.ndarray:
    """Return the class that a model gives each sample, graph optimisation off."""
    proto = onnx.ModelProto()
    proto.CopyFrom(model)
    if any(n.domain == DOMAIN for n in proto.graph.node):
        add_quantizer_functions(proto)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    for output in proto.graph.output:
        output.ClearField("type")
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options)
    (logits,) = session.run(None, {proto.graph.input[0].name: data})
    return np.asarray(logits).argmax(1)
