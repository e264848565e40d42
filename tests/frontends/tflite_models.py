"""Small ``.tflite`` models, written operator by operator, and TFLite's own interpreter for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

TYPES = {np.float32: 0, np.int32: 2, np.uint8: 3, np.int64: 4, np.int16: 7, np.int8: 9}
"""TensorType of the TFLite schema."""


@dataclass
class Writer:
    """Collects tensors and operators of a model; ``bytes()`` serialises it."""

    tensors: list[Any] = field(default_factory=list)
    buffers: list[Any] = field(default_factory=list)
    operators: list[Any] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    subgraphs: int = 1

    def tensor(
        self,
        shape: Sequence[int],
        scale: float | Sequence[float] = (),
        zero: int = 0,
        dtype: type = np.int8,
        data: Array | None = None,
        axis: int = 0,
    ) -> int:
        """Add a tensor, constant where it has data, and return its index."""
        from tensorflow.lite.python import schema_py_generated as schema

        tensor = schema.TensorT()
        tensor.shape, tensor.type = list(shape), TYPES[dtype]
        tensor.name = f"t{len(self.tensors)}".encode()
        scales = np.atleast_1d(np.asarray(scale, np.float32))
        if len(scales):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = scales.tolist()
            tensor.quantization.zeroPoint = [zero] * len(scales)
            tensor.quantization.quantizedDimension = axis
        buffer = schema.BufferT()
        if data is not None:
            buffer.data = list(np.ascontiguousarray(data, dtype).tobytes())
        self.buffers.append(buffer)
        self.tensors.append(tensor)
        tensor.buffer = len(self.buffers)  # buffer 0 is empty by convention
        return len(self.tensors) - 1

    def constant(self, values: Any, dtype: type = np.int32) -> int:
        """Add a constant without quantisation."""
        array = np.asarray(values, dtype)
        return self.tensor(array.shape, dtype=dtype, data=array)

    def add(
        self,
        name: str,
        inputs: Sequence[int],
        outputs: Sequence[int],
        kind: str = "",
        **options: Any,
    ) -> None:
        """Add an operator; ``kind`` names its table of options, with fields as in the schema."""
        from tensorflow.lite.python import schema_py_generated as schema

        operator = schema.OperatorT()
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        code = getattr(schema.BuiltinOperator, name)
        if code not in self.codes:
            self.codes.append(code)
        operator.opcodeIndex = self.codes.index(code)
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, f"{kind}T")()
            for key, value in options.items():
                assert hasattr(operator.builtinOptions, key), key
                setattr(operator.builtinOptions, key, value)
        self.operators.append(operator)

    def bytes(self) -> bytes:
        """Return the file."""
        import flatbuffers
        from tensorflow.lite.python import schema_py_generated as schema

        model = schema.ModelT()
        model.version = 3
        model.buffers = [schema.BufferT(), *self.buffers]
        model.operatorCodes = []
        for code in self.codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode, entry.deprecatedBuiltinCode = code, min(code, 127)
            entry.version = 1
            model.operatorCodes.append(entry)
        graph = schema.SubGraphT()
        graph.tensors, graph.operators = self.tensors, self.operators
        graph.inputs, graph.outputs, graph.name = self.inputs, self.outputs, b"main"
        model.subgraphs = [graph] * self.subgraphs
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def interpret(
    content: bytes, samples: Sequence[Array], *, kernels: str = "BUILTIN_REF", every: bool = False
) -> dict[str, Array]:
    """Return what TFLite's interpreter gives for samples, by tensor name, batch first.

    Args:
        content: the file.
        samples: for each input of the model its samples, without the model's own batch axis.
        kernels: a value of TFLite's ``OpResolverType``.
        every: return every tensor instead of the outputs.
    """
    import tensorflow as tf

    kinds = tf.lite.experimental.OpResolverType
    interpreter = tf.lite.Interpreter(
        model_content=content,
        experimental_op_resolver_type=getattr(kinds, kernels),
        experimental_preserve_all_tensors=every,
    )
    interpreter.allocate_tensors()
    inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
    wanted = interpreter.get_tensor_details() if every else outputs
    found: dict[str, list[Array]] = {}
    for rows in zip(*samples, strict=True):
        for detail, row in zip(inputs, rows, strict=True):
            interpreter.set_tensor(detail["index"], row[None].astype(detail["dtype"]))
        interpreter.invoke()
        for detail in wanted:
            try:
                value = interpreter.get_tensor(detail["index"])
            except ValueError:  # scratch memory of a kernel
                continue
            found.setdefault(detail["name"], []).append(value)
    # scratch memory of kernels has no shape of its own
    same = {n: len({v.shape for v in values}) == 1 for n, values in found.items()}
    return {name: np.stack(values) for name, values in found.items() if same[name]}
