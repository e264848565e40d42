"""TFLite: every integer of every tensor is that of TFLite's own reference kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.frontends import load, tflite
from hwflow.frontends.tflite.schema import parse
from hwflow.ops.shared.port_data import real_values
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.simulate.float32 import Reference
from tests.frontends.tflite_models import Array, Writer, interpret

pytest.importorskip("tensorflow", reason="TFLite's interpreter is the reference")

LOWEST = {np.int8: -128, np.uint8: 0}


def random_integers(rng: np.random.Generator, shape: Sequence[int], dtype: type) -> Array:
    low = LOWEST[dtype]
    return rng.integers(low, low + 256, shape).astype(dtype)


def check(content: bytes, samples: Sequence[Array], *, kernels: str = "BUILTIN_REF") -> Any:
    """Compare ONNX Runtime and the hardware with the interpreter, tensor by tensor."""
    expected = interpret(content, samples, kernels=kernels, every=True)
    graph = parse(content, "test")
    model = tflite.read_bytes(content, "test", "test.tflite")
    names = [v.name or "" for v in model.ir.graph.inputs]
    data = dict(zip(names, samples, strict=True))
    design = hwflow.compile(model)
    simulation = design.simulate(data, keep_layers=True)
    held = {n.source.name: n for n in design.graph.nodes if n.source is not None}
    fresh = infer_shapes(clean_model(tflite.read_bytes(content, "test", "test.tflite")))
    known = {v.name for n in fresh.ir.graph for v in n.outputs} - set(names)
    outputs = {graph.tensors[i].name for i in graph.outputs}
    pairs = {}
    for tensor in graph.tensors:
        zero = 0 if tensor.quantization is None else int(tensor.quantization.zero_point[0])
        name = tensor.name + ".centred" * (tensor.name in outputs and zero != 0)
        if tensor.data is None and name in known and tensor.name in expected:
            pairs[name] = expected[tensor.name][:, 0].astype(np.float64) - zero
    runtime = Reference(fresh).run(data, [*pairs])
    for name, wanted in pairs.items():
        assert np.array_equal(runtime[name].reshape(wanted.shape), wanted), f"ONNX: {name}"
    compared = 0
    for name, wanted in pairs.items():
        if name in held:
            found = real_values(simulation.layers[held[name].name], held[name].source)
            found = found.astype(np.float32).reshape(wanted.shape)
            assert np.array_equal(found, wanted), f"hardware: {name}"
            compared += 1
    assert compared
    for port in design.graph.outputs:
        wanted = expected[port.name][:, 0]
        found = real_values(simulation.layers[port.value], port).astype(np.float32)
        assert np.array_equal(found.reshape(wanted.shape), wanted), port.name
    return design


def scale_of(rng: np.random.Generator, low: float = 0.01, high: float = 0.1) -> float:
    return float(np.float32(rng.uniform(low, high)))


def every_pair(dtype: type) -> list[Array]:
    values = np.arange(LOWEST[dtype], LOWEST[dtype] + 256).astype(dtype)
    return [g.reshape(256, 256) for g in np.meshgrid(values, values)]


@pytest.mark.parametrize(
    ("name", "dtype"), [("ADD", np.int8), ("SUB", np.uint8), ("MUL", np.int8), ("MUL", np.uint8)]
)
def test_two_operands_all_pairs(name: str, dtype: type) -> None:
    rng = np.random.default_rng(len(name) + 200 + LOWEST[dtype])
    for fused in (0, 3):
        writer = Writer()
        zeros = [int(z) + LOWEST[dtype] for z in rng.integers(0, 256, 3)]
        a, b, y = (writer.tensor((1, 256), scale_of(rng), z, dtype) for z in zeros)
        options = {"fusedActivationFunction": fused}
        writer.add(name, [a, b], [y], f"{name.capitalize()}Options", **options)
        writer.inputs, writer.outputs = [a, b], [y]
        check(writer.bytes(), every_pair(dtype))


def test_sum_with_one_scale_much_coarser() -> None:
    writer = Writer()
    a, b, y = (writer.tensor((1, 256), s, 5) for s in (0.5, 0.003, 0.51))
    writer.add("ADD", [a, b], [y], "AddOptions")
    writer.inputs, writer.outputs = [a, b], [y]
    check(writer.bytes(), every_pair(np.int8))


UNARY: dict[str, tuple[str, dict[str, Any], tuple[float, int] | None]] = {
    "RELU": ("", {}, None),
    "RELU6": ("", {}, None),
    "RELU_N1_TO_1": ("", {}, None),
    "QUANTIZE": ("", {}, None),
    "LEAKY_RELU": ("LeakyReluOptions", {"alpha": 0.3}, None),
    "LOGISTIC": ("", {}, (1 / 256, -128)),
    "TANH": ("", {}, (1 / 128, 0)),
}


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_all_integers(name: str) -> None:
    kind, options, meaning = UNARY[name]
    rng = np.random.default_rng(len(name))
    writer = Writer()
    for _ in range(4):
        x = writer.tensor((1, 256), scale_of(rng), int(rng.integers(-128, 128)))
        scale, zero = meaning or (scale_of(rng), int(rng.integers(-128, 128)))
        y = writer.tensor((1, 256), scale, zero)
        writer.add(name, [x], [y], kind, **options)
        writer.inputs.append(x)
        writer.outputs.append(y)
    check(writer.bytes(), [np.arange(-128, 128).astype(np.int8)[None]] * 4)


def test_change_of_type() -> None:
    writer = Writer()
    x, y = writer.tensor((1, 256), 0.02, 3, np.uint8), writer.tensor((1, 256), 0.02, -125)
    writer.add("QUANTIZE", [x], [y])
    writer.inputs, writer.outputs = [x], [y]
    check(writer.bytes(), [np.arange(256).astype(np.uint8)[None]])


def weighted(name: str, dtype: type, channels: bool, rng: np.random.Generator) -> Writer:
    """Return a linear layer with two fused activations, one writer each."""
    writer = Writer()
    low = LOWEST[dtype]
    x_scale, zero = scale_of(rng), int(rng.integers(low, low + 256))
    shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], int]] = {
        "FULLY_CONNECTED": ((1, 12), (6, 12), (1, 6), 0),
        "CONV_2D": ((1, 7, 6, 3), (6, 3, 2, 3), (1, 4, 3, 6), 0),
        "DEPTHWISE_CONV_2D": ((1, 7, 6, 3), (1, 3, 2, 6), (1, 4, 3, 6), 3),
    }
    x_shape, w_shape, y_shape, axis = shapes[name]
    x = writer.tensor(x_shape, x_scale, zero, dtype)
    scales = rng.uniform(0.001, 0.02, 6 if channels else 1).astype(np.float32)
    w_zero = int(rng.integers(100, 150)) if dtype is np.uint8 else 0
    values = random_integers(rng, w_shape, dtype)
    weight = writer.tensor(w_shape, scales, w_zero, dtype, values, axis)
    bias = rng.integers(-4000, 4000, 6)
    b = writer.tensor((6,), scales * np.float32(x_scale), 0, np.int32, bias)
    for fused in (0, 1, 3):
        y = writer.tensor(
            y_shape, scale_of(rng, 0.02, 0.2), int(rng.integers(low, low + 256)), dtype
        )
        window = {"padding": 0, "strideH": 2, "strideW": 2}
        options: dict[str, Any] = {"fusedActivationFunction": fused}
        kind = "FullyConnectedOptions"
        if name != "FULLY_CONNECTED":
            options |= window
            kind = "Conv2DOptions" if name == "CONV_2D" else "DepthwiseConv2DOptions"
        if name == "DEPTHWISE_CONV_2D":
            options["depthMultiplier"] = 2
        writer.add(name, [x, weight, b], [y], kind, **options)
        writer.outputs.append(y)
    writer.inputs = [x]
    return writer


@pytest.mark.parametrize(
    ("dtype", "channels"), [(np.int8, False), (np.int8, True), (np.uint8, False)]
)
@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"])
def test_linear_layers(name: str, dtype: type, channels: bool) -> None:
    rng = np.random.default_rng(7)
    writer = weighted(name, dtype, channels, rng)
    shape = writer.tensors[writer.inputs[0]].shape[1:]
    check(writer.bytes(), [random_integers(rng, (100, *shape), dtype)])


@pytest.mark.parametrize("channels", [False, True])
@pytest.mark.parametrize("name", ["FULLY_CONNECTED", "CONV_2D"])
def test_last_bit_of_a_multiplier(name: str, channels: bool) -> None:
    """Biases where a factor that is rounded to float32 on the way gives another result."""
    rng = np.random.default_rng(3)
    count = 64
    y_scale = 4096.0
    scales = rng.uniform(0.015, 0.02, count if channels else 1).astype(np.float32)
    rows = np.broadcast_to(scales, count)

    def factors(x_scale: float) -> list[Array]:
        narrow = (np.float32(x_scale) * rows).astype(np.float64) / y_scale
        return [narrow, x_scale * rows.astype(np.float64) / y_scale]

    def apart(x_scale: float) -> float:
        narrow, wide = factors(x_scale)
        return float(np.abs(narrow / wide - 1).mean())

    x_scale = max((scale_of(rng, 0.04, 0.05) for _ in range(50)), key=apart)
    narrow, wide = factors(x_scale)
    wanted = rng.integers(20, 100, count) + 0.5
    ties = [wanted / f for f in (narrow, wide)]
    between = np.floor((ties[0] + ties[1]) / 2).astype(np.int64)
    assert (np.floor(ties[0]) != np.floor(ties[1])).sum() > count // 2
    assert between.max() < 2**30
    writer = Writer()
    flat = name == "FULLY_CONNECTED"
    x = writer.tensor((1, 1) if flat else (1, 1, 1, 1), x_scale, 0)
    shape = (count, 1) if flat else (count, 1, 1, 1)
    weight = writer.tensor(shape, scales, 0, data=np.ones(shape, np.int8))
    bias = writer.tensor((count,), scales * np.float32(x_scale), 0, np.int32, between)
    y = writer.tensor((1, count) if flat else (1, 1, 1, count), y_scale, 0)
    options = {} if flat else {"padding": 1, "strideH": 1, "strideW": 1}
    kind = "FullyConnectedOptions" if flat else "Conv2DOptions"
    writer.add(name, [x, weight, bias], [y], kind, **options)
    writer.inputs, writer.outputs = [x], [y]
    check(
        writer.bytes(),
        [np.arange(-128, 128).astype(np.int8).reshape(256, *[1] * (1 if flat else 3))],
    )


def test_ties_of_a_fully_connected_layer() -> None:
    """Factors such as 1/2, and 1/6, whose products with multiples of 3 float64 rounds to ties."""
    writer = Writer()
    x = writer.tensor((1, 1), 1.0, 0)
    weight = writer.tensor((1, 1), 1.0, 0, data=np.ones((1, 1), np.int8))
    for scale in (2.0, 4.0, 6.0, 10.0, 14.0):
        y = writer.tensor((1, 1), scale, 0)
        writer.add("FULLY_CONNECTED", [x, weight], [y], "FullyConnectedOptions")
        writer.outputs.append(y)
    writer.inputs = [x]
    check(writer.bytes(), [np.arange(-128, 128).astype(np.int8)[:, None]])


@pytest.mark.parametrize("padding", [0, 1])
def test_pooling(padding: int) -> None:
    rng = np.random.default_rng(11)
    writer = Writer()
    x = writer.tensor((1, 6, 5, 3), 0.1, 17)
    for name in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for height, width, fused in ((2, 2, 0), (3, 2, 1), (3, 3, 3)):
            sizes = [
                -(-n // 2) if padding == 0 else -(-(n - k + 1) // 2)
                for n, k in ((6, height), (5, width))
            ]
            y = writer.tensor((1, *sizes, 3), 0.1, 17)
            writer.add(
                name, [x], [y], "Pool2DOptions", padding=padding, strideH=2, strideW=2,
                filterHeight=height, filterWidth=width, fusedActivationFunction=fused,
            )  # fmt: skip
            writer.outputs.append(y)
    writer.inputs = [x]
    check(writer.bytes(), [random_integers(rng, (100, 6, 5, 3), np.int8)])


@pytest.mark.parametrize("same", [False, True])
def test_mean(same: bool) -> None:
    rng = np.random.default_rng(13)
    writer = Writer()
    shape = (1, 5, 3, 4)
    x = writer.tensor(shape, 0.1, 17)
    for axes in ((1, 2), (1,), (2,), (3,), (2, 3)):
        for keep in (False, True):
            kept = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
            meaning = (0.1, 17) if same else (scale_of(rng, 0.03, 0.1), int(rng.integers(-99, 99)))
            y = writer.tensor(kept, *meaning)
            writer.add("MEAN", [x, writer.constant(axes)], [y], "ReducerOptions", keepDims=keep)
            writer.outputs.append(y)
    writer.inputs = [x]
    values = random_integers(rng, (300, 5, 3, 4), np.int8).astype(int)
    moved = np.clip(values + rng.integers(-90, 90, (300, 1, 1, 1)), -128, 127)
    check(writer.bytes(), [moved.astype(np.int8)])


def test_moves() -> None:
    rng = np.random.default_rng(17)
    writer = Writer()
    x, other = (writer.tensor((1, 4, 6, 2), 0.1, 17) for _ in range(2))
    results = {
        "RESHAPE": ((1, 8, 6), [writer.constant([1, 8, 6])], "ReshapeOptions", {}),
        "TRANSPOSE": ((1, 2, 4, 6), [writer.constant([0, 3, 1, 2])], "", {}),
        "EXPAND_DIMS": ((1, 4, 6, 1, 2), [writer.constant(3)], "", {}),
        "PAD": ((1, 7, 6, 3), [writer.constant([[0, 0], [1, 2], [0, 0], [0, 1]])], "", {}),
        "STRIDED_SLICE": (
            (1, 2, 2),
            [writer.constant(v) for v in ([0, 1, 2, 0], [1, 2, 0, 2], [1, 1, 2, 1])],
            "StridedSliceOptions",
            {"beginMask": 1, "endMask": 4, "shrinkAxisMask": 2},
        ),
    }
    for name, (shape, more, kind, options) in results.items():
        y = writer.tensor(shape, 0.1, 17)
        writer.add(name, [x, *more], [y], kind, **options)
        writer.outputs.append(y)
    y = writer.tensor((1, 4, 6, 4), 0.1, 17)
    writer.add("CONCATENATION", [x, other], [y], "ConcatenationOptions", axis=-1)
    writer.outputs.append(y)
    writer.inputs = [x, other]
    check(writer.bytes(), [random_integers(rng, (20, 4, 6, 2), np.int8) for _ in range(2)])


def convert(model: Any, shape: tuple[int, ...], kind: str = "int8") -> bytes:
    """Return the converter's full integer quantisation of a Keras model."""
    import tensorflow as tf

    rng = np.random.default_rng(0)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: (
        [rng.normal(size=(1, *shape)).astype(np.float32)] for _ in range(40)
    )
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = getattr(tf, kind)
    return bytes(converter.convert())


def mlp(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((16,)),
            layers.Dense(20, activation="relu"),
            layers.Dense(12, activation="tanh"),
            layers.Dense(5),
        ]
    )


def cnn(keras: Any) -> Any:
    layers = keras.layers
    start = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", strides=2)(start)
    y = layers.DepthwiseConv2D(3, padding="same")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    x = layers.ReLU()(layers.Add()([x, layers.Conv2D(8, 1)(y)]))
    x = layers.Concatenate()([layers.MaxPool2D(2)(x), layers.AveragePooling2D(2)(x)])
    x = layers.Conv2D(6, 3, activation="sigmoid")(layers.ZeroPadding2D(1)(x))
    x = layers.Multiply()([x, layers.LeakyReLU()(x)])
    return keras.Model(start, layers.Dense(6)(layers.GlobalAveragePooling2D()(x)))


def small(keras: Any, last: str | None = None) -> Any:
    layers = keras.layers
    start = keras.Input((4, 4, 2))
    x = layers.Conv2D(3, 3, padding="same", activation="relu")(start)
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Flatten()(layers.AveragePooling2D(2)(x))
    return keras.Model(start, layers.Dense(3, activation=last)(x))


@pytest.fixture(scope="module")
def converted() -> Callable[..., bytes]:
    import tensorflow as tf

    keras = tf.keras

    def make(build: Callable[..., Any], kind: str = "int8", **options: Any) -> bytes:
        keras.utils.set_random_seed(1)
        model = build(keras, **options)
        return convert(model, model.input_shape[1:], kind)

    return make


@pytest.mark.parametrize(("build", "shape"), [(mlp, (16,)), (cnn, (12, 12, 3))])
def test_converted_networks(
    converted: Callable[..., bytes], build: Any, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(5)
    check(converted(build), [random_integers(rng, (50, *shape), np.int8)])


def test_real_numbers_at_the_ports(converted: Callable[..., bytes]) -> None:
    rng = np.random.default_rng(5)
    content = converted(mlp, "float32")
    check(content, [rng.normal(0, 1.5, (200, 16)).astype(np.float32)])


def test_softmax_is_close(converted: Callable[..., bytes]) -> None:
    rng = np.random.default_rng(5)
    data = random_integers(rng, (50, 4, 4, 2), np.int8)
    content = converted(small, last="softmax")
    model = tflite.read_bytes(content, "softmax", "softmax.tflite")
    design = hwflow.compile(model)
    port = design.graph.outputs[0]
    found = real_values(design.simulate(data, keep_layers=True).layers[port.value], port)
    wanted = interpret(content, [data])[port.name][:, 0]
    assert np.abs(found.reshape(wanted.shape) - wanted).max() <= 2
    assert (found.argmax(-1) == wanted.argmax(-1)).mean() >= 0.9


@pytest.mark.cpp
def test_generated_cpp(converted: Callable[..., bytes]) -> None:
    rng = np.random.default_rng(5)
    data = random_integers(rng, (20, 4, 4, 2), np.int8)
    design = check(converted(small), [data])
    found = design.verify(data)
    assert found.faithful is not None
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds


def test_a_file_is_read_by_its_name(tmp_path: Any, converted: Callable[..., bytes]) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(converted(mlp))
    assert load(path).source == "net.tflite"
