"""Where real numbers and mantissas meet: inputs and outputs, ``QUANTIZE`` and ``DEQUANTIZE``."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto

from hwflow.frontends.tflite.elementwise import rescale
from hwflow.frontends.tflite.writer import ELEMENTS, Writer


def quantize(writer: Writer) -> None:
    """Write ``QUANTIZE`` of real numbers, or of integers on another scale."""
    index = writer.operand(0)
    if index in writer.reals:
        writer.quantize(writer.reals[index], writer.activation(writer.result()), writer.result())
        return
    rescale(0)(writer)


def dequantize(writer: Writer) -> None:
    """Write ``DEQUANTIZE``: the host multiplies by the scale."""
    x, result = writer.activation(writer.operand(0)), writer.result()
    scale = writer.initializer("scale", x.scale, np.float32)
    name = writer.tensor(result).name if result in writer.graph.outputs else ""
    writer.reals[result] = writer.node("Mul", [writer.value(writer.operand(0)), scale], result=name)


def cast(writer: Writer) -> None:
    """Write ``CAST`` of an input's integers, such as a camera's, to the same numbers in float32.

    Raises:
        RefusedError: it casts anything else.
    """
    index, result = writer.operand(0), writer.result()
    if index not in writer.integers_at or writer.tensor(result).kind != "FLOAT32":
        kinds = f"{writer.tensor(index).kind} to {writer.tensor(result).kind}"
        writer.refuse(
            "CAST inside of the network", found=kinds,
            supported="CAST of an input of integers without a scale, to FLOAT32",
            help="convert with full integer quantisation, which leaves no CAST inside",
        )  # fmt: skip
    port = writer.integers_at[index]
    writer.reals[result] = writer.node("Cast", [port], to_type=TensorProto.FLOAT)


def arg_max(writer: Writer) -> None:
    """Write ``ARG_MAX`` at an output: the number of the first greatest element along an axis."""
    index, result = writer.operand(0), writer.result()
    axes, rank = writer.constant(writer.operand(1), "axes").ravel(), len(writer.tensor(index).shape)
    axis = int(axes[0]) % max(rank, 1) if axes.size == 1 else 0
    if not axis:
        writer.refuse("the greatest over these axes", found=str(axes), supported="one, from 1 on")
    if result not in writer.graph.outputs:
        writer.refuse("a label inside of the network", found=writer.tensor(result).name,
                      supported="ARG_MAX at an output of the model")  # fmt: skip
    writer.activation(index)
    name = writer.tensor(result).name
    writer.labels[result] = writer.node(
        "ArgMax", [writer.value(index)], result=name, axis=axis, keepdims=0
    )


def add_inputs(writer: Writer) -> list[tuple[str, int]]:
    """Write the inputs and return their names and tensors; integers are taken as they are."""
    ports = []
    for index in writer.graph.inputs:
        tensor = writer.tensor(index)
        name = writer.port = writer.unique(tensor.name)
        ports.append((name, index))
        if tensor.kind == "FLOAT32":
            writer.reals[index] = name
            continue
        if tensor.quantization is None and tensor.kind in ELEMENTS:
            writer.integers_at[index] = name
            continue
        x = writer.activation(index)
        writer.names[index] = writer.integer_node("Whole", [name], None)
        if x.zero_point:
            zero = writer.initializer("zero_point", x.zero_point, np.float32)
            writer.names[index] = writer.node("Sub", [writer.names[index], zero])
    return ports


def add_outputs(writer: Writer) -> list[str]:
    """Write the outputs and return their names; integers get their zero point back."""
    names = []
    for index in writer.graph.outputs:
        plain = writer.reals.get(index) or writer.labels.get(index)
        if plain is not None:
            names.append(plain)
            continue
        zero = writer.activation(index).zero_point
        if not zero:
            names.append(writer.value(index))
            continue
        writer.port = writer.tensor(index).name
        constant = writer.initializer("zero_point", zero, np.float32)
        names.append(writer.node("Add", [writer.value(index), constant], result=writer.port))
    return names
