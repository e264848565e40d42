"""What ``QuantizeLinear`` and ``DequantizeLinear`` are given: scales, zero points, integer types.

Formulas and legal forms are those of the ONNX operator definitions (QuantizeLinear and
DequantizeLinear, versions 10 to 25; https://onnx.ai/onnx/operators/onnx__QuantizeLinear.html).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.qonnx.model import printable

F32 = npt.NDArray[np.float32]
Whole = npt.NDArray[np.int64]

CONTRIB_DOMAIN = "com.microsoft"
"""Domain of both operators in ONNX Runtime's files for types that the model's opset lacks."""

LINEAR = frozenset({"QuantizeLinear", "DequantizeLinear"})

INTEGERS = {
    ir.DataType.INT2: (2, True),
    ir.DataType.UINT2: (2, False),
    ir.DataType.INT4: (4, True),
    ir.DataType.UINT4: (4, False),
    ir.DataType.INT8: (8, True),
    ir.DataType.UINT8: (8, False),
    ir.DataType.INT16: (16, True),
    ir.DataType.UINT16: (16, False),
    ir.DataType.INT32: (32, True),
}
"""Bits and sign of the integer types; int32 is for biases only."""

WIDEST_ACTIVATION = 16
"""Bits of the widest integers that ``QuantizeLinear`` is defined to give."""

_DYNAMIC = frozenset(
    {
        "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "MatMulInteger",
        "ConvInteger", "MatMulIntegerToFloat", "MatMulNBits",
    }
)  # fmt: skip
"""What ``quantize_dynamic`` of ONNX Runtime writes: scales follow the data."""

_WHOLE_OPERATORS = frozenset(
    {
        "QLinearConv", "QLinearMatMul", "QGemm", "QLinearAdd", "QLinearMul", "QLinearConcat",
        "QLinearAveragePool", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearSigmoid",
        "QLinearSoftmax", "QLinearWhere", "QLinearReduceMean", "QLinearConvTranspose",
    }
)  # fmt: skip
"""Operators on integers of ONNX Runtime's QOperator format."""


class LinearError(Exception):
    """A node between real numbers and integers cannot be represented."""

    def __init__(
        self,
        code: str,
        title: str,
        found: str = "",
        supported: str = "",
        help: str = "",  # noqa: A002 - the diagnostic's own word
    ) -> None:
        super().__init__(title)
        self.code, self.title, self.found = code, title, found
        self.supported, self.help = supported, help

    def diagnostic(self, where: str) -> Diagnostic:
        """Return the finding, located."""
        return Diagnostic(
            code=self.code,
            title=self.title,
            where=where,
            found=printable(self.found),
            supported=self.supported,
            help=self.help,
        )


@dataclass(frozen=True, eq=False)
class Affine:
    """The line between integers and the numbers they stand for: ``(q - zero) * scale``.

    Attributes:
        scale: positive scales: one, of the shape ``()``, or one for each index of an axis, of the
            rank of the tensor.
        zero: zero points, of the shape of ``scale``, or ``()`` where it is the same everywhere.
        dtype: type of the integers; None where no zero point says it.
    """

    scale: F32
    zero: Whole
    dtype: ir.DataType | None

    def same(self, other: Affine) -> bool:
        """Return whether two lines are one."""
        return np.array_equal(self.scale, other.scale) and np.array_equal(self.zero, other.zero)


def refused_operators(op_type: str, place: str) -> Iterator[Diagnostic]:
    """Yield why a model with this operator is not read, where it is one of quantised models.

    Args:
        op_type: the operator in the file, of the standard domain or of ONNX Runtime's.
        place: for the diagnostic.
    """
    if op_type in _DYNAMIC:
        yield Diagnostic(
            code="HW270",
            title="the scales of the model follow the data (dynamic quantisation)",
            where=place,
            found=op_type,
            supported="constant scales: QuantizeLinear and DequantizeLinear",
            help="use onnxruntime.quantization.quantize_static with calibration data and "
            "quant_format=QuantFormat.QDQ",
        )
    if op_type in _WHOLE_OPERATORS:
        yield Diagnostic(
            code="HW271",
            title="the model is in QOperator format",
            where=place,
            found=op_type,
            supported="the QDQ format, which says the same with QuantizeLinear and "
            "DequantizeLinear",
            help="quantize_static(..., quant_format=QuantFormat.QDQ)",
        )


def read_affine(node: ir.Node, rank: int | None, shape: tuple[int, ...] | None) -> Affine:
    """Return the scale and zero point of a node.

    Args:
        node: a ``QuantizeLinear`` or ``DequantizeLinear``.
        rank: rank of the tensor; only needed with one scale per index of an axis.
        shape: shape of the tensor, where it is known.

    Raises:
        LinearError: HW272 to HW276.
    """
    values = [*node.inputs, None, None]
    scale_value, zero_value = values[1], values[2]
    block = node.attributes.get("block_size")
    if block is not None and block.as_int() != 0:
        raise LinearError(
            "HW276", "blocked quantisation", f"block_size = {block.as_int()}",
            "one scale for all elements, or one per channel",
            "quantise per channel instead of per block",
        )  # fmt: skip
    scale = _scale(scale_value)
    zero, dtype = np.zeros((), np.int64), _declared(node)
    if zero_value is not None:
        tensor = _constant(zero_value, "zero point")
        if tensor.dtype not in INTEGERS or (dtype is not None and dtype != tensor.dtype):
            raise wrong_type(tensor.dtype.name if dtype is None else f"{tensor.dtype.name}, "
                              f"but output_dtype {dtype.name}")  # fmt: skip
        dtype = tensor.dtype
        zero = np.asarray(tensor.numpy()).astype(np.int64)
        if zero.size != scale.size:
            found = f"{scale.size} scales, {zero.size} zero points"
            raise LinearError("HW275", "scales and zero points do not fit together", found)
    return _spread(node, scale, zero, dtype=dtype, rank=rank, shape=shape)


def _declared(node: ir.Node) -> ir.DataType | None:
    """Return the integer type that the attributes or the definition say."""
    declared = node.attributes.get("output_dtype")
    if node.op_type != "QuantizeLinear":
        return None
    if declared is None or declared.as_int() == 0:
        return None if len(node.inputs) > 2 and node.inputs[2] is not None else ir.DataType.UINT8
    try:
        dtype = ir.DataType(declared.as_int())
    except ValueError:
        raise wrong_type(f"type {declared.as_int()}") from None
    if dtype not in INTEGERS:
        raise wrong_type(dtype.name)
    return dtype


def _scale(value: ir.Value | None) -> F32:
    tensor = _constant(value, "scale")
    if tensor.dtype != ir.DataType.FLOAT:
        raise LinearError(
            "HW272", "element type that is not supported", f"a scale of {tensor.dtype.name}",
            "scales of FLOAT", "export the model in float32",
        )  # fmt: skip
    scale = np.asarray(tensor.numpy(), np.float32)
    if not scale.size or not np.isfinite(scale).all() or not (scale > 0).all():
        shown = np.array2string(scale.ravel(), threshold=4, edgeitems=2)
        raise LinearError("HW273", "scale is not a positive number", shown, "finite and > 0")
    return scale


def _constant(value: ir.Value | None, name: str) -> ir.TensorProtocol:
    """Return a parameter's tensor, behind any ``Identity``."""
    while value is not None and (producer := value.producer()) is not None:
        if producer.op_type != "Identity" or not producer.inputs:
            break
        value = producer.inputs[0]
    if value is None or value.const_value is None:
        raise LinearError(
            "HW274",
            f"{name} is not a constant",
            "nothing" if value is None else f"{value.name!r}, which is computed or given",
            "constants",
            "quantise statically, with calibration data; fold constants on export",
        )
    return value.const_value


def wrong_type(found: str) -> LinearError:
    """Return the refusal of a zero point's type."""
    return LinearError(
        "HW272",
        "element type that is not supported",
        f"a zero point of {found}",
        ", ".join(sorted(d.name for d in INTEGERS)),
        "quantise to integers of 2 to 16 bits",
    )


def integer_type(affine: Affine, dtype: ir.DataType | None) -> ir.DataType:
    """Return the type of integers, which has to be that of their zero point.

    Raises:
        LinearError: HW272, it is another, or not one of integers.
    """
    if dtype is None or dtype not in INTEGERS or affine.dtype not in (None, dtype):
        found = "integers of " + ("an unknown type" if dtype is None else dtype.name)
        if affine.dtype is not None:
            found += f", with a zero point of {affine.dtype.name}"
        supported = ", ".join(sorted(d.name for d in INTEGERS))
        raise LinearError("HW272", "element type that is not supported", found, supported)
    return dtype


def not_held(found: str) -> LinearError:
    """Return the refusal of constants that floating point does not hold exactly."""
    return LinearError(
        "HW279",
        "constants whose exact values floating point cannot hold",
        found,
        "integers of up to 29 bits (22 where they are moved), and finite products",
        "quantise biases to fewer bits, or leave them in floating point",
    )


def _spread(
    node: ir.Node,
    scale: F32,
    zero: Whole,
    *,
    dtype: ir.DataType | None,
    rank: int | None,
    shape: tuple[int, ...] | None,
) -> Affine:
    """Return the parameters in a shape that broadcasts against the tensor."""
    if (zero.ravel() == zero.flat[0]).all():
        zero = zero.ravel()[0].reshape(())
    if scale.size == 1:
        return Affine(scale.reshape(()), zero, dtype)
    attribute = node.attributes.get("axis")
    axis = 1 if attribute is None else attribute.as_int()
    if scale.ndim != 1 or rank is None or not -rank <= axis < rank:
        found = f"scales of shape {scale.shape}, axis {axis}, a tensor of rank {rank}"
        raise LinearError("HW275", "scales do not fit the tensor", found, "one scale per index")
    if shape is not None and shape[axis] != scale.size:
        found = f"{scale.size} scales for an axis of {shape[axis]}"
        raise LinearError("HW275", "scales do not fit the tensor", found, "one scale per index")
    full = [1] * rank
    full[axis] = scale.size
    return Affine(scale.reshape(full), zero.reshape(full) if zero.size > 1 else zero, dtype)
