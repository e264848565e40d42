"""Operators of qonnx beside its quantisers, written as standard ones before anything is checked.

They are what qonnx itself executes (qonnx 1.0.0, ``qonnx.custom_op.channels_last`` and
``qonnx.custom_op.general``): the standard operator between transpositions, slices, a sum whose last
bits are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from hwflow.core.errors import Diagnostic
from hwflow.frontends.onnx.qonnx_writer import Forms, UnknownFormError
from hwflow.frontends.onnx.tensor_checks import node_label
from hwflow.ir.qonnx import steps
from hwflow.ir.qonnx.model import QONNX_DOMAIN, printable
from hwflow.ops import by_onnx

CHANNELS_LAST = "qonnx.custom_op.channels_last"
"""Domain of standard operators on values with their channels last."""

LAST_TYPES = ("BatchNormalization", "Conv", "MaxPool")
"""Operators that qonnx has in that domain."""

WIDEST = 32
"""Bits of a quantiser that only rounds: sums of pixels have far fewer."""


Form = Callable[[Forms, onnx.NodeProto], None]


def with_standard_forms(
    proto: onnx.ModelProto, source: str
) -> tuple[onnx.ModelProto, list[Diagnostic]]:
    """Return a model in which the operators of this module are standard ones.

    Args:
        proto: the model, nothing of it checked; it is not changed.
        source: how diagnostics call it.

    Returns:
        The same where it has none of them; with HW388 for those that are not as qonnx writes them.
    """
    if not any(_form_of(node) for node in proto.graph.node):
        return proto, []
    forms, findings = Forms(proto), []
    for node in proto.graph.node:
        form = _form_of(node)
        if form is None:
            forms.place(node)
            continue
        try:
            form(forms, node)
        except UnknownFormError as problem:
            findings.append(_refusal(node, str(problem), source))
        except (IndexError, ValueError, TypeError, AttributeError):
            reason = "operands or attributes of another number or kind"
            findings.append(_refusal(node, reason, source))
    return (proto if findings else forms.done()), findings


def _refusal(node: onnx.NodeProto, found: str, source: str) -> Diagnostic:
    return Diagnostic(
        code="HW388",
        title=f"{printable(node.op_type)} in a form that is not known",
        where=f"{node_label(node)}, in {source}",
        found=found,
        supported="attributes and operands as in qonnx 1.0.0",
        help="record shapes with qonnx.util.cleanup, and take away what a backend added",
    )


def _form_of(node: onnx.NodeProto) -> Form | None:
    if len(node.output) != 1 or not node.input or f"{node.domain}::{node.op_type}" in by_onnx():
        return None
    if node.domain == CHANNELS_LAST:
        return _channels_last if node.op_type in LAST_TYPES else None
    return FORMS.get(node.op_type) if node.domain in GENERAL else None


def _channels_last(forms: Forms, node: onnx.NodeProto) -> None:
    """Write a standard operator between transpositions; the weights of a Conv are turned, too."""
    given = _given(node)
    kernel = given.get("kernel_shape")
    rank = len(kernel) + 2 if kernel is not None else forms.rank(node.input[0])
    if rank < 3:
        raise UnknownFormError(f"{rank} axes")
    turned = 2 if node.op_type == "Conv" else 1
    inputs = [
        forms.add(node, "Transpose", [name], perm=_first(rank)) if i < turned else name
        for i, name in enumerate(node.input)
    ]
    forms.add(node, "Transpose", [forms.keep(node, inputs)], last=True, perm=_last(rank))


def _first(rank: int) -> list[int]:
    return [0, rank - 1, *range(1, rank - 1)]


def _last(rank: int) -> list[int]:
    return [0, *range(2, rank), 1]


def _pooled(forms: Forms, node: onnx.NodeProto) -> None:
    """Write ``QuantAvgPool2d``: the sum of a window, without its last bits, is the mean."""
    given = _only(node, "stride", "kernel", "ibits", "obits", "signed", "data_layout")
    kernel, stride = (int(given[name]) for name in ("kernel", "stride"))
    layout = given.get("data_layout", b"NCHW")
    if layout not in (b"NCHW", b"NHWC") or kernel < 1 or stride < 1:
        raise UnknownFormError(f"data_layout {layout!r}, kernel {kernel}, stride {stride}")
    largest = (2 ** int(given["ibits"]) - 1) * kernel**2
    dropped = max(largest.bit_length() - int(given["obits"]), 0)
    x = node.input[0]
    if layout == b"NHWC":
        x = forms.add(node, "Transpose", [x], perm=_first(4))
    window: dict[str, Any] = {"kernel_shape": [kernel] * 2, "strides": [stride] * 2}
    mean = forms.add(node, "AveragePool", [x], **window)
    count = forms.constant(node, "count", kernel**2, np.float32)
    total = forms.add(node, "Mul", [mean, count])
    for scale, mode in ((1.0, "ROUND"), (2.0**dropped, "FLOOR")):
        parts = [forms.constant(node, n, v, np.float32)
                 for n, v in (("scale", scale), ("zero", 0), ("bits", WIDEST))]  # fmt: skip
        rounding: dict[str, Any] = {"signed": 1, "narrow": 0, "rounding_mode": mode}
        total = forms.add(node, "Quant", [total, *parts], domain=QONNX_DOMAIN, **rounding)
    share = forms.constant(node, "share", 2.0**-dropped, np.float32)
    turned = layout == b"NHWC"
    total = forms.add(node, "Mul", [total, share], last=not turned)
    if turned:
        forms.add(node, "Transpose", [total], last=True, perm=_last(4))


def _windows(forms: Forms, node: onnx.NodeProto) -> None:
    """Write ``Im2Col``: the pixels at one place of all windows are a slice with steps."""
    given = _only(
        node, "stride", "kernel_size", "input_shape", "pad_amount", "pad_value", "depthwise",
        "dilations",
    )  # fmt: skip
    text = given["input_shape"].decode()
    shape = [int(part) for part in text.strip("()[] ").split(",")]
    pads = list(given.get("pad_amount", [0] * 4))
    strides, kernel, gaps = given["stride"], given["kernel_size"], given.get("dilations", [1, 1])
    if forms.opset < 11:
        raise UnknownFormError(f"opset {forms.opset}, which has no slices with steps")
    lengths = [len(v) for v in (shape, pads, strides, kernel, gaps)]
    if lengths != [4, 4, 2, 2, 2]:
        raise UnknownFormError("attributes of other lengths")
    x = node.input[0]
    if any(pads):
        around = [0, pads[0], pads[1], 0, 0, pads[2], pads[3], 0]
        value = forms.constant(node, "value", given.get("pad_value", 0), np.float32)
        x = forms.add(node, "Pad", [x, forms.constant(node, "pads", around, np.int64), value])
    counts = [
        (shape[i + 1] + pads[i] + pads[i + 2] - gaps[i] * (kernel[i] - 1) - 1) // strides[i] + 1
        for i in (0, 1)
    ]
    if min(*counts, *kernel, *gaps, *strides) < 1 or prod(kernel) > MOST_PLACES:
        raise UnknownFormError(f"windows of {list(kernel)} on {shape}")
    parts = []
    for place in np.ndindex(*kernel):
        starts = [at * step for at, step in zip(place, gaps, strict=True)]
        ends = [s + (n - 1) * d + 1 for s, n, d in zip(starts, counts, strides, strict=True)]
        limits = {"starts": starts, "ends": ends, "axes": [1, 2], "steps": strides}
        operands = [forms.constant(node, n, v, np.int64) for n, v in limits.items()]
        parts.append(forms.add(node, "Slice", [x, *operands]))
    forms.add(node, "Concat", parts, last=True, axis=3)


def _thresholds(forms: Forms, node: onnx.NodeProto) -> None:
    """Write ``MultiThreshold`` as ``Steps``, whose thresholds say themselves where channels are."""
    given = _only(node, "out_dtype", "out_scale", "out_bias", "data_layout")
    layout = given.get("data_layout", b"").decode()
    x, thresholds = node.input
    if not layout and forms.rows(thresholds) != 1:
        layout = {3: "NWC", 4: "NCHW"}.get(forms.rank(x), "NC" + "x" * (forms.rank(x) - 2))
    channel = layout.index("C") if "C" in layout else 1
    behind = max(len(layout) - channel - 1, 0)
    if behind:
        shape = forms.constant(node, "shape", [0, *[1] * behind, -1], np.int64)
        thresholds = forms.add(node, "Reshape", [thresholds, shape])
    numbers = {"scale": given.get("out_scale", 1.0), "bias": given.get("out_bias", 0.0)}
    forms.functions[steps.OP] = steps.function
    forms.add(node, steps.OP, [x, thresholds], last=True, domain=steps.DOMAIN,
              **{name: float(value) for name, value in numbers.items()})  # fmt: skip


MOST_PLACES = 1024
"""Most pixels of a window that is written as slices."""


def _given(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def _only(node: onnx.NodeProto, *known: str) -> dict[str, Any]:
    """Return the attributes of a node.

    Raises:
        UnknownFormError: one is not known, or lacks; the backend's own are left out.
    """
    given = _given(node)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UnknownFormError(f"attributes {printable(', '.join(unknown))}")
    return _Required(given)


class _Required(dict[str, Any]):
    def __missing__(self, key: str) -> Any:
        raise UnknownFormError(f"no attribute {key}")


GENERAL = (QONNX_DOMAIN, "finn.custom_op.general")
"""Domains of qonnx's other operators, now and before."""

FORMS: dict[str, Form] = {
    "Im2Col": _windows,
    "MultiThreshold": _thresholds,
    "QuantAvgPool2d": _pooled,
}
"""What is written for operators of these domains."""
