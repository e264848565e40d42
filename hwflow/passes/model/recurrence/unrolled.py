"""Model pass for float models: every recurrent operator becomes the steps of its cell."""

from __future__ import annotations

import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.fold_constants import fold_constants
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.passes.model.recurrence.batch_first import Twin, Twins
from hwflow.passes.model.recurrence.layer import Steps, write_steps
from hwflow.passes.model.recurrence.reading import GATES, Recurrence, read_recurrence
from hwflow.passes.model.rewrites.writer import Rewriter


def unroll(model: QonnxModel) -> QonnxModel:
    """Write every ``RNN``, ``LSTM`` and ``GRU`` as the steps that it stands for.

    The same real numbers come of it, with the batch as the first axis of every value.

    Args:
        model: with known shapes and folded constants.

    Returns:
        The same model, changed in place; with known shapes and folded constants.

    Raises:
        CompileError: HW384, an operator cannot be unrolled; HW381, its sequence is too long.
    """
    if not any(is_recurrent(node) for node in model.ir.graph):
        return model
    twins, findings = Twins(model), list[Diagnostic]()
    for node in list(model.ir.graph):
        if not is_recurrent(node):
            twins.follow(node)
            continue
        try:
            _unroll(twins, node, read_recurrence(model, node))
        except CompileError as error:
            findings += error.diagnostics
    if findings:
        raise CompileError(findings)
    twins.turn_back()
    return infer_shapes(fold_constants(infer_shapes(clean_model(model))))


def is_recurrent(node: ir.Node) -> bool:
    """Return whether a node is a recurrent operator of ONNX."""
    return not node.domain and node.op_type in GATES


def _unroll(twins: Twins, node: ir.Node, of: Recurrence) -> None:
    """Write the steps of a recurrent operator, and twins of its results.

    Their batch is ONNX's axis 2, 1 and 1, or 0 with ``layout = 1``.
    """
    write = Rewriter(twins.model, node)
    assert node.inputs[0] is not None
    x = twins.of(write, node.inputs[0], 0 if of.layout else 1)
    ways = [write_steps(write, of, way, x) for way in of.directions]
    sequence, *last = node.outputs
    if sequence.uses() or sequence.is_graph_output():
        twins.put(sequence, _sequence(write, of, ways))
    for which, value in enumerate(last):
        if value.uses() or value.is_graph_output():
            rows = [_axis(write, s, of.units) for s in (w.last[which] for w in ways) if s]
            joined = rows[0] if len(rows) == 1 else write.add("Concat", rows, axis=1)
            twins.put(value, Twin(joined, 0 if of.layout else 1))


def _sequence(write: Rewriter, of: Recurrence, ways: list[Steps]) -> Twin:
    """Write the hidden states of all steps as one value, (batch, steps, directions, units)."""
    rows = [
        parts[0] if len(parts) == 1 else write.add("Concat", parts, axis=1)
        for parts in zip(*(w.results for w in ways), strict=True)
    ]
    size = len(ways) * of.units
    tall = [_axis(write, row, size) for row in rows]
    joined = tall[0] if len(tall) == 1 else write.add("Concat", tall, axis=1)
    shape = [0, of.steps, len(ways), of.units]
    joined = write.add("Reshape", [joined, write.integers("shape", shape)])
    return Twin(joined, 0 if of.layout else 2, tuple(rows))


def _axis(write: Rewriter, x: ir.Value, size: int) -> ir.Value:
    """Append an axis of one in front of the last."""
    return write.add("Reshape", [x, write.integers("shape", [0, 1, size])])
