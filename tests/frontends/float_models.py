"""Float networks of layers that both versions of Keras have, and ONNX Runtime's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime

from hwflow.frontends import load


def image(k: Any, x: Any, activation: str) -> Any:
    """Append layers for images.

    Args:
        k: ``keras.layers``.
        x: a tensor.
        activation: one that not both versions of Keras define alike.
    """
    x = k.Conv2D(4, 3, strides=2, padding="same", activation="relu")(x)
    x = k.BatchNormalization()(x)
    x = k.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)
    x = k.SeparableConv2D(4, 3, activation=activation)(x)
    x = k.Concatenate()([k.MaxPooling2D(2, 1, "same")(x), k.AveragePooling2D(3, 1, "same")(x)])
    x = k.Flatten()(k.PReLU(shared_axes=[1, 2])(x))
    return k.Softmax()(k.Dense(3)(k.Dense(5, activation="gelu")(x)))


def series(k: Any, x: Any) -> Any:
    """Append layers for series, up to a sum of two branches."""
    x = k.Conv1D(4, 3, dilation_rate=2, padding="causal", groups=2)(x)
    x = k.DepthwiseConv1D(3, activation="elu")(x)
    x = k.SeparableConv1D(6, 3, strides=2, padding="same")(x)
    return k.Add()([x, k.Dense(6, activation="sigmoid")(x)])


def pooled(k: Any, x: Any) -> Any:
    """Append a product of two poolings of a series."""
    return k.Multiply()([k.GlobalAveragePooling1D()(x), k.GlobalMaxPooling1D()(x)])


def recurrent(k: Any, x: Any) -> Any:
    """Append recurrent layers, one of them in both directions."""
    x = k.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True, go_backwards=True)(x)
    x = k.GRU(3, reset_after=False, use_bias=False, return_sequences=True)(x)
    x = k.Bidirectional(k.GRU(3, return_sequences=True), merge_mode="sum")(x)
    return k.Dense(2)(k.Bidirectional(k.SimpleRNN(3, activation="relu"))(x))


def decoder(k: Any, x: Any) -> Any:
    """Append layers of decoders, where all of Keras' backends agree on them."""
    x = k.Conv2DTranspose(3, 4, strides=2, padding="same", activation="relu")(x)
    x = k.Conv2DTranspose(2, (2, 3), strides=(3, 1), use_bias=False)(x)
    x = k.UpSampling2D((2, 1), interpolation="bilinear")(x)
    x = k.EinsumDense("bhwc,whcd->bdw", (2, 10))(x)
    x = k.Dot(axes=(2, 2))([x, k.Conv1DTranspose(10, 1)(x)])
    return k.Dense(3)(k.Flatten()(x))


def assert_predicts(source: Any, model: Any, shape: tuple[int, ...]) -> None:
    """Assert that ONNX Runtime gives for a read model what Keras predicts, up to float32."""
    data = np.random.default_rng(3).normal(0, 1, (1, *shape)).astype(np.float32)
    proto = ir.to_proto(load(source).ir)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (ours,) = session.run(None, {proto.graph.input[0].name: data})
    np.testing.assert_allclose(ours, model.predict_on_batch(data), rtol=1e-5, atol=1e-6)
