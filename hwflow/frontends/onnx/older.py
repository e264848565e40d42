"""Models of opsets 6 to 8 are brought to opset 9 by ONNX's own version converter.

Broadcasting, the slopes of PRelu and the test modes of BatchNormalization and Dropout got another
meaning with opset 7 (https://onnx.ai/onnx/operators, versions 1, 6 and 7 of these). The converter
(ONNX 1.19 to 1.22) does not bring these over rightly, so that models of opset 6 that use them are
refused here.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import onnx
from onnx import version_converter

from hwflow.core.errors import Diagnostic
from hwflow.frontends.onnx.checks import OLDEST_OPSET, STANDARD_DOMAINS
from hwflow.frontends.onnx.tensor_checks import node_label
from hwflow.ir.qonnx.model import printable

OLDEST_CONVERTED = 6
"""Oldest opset that the converter knows nearly all operators of."""

TESTED = ("BatchNormalization", "Dropout")
"""Operators that were told from training by ``is_test`` before opset 7."""


def is_older(proto: onnx.ModelProto) -> bool:
    """Return whether a model is of an opset that is read by way of a newer one."""
    found = {o.version for o in proto.opset_import if o.domain in STANDARD_DOMAINS}
    return len(found) == 1 and OLDEST_CONVERTED <= min(found) < OLDEST_OPSET


def brought_over(proto: onnx.ModelProto, source: str) -> tuple[onnx.ModelProto, list[Diagnostic]]:
    """Return an older model in the oldest opset that is read, and why it cannot be brought there.

    Args:
        proto: a model for which ``is_older`` holds, its structure checked; it is not changed.
        source: how diagnostics call it.

    Returns:
        The new model, or the same with findings: HW386.
    """
    (version,) = {o.version for o in proto.opset_import if o.domain in STANDARD_DOMAINS}
    findings = list(_changed(proto.graph, f"in {source}")) if version < 7 else []
    if findings:
        return proto, findings
    try:
        return version_converter.convert_version(proto, OLDEST_OPSET), []
    except Exception as error:  # whatever its C++ throws at a stranger's model
        reason = printable(str(error).strip().splitlines()[-1], 200)
        return proto, [_refusal(f"opset {version}: {reason}", f"in {source}")]


def _changed(graph: onnx.GraphProto, where: str) -> Iterator[Diagnostic]:
    """Yield the nodes of opset 6 that the converter would change the meaning of."""
    sizes = {t.name: prod(t.dims) for t in graph.initializer}
    for node in graph.node:
        if node.domain not in STANDARD_DOMAINS:
            continue
        given = {a.name: a for a in node.attribute}
        problem = ""
        if "axis" in given and "broadcast" in given:
            problem = "broadcasting along an axis that is named"
        elif node.op_type == "PRelu" and sizes.get(node.input[1], 0) != 1:
            problem = "slopes that differ between channels"
        elif node.op_type in TESTED and ("is_test" not in given or given["is_test"].i == 0):
            problem = "training (is_test = 0)"
        if problem:
            yield _refusal(f"opset 6: {problem}", f"{node_label(node)}, {where}")


def _refusal(found: str, where: str) -> Diagnostic:
    return Diagnostic(
        code="HW386",
        title="a model of an older opset that cannot be brought to a newer one",
        where=where,
        found=found,
        supported=f"opsets from {OLDEST_OPSET} on, and older ones of which ONNX's version "
        "converter keeps the meaning",
        help="export the model again with opset_version=18",
    )
