"""Writes the QONNX model of a TFLite graph.

Every activation of TFLite is one ONNX value of the same name and shape: its mantissas less the zero
point, as float32. Real numbers are found at the ports only, where the file has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwflow.core.errors import Diagnostic
from hwflow.frontends.tflite.functions import OPSET, functions
from hwflow.frontends.tflite.schema import Graph, Operator, Tensor
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import QONNX_DOMAIN
from hwflow.ops.requantize import TFLITE

RANGES = {"INT8": (-128, 127), "UINT8": (0, 255)}
"""First and last integer of the types that activations may have."""

ELEMENTS = {
    "FLOAT32": TensorProto.FLOAT,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
}
"""ONNX types of the inputs."""


OPEN_BATCH = (
    "convert the model with a fixed batch: keras.Input(shape, batch_size=1) in the model that "
    "TFLiteConverter.from_keras_model gets"
)
"""The way out where the converter computes at run time what follows from the batch."""


@dataclass(frozen=True)
class Activation:
    """A quantised tensor that is no constant.

    Attributes:
        scale: what a step is worth, float32.
        zero_point: the integer that stands for 0.
        lo: first integer of its type, less the zero point.
        hi: last integer of its type, less the zero point.
    """

    scale: float
    zero_point: int
    lo: int
    hi: int


@dataclass(eq=False)
class Writer:
    """The model as far as it is written.

    Attributes:
        graph: what is read.
        source: how diagnostics call it.
        operator: the one that is being written.
        port: name of the input or output that is being written, where it is no operator.
        nodes: nodes of the model.
        constants: constants by name.
        names: values of quantised tensors that are computed, by index.
        reals: those of tensors of real numbers.
        labels: those of numbers of classes.
        integers_at: those of inputs of integers that have no scale.
        used: names that values have.
    """

    graph: Graph
    source: str
    operator: Operator | None = None
    port: str = ""
    nodes: list[onnx.NodeProto] = field(init=False, default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(init=False, default_factory=dict)
    names: dict[int, str] = field(init=False, default_factory=dict)
    reals: dict[int, str] = field(init=False, default_factory=dict)
    labels: dict[int, str] = field(init=False, default_factory=dict)
    integers_at: dict[int, str] = field(init=False, default_factory=dict)
    used: set[str] = field(init=False, default_factory=set)

    @property
    def label(self) -> str:
        """The name of the current operator: the first of the layers that its result is named by."""
        if self.operator is None or not self.operator.outputs:
            return self.port
        return self.graph.tensors[self.operator.outputs[0]].name.partition(";")[0]

    def refuse(self, title: str, code: str = "HW293", **parts: str) -> NoReturn:
        """Raise ``RefusedError``, located at the current operator."""
        kind = self.operator.kind if self.operator else "graph"
        where = f"{self.label}: {kind}, in {self.source}"
        raise RefusedError(Diagnostic(code=code, title=title, where=where, **parts))

    def tensor(self, index: int) -> Tensor:
        """Return a tensor of the file.

        Raises:
            RefusedError: it is one that was left out.
        """
        if index < 0:
            self.refuse("an operand is left out")
        return self.graph.tensors[index]

    def operand(self, position: int) -> int:
        """Return the index of an operand's tensor, -1 where it is left out."""
        assert self.operator is not None
        inputs = self.operator.inputs
        return inputs[position] if position < len(inputs) else -1

    def result(self) -> int:
        """Return the index of the one result's tensor."""
        assert self.operator is not None
        if len(self.operator.outputs) != 1:
            self.refuse("an operator of several results")
        return self.operator.outputs[0]

    def constant(self, index: int, what: str) -> npt.NDArray[Any]:
        """Return the values of a tensor that must be constant."""
        tensor = self.tensor(index)
        if tensor.data is None:
            self.refuse(
                f"{what} that are computed at run time",
                found=tensor.name,
                supported="constants, and shapes that follow from a batch of one",
                help=OPEN_BATCH,
            )
        return tensor.data

    def activation(self, index: int) -> Activation:
        """Return what the integers of a tensor mean.

        Raises:
            RefusedError: it is not quantised to 8 bits, with one scale.
        """
        tensor = self.tensor(index)
        meaning = tensor.quantization
        if meaning is None or tensor.kind not in RANGES or len(meaning.scale) != 1:
            self.refuse(
                "activations that are not 8-bit integers with one scale", code="HW292",
                found=f"{tensor.name}: {tensor.kind}{'' if meaning else ' without a scale'}",
                supported="INT8, UINT8",
                help="convert with full integer quantisation: optimizations=[Optimize.DEFAULT], a "
                "representative_dataset and supported_ops=[TFLITE_BUILTINS_INT8]",
            )  # fmt: skip
        zero = int(meaning.zero_point[0])
        lo, hi = RANGES[tensor.kind]
        if not lo <= zero <= hi:
            self.refuse("a zero point outside of its type", found=f"{tensor.name}: {zero}")
        return Activation(float(meaning.scale[0]), zero, lo - zero, hi - zero)

    def value(self, index: int) -> str:
        """Return the ONNX value of an activation.

        Raises:
            RefusedError: it is constant, or nothing before computes it.
        """
        if index not in self.names:
            constant = self.tensor(index).data is not None
            found = f"{self.tensor(index).name}, {'a constant' if constant else 'not computed yet'}"
            self.refuse("an operand that is not an activation", found=found)
        return self.names[index]

    def unique(self, name: str) -> str:
        """Return a name that no value has."""
        found, number = name or "value", 1
        while found in self.used:
            number += 1
            found = f"{name}_{number}"
        self.used.add(found)
        return found

    def initializer(self, name: str, values: npt.ArrayLike, dtype: Any) -> str:
        """Return the name of a new constant."""
        unique = self.unique(f"{self.label}.{name}")
        array = np.ascontiguousarray(np.asarray(values).astype(dtype))
        self.constants[unique] = numpy_helper.from_array(array.reshape(np.shape(values)), unique)
        return unique

    def integers(self, name: str, values: npt.ArrayLike) -> str:
        """Return the name of a new constant of int64."""
        return self.initializer(name, values, np.int64)

    def node(
        self,
        op: str,
        inputs: Sequence[str],
        *,
        to: int | None = None,
        domain: str = "",
        result: str = "",
        to_type: int | None = None,
        **attributes: Any,
    ) -> str:
        """Append a node and return its result: that of a tensor, or one of a name of its own.

        ``to_type`` is the attribute ``to`` of ``Cast``.
        """
        if to_type is not None:
            attributes["to"] = to_type
        name = result if to is None else self._name_of(to)
        result = self.unique(name or f"{self.label}.{op}")
        self.nodes.append(
            helper.make_node(op, inputs, [result], name=self.label, domain=domain, **attributes)
        )
        if to is not None:
            self.names[to] = result
        return result

    def _name_of(self, index: int) -> str:
        """Return the name of a tensor's value; an output of that name has its zero point back."""
        tensor = self.graph.tensors[index]
        moved = index in self.graph.outputs and index not in self.reals
        zero = moved and tensor.quantization is not None and tensor.quantization.zero_point[0]
        return f"{tensor.name}.centred" if zero else tensor.name

    def quantized(self, name: str, values: npt.NDArray[np.int64], width: int = 9) -> str:
        """Return whole numbers of at most ``width`` bits that a quantiser stands behind."""
        stored = self.initializer(name, values, np.float32)
        meaning = {"one": 1, "zero": 0, "bits": width}
        inputs = [stored, *(self.initializer(n, v, np.float32) for n, v in meaning.items())]
        return self.node(
            "Quant", inputs, domain=QONNX_DOMAIN, signed=1, narrow=0, rounding_mode="ROUND"
        )

    def integer_node(
        self, op: str, inputs: Sequence[str], to: int | None, **attributes: Any
    ) -> str:
        """Append a node of TFLite's arithmetic."""
        return self.node(op, inputs, to=to, domain=TFLITE, **attributes)

    def quantize(self, real: str, y: Activation, to: int) -> str:
        """Write the quantisation of real numbers, half away from zero (``AffineQuantize``)."""
        zero, signed, bits = 0, int(y.lo < 0), 8 if y.lo in (0, -128) else 9
        values = {"scale": y.scale, "zero": zero, "bits": bits}
        inputs = [real, *(self.initializer(n, v, np.float32) for n, v in values.items())]
        steps = self.node(
            "Quant", inputs, domain=QONNX_DOMAIN, signed=signed, narrow=0, rounding_mode="HALF_UP"
        )
        scale = self.initializer("scale", y.scale, np.float32)
        # a float32 quotient of a product may miss the whole number that both started from
        quotient = self.node("Div", [steps, scale])
        whole = self.integer_node("Whole", [quotient], to if bits == 8 else None)
        if bits == 8:
            return whole
        ends = [self.initializer(n, v, np.float32) for n, v in (("lo", y.lo), ("hi", y.hi))]
        return self.node("Clip", [whole, *ends], to=to)

    def turned(self, value: str, perm: Sequence[int], to: int | None = None) -> str:
        """Return a value with its axes in another order."""
        return self.node("Transpose", [value], to=to, perm=list(perm))

    def shaped(self, value: str, shape: Sequence[int], to: int | None = None) -> str:
        """Return a value in another shape, batch included."""
        return self.node("Reshape", [value, self.integers("shape", list(shape))], to=to)

    def model(self, inputs: Sequence[tuple[str, int]], outputs: Sequence[str]) -> onnx.ModelProto:
        """Return the model.

        Args:
            inputs: name and tensor of each input.
            outputs: names of the outputs.
        """
        ports = [
            helper.make_tensor_value_info(n, ELEMENTS[t.kind], t.shape)
            for n, t in ((n, self.graph.tensors[i]) for n, i in inputs)
        ]
        results = [
            helper.make_tensor_value_info(
                n, TensorProto.INT64 if n in self.labels.values() else TensorProto.FLOAT, None
            )
            for n in outputs
        ]
        graph = helper.make_graph(
            self.nodes, "tflite", ports, results, list(self.constants.values())
        )
        imports = [("", OPSET), (QONNX_DOMAIN, 1), (TFLITE, 1)]
        names = {n.op_type for n in self.nodes if n.domain == TFLITE}
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*i) for i in imports],
            functions=functions(names),
            ir_version=10,
        )
