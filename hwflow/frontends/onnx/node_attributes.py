"""Which attributes of ONNX nodes are read, and the refusal of all others.

Operators say which they know (``Op.attributes``), by the names of
https://onnx.ai/onnx/operators and of QONNX's quantisers. Any other attribute, of a newer operator
set or of another tool, is refused by its name unless it has the default that ONNX gives it; a test
walks ONNX's own definitions of all versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import onnx

from hwflow.core.errors import Diagnostic
from hwflow.ir.op import Op
from hwflow.ir.qonnx.model import QONNX_DOMAIN, printable
from hwflow.ops.shared.window import WINDOW_ATTRIBUTES

RECURRENT = (
    "activation_alpha", "activation_beta", "activations", "clip", "direction", "hidden_size",
    "input_forget", "layout", "linear_before_reset", "output_sequence",
)  # fmt: skip
"""Attributes of recurrent layers, which the unrolling reads.

``output_sequence``, of operator set 6, changes no value: it said whether ``Y`` is wanted.
"""

OTHERS: dict[str, tuple[str, ...]] = {
    "ConvTranspose": (*WINDOW_ATTRIBUTES, "group", "output_padding", "output_shape"),
    "DepthToSpace": ("blocksize", "mode"),
    "DequantizeLinear": ("axis", "block_size", "output_dtype"),
    "GatherND": ("batch_dims",),
    **dict.fromkeys(("GRU", "LSTM", "RNN"), RECURRENT),
    "QuantizeLinear": ("axis", "block_size", "output_dtype", "saturate"),
    **dict.fromkeys(
        ("ReduceL1", "ReduceL2", "ReduceSumSquare"), ("axes", "keepdims", "noop_with_empty_axes")
    ),
    "SpaceToDepth": ("blocksize", "mode"),
    "Split": ("axis", "num_outputs", "split"),
}
"""Attributes of what is written as other operators; ``saturate`` is of float8, which is refused."""


@cache
def known_attributes(name: str) -> frozenset[str] | None:
    """Return the attributes of a standard or QONNX operator that are read, or say nothing here.

    None for an operator that hwflow does not know.
    """
    for cls in Op.registry.values():
        if name in cls.onnx:
            return frozenset(cls.attributes.get(name, ()))
    return frozenset(OTHERS[name]) if name in OTHERS else None


def check_known(node: onnx.NodeProto, opset: int, place: str) -> Iterator[Diagnostic]:
    """Yield attributes that nothing reads, at values that are not their defaults.

    Args:
        node: node of the model.
        opset: version of the standard operators.
        place: place of the node, for messages.
    """
    name = node.op_type
    known = known_attributes(name)
    if known is None or node.domain not in ("", "ai.onnx", QONNX_DOMAIN):
        return
    for attribute in node.attribute:
        if attribute.ref_attr_name:
            continue  # its value is that of the call; outside of functions it is refused
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
