"""Float models of Keras 3 are read whole, and ``hwflow quantize`` takes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

import hwflow
from hwflow.frontends import load

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def image(k: Any, x: Any) -> Any:
    x = k.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = k.BatchNormalization()(x)
    x = k.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = k.SeparableConv2D(4, 3, activation="hard_sigmoid")(x)
    x = k.Concatenate()([k.MaxPooling2D(2, 1, "same")(x), k.AveragePooling2D(3, 1, "same")(x)])
    x = k.Flatten()(k.PReLU(shared_axes=[1, 2])(x))
    return k.Softmax()(k.Dense(3)(k.Dense(5, activation="gelu")(x)))


def series(k: Any, x: Any) -> Any:
    x = k.Conv1D(4, 3, dilation_rate=2, padding="causal", groups=2)(x)
    x = k.DepthwiseConv1D(3, activation="elu")(x)
    x = k.SeparableConv1D(6, 3, strides=2, padding="same")(x)
    x = k.Add()([x, k.Dense(6, activation="sigmoid")(x)])
    x = k.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d")(k.LeakyReLU()(x)) * k.ReLU(6)(x)
    return k.Multiply()([k.GlobalAveragePooling1D()(x), k.GlobalMaxPooling1D()(x)])


def built(keras: Any, body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> Any:
    x = keras.Input(shape, name="x")
    model = keras.Model(x, body(keras.layers, x))
    rng = np.random.default_rng(3)
    for variable in model.weights:
        values = rng.normal(0, 0.5, variable.shape)
        positive = "variance" in variable.name
        variable.assign((np.abs(values) + 0.1 if positive else values).astype(np.float32))
    return model


@pytest.mark.parametrize(("body", "shape"), [(image, (9, 9, 2)), (series, (12, 4))])
def test_float_models(keras: Any, body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> None:
    model = built(keras, body, shape)
    data = np.random.default_rng(3).normal(0, 1, (1, *shape)).astype(np.float32)
    proto = ir.to_proto(load(model).ir).SerializeToString()
    (ours,) = onnxruntime.InferenceSession(proto).run(None, {"x": data})
    np.testing.assert_allclose(ours, model.predict_on_batch(data), rtol=1e-4, atol=1e-5)


def test_sequential_files_that_were_built_later(keras: Any, tmp_path: Any) -> None:
    model = keras.Sequential([keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
    model.build((None, 4))
    model.save(tmp_path / "m.keras")
    data = np.random.default_rng(3).normal(0, 1, (1, 4)).astype(np.float32)
    proto = ir.to_proto(load(tmp_path / "m.keras").ir)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (ours,) = session.run(None, {proto.graph.input[0].name: data})
    np.testing.assert_allclose(ours, model.predict_on_batch(data), rtol=1e-5, atol=1e-6)


def test_float_models_can_be_quantised(keras: Any) -> None:
    model = built(keras, lambda k, x: k.Dense(3)(k.Dense(8, activation="relu")(x)), (5,))
    data = np.random.default_rng(0).normal(0, 1, (200, 5)).astype(np.float32)
    quantised = hwflow.quantize(model, data)
    (ours,) = hwflow.compile(quantised.model).simulate(data).outputs.values()
    expected = model.predict_on_batch(data)
    assert np.abs(ours - expected).max() < 0.1 * np.abs(expected).max()


def test_models_without_a_graph_are_refused(keras: Any) -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(Own())
    assert {d.code for d in caught.value.diagnostics} <= {"HW284", "HW038"}
