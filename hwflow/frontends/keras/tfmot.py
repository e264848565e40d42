"""Models of TensorFlow Model Optimization: refused at once, with the way that reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.qonnx.model import printable

PACKAGE = "tensorflow_model_optimization"

QUANTIZING = frozenset(
    {
        "QuantizeWrapper", "QuantizeWrapperV2", "QuantizeLayer", "QuantizeAnnotate",
        "OutputQuantizeConfig",
    }
)  # fmt: skip
"""Classes of its quantisation-aware training."""

STRIPPED = {
    "PruneLowMagnitude": "tfmot.sparsity.keras.strip_pruning(model)",
    "ClusterWeights": "tfmot.clustering.keras.strip_clustering(model)",
}
"""Wrappers that serve training alone, and what takes them off."""

TO_TFLITE = (
    "convert it to int8 TFLite, which holds the integers that it was trained for, and give "
    "hwflow the .tflite file: c = tf.lite.TFLiteConverter.from_keras_model(model); "
    "c.optimizations = [tf.lite.Optimize.DEFAULT]; open('model.tflite', 'wb').write(c.convert()); "
    "a file is loaded before in tfmot.quantization.keras.quantize_scope()"
)


def refuse_config(config: Any, source: str) -> None:
    """Refuse a configuration with classes of the package.

    Raises:
        CompileError: HW280, one finding for all of them.
    """
    _refuse([name.rpartition(">")[2] for name in _classes(config)], source)


def refuse_model(model: Any, source: str) -> None:
    """Refuse a live model with layers of the package.

    Raises:
        CompileError: HW280, one finding for all of them.
    """
    layers = [type(layer) for layer in getattr(model, "layers", ())]
    _refuse([c.__name__ for c in layers if c.__module__.startswith(PACKAGE)], source)


def _refuse(names: Sequence[str], source: str) -> None:
    found = [n for n in names if n in QUANTIZING or n in STRIPPED]
    if not found:
        return
    counted = ", ".join(f"{found.count(n)} {printable(n)}" for n in dict.fromkeys(found))
    quantized = any(n in QUANTIZING for n in found)
    raise CompileError(
        [
            Diagnostic(
                code="HW280",
                title="a model of TensorFlow Model Optimization",
                where=f"in {source}",
                found=counted,
                supported="its int8 TFLite form"
                if quantized
                else "the model without these wrappers",
                help=TO_TFLITE if quantized else f"take them off: {STRIPPED[found[0]]}",
            )
        ]
    )


def _classes(config: Any) -> Iterator[str]:
    """Yield the class names in a configuration."""
    pending = [config]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            if isinstance(value.get("class_name"), str):
                yield value["class_name"]
            pending += value.values()
        elif isinstance(value, list):
            pending += value
