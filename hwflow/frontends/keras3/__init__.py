"""Keras 3 models, of HGQ2's layers or of Keras' own: live, or from ``.keras`` files.

``archive`` reads a file's configuration and arrays, ``model`` walks the calls of its layers,
``hgq`` and ``quantizers`` convert what HGQ adds; the layers of Keras are converted by
``hwflow.frontends.keras``. Neither Keras nor HGQ is imported: a file is data, no code of it is run,
and hwflow need not share an environment with either. A live model is saved and read.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from hwflow.frontends.keras3.archive import DamagedError, damaged, is_keras_3, read_archive
from hwflow.frontends.keras3.model import Arrays, convert_config
from hwflow.ir.qonnx.model import QonnxModel, printable

__all__ = ["is_keras_3", "is_keras_3_model", "read_keras_3_file", "read_keras_3_model"]


def is_keras_3_model(source: object) -> bool:
    """Return whether an object is a model of Keras 3, without importing it."""
    return any(
        cls.__name__ == "Model" and cls.__module__.startswith("keras.src.models.")
        for cls in type(source).__mro__
    )


def read_keras_3_file(path: Path) -> QonnxModel:
    """Read a ``.keras`` file that Keras 3 wrote.

    Raises:
        CompileError: HW038, the file is damaged, and all that ``convert_config`` finds.
    """
    return _read(path, printable(path.stem), printable(path.name), {})


def read_keras_3_model(model: Any) -> QonnxModel:
    """Read a live Keras 3 model, which is left as it is.

    Raises:
        CompileError: HW038, Keras cannot save it, and all that ``convert_config`` finds.
    """
    name = printable(str(model.name))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        try:
            model.save(path)
            evaluated = _evaluated(model, "")
        except Exception as error:  # saving runs code of any layer, which may raise anything
            raise damaged(name, str(error)) from error
        return _read(path, name, name, evaluated)


def _read(path: Path, name: str, source: str, evaluated: Arrays) -> QonnxModel:
    try:
        config, group = read_archive(path)
    except DamagedError as error:
        raise damaged(source, str(error)) from error
    return convert_config(config, group, name, source, evaluated)


def _evaluated(model: Any, prefix: str) -> dict[str, dict[str, Any]]:
    """Return quantised weights and functions of HGQ's layers as the live model computes them.

    Where batch normalisation goes into weights, float32 rounds, and backends differ in its order.
    A layer that is frozen limits weights where a trained one only rounds them.
    """
    found: dict[str, dict[str, Any]] = {}
    for layer in model.layers:
        path = f"{prefix}{layer.name}"
        if type(layer).__module__.startswith("hgq.") and hasattr(layer, "kq"):
            norm = type(layer).__name__ == "QBatchNormalization"
            pair = layer.qscaler_and_qoffset if norm else (layer.qkernel, layer.qbias)
            named = zip(("qkernel", "qbias"), pair, strict=True)
            found[path] = {name: _array(a) for name, a in named if a is not None}
        elif type(layer).__module__.startswith("hgq.") and hasattr(layer, "exp_table"):
            parts = {name: getattr(layer, name) for name in ("exp_table", "inv_table")}
            found[path] = {name: partial(_numbers, part) for name, part in parts.items()}
        elif type(layer).__name__ in ("QUnaryFunctionLUT", "QAffinedUnaryFunctionLUT"):
            found[path] = {"table": partial(_numbers, layer)}
        elif type(layer).__module__.startswith("hgq.layers.table."):
            found[path] = {"sub_tables": partial(_sub_numbers, layer)}
        elif hasattr(layer, "layers"):
            found |= _evaluated(layer, f"{path}.")
    return found


def _numbers(layer: Any, points: Any) -> Any:
    """Return what the function of a live layer gives for float32 operands."""
    x = sys.modules["keras"].ops.convert_to_tensor(points)  # there is no live model without Keras
    if type(layer).__name__ == "QAffinedUnaryFunctionLUT":
        x = x * layer.scale + layer.bias
    return _array(layer.activation(x))


def _sub_numbers(layer: Any, points: Any) -> Any:
    """Return what the networks inside of a live table layer give for float32 operands.

    As ``QDenseT.call`` and ``QEinsumDenseT.call`` do before they quantise (HGQ2 0.2).
    """
    x = sys.modules["keras"].ops.convert_to_tensor(points)
    found = layer.module(x[..., None], training=False)
    if hasattr(layer, "_apply_batch_norm"):
        found = layer._apply_batch_norm(found, training=False)
    elif layer.enable_bn:
        found = layer.bn_module(found, training=False) / sqrt(layer.n_in)
    return _array(found)


def _array(value: Any) -> Any:
    """Return a tensor of whatever backend as numpy's float32."""
    detached = value.detach().cpu() if hasattr(value, "detach") else value
    return np.asarray(detached, np.float32)
