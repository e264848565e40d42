"""``load``: the one door for files, ONNX models in memory and live modules."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends import keras, keras3, tflite
from hwflow.frontends.onnx.reader import read_file, read_proto
from hwflow.ir.qonnx.model import QonnxModel


def load(
    source: Any,
    example: Any = None,
    *,
    weights: str | Path | None = None,
    trust: bool = False,
) -> QonnxModel:
    """Read a model and bring it to the QONNX level.

    Args:
        source: path of an ``.onnx`` or ``.tflite`` file or of a Keras model (``.h5``, ``.keras``,
            ``.json``, a SavedModel), an ``onnx.ModelProto``, an ``onnx_ir.Model``, or a live Keras
            model or torch module with Brevitas layers. Models in memory are not changed.
        example: for a torch module, one input (tensor or array, batch axis first, any batch), or a
            tuple of them.
        weights: the file with the weights of a Keras ``.json``, if not the one beside it.
        trust: let a Keras file name what runs code of its own.

    Returns:
        The model with all quantisers in one domain and a batch axis of 1.

    Raises:
        CompileError: the model cannot be read, or is not a valid model; carries all findings.
    """
    if isinstance(source, QonnxModel):
        return source
    if isinstance(source, (str, Path)):
        return _read_path(Path(source), weights, trust)
    if isinstance(source, onnx.ModelProto):
        return read_proto(source)
    if isinstance(source, ir.Model):
        return read_proto(ir.to_proto(source))
    if keras3.is_keras_3_model(source):  # a torch module, too, where torch is Keras' backend
        return keras3.read_keras_3_model(source)
    if _is_torch_module(source):
        from hwflow.frontends.brevitas.export import read_module

        return read_module(source, example)
    if keras.is_keras_model(source):
        return keras.read_keras_model(source)
    finding = Diagnostic(
        code="HW016",
        title="this kind of object is not a model",
        found=f"{type(source).__module__}.{type(source).__qualname__}",
        supported="path of a file, onnx.ModelProto, onnx_ir.Model, Keras model, torch module",
    )
    raise CompileError([finding])


def _read_path(path: Path, weights: str | Path | None, trust: bool) -> QonnxModel:
    """Return the model in a file or folder, read by what its name says it is."""
    if keras3.is_keras_3(path):
        return keras3.read_keras_3_file(path)
    if keras.is_keras_path(path):
        return keras.read_keras_file(path, Path(weights) if weights else None, trust=trust)
    if path.suffix.lower() == ".tflite":
        return tflite.read_file(path)
    return read_file(path)


def _is_torch_module(source: object) -> bool:
    """Return whether ``source`` is a torch module, without importing torch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(source, torch.nn.Module)
