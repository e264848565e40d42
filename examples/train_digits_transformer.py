"""Trains a small HGQ2 transformer on digits: the rows of an image are its eight places.

Run ``python examples/train_digits_transformer.py``; it writes ``digits_transformer.keras`` next to
itself in some minutes. Its data are the images of ``digits.npz`` in 0..1, as in
``digits_hgq.npz``. It needs HGQ2 (``pip install HGQ2``, see docs/frontends.md) and a backend for
Keras 3; building the file needs neither.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from hgq.config import LayerConfigScope, QuantizerConfigScope
from hgq.layers import (
    QAdd,
    QBatchNormalization,
    QDense,
    QEinsumDense,
    QMeanPow2,
    QMultiHeadAttention,
)
from hgq.utils import trace_minmax
from sklearn.datasets import load_digits

HERE = Path(__file__).parent
TEST_SAMPLES = 360
"""Held out: a fixed random fifth of scikit-learn's digits."""

CHANNELS, HEADS, BLOCKS = 16, 2, 2
EPOCHS, BATCH = 60, 128


def block(x: Any, number: int) -> Any:
    """Return a block: attention of two heads and two dense layers, each with a way around it.

    A batch norm takes the place of a layer norm, as is usual in hardware: it is constant.
    """
    attended = QMultiHeadAttention(HEADS, CHANNELS // HEADS, name=f"attention{number}")(x, x)
    x = QBatchNormalization(name=f"norm{number}")(QAdd(name=f"around{number}")([x, attended]))
    inner = QDense(CHANNELS, activation="relu", name=f"wide{number}")(x)
    inner = QDense(CHANNELS, name=f"narrow{number}")(inner)
    return QAdd(name=f"past{number}")([x, inner])


def network() -> keras.Model:
    """Return the transformer, with formats per channel."""
    with (
        QuantizerConfigScope(place="datalane", f0=4, i0=3, heterogeneous_axis=(-1,)),
        QuantizerConfigScope(place="weight", b0=5, i0=1),
        QuantizerConfigScope(place="table", b0=8, i0=1),
        LayerConfigScope(beta0=3e-7),
    ):
        image = keras.Input((8, 8), name="rows")
        # weights of its own for each place: they say where a row stands
        x = QEinsumDense("btc,tcd->btd", (8, CHANNELS), bias_axes="td", name="embed")(image)
        for number in range(BLOCKS):
            x = block(x, number)
        x = QMeanPow2(axes=1, name="mean")(x)
        x = QDense(10, name="classes")(x)
    return keras.Model(image, x, name="digits_transformer")


def main() -> None:
    """Train, and write the model."""
    keras.utils.set_random_seed(0)
    digits = load_digits()
    x = (digits.images / 16).astype(np.float32)
    y = digits.target.astype(np.int64)
    model = network()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    order = np.random.default_rng(0).permutation(len(x))
    held_out, kept = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    steps = EPOCHS * -(-len(kept) // BATCH)
    rate = keras.optimizers.schedules.CosineDecay(0.008, steps)
    model.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    model.fit(x[kept], y[kept], batch_size=BATCH, epochs=EPOCHS, verbose=2)
    ebops = trace_minmax(model, x[kept])  # finds the integer bits that wrap nothing of this
    correct = model.predict(x[held_out], verbose=0).argmax(1) == y[held_out]
    print(f"accuracy on {TEST_SAMPLES} images not trained on: {correct.mean():.4f}, EBOPs {ebops}")
    trained = network()  # without the optimiser's state
    trained.set_weights(model.get_weights())
    trained.save(HERE / "digits_transformer.keras")


if __name__ == "__main__":
    main()
