"""Keras models, with QKeras' layers and quantisers or without: live, or from files.

``environment`` sets TensorFlow up, ``safety`` and ``files`` make a live model of a file without
running code from it, ``model`` walks its layers. ``layers``, ``convolutions`` and ``moves`` convert
one layer each, ``quantizers`` and ``activations`` what stands behind them, ``weights`` the
quantised constants, all to ``writer``. There is no tf2onnx in it: quantisers are read from the
objects that ``predict`` calls.
"""

from __future__ import annotations

from typing import Any

from hwflow.frontends.keras.files import is_keras_path, read_keras_file
from hwflow.frontends.keras.model import convert_model
from hwflow.ir.qonnx.model import QonnxModel

__all__ = ["is_keras_model", "is_keras_path", "read_keras_file", "read_keras_model"]


def is_keras_model(source: object) -> bool:
    """Return whether an object is a model of tf_keras, without importing it."""
    return any(
        cls.__name__ == "Model" and cls.__module__.startswith("tf_keras.")
        for cls in type(source).__mro__
    )


def read_keras_model(model: Any) -> QonnxModel:
    """Read a live Keras model, which is left as it is.

    Raises:
        CompileError: HW035, HW036, TensorFlow cannot be used; and all that ``convert_model`` finds.
    """
    from hwflow.frontends.keras.environment import legacy_keras

    name = str(model.name)
    legacy_keras()
    return convert_model(model, name, name)
