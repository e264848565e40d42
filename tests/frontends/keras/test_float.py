"""Float Keras models are read whole: ONNX Runtime makes of them what Keras does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest

from hwflow.frontends import load
from tests.frontends.keras.coverage import give_weights, legacy_keras, no_autograph

pytestmark = pytest.mark.keras


def image(k: Any, x: Any) -> Any:
    x = k.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = k.BatchNormalization()(x)
    x = k.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = k.SeparableConv2D(4, 3, activation="tanh")(x)
    x = k.Concatenate()([k.MaxPooling2D(2, 1, "same")(x), k.AveragePooling2D(3, 1, "same")(x)])
    x = k.Flatten()(k.PReLU(shared_axes=[1, 2])(x))
    return k.Softmax()(k.Dense(3)(k.Dense(5, activation="gelu")(x)))


def series(k: Any, x: Any) -> Any:
    x = k.Conv1D(4, 3, dilation_rate=2, padding="causal", groups=2)(x)
    x = k.DepthwiseConv1D(3, activation="elu")(x)
    x = k.SeparableConv1D(6, 3, strides=2, padding="same")(x)
    x = k.Add()([x, k.Dense(6, activation="sigmoid")(x)])
    return k.Multiply()([k.GlobalAveragePooling1D()(x), k.GlobalMaxPooling1D()(x)])


@pytest.mark.parametrize(("body", "shape"), [(image, (9, 9, 2)), (series, (12, 4))])
def test_float_models(body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> None:
    keras = legacy_keras()
    rng = np.random.default_rng(3)
    x = keras.layers.Input(shape, name="x")
    with no_autograph():
        model = keras.Model(x, body(keras.layers, x))
    give_weights(model, rng)
    data = rng.normal(0, 1, (1, *shape)).astype(np.float32)
    proto = ir.to_proto(load(model).ir).SerializeToString()
    (ours,) = onnxruntime.InferenceSession(proto).run(None, {"x": data})
    np.testing.assert_allclose(ours, model.predict_on_batch(data), rtol=1e-4, atol=1e-5)
