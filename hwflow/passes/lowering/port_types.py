"""The type of an input: set, that of its integers, that of the quantisers behind it, or of data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import onnx_ir

from hwflow.core.config import Config
from hwflow.core.errors import Diagnostic
from hwflow.core.toml_text import toml_text
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import is_quantizer, printable
from hwflow.ir.qonnx.nodes import same_quantizer
from hwflow.passes.model.tails import Tail, closes

DataTypes = Callable[[], Mapping[str, FixedType]]
"""A function that gives the types that data proposes, by input; it reads data when called."""

INTEGER_INPUTS = {
    onnx_ir.DataType.UINT8: FixedType(8, 8, False),
    onnx_ir.DataType.INT8: FixedType(8, 8, True),
    onnx_ir.DataType.UINT16: FixedType(16, 16, False),
    onnx_ir.DataType.INT16: FixedType(16, 16, True),
    onnx_ir.DataType.BOOL: FixedType(1, 1, False),
}

WIDE = FixedType(48, 24, True, Rounding.RND_CONV, Overflow.SAT)
"""Type that stands for real numbers until the quantisers behind an input say its own."""

STAND_IN = FixedType(16, 6, True, Rounding.RND_CONV, Overflow.SAT)
"""Type of an input that is refused, so that the layers behind it can be examined."""


UNKNOWN_TYPE = "HW230"
"""Code of the finding about an input whose type nothing says."""

UNREAD = "real numbers, and no quantiser that alone reads them"
"""An input that is not read by one quantiser, or not by it alone."""

UNTYPED = "real numbers, which the quantisers behind them round as no one type of an input does"
"""An input that quantisers read, in ways that no one fixed-point type stands for."""


def no_data() -> Mapping[str, FixedType]:
    """Return the types of no data."""
    return {}


def known_type(value: onnx_ir.Value, config: Config) -> FixedType | None:
    """Return the type that the user set for an input, or that of its integers."""
    return config.inputs.get(value.name or "") or INTEGER_INPUTS.get(
        value.dtype or onnx_ir.DataType.FLOAT
    )


def first_type(value: onnx_ir.Value, data: DataTypes) -> FixedType | None:
    """Return the type that an input of real numbers starts with, or None where nothing says one."""
    if is_quantized_port(value) and not _differs_by_scale(value.consumers()):
        return WIDE
    return data().get(value.name or "")


def is_quantized_port(value: onnx_ir.Value) -> bool:
    """Return whether nothing but quantisers reads an input."""
    return not value.is_graph_output() and all(
        is_quantizer(node) or is_fixed_quant(node) for node in value.consumers()
    )


def _differs_by_scale(quantizers: Sequence[onnx_ir.Node]) -> bool:
    """Return whether functions of an input's numbers are needed, which no host gives as one type.

    They are tabulated over the numbers that the input has, so that it needs a type before.
    """
    first = quantizers[0] if quantizers else None
    if first is None or all(closes(q) is not Tail.HARD for q in quantizers):
        return False
    return not all(same_quantizer(first, q) for q in quantizers)


def unknown_type(name: str, source: str, found: str) -> Diagnostic:
    """Return the finding about an input of real numbers whose type nothing says.

    Args:
        name: name of the input.
        source: how messages call the model.
        found: why nothing says it.
    """
    section = toml_text({"input": {name: {}}}).strip()
    return Diagnostic(
        code=UNKNOWN_TYPE,
        title="type of an input is not known",
        where=f"input {printable(name)!r}, in {source}",
        found=found,
        supported="one quantiser at the input, data, a type in the settings, an integer input",
        help="give data (--data FILE; in Python compile(..., data=x)), from which the type is "
        f'taken; or set it: {section} type = "ufixed<8,8>" in hwflow.toml is for integers from 0 '
        "to 255; or put a quantiser (Brevitas: QuantIdentity) at the model's input",
    )
