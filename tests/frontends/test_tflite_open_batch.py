"""Networks converted with an open batch: what the converter computes from it is known for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.frontends.tflite.operators import OPERATORS
from tests.frontends.test_tflite import convert
from tests.frontends.tflite_models import interpret


def on_a_sequence(layers: Any, x: Any) -> Any:
    """Dense layers on every step, with shapes by SHAPE, GATHER, REDUCE_PROD, PACK."""
    y = layers.Dense(3, activation="relu")(layers.Dense(5)(x))
    return layers.Dense(2)(layers.GlobalAveragePooling1D()(y))


def flattened(layers: Any, x: Any) -> Any:
    return layers.Dense(2)(layers.Flatten()(layers.Dense(3)(x)))


def reshaped(layers: Any, x: Any) -> Any:
    return layers.Reshape((2, 12))(layers.Dense(6)(x))


def causal(layers: Any, x: Any) -> Any:
    y = layers.Conv1D(4, 2, dilation_rate=2, padding="causal", activation="relu")(x)
    return layers.Dense(2)(layers.Flatten()(y))


def one_dimension(layers: Any, x: Any) -> Any:
    return layers.Conv1D(4, 3, dilation_rate=2, padding="same")(x)


def two_dimensions(padding: str, rate: Any) -> Callable[[Any, Any], Any]:
    return lambda layers, x: layers.Conv2D(4, 3, dilation_rate=rate, padding=padding)(x)


def depthwise(layers: Any, x: Any) -> Any:
    return layers.DepthwiseConv2D(3, dilation_rate=2)(x)


def upsampled(layers: Any, x: Any) -> Any:
    return layers.Conv2D(2, 3, padding="same")(layers.UpSampling2D((2, 3))(x))


def repeated(layers: Any, x: Any) -> Any:
    return layers.Dense(3)(layers.Flatten()(layers.UpSampling1D(2)(x)))


NETWORKS = {
    "dense on a sequence": (on_a_sequence, (4, 6)),
    "dense on a sequence, flattened": (flattened, (4, 6)),
    "reshape of a sequence": (reshaped, (4, 6)),
    "dilated, causal": (causal, (12, 3)),
    "dilated, one axis": (one_dimension, (13, 3)),
    "dilated, valid": (two_dimensions("valid", 2), (9, 9, 2)),
    "dilated, same": (two_dimensions("same", (3, 2)), (8, 9, 2)),
    "dilated, depthwise": (depthwise, (9, 9, 2)),
    "upsampled": (upsampled, (4, 3, 2)),
    "repeated by split and concatenation": (repeated, (4, 2)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_open_batches_are_read_for_a_batch_of_one(name: str) -> None:
    from tensorflow import keras

    body, shape = NETWORKS[name]
    keras.utils.set_random_seed(1)
    start = keras.Input(shape)
    content = convert(keras.Model(start, body(keras.layers, start)), shape)
    x = np.random.default_rng(0).integers(-128, 128, (20, *shape)).astype(np.int8)
    (expected,) = interpret(content, [x]).values()
    design = hwflow.compile(hwflow.frontends.tflite.read_bytes(content, "net", "net.tflite"))
    (found,) = design.simulate(x).outputs.values()
    np.testing.assert_array_equal(found.reshape(len(x), -1), expected.reshape(len(x), -1))


def test_every_operator_has_its_name() -> None:
    from tensorflow.lite.python.schema_py_generated import BuiltinOperator

    numbers = {k: v for k, v in vars(BuiltinOperator).items() if isinstance(v, int)}
    assert [name for name, _ in sorted(numbers.items(), key=lambda item: item[1])] == [*OPERATORS]
