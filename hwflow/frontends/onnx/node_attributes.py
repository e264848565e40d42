"""Which attributes of ONNX nodes are read, and the refusal of all others.

The names are those of https://onnx.ai/onnx/operators and of QONNX's quantisers. An attribute that
is not here, of a newer operator set or of another tool, is refused by its name unless it has the
default that ONNX gives it; a test walks ONNX's own definitions of all versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import onnx

from hwflow.core.errors import Diagnostic
from hwflow.ir.qonnx.model import QONNX_DOMAIN, printable

_WINDOW = ("auto_pad", "dilations", "kernel_shape", "pads", "strides")
_REDUCTION = ("axes", "keepdims", "noop_with_empty_axes")
_RANKING = ("axis", "keepdims", "select_last_index")

READ: dict[str, frozenset[str]] = {
    name: frozenset(attributes)
    for name, attributes in {
        "ArgMax": _RANKING,
        "ArgMin": _RANKING,
        "AveragePool": (*_WINDOW, "ceil_mode", "count_include_pad"),
        "BatchNormalization": ("epsilon", "training_mode"),
        "Celu": ("alpha",),
        "Clip": ("min", "max"),
        "Concat": ("axis",),
        "Conv": (*_WINDOW, "group"),
        "Elu": ("alpha",),
        "ConvTranspose": (*_WINDOW, "group", "output_padding", "output_shape"),
        "DepthToSpace": ("blocksize", "mode"),
        "Flatten": ("axis",),
        "Gather": ("axis",),
        "GatherND": ("batch_dims",),
        "Gelu": ("approximate",),
        "Gemm": ("alpha", "beta", "transA", "transB"),
        "HardSigmoid": ("alpha", "beta"),
        "LeakyRelu": ("alpha",),
        "MaxPool": (*_WINDOW, "ceil_mode"),
        "Pad": ("mode", "pads", "value"),
        "ReduceMax": _REDUCTION,
        "ReduceMean": _REDUCTION,
        "ReduceSum": _REDUCTION,
        "Reshape": (),
        "Resize": ("axes", "coordinate_transformation_mode", "keep_aspect_ratio_policy", "mode",
                   "nearest_mode"),
        "Selu": ("alpha", "gamma"),
        "Slice": ("axes", "starts", "ends"),
        "Softmax": ("axis",),
        "SpaceToDepth": ("blocksize", "mode"),
        "Split": ("axis", "num_outputs", "split"),
        "Squeeze": ("axes",),
        "ThresholdedRelu": ("alpha",),
        "TopK": ("axis", "k", "largest", "sorted"),
        "Transpose": ("perm",),
        "Unsqueeze": ("axes",),
        "Upsample": ("mode", "scales"),
        "QuantizeLinear": ("axis", "block_size", "output_dtype"),
        "DequantizeLinear": ("axis", "block_size", "output_dtype"),
        "Quant": ("signed", "narrow", "rounding_mode"),
        "Trunc": ("signed", "narrow", "rounding_mode"),
        "BipolarQuant": (),
    }.items()
}  # fmt: skip
"""Attributes of operators that have any."""

WITHOUT = frozenset(
    {
        "Abs", "Add", "Div", "Erf", "Exp", "Expand", "GlobalAveragePool", "GlobalMaxPool",
        "HardSwish", "Log",
        "MatMul", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "PRelu", "Pow", "Reciprocal", "Relu",
        "Sigmoid", "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "Tile",
    }
)  # fmt: skip
"""Operators without attributes."""

INERT = {
    "BatchNormalization": frozenset({"momentum"}),  # of training
    "MaxPool": frozenset({"storage_order"}),  # of the indices, a second result that is refused
    # of interpolation, and of places outside, neither of which the nearest element needs
    "Resize": frozenset({"antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value"}),
    "Reshape": frozenset({"allowzero"}),  # of axes of no element, which no value has
    "QuantizeLinear": frozenset({"saturate"}),  # of float8, which is refused
}
"""Attributes that say nothing about what is computed here."""


def check_known(node: onnx.NodeProto, opset: int, place: str) -> Iterator[Diagnostic]:
    """Yield attributes that nothing reads, at values that are not their defaults.

    Args:
        node: node of the model.
        opset: version of the standard operators.
        place: place of the node, for messages.
    """
    name = node.op_type
    if node.domain not in ("", "ai.onnx", QONNX_DOMAIN) or name not in READ.keys() | WITHOUT:
        return
    known = READ.get(name, frozenset()) | INERT.get(name, frozenset())
    for attribute in node.attribute:
        defined = _definition(node, attribute.name, opset)
        if defined is not None and defined.type.value != attribute.type:
            yield _wrong_type(attribute, str(defined.type).rpartition(".")[2], place)
        elif attribute.name not in known and not _is_default(node, attribute, opset):
            value = printable(repr(onnx.helper.get_attribute_value(attribute))[:60])
            yield Diagnostic(
                code="HW034",
                title="an attribute that is not known",
                where=place,
                found=f"{printable(attribute.name)} = {value}",
                supported=", ".join(sorted(known)) or f"{name} without attributes",
                help="export the model without it, or with opset_version=18",
            )


def _definition(node: onnx.NodeProto, name: str, opset: int) -> Any:
    """Return how ONNX defines an attribute of a node, or None where it does not."""
    try:
        return onnx.defs.get_schema(node.op_type, opset, node.domain).attributes.get(name)
    except onnx.defs.SchemaError:
        return None


def _wrong_type(attribute: onnx.AttributeProto, wanted: str, place: str) -> Diagnostic:
    return Diagnostic(
        code="HW034",
        title="an attribute of another type than ONNX defines",
        where=place,
        found=f"{printable(attribute.name)}: "
        f"{onnx.AttributeProto.AttributeType.Name(attribute.type)}",
        supported=wanted,
        help="export the model again",
    )


def _is_default(node: onnx.NodeProto, attribute: onnx.AttributeProto, opset: int) -> bool:
    """Return whether an attribute has the value that ONNX gives it where it is left out."""
    defined = _definition(node, attribute.name, opset)
    if defined is None or not defined.default_value.name:
        return False
    get = onnx.helper.get_attribute_value
    return bool(get(defined.default_value) == get(attribute))
