"""Float Keras models are read whole: ONNX Runtime makes of them what Keras does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from tests.frontends.float_models import assert_predicts, decoder, image, pooled, recurrent, series
from tests.frontends.keras.coverage import give_weights, legacy_keras, no_autograph

pytestmark = pytest.mark.keras


def series_pooled(k: Any, x: Any) -> Any:
    return pooled(k, series(k, x))


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (partial(image, activation="tanh"), (9, 9, 2)),
        (series_pooled, (12, 4)),
        (recurrent, (6, 3)),
        (decoder, (4, 4, 2)),
    ],
)
def test_float_models(body: Callable[[Any, Any], Any], shape: tuple[int, ...]) -> None:
    keras = legacy_keras()
    x = keras.layers.Input(shape, name="x")
    with no_autograph():
        model = keras.Model(x, body(keras.layers, x))
    give_weights(model, np.random.default_rng(3))
    assert_predicts(model, model, shape)
