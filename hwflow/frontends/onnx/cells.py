"""Recurrent operators of exporters that are no operators of ONNX."""

from __future__ import annotations

from hwflow.core.errors import Diagnostic


def cell_of_brevitas(where: str) -> Diagnostic:
    """Return the refusal of what Brevitas exports a ``QuantLSTM`` as.

    Args:
        where: the node and its model.
    """
    return Diagnostic(
        code="HW384",
        title="recurrent operator that cannot be unrolled",
        where=where,
        found="QuantLSTM of Brevitas, as one operator",
        supported="cells of Brevitas layers in a loop, which the exporter unrolls",
        help="write the cell in forward, with QuantLinear, QuantSigmoid, QuantTanh and "
        "QuantIdentity (docs/recurrent.md has one)",
    )
