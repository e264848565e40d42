"""Everything that becomes a QONNX model: files, ONNX models in memory, live modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from hwflow.errors import CompileError, Diagnostic
from hwflow.frontends import qonnx
from hwflow.ir.qonnx import QonnxModel

__all__ = ["load"]


def load(source: Any, example: Any = None) -> QonnxModel:
    """Read a model and bring it to the QONNX level.

    Args:
        source: path of an ``.onnx`` file, an ``onnx.ModelProto``, an ``onnx_ir.Model``, or a live
            torch module with Brevitas layers. Models in memory are not changed.
        example: for a torch module, one input (tensor or array, batch axis first, any batch), or a
            tuple of them.

    Returns:
        The model with all quantisers in one domain and a batch axis of 1.

    Raises:
        CompileError: the model cannot be read, or is not a valid model; carries all findings.
    """
    if isinstance(source, QonnxModel):
        return source
    if isinstance(source, (str, Path)):
        return qonnx.read_file(Path(source))
    if isinstance(source, onnx.ModelProto):
        return qonnx.read_proto(source)
    if isinstance(source, ir.Model):
        return qonnx.read_proto(ir.to_proto(source))
    if _is_torch_module(source):
        from hwflow.frontends.brevitas import read_module

        return read_module(source, example)
    finding = Diagnostic(
        code="HW016",
        title="this kind of object is not a model",
        found=f"{type(source).__module__}.{type(source).__qualname__}",
        supported="path of an .onnx file, onnx.ModelProto, onnx_ir.Model, torch module",
    )
    raise CompileError([finding])


def _is_torch_module(source: object) -> bool:
    """Return whether ``source`` is a torch module, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)
