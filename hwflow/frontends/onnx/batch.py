"""A batch of fixed size at the inputs is read as a batch of one where no node depends on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import QonnxModel, printable
from hwflow.passes.model.infer_shapes import infer_shapes

TITLE = "the batch of an input is not 1"

Shape = tuple[int, ...]

MEASURED = ("Shape", "Size")
"""Operators whose results follow from the shape of their operand alone."""

_REAL = (ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16)

SHAPED = ("Expand", "Pad", "Reshape", "Resize", "Slice", "Split", "Tile", "Upsample")
"""Operators that take shapes, and numbers of elements, beside an activation."""


def settle_batch(model: QonnxModel) -> Diagnostic | None:
    """Give the inputs a batch of one, whatever the batch was that the model was exported with.

    The shapes of all results are inferred with both. Each has to be the same but for the first
    axis, and a constant ``Reshape`` that names the batch there names 1 from now on.

    Args:
        model: its inputs have fixed shapes of one axis at least; changed in place.

    Returns:
        HW385, a note that says which batch was read as 1; None where it was 1.

    Raises:
        CompileError: HW018, a node depends on the batch, or inputs have different ones; what
            ``infer_shapes`` raises with the recorded batch.
    """
    inputs = model.ir.graph.inputs
    batches = {_shape(value)[0] for value in inputs}
    if batches == {1}:
        return None
    shown = ", ".join(f"{v.name}: {list(_shape(v))}" for v in inputs)
    if len(batches) > 1:
        raise CompileError([_refusal(f"inputs {printable(shown)}", model, f"in {model.source}")])
    (batch,) = batches
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model.ir)
    before = _shapes(model)
    _name_one(model, batch, before)
    for value in inputs:
        value.shape = ir.Shape([1, *_shape(value)[1:]])
    try:
        after = _shapes(model)
    except CompileError as error:
        found = f"without a batch of {batch}, {error.diagnostics[0].found}"
        raise CompileError([_refusal(found, model, f"in {model.source}")]) from error
    finding = next(_dependent(model, batch, before, after), None)
    if finding is not None:
        raise CompileError([finding])
    return Diagnostic(
        code="HW385",
        severity="note",
        title=f"the batch of {batch} that the model was exported with is read as 1",
        where=f"in {model.source}",
        found=printable(shown),
        help="nothing to do: samples do not depend on each other, and the hardware takes them "
        "one by one",
    )


def _shapes(model: QonnxModel) -> dict[str, Shape | None]:
    """Return the shapes of all results that are computed from an input; None for numbers of sizes.

    Sizes that only say how large something is are left out.
    """
    copy = QonnxModel(ir.from_proto(ir.to_proto(model.ir)), model.name, model.source)
    infer_shapes(copy)
    found: dict[str, Shape | None] = {v.name or "": _shape(v) for v in copy.ir.graph.inputs}
    sizes: set[str] = set()
    for node in copy.ir.graph:
        names = {v.name or "" for v in node.inputs if v is not None}
        data = names & found.keys()
        if node.op_type in MEASURED or (names & sizes and not data):
            sizes |= {v.name or "" for v in node.outputs}
            found |= {v.name or "": None for v in node.outputs if v.dtype in _REAL}
        elif data:
            number = names & sizes and node.op_type not in SHAPED
            found |= {v.name or "": None if number else _shape(v) for v in node.outputs}
    return found


def _shape(value: ir.Value) -> Shape:
    return () if value.shape is None else tuple(int(d) for d in value.shape.numpy())


def _name_one(model: QonnxModel, batch: int, shapes: dict[str, Shape | None]) -> None:
    """Write 1 into the shapes of ``Reshape`` nodes that name the batch and keep it first."""
    graph = model.ir.graph
    for node in list(graph):
        if node.domain or node.op_type != "Reshape" or len(node.inputs) != 2:
            continue
        x, wanted = node.inputs
        if x is None or wanted is None or wanted.const_value is None:
            continue
        dims = wanted.const_value.numpy().ravel()
        sides = shapes.get(x.name or ""), shapes.get(node.outputs[0].name or "")
        if not dims.size or dims[0] != batch or any(not s or s[0] != batch for s in sides):
            continue
        name = f"{node.outputs[0].name}_shape_of_one"
        array = np.array([1, *dims[1:]], np.int64)
        new = ir.Value(
            name=name,
            shape=ir.Shape(array.shape),
            type=ir.TensorType(ir.DataType.INT64),
            const_value=ir.tensor(array, name=name),
        )
        graph.register_initializer(new)
        node.replace_input_with(1, new)


def _dependent(
    model: QonnxModel,
    batch: int,
    before: dict[str, Shape | None],
    after: dict[str, Shape | None],
) -> Iterator[Diagnostic]:
    """Yield a finding for each result that is more than one sample after the other."""
    for node in model.ir.graph:
        for name in (v.name for v in node.outputs if v.name in before and v.name in after):
            old, new = before[name], after[name]
            if old is None or new is None:
                found = "a number that is computed from the size of an axis"
            elif old[:1] == (batch,) and new == (1, *old[1:]):
                continue
            else:
                found = f"{list(old)} with a batch of {batch}, {list(new)} with a batch of 1"
                found = f"result of shape {found}"
            yield _refusal(found, model, model.where(node))


def _refusal(found: str, model: QonnxModel, where: str) -> Diagnostic:
    return Diagnostic(
        code="HW018",
        title=TITLE,
        where=where,
        found=found,
        supported="a first axis of 1, an open one, or one that every node keeps as it is",
        help="export with an example input of batch 1",
    )
