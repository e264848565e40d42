"""Trains a small HGQ2 CNN on digits: every weight and every activation finds its own bits.

Run ``python examples/train_digits_hgq.py``; it writes ``digits_hgq.keras`` and ``digits_hgq.npz``
(``x``: (1797, 8, 8, 1) in 0..1, ``y``: labels) next to itself in two minutes. It needs HGQ2
(``pip install HGQ2``, see docs/frontends.md) and a backend for Keras 3; building the file needs
neither.
"""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import QConv2D, QDense, QMaxPooling2D
from hgq.utils import trace_minmax
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
TEST_SAMPLES = 360
"""Held out: a fixed random fifth of scikit-learn's digits."""


def network() -> keras.Model:
    """Return two convolutions with formats per channel, and a dense layer with one per element.

    Activations wrap around, which costs no hardware; weights saturate.
    """
    with (
        QuantizerConfigScope(place="datalane", f0=4, i0=2, heterogeneous_axis=(-1,)),
        QuantizerConfigScope(place="weight", b0=5, i0=1),
        LayerConfigScope(beta0=3e-6),
    ):
        image = keras.Input((8, 8, 1), name="image")
        x = QConv2D(8, 3, padding="same", activation="relu", name="conv1")(image)
        x = QMaxPooling2D(2, name="pool1")(x)
        x = QConv2D(8, 3, padding="same", activation="relu", name="conv2")(x)
        x = QMaxPooling2D(2, name="pool2")(x)
        x = keras.layers.Flatten(name="flatten")(x)
        x = QDense(10, name="fc")(x)
    return keras.Model(image, x, name="digits_hgq")


def main() -> None:
    """Train, and write model and data."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = (digits.images[..., None] / 16).astype(np.float32)
    y = digits.target.astype(np.int64)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.005), loss, metrics=["accuracy"])
    order = np.random.default_rng(0).permutation(len(x))
    held_out, kept = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    model.fit(x[kept], y[kept], batch_size=64, epochs=60, verbose=2)
    ebops = trace_minmax(model, x[kept])  # finds the integer bits that wrap nothing of this
    correct = model.predict(x[held_out], verbose=0).argmax(1) == y[held_out]
    print(f"accuracy on {TEST_SAMPLES} images not trained on: {correct.mean():.4f}, EBOPs {ebops}")
    trained = network()  # without the optimiser's state
    trained.set_weights(model.get_weights())
    trained.save(HERE / "digits_hgq.keras")
    np.savez_compressed(HERE / "digits_hgq.npz", x=x, y=y)


if __name__ == "__main__":
    main()
