"""Findings about layers that are approximate through no nature of theirs."""

from __future__ import annotations

from collections.abc import Iterator

from hwflow.core.errors import Diagnostic
from hwflow.ir.graph import Graph
from hwflow.ir.qonnx.model import printable
from hwflow.ops.scale_bias import ScaleBias


def rounding_warnings(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a warning for each layer without a quantiser behind it whose constants are rounded."""
    for node in graph.nodes:
        op = node.op
        if not isinstance(op, ScaleBias) or op.rounded is None or op.result_t is not None:
            continue
        found = op.inexact(*graph.input_types(node))
        assert found is not None  # its constants are rounded
        yield Diagnostic(
            code="HW240",
            severity="warning",
            title="constants of a layer are rounded",
            where=f"{node.name}: {op.kind}, made from {printable(node.origin or node.name)}",
            found=f"{found.why}; results are at most {found.bound:.3g} off",
            supported="any constants where a quantiser stands behind the layer",
            help="put a quantiser behind it, or accept an approximate result",
        )
