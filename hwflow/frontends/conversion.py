"""Writes any model that can be loaded as a canonical QONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx_ir as ir

from hwflow.frontends import load
from hwflow.frontends.ensemble import save_model
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes


def convert(
    source: Any,
    path: str | Path,
    example: Any = None,
    *,
    weights: str | Path | None = None,
    trust: bool = False,
) -> QonnxModel:
    """Write a model as a QONNX file, all in one file, whole or not at all.

    Quantisers are of the domain ``qonnx.custom_op.general``, every value has its shape, names are
    those of the framework.

    Args:
        source: what ``load`` takes; it is not changed.
        path: path of the file to write.
        example: see ``load``.
        weights: see ``load``.
        trust: see ``load``.

    Returns:
        The model as it was written.

    Raises:
        CompileError: the model cannot be read, or shapes do not fit together; HW003, it is too
            large for one file; HW552, the file cannot be written.
    """
    model = canonical(load(source, example, weights=weights, trust=trust))
    save_model(model, Path(path))
    return model


def canonical(model: QonnxModel) -> QonnxModel:
    """Return a copy of a model without what computes nothing, and with the shapes of all values.

    Raises:
        CompileError: shapes do not fit together.
    """
    copy = _copy(model)
    clean_model(copy)
    _take_shapes(copy, infer_shapes(_copy(copy)))
    return copy


def _copy(model: QonnxModel) -> QonnxModel:
    return QonnxModel(
        ir.from_proto(ir.to_proto(model.ir)), model.name, model.source, model.warnings
    )


def _take_shapes(model: QonnxModel, inferred: QonnxModel) -> None:
    """Record the shapes and types of all values, which were inferred on a copy.

    The inference may fold constants, and with them the quantisers of weights.
    """
    graph = inferred.ir.graph
    known = {v.name: v for v in graph.initializers.values()}
    known |= {v.name: v for node in graph for v in node.outputs}
    for node in model.ir.graph:
        for value in node.outputs:
            if value.name in known:
                value.shape, value.type = known[value.name].shape, known[value.name].type
