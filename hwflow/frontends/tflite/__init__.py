"""Reads TensorFlow Lite: quantised ``.tflite`` files, with TFLite's own integer arithmetic.

Nothing of the file is executed, and TensorFlow is not needed. ``schema`` checks and reads it, a
``Writer`` takes one ONNX node or a few for each operator, and what is not standard arithmetic
becomes a node of the domain ``hwflow.tflite`` with its definition beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.onnx.reader import file_bytes, read_proto
from hwflow.frontends.tflite import elementwise, layers, moves, pooling, ports, products
from hwflow.frontends.tflite.dilation import with_dilations
from hwflow.frontends.tflite.flatbuffer import DamagedError
from hwflow.frontends.tflite.interpolation import resize_bilinear
from hwflow.frontends.tflite.schema import damaged, parse
from hwflow.frontends.tflite.shapes import with_shapes
from hwflow.frontends.tflite.writer import OPEN_BATCH, Writer
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.model import QonnxModel, printable

__all__ = ["read_bytes", "read_file"]

Result = TypeVar("Result")

OPERATORS: Mapping[str, Callable[[Writer], None]] = {
    "ADD": elementwise.add,
    "ARG_MAX": ports.arg_max,
    "AVERAGE_POOL_2D": pooling.average_pool_2d,
    "BATCH_MATMUL": products.batch_matmul,
    "CAST": ports.cast,
    "CONCATENATION": moves.concatenation,
    "CONV_2D": layers.conv_2d,
    "DEPTHWISE_CONV_2D": layers.depthwise_conv_2d,
    "DEQUANTIZE": ports.dequantize,
    "EXPAND_DIMS": moves.reshape,
    "FULLY_CONNECTED": layers.fully_connected,
    "GELU": elementwise.gelu,
    "HARD_SWISH": elementwise.hard_swish,
    "LEAKY_RELU": elementwise.leaky_relu,
    "LOGISTIC": elementwise.LOGISTIC,
    "MAXIMUM": elementwise.extreme("Max"),
    "MAX_POOL_2D": pooling.max_pool_2d,
    "MEAN": pooling.mean,
    "MINIMUM": elementwise.extreme("Min"),
    "MUL": elementwise.mul,
    "PAD": moves.pad,
    "PRELU": elementwise.prelu,
    "QUANTIZE": ports.quantize,
    "REDUCE_MAX": pooling.reduce_max,
    "RELU": elementwise.rescale(1),
    "RELU6": elementwise.rescale(3),
    "RELU_N1_TO_1": elementwise.rescale(2),
    "RESHAPE": moves.reshape,
    "RESIZE_BILINEAR": resize_bilinear,
    "RESIZE_NEAREST_NEIGHBOR": moves.resize_nearest_neighbor,
    "SOFTMAX": elementwise.softmax,
    "SPLIT": moves.split,
    "SQUEEZE": moves.reshape,
    "STRIDED_SLICE": moves.strided_slice,
    "SUB": elementwise.add,
    "SUM": pooling.total,
    "TANH": elementwise.TANH,
    "TRANSPOSE": moves.transpose,
    "TRANSPOSE_CONV": products.transpose_conv,
}
"""What writes each operator."""

BATCHED = ("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
"""What the converter writes a dilated convolution with, where the batch is open."""


def read_file(path: Path) -> QonnxModel:
    """Read a ``.tflite`` file.

    Raises:
        CompileError: HW001 and HW003, it cannot be read or is too large; HW290 to HW296, all that
            is wrong with it or not supported.
    """
    source = printable(path.name)
    return read_bytes(file_bytes(path, source), printable(path.stem), source)


def read_bytes(data: bytes, name: str, source: str) -> QonnxModel:
    """Read the content of a ``.tflite`` file.

    Args:
        data: the bytes.
        name: name of the model.
        source: how diagnostics call it.

    Raises:
        CompileError: HW290 to HW296, all that is wrong with it or not supported.
    """
    writer = Writer(with_shapes(with_dilations(parse(data, source))), source)
    findings: list[Diagnostic] = []
    inputs = _noted(findings, lambda: ports.add_inputs(writer), writer) or []
    lost: set[int] = set()
    for operator in writer.graph.operators:
        writer.operator = operator
        if operator.kind != "ARG_MAX" and _only_shapes(writer):
            continue
        known = OPERATORS.get(operator.kind)
        if known is None:
            findings.append(_unsupported(writer))
        elif lost.isdisjoint(operator.inputs):  # what reads a refused result would only repeat it
            count = len(findings)
            _noted(findings, partial(_converted, known, writer), writer)
            if len(findings) == count:
                continue
        lost.update(operator.outputs)
    writer.operator = None
    outputs = [] if findings else _noted(findings, lambda: ports.add_outputs(writer), writer) or []
    if findings:
        raise CompileError(findings)
    return read_proto(writer.model(inputs, outputs), name, source)


def _noted(
    findings: list[Diagnostic], action: Callable[[], Result], writer: Writer
) -> Result | None:
    """Return what an action gives; note why it is refused."""
    try:
        return action()
    except RefusedError as refused:
        findings.append(refused.diagnostic)
    except DamagedError as problem:  # in the options of an operator, which are read last
        findings.append(damaged(writer.source, writer.label, problem))
    return None


def _converted(convert: Callable[[Writer], None], writer: Writer) -> None:
    """Write an operator, and refuse it for options that its conversion does not know."""
    convert(writer)
    assert writer.operator is not None
    unread = writer.operator.unread()
    if unread:
        writer.refuse("options that are not known", found=f"fields {unread} of its options",
                      supported="those of the schema of TensorFlow 2.21")  # fmt: skip


def _only_shapes(writer: Writer) -> bool:
    """Return whether the current operator computes what cannot be an activation: a shape.

    Shapes are those of the file's tensors, for a batch of one; whoever needs the numbers themselves
    refuses what is computed at run time.
    """
    assert writer.operator is not None
    kinds = {writer.graph.tensors[i].kind for i in writer.operator.outputs}
    return kinds <= {"INT32", "INT64"}


def _unsupported(writer: Writer) -> Diagnostic:
    assert writer.operator is not None
    return Diagnostic(
        code="HW293",
        title="a TFLite operator that is not supported",
        where=f"{writer.label}: {writer.operator.kind}, in {writer.source}",
        found=writer.operator.kind,
        supported=", ".join(sorted(OPERATORS)),
        help=OPEN_BATCH
        if writer.operator.kind in BATCHED
        else "replace it in the model before the conversion, or cut the model before it",
    )
