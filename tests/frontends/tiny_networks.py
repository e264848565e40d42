"""The four architectures of MLPerf Tiny with made weights, and the table of docs/mlperf-tiny.md.

``python -m tests.frontends.tiny_networks NAME`` prints a row of the table: one network for each
process, since the memory of compilers is the peak of all that a process started.

Source of the architectures: ``benchmark/training`` of github.com/mlcommons/tiny.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import hwflow
from hwflow.frontends import tflite
from hwflow.project.design import Design
from tests.frontends.test_tflite import convert

BOARDS = {"anomaly": "alveo_u250", "keywords": "zcu104", "images": "zcu104", "wake": "alveo_u250"}
"""Boards that hold the networks, by the estimate."""

SETTINGS: dict[str, Any] = {
    "io_type": "io_stream",
    "strategy": "resource",
    "reuse_factor": "<=64",
}


def active(layers: Any, x: Any) -> Any:
    return layers.ReLU()(layers.BatchNormalization()(x))


def anomaly(keras: Any) -> Any:
    """Return the dense autoencoder of machine sounds."""
    layers = keras.layers
    x = start = keras.Input((640,), batch_size=1)
    for width in (128, 128, 128, 128, 8, 128, 128, 128, 128):
        x = active(layers, layers.Dense(width)(x))
    return keras.Model(start, layers.Dense(640)(x))


def keywords(keras: Any) -> Any:
    """Return the depthwise separable network of spoken words."""
    layers = keras.layers
    start = keras.Input((49, 10, 1), batch_size=1)
    x = active(layers, layers.Conv2D(64, (10, 4), strides=2, padding="same")(start))
    for _ in range(4):
        x = active(layers, layers.DepthwiseConv2D(3, padding="same")(x))
        x = active(layers, layers.Conv2D(64, 1)(x))
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(x))
    return keras.Model(start, layers.Dense(12)(x))


def images(keras: Any) -> Any:
    """Return the residual network of eight layers."""
    layers = keras.layers

    def conv(x: Any, width: int, stride: int = 1) -> Any:
        x = layers.Conv2D(width, 3, strides=stride, padding="same")(x)
        return layers.BatchNormalization()(x)

    start = keras.Input((32, 32, 3), batch_size=1)
    x = layers.ReLU()(conv(start, 16))
    for width, stride in ((16, 1), (32, 2), (64, 2)):
        y = conv(layers.ReLU()(conv(x, width, stride)), width)
        if stride > 1:
            x = layers.Conv2D(width, 1, strides=stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(start, layers.Dense(10)(x))


def wake(keras: Any) -> Any:
    """Return MobileNet v1 0.25 for images of 96 x 96."""
    layers = keras.layers
    start = keras.Input((96, 96, 3), batch_size=1)
    x = active(layers, layers.Conv2D(8, 3, strides=2, padding="same")(start))
    narrow = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2))
    for width, stride in (*narrow, *((128, 1),) * 5, (256, 2), (256, 1)):
        x = active(layers, layers.DepthwiseConv2D(3, strides=stride, padding="same")(x))
        x = active(layers, layers.Conv2D(width, 1)(x))
    x = layers.Flatten()(layers.AveragePooling2D(3)(x))
    return keras.Model(start, layers.Dense(2)(x))


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "anomaly": anomaly,
    "keywords": keywords,
    "images": images,
    "wake": wake,
}


def content(name: str) -> tuple[bytes, tuple[int, ...]]:
    """Return an int8 file of a network with made weights, and the shape of its input."""
    from tensorflow import keras

    keras.utils.set_random_seed(1)
    model, rng = NETWORKS[name](keras), np.random.default_rng(2)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            width = layer.get_weights()[0].size
            ranges = ((0.8, 1.3), (-0.5, 0.5), (-0.3, 0.3), (0.3, 1.2))
            layer.set_weights([rng.uniform(*r, width) for r in ranges])
    shape = tuple(model.input_shape[1:])
    return convert(model, shape), shape


def design(name: str, data: bytes) -> Design:
    """Return the hardware of a file."""
    model = tflite.read_bytes(data, name, f"{name}.tflite")
    return hwflow.compile(model, board=BOARDS[name], **SETTINGS)


def row(name: str) -> str:
    """Return a row of the table."""
    data, shape = content(name)
    start = time.process_time()
    made = design(name, data)
    compiled = time.process_time() - start
    samples = np.random.default_rng(0).integers(-128, 128, (4, *shape)).astype(np.int8)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    found = made.verify(samples)
    assert found.faithful is not None
    assert found.lossless is not None
    assert found.faithful.holds
    assert found.lossless.holds
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    total = made.estimate().total
    figures = (total.lut_synth, total.dsp_synth, total.bram_18k_synth, total.latency_cycles)
    cells = [f"{f.value:,.0f} ({f.low:,.0f} to {f.high:,.0f})" for f in figures]
    size = f"{len(data) / 1e3:,.0f} kB"
    work = f"{compiled:.0f} s | {seconds:.0f} s, {used.ru_maxrss / 1024:.0f} MB"
    return f"| {name} | {size} | {BOARDS[name]} | {' | '.join(cells)} | {work} |"


if __name__ == "__main__":
    print(row(sys.argv[1]))
