"""Trains a small QKeras CNN on digits: 4-bit weights with ``auto_po2`` scales, 4-bit activations.

Run ``python examples/train_digits_qkeras.py``; it writes ``digits_qkeras.h5`` and
``digits_qkeras.npz`` (``x``: (1797, 8, 8, 1) in 0..1, ``y``: labels) next to itself in a minute.
"""

from __future__ import annotations

import os
from pathlib import Path

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # QKeras is built on Keras 2

import numpy as np
import tf_keras as keras
from qkeras import QActivation, QConv2DBatchnorm, QDense
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
TEST_SAMPLES = 360
"""Held out: a fixed random fifth of scikit-learn's digits."""

WEIGHTS = "quantized_bits(4, 0, alpha='auto_po2')"
BIASES = "quantized_bits(8, 2, alpha=1)"
ACTIVATIONS = "quantized_relu(4, 2)"


def network() -> keras.Model:
    """Return two convolutions with batch norms folded in, a branch around the second, one dense."""
    settings = {"padding": "same", "kernel_quantizer": WEIGHTS, "bias_quantizer": BIASES}
    image = keras.layers.Input((8, 8, 1), name="image")
    x = QActivation("quantized_bits(4, 0, 0, 0, alpha=1)", name="quant_in")(image)
    x = QConv2DBatchnorm(8, 3, activation=ACTIVATIONS, name="conv1", **settings)(x)
    x = around = keras.layers.MaxPooling2D(2, name="pool1")(x)
    x = QConv2DBatchnorm(8, 3, activation=ACTIVATIONS, name="conv2", **settings)(x)
    x = keras.layers.Concatenate(name="join")([x, around])
    x = keras.layers.MaxPooling2D(2, name="pool2")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    x = QDense(10, kernel_quantizer=WEIGHTS, bias_quantizer=BIASES, name="fc")(x)
    return keras.Model(image, x, name="digits_qkeras")


def main() -> None:
    """Train, and write model and data."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = (digits.images[..., None] / 16).astype(np.float32)
    y = digits.target.astype(np.int64)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.003), loss, metrics=["accuracy"])
    order = np.random.default_rng(0).permutation(len(x))
    held_out, kept = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    model.fit(x[kept], y[kept], batch_size=32, epochs=30, verbose=2)
    correct = model.predict(x[held_out], verbose=0).argmax(1) == y[held_out]
    print(f"accuracy on {TEST_SAMPLES} images not trained on: {correct.mean():.4f}")
    model.save(HERE / "digits_qkeras.h5", include_optimizer=False)
    np.savez_compressed(HERE / "digits_qkeras.npz", x=x, y=y)


if __name__ == "__main__":
    main()
