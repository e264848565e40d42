"""Reads what a QONNX quantiser computes from its node, and checks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir

from hwflow.core.errors import Diagnostic, did_you_mean
from hwflow.ir.qonnx.model import attributes, constant_of
from hwflow.ir.qonnx.quantizer import ALIASES, F64, MAX_BIT_WIDTH, ROUNDING, Quantizer


class InvalidQuantizerError(Exception):
    """Everything that is wrong with a quantiser node; ``read_quantizer`` raises it."""

    def __init__(self, diagnostics: list[Diagnostic]) -> None:
        self.diagnostics = diagnostics
        super().__init__("\n".join(str(d) for d in diagnostics))


_INPUTS = {
    ("Quant", 4): ("X", "scale", "zero point", "bit width"),
    ("BipolarQuant", 2): ("X", "scale"),
    ("Trunc", 5): ("X", "scale", "zero point", "input bit width", "bit width"),
    ("Trunc", 6): (
        "X",
        "scale",
        "zero point",
        "input bit width",
        "output scale",
        "bit width",
    ),
}


def read_quantizer(node: ir.Node, where: str) -> Quantizer:
    """Return what a ``Quant``, ``BipolarQuant`` or ``Trunc`` node computes.

    Args:
        node: the node; its parameters must be initializers by now.
        where: for the diagnostics.

    Raises:
        InvalidQuantizerError: with codes HW020 (not constant), HW021 (scale), HW022 (bit width),
            HW023 (rounding mode), HW024 (zero point), HW025 (number of inputs).
    """
    names = _INPUTS.get((node.op_type, len(node.inputs)))
    if names is None or any(value is None for value in node.inputs):
        counts = " or ".join(str(n) for op, n in _INPUTS if op == node.op_type)
        title = f"{node.op_type} has the wrong number of inputs"
        found = str(sum(value is not None for value in node.inputs))
        raise InvalidQuantizerError(
            [
                Diagnostic(
                    code="HW025",
                    title=title,
                    where=where,
                    found=found,
                    supported=counts,
                )
            ]
        )
    values: dict[str, F64] = {}
    missing = []
    for name, value in zip(names[1:], node.inputs[1:], strict=True):
        constant = constant_of(value) if value is not None else None
        if constant is None:
            missing.append(_not_constant(name, where))
        else:
            values[name] = constant.values
    if missing:
        raise InvalidQuantizerError(missing)
    attrs = attributes(node)
    findings = [
        *_check_values(values, where),
        *_check_mode(attrs.get("rounding_mode"), where),
    ]
    if findings:
        raise InvalidQuantizerError(findings)
    return _build(node.op_type, values, attrs)


def _not_constant(name: str, where: str) -> Diagnostic:
    return Diagnostic(
        code="HW020",
        title=f"{name} of a quantiser is computed at run time",
        where=where,
        supported="constants",
        help="train with a static (frozen) quantiser; a scale that follows the data has no "
        "fixed-point type",
    )


def _check_values(values: dict[str, F64], where: str) -> Iterator[Diagnostic]:
    """Yield what is wrong with scales, zero point and bit widths."""
    for name, array in values.items():
        shown = np.array2string(array.ravel(), threshold=4, edgeitems=2)
        if "scale" in name and not (array.size and np.all(array > 0) and np.all(array < np.inf)):
            title = f"{name} of a quantiser is not a positive number"
            yield Diagnostic(
                code="HW021",
                title=title,
                where=where,
                found=shown,
                supported="finite and > 0",
            )
        if "bit width" in name and not _is_width(array):
            supported = f"one whole number from 1 to {MAX_BIT_WIDTH}"
            title = f"{name} of a quantiser is not supported"
            yield Diagnostic(
                code="HW022", title=title, where=where, found=shown, supported=supported
            )
        if name == "output scale" and not _is_one_ratio(array, values["scale"]):
            title = "output scale of a Trunc has no one ratio to its scale"
            yield Diagnostic(code="HW021", title=title, where=where, found=shown)
        if name == "zero point" and not np.all(array == np.rint(array)):
            title = "zero point of a quantiser is not a whole number"
            yield Diagnostic(
                code="HW024", title=title, where=where, found=shown, supported="whole numbers"
            )


def _is_one_ratio(array: F64, scale: F64) -> bool:
    """Return whether one and the same power of two lies between two arrays of scales."""
    if not (np.all(array > 0) and np.all(scale > 0)):
        return True  # reported as a scale that is not positive
    try:
        return np.unique(np.rint(np.log2(array / scale))).size == 1
    except ValueError:
        return False


def _is_width(array: F64) -> bool:
    """Return whether an array is a single legal bit width."""
    width = float(array.flat[0]) if array.size == 1 else 0.0
    return width == int(width) and 1 <= width <= MAX_BIT_WIDTH


def _check_mode(mode: object, where: str) -> Iterator[Diagnostic]:
    """Yield a diagnostic where the rounding mode is not one of QONNX's."""
    known = (*ROUNDING, *ALIASES)
    if mode is None or (isinstance(mode, str) and mode.upper() in known):
        return
    yield Diagnostic(
        code="HW023",
        title="unknown rounding mode",
        where=where,
        found=f'rounding_mode = "{mode}"',
        supported=", ".join(known),
        help=did_you_mean(str(mode).upper(), known),
    )


def _build(kind: str, values: dict[str, F64], attrs: dict[str, object]) -> Quantizer:
    """Return the quantiser for parameters that were checked."""
    mode = str(attrs.get("rounding_mode", "FLOOR" if kind == "Trunc" else "ROUND")).upper()
    scale = values["scale"]
    if kind == "BipolarQuant":
        return Quantizer(
            kind=kind, scale=scale, zero_point=np.zeros(()), bit_width=1, signed=True,
            narrow=False, rounding="ROUND",
        )  # fmt: skip
    width = int(values["bit width"].flat[0])
    truncated, output_scale = 0, None
    if kind == "Trunc":
        output_scale = values.get("output scale", scale)
        if "output scale" in values:
            truncated = int(np.rint(np.log2(np.max(output_scale) / np.max(scale))))
        else:
            truncated = int(values["input bit width"].flat[0]) - width
    return Quantizer(
        kind=kind,
        scale=scale,
        zero_point=values["zero point"],
        bit_width=width,
        signed=bool(attrs.get("signed", 1)),
        narrow=bool(attrs.get("narrow", 0)),
        rounding=ALIASES.get(mode, mode),
        truncated_bits=truncated,
        output_scale=output_scale,
        clamps=kind != "Trunc" or "output scale" in values,
    )


def quantizer_of(kind: str, parameters: Sequence[F64], attrs: Mapping[str, object]) -> Quantizer:
    """Return what a quantiser node computes whose parameters were checked before.

    Args:
        kind: the operator's name.
        parameters: all inputs but the first, in the node's order.
        attrs: the node's attributes.
    """
    names = _INPUTS[kind, len(parameters) + 1][1:]
    return _build(kind, dict(zip(names, parameters, strict=True)), dict(attrs))


def same_quantizer(a: ir.Node, b: ir.Node) -> bool:
    """Return whether two quantiser nodes, whose parameters are constant, compute the same."""
    if a.op_type != b.op_type or attributes(a) != attributes(b) or len(a.inputs) != len(b.inputs):
        return False
    return all(
        _same_constant(u, v)
        for u, v in zip(a.inputs[1:], b.inputs[1:], strict=True)
        if u is not None and v is not None
    )


def _same_constant(a: ir.Value, b: ir.Value) -> bool:
    one, other = constant_of(a), constant_of(b)
    return one is not None and other is not None and np.array_equal(one.values, other.values)
