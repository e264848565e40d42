"""The part of the TFLite schema that is read: a file as plain Python values.

Fields are counted as in ``tensorflow/compiler/mlir/lite/schema/schema.fbs``. Nothing is executed,
and arrays are views of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.tflite.flatbuffer import DamagedError, Flatbuffer, Table
from hwflow.frontends.tflite.operators import OPERATORS
from hwflow.ir.qonnx.model import printable

IDENTIFIER = b"TFL3"
"""File identifier of the schema, at offset 4."""

MAX_ELEMENTS = 2**28
"""Most elements of a tensor: what the passes behind take."""

SCALES = (2.0**-100, 2.0**100)
"""Scales lie between these: with them float32 arithmetic on scales stays finite."""

TYPES = {0: "<f4", 2: "<i4", 3: "u1", 4: "<i8", 7: "<i2", 9: "i1"}
"""numpy types by ``TensorType``; all others are refused where something reads them."""

TYPE_NAMES = (
    "FLOAT32", "FLOAT16", "INT32", "UINT8", "INT64", "STRING", "BOOL", "INT16", "COMPLEX64", "INT8",
    "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE", "VARIANT", "UINT32", "UINT16", "INT4",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Quantization:
    """What the integers of a tensor mean: ``scale * (q - zero_point)``.

    Attributes:
        scale: float32, one, or one for each slice along ``axis``.
        zero_point: int64, of such a shape, too.
        axis: the axis that slices are counted along.
    """

    scale: npt.NDArray[np.float32]
    zero_point: npt.NDArray[np.int64]
    axis: int


@dataclass(frozen=True, eq=False)
class Tensor:
    """A tensor of a TFLite model.

    Attributes:
        name: the name in the file, on one line.
        shape: batch axis included.
        kind: a value of ``TYPE_NAMES``.
        quantization: None where it has none.
        data: its values where it is constant, else None.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    quantization: Quantization | None
    data: npt.NDArray[Any] | None


class Options(Protocol):
    """Options of an operator, by their numbers in the schema."""

    def number(self, field: int, code: str, default: float = 0) -> float:
        """Return an option, ``code`` being its type for ``struct``."""
        ...

    def present(self) -> list[int]:
        """Return the numbers of the options that are there."""
        ...


@dataclass(frozen=True, eq=False)
class Operator:
    """An operator of a TFLite model, with its operands.

    Attributes:
        kind: its name in the schema.
        inputs: indices of tensors; -1 for one that is left out.
        outputs: indices of tensors.
        options: its table of options, or None.
        read: numbers of the options that were asked for.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Options | None
    read: set[int] = field(default_factory=set)

    def option(self, field: int, code: str, default: float = 0) -> Any:
        """Return an option by its number in the schema."""
        self.read.add(field)
        return default if self.options is None else self.options.number(field, code, default)

    def unread(self) -> list[int]:
        """Return the numbers of options that the file sets and nothing asked for."""
        present = [] if self.options is None else self.options.present()
        return sorted({*present} - self.read - INERT_OPTIONS.get(self.kind, frozenset()))


INERT_OPTIONS = {
    "ADD": frozenset({1}),  # pot_scale_int16, of 16 bits
    "SUB": frozenset({1}),
    # keep_num_dims, which the result's shape says; asymmetric_quantize_inputs and
    # quantized_bias_type, of kernels that are not integers throughout
    "FULLY_CONNECTED": frozenset({2, 3, 4}),
    "CAST": frozenset({0, 1}),  # the types of both tensors
    "DEPTHWISE_CONV_2D": frozenset({3}),  # depth_multiplier, which the weights have
    "CONV_2D": frozenset({6}),  # quantized_bias_type, which the bias has
    "RESHAPE": frozenset({0}),  # new_shape, which the result has
    "SPLIT": frozenset({0}),  # num_splits, which the number of results says
    "SQUEEZE": frozenset({0}),  # squeeze_dims, likewise
    "MEAN": frozenset({0}),  # keep_dims, likewise
    "SUM": frozenset({0}),
    "REDUCE_MAX": frozenset({0}),
    "ARG_MAX": frozenset({0}),  # output_type, which the result has
    "TRANSPOSE_CONV": frozenset({4}),  # quantized_bias_type, which the bias has
    "BATCH_MATMUL": frozenset({2}),  # asymmetric_quantize_inputs, of hybrid kernels
    "RESIZE_BILINEAR": frozenset({0, 1}),  # sizes of old files, which the second operand has
}
"""Options that the tensors say, or that kernels of integers do not use, by number in the schema."""


@dataclass(frozen=True, eq=False)
class Graph:
    """The one subgraph of a model."""

    tensors: Sequence[Tensor]
    operators: Sequence[Operator]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def parse(data: bytes, source: str) -> Graph:
    """Return the graph in a file.

    Args:
        data: the bytes of the file.
        source: how diagnostics call it.

    Raises:
        CompileError: HW290, it is no TFLite file, or a damaged one; HW291, it has several
            subgraphs.
    """
    try:
        if data[4:8] != IDENTIFIER:
            raise DamagedError(f"no {IDENTIFIER.decode()} at offset 4")
        return _graph(Flatbuffer(data).root(), source)
    except DamagedError as problem:
        raise CompileError([damaged(source, "", problem)]) from None


def damaged(source: str, where: str, problem: DamagedError) -> Diagnostic:
    """Return the finding that a part of a file cannot be read."""
    return Diagnostic(
        code="HW290",
        title="not a TFLite model, or a damaged one",
        where=f"{where}, in {source}" if where else f"in {source}",
        found=printable(str(problem)),
        help="export or copy the file again; a partial download gives this, too",
    )


def _error(code: str, title: str, source: str, found: str, help_: str = "") -> CompileError:
    finding = Diagnostic(
        code=code, title=title, where=f"in {source}", found=printable(found), help=help_
    )
    return CompileError([finding])


def _graph(model: Table, source: str) -> Graph:
    graphs = list(model.tables(2))
    if len(graphs) != 1:
        raise _error(
            "HW291", "a TFLite model of several subgraphs", source, f"{len(graphs)} subgraphs",
            "export one signature, without control flow",
        )  # fmt: skip
    (graph,) = graphs
    buffers = list(model.tables(4))
    kinds = [_kind(code) for code in model.tables(1)]
    tensors = [_tensor(t, buffers) for t in graph.tables(0)]
    operators = [_operator(o, kinds) for o in graph.tables(3)]
    inputs, outputs = (_indices(graph, field) for field in (1, 2))
    used = [i for o in operators for i in (*o.inputs, *o.outputs)]
    for index in (*used, *inputs, *outputs):
        if not -1 <= index < len(tensors):
            raise DamagedError(f"tensor {index} of {len(tensors)}")
    if min((*inputs, *outputs, *(i for o in operators for i in o.outputs)), default=0) < 0:
        raise DamagedError("a result or an input of the graph without a tensor")
    return Graph(tensors, operators, inputs, outputs)


def _kind(code: Table) -> str:
    """Return an operator's name; old files have it in a byte, newer ones in both fields."""
    number = max(int(code.number(0, "b")), int(code.number(3, "i")))
    custom = code.text(1)
    known = 0 <= number < len(OPERATORS)
    name = OPERATORS[number] if known else f"operator {number} of a newer schema"
    return f"CUSTOM {printable(custom)}" if name == "CUSTOM" else name


def _indices(table: Table, field: int) -> tuple[int, ...]:
    found = table.vector(field, "<i4")
    return () if found is None else tuple(int(i) for i in found)


def _operator(table: Table, kinds: Sequence[str]) -> Operator:
    index = int(table.number(0, "I"))
    if index >= len(kinds):
        raise DamagedError(f"operator code {index} of {len(kinds)}")
    return Operator(kinds[index], _indices(table, 1), _indices(table, 2), table.table(4))


def _tensor(table: Table, buffers: Sequence[Table]) -> Tensor:
    number, index = int(table.number(1, "b")), int(table.number(2, "I"))
    name, shape = printable(table.text(3)), _indices(table, 0)
    if any(d < 0 for d in shape) or len(shape) > 8:
        raise DamagedError(f"tensor {name}: shape {shape}")
    if _elements(shape) > MAX_ELEMENTS:
        raise DamagedError(f"tensor {name}: {_elements(shape)} elements, beyond {MAX_ELEMENTS}")
    if index >= max(len(buffers), 1):
        raise DamagedError(f"tensor {name}: buffer {index} of {len(buffers)}")
    raw = buffers[index].vector(0, "u1") if index else None
    kind = TYPE_NAMES[number] if 0 <= number < len(TYPE_NAMES) else f"type {number}"
    data = None
    if raw is not None and len(raw) and number in TYPES:
        count, dtype = _elements(shape), np.dtype(TYPES[number])
        if count * dtype.itemsize != len(raw):
            raise DamagedError(f"tensor {name}: {len(raw)} bytes for shape {shape} of {kind}")
        data = np.frombuffer(raw.tobytes(), dtype).reshape(shape)
    return Tensor(name, shape, kind, _quantization(table.table(4), name, shape), data)


def _elements(shape: tuple[int, ...]) -> int:
    count = 1
    for d in shape:
        count *= d
    return count


def _quantization(table: Table | None, name: str, shape: tuple[int, ...]) -> Quantization | None:
    scale = None if table is None else table.vector(2, "<f4")
    if table is None or scale is None or not len(scale):
        return None
    zero = table.vector(3, "<i8")
    zero = np.zeros(1, np.int64) if zero is None or not len(zero) else zero
    axis = int(table.number(6, "i"))
    slices = shape[axis] if 0 <= axis < len(shape) else 1
    if len(scale) not in (1, slices) or len(zero) not in (1, len(scale)):
        raise DamagedError(f"tensor {name}: {len(scale)} scales along axis {axis} of {shape}")
    if not ((scale > SCALES[0]) & (scale < SCALES[1])).all():
        raise DamagedError(f"tensor {name}: a scale that is not positive, or absurd")
    if ((zero < -(2**31)) | (zero >= 2**31)).any():
        raise DamagedError(f"tensor {name}: a zero point beyond 32 bits")
    return Quantization(scale, zero, axis)
