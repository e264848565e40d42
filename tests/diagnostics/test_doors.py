"""Doors: TFLite, Keras and tfmot. What is advised leads from the refused model to a design."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError, Diagnostic

pytest.importorskip("tensorflow", reason="Keras and TFLite are TensorFlow's")


def refusal(model: Any, **given: Any) -> Diagnostic:
    with pytest.raises(CompileError) as caught:
        hwflow.compile(model, **given)
    (one,) = caught.value.diagnostics
    return one


def int8(model: Any, shape: tuple[int, ...]) -> bytes:
    """Apply the help: full integer quantisation by TFLiteConverter."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=(1, *shape)).astype(np.float32)] for _ in range(20)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "net.tflite"
    path.write_bytes(content)
    return path


def folded(batch: int | None) -> bytes:
    """A shape that follows from the batch in a way that only a fixed batch makes constant."""
    import tensorflow as tf

    class Folded(tf.keras.layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            samples = tf.shape(x)[0]
            return tf.reshape(x, [samples, 18 // tf.maximum(samples, 1)])

    start = tf.keras.Input((6, 3), batch_size=batch)
    return int8(tf.keras.Model(start, Folded()(start)), (6, 3))


def test_a_fixed_batch_makes_shapes_constant(tmp_path: Path) -> None:
    one = refusal(saved(tmp_path, folded(None)))
    assert (one.code, "run time" in one.title) == ("HW293", True)
    assert ": RESHAPE" in one.where
    assert "batch_size=1" in one.help
    assert hwflow.compile(saved(tmp_path, folded(1))).graph.nodes


@pytest.mark.parametrize("trust", [False, True])
def test_tfmot_files_are_sent_to_tflite(tmp_path: Path, trust: bool) -> None:
    """The file names wrappers of a package that need not be there: no way but TFLite is said."""
    layer = {"class_name": "QuantizeWrapperV2", "config": {"name": "quant_dense", "layer": {}}}
    other = {"class_name": "QuantizeLayer", "config": {"name": "quantize_layer"}}
    config = {
        "class_name": "Sequential",
        "config": {"name": "net", "layers": [other, layer, layer]},
    }
    path = tmp_path / "net.json"
    path.write_text(json.dumps({**config, "keras_version": "2.15.0"}), "utf-8")
    (tmp_path / "net.h5").write_bytes(b"")
    one = refusal(path, trust=trust)
    assert one.code == "HW280"
    assert "2 QuantizeWrapperV2" in one.found
    assert "TFLiteConverter.from_keras_model(model)" in one.help
    assert "--trust" not in one.help


def test_pruning_is_taken_off(tmp_path: Path) -> None:
    layer = {"class_name": "PruneLowMagnitude", "config": {"name": "prune_dense", "layer": {}}}
    config = {"class_name": "Sequential", "config": {"name": "net", "layers": [layer]}}
    path = tmp_path / "net.json"
    path.write_text(json.dumps({**config, "keras_version": "2.15.0"}), "utf-8")
    (tmp_path / "net.h5").write_bytes(b"")
    assert "strip_pruning(model)" in refusal(path).help


def subclassed(keras: Any, quantised: Any) -> Any:
    class Net(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = quantised(4), quantised(2)
            self.act = keras.layers.ReLU()

        def call(self, x: Any) -> Any:
            return self.last(self.act(self.first(x)))

    model = Net()
    model(np.zeros((1, 6), np.float32))
    return model


def test_subclassed_models_become_functional() -> None:
    """keras.Model(x, model.call(x)) keeps the layers and their weights."""
    import tf_keras as keras
    from qkeras import QActivation, QDense

    bits = "quantized_bits(4, 0, alpha=1)"
    model = subclassed(keras, lambda n: QDense(n, kernel_quantizer=bits, bias_quantizer=bits))
    one = refusal(model)
    assert (one.code, one.where) == ("HW284", f"in {model.name}")
    assert "keras.Model(x, model.call(x))" in one.help
    x = keras.Input((6,))
    functional = keras.Model(x, model.call(QActivation("quantized_bits(6, 2, alpha=1)")(x)))
    design = hwflow.compile(functional)
    data = np.random.default_rng(0).normal(size=(30, 6)).astype(np.float32)
    (found,) = design.simulate(data).outputs.values()
    np.testing.assert_array_equal(found, functional.predict(data, verbose=0))


def test_subclassed_models_go_through_tflite(tmp_path: Path) -> None:
    import tensorflow as tf

    model = subclassed(tf.keras, tf.keras.layers.Dense)
    one = refusal(model)
    assert one.code == "HW284"
    assert "int8 TFLite" in one.help
    assert hwflow.compile(saved(tmp_path, int8(model, (6,)))).graph.nodes


def test_sequential_models_are_built() -> None:
    import tf_keras as keras
    from qkeras import QActivation, QDense

    bits = "quantized_bits(4, 0, alpha=1)"
    layers = [
        QActivation("quantized_bits(6, 2, alpha=1)"),
        QDense(2, kernel_quantizer=bits, bias_quantizer=bits),
    ]
    model = keras.Sequential(layers)
    one = refusal(model)
    assert one.code == "HW284"
    assert "model.build((None, ...))" in one.help
    model.build((None, 6))
    assert hwflow.compile(model).graph.nodes
