"""Float models of Keras 3 are read whole, and ``hwflow quantize`` takes them."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import hwflow
from tests.frontends.float_models import assert_predicts, decoder, image, pooled, recurrent, series

pytestmark = pytest.mark.keras


@pytest.fixture(scope="module")
def keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def series_with_more(k: Any, x: Any) -> Any:
    x = series(k, x)
    x = k.EinsumDense("abc,cd->abd", (None, 6), bias_axes="d")(k.LeakyReLU()(x)) * k.ReLU(6)(x)
    return pooled(k, x)


def built(keras: Any, body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> Any:
    x = keras.Input(shape, name="x")
    model = keras.Model(x, body(keras.layers, x))
    rng = np.random.default_rng(3)
    for variable in model.weights:
        values = rng.normal(0, 0.5, variable.shape)
        positive = "variance" in variable.name
        variable.assign((np.abs(values) + 0.1 if positive else values).astype(np.float32))
    return model


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (partial(image, activation="hard_sigmoid"), (9, 9, 2)),
        (series_with_more, (12, 4)),
        (recurrent, (6, 3)),
        (decoder, (4, 4, 2)),
    ],
)
def test_float_models(keras: Any, body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> None:
    model = built(keras, body, shape)
    assert_predicts(model, model, shape)


def test_sequential_files_that_were_built_later(keras: Any, tmp_path: Any) -> None:
    model = keras.Sequential([keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
    model.build((None, 4))
    model.save(tmp_path / "m.keras")
    assert_predicts(tmp_path / "m.keras", model, (4,))


def test_float_models_and_their_files_can_be_quantised(keras: Any, tmp_path: Any) -> None:
    model = built(keras, lambda k, x: k.Dense(3)(k.Dense(8, activation="relu")(x)), (5,))
    data = np.random.default_rng(0).normal(0, 1, (200, 5)).astype(np.float32)
    model.save(tmp_path / "m.keras")
    expected = model.predict_on_batch(data)
    for source in (model, tmp_path / "m.keras"):
        quantised = hwflow.quantize(source, data)
        (ours,) = hwflow.compile(quantised.model).simulate(data).outputs.values()
        assert np.abs(ours - expected).max() < 0.1 * np.abs(expected).max()


def test_models_without_a_graph_are_refused(keras: Any) -> None:
    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(hwflow.CompileError) as caught:
        hwflow.compile(Own())
    assert {d.code for d in caught.value.diagnostics} <= {"HW284", "HW038"}
