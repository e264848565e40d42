"""TFLite operators of decoders, attention and mobile networks: the reference kernels' integers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.frontends import tflite
from tests.frontends.test_tflite import LOWEST, check, convert, random_integers, scale_of
from tests.frontends.tflite_models import Writer, interpret

pytest.importorskip("tensorflow", reason="TFLite's interpreter is the reference")

EVERY = np.arange(-128, 128).astype(np.int8)[None]


def unary(name: str, kind: str = "", **options: Any) -> bytes:
    """Return a model of one operator on all integers, with several scales and zero points."""
    rng = np.random.default_rng(len(name))
    writer = Writer()
    for scale, out in ((0.05, 0.04), (0.09, 0.02), (0.013, 0.013), (0.03, 0.1)):
        x = writer.tensor((1, 256), scale, int(rng.integers(-128, 128)))
        y = writer.tensor((1, 256), out, int(rng.integers(-128, 128)))
        writer.add(name, [x], [y], kind, **options)
        writer.inputs.append(x)
        writer.outputs.append(y)
    return writer.bytes()


@pytest.mark.parametrize(
    ("name", "kind", "options"),
    [
        ("HARD_SWISH", "", {}),
        ("GELU", "GeluOptions", {"approximate": False}),
        ("GELU", "GeluOptions", {"approximate": True}),
    ],
)
def test_functions_of_all_integers(name: str, kind: str, options: dict[str, Any]) -> None:
    check(unary(name, kind, **options), [EVERY] * 4)


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 3), (3,), (1,)])
def test_slopes(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(2)
    writer = Writer()
    x = writer.tensor((1, 2, 5, 3), 0.05, -7)
    slopes = random_integers(rng, shape, np.int8)
    alpha = writer.tensor(shape, 0.007, 3, data=slopes)
    for scale, zero in ((0.04, 11), (0.1, -128)):
        y = writer.tensor((1, 2, 5, 3), scale, zero)
        writer.add("PRELU", [x, alpha], [y])
        writer.outputs.append(y)
    writer.inputs = [x]
    data = np.broadcast_to(EVERY[0][:, None, None, None], (256, 2, 5, 3))
    check(writer.bytes(), [data])


def test_greater_and_lesser() -> None:
    rng = np.random.default_rng(3)
    writer = Writer()
    a, b = (writer.tensor((1, 3, 4), 0.05, -7) for _ in range(2))
    one = writer.tensor((1,), 0.05, -7, data=np.array([20], np.int8))
    each = writer.tensor((4,), 0.05, -7, data=np.array([20, -30, 5, 9], np.int8))
    for name in ("MAXIMUM", "MINIMUM"):
        for operands in ((a, b), (a, one), (each, b)):
            y = writer.tensor((1, 3, 4), 0.05, -7)
            writer.add(name, operands, [y], "MaximumMinimumOptions")
            writer.outputs.append(y)
    writer.inputs = [a, b]
    check(writer.bytes(), [random_integers(rng, (50, 3, 4), np.int8) for _ in range(2)])


@pytest.mark.parametrize(
    ("name", "dtype"), [("SUM", np.int8), ("SUM", np.uint8), ("REDUCE_MAX", np.int8)]
)
def test_reductions(name: str, dtype: type) -> None:
    rng = np.random.default_rng(4)
    writer, shape = Writer(), (1, 5, 3, 4)
    low = LOWEST[dtype]
    x = writer.tensor(shape, 0.05, low + 117, dtype)
    for axes, keep in (((1, 2), 0), ((1,), 1), ((3,), 0), ((2, 3), 1), ((1, 2, 3), 0)):
        kept = [1 if i in axes else d for i, d in enumerate(shape) if keep or i not in axes]
        meaning = (scale_of(rng, 0.1, 0.4), low + int(rng.integers(28, 228)))
        y = writer.tensor(kept, *((0.05, low + 117) if name == "REDUCE_MAX" else meaning), dtype)
        writer.add(name, [x, writer.constant(axes)], [y], "ReducerOptions", keepDims=bool(keep))
        writer.outputs.append(y)
    writer.inputs = [x]
    values = random_integers(rng, (100, 5, 3, 4), dtype)
    # the reference kernel of SUM takes int8 for uint8
    builtin = (name, dtype) == ("SUM", np.int8)
    kernels = "BUILTIN_WITHOUT_DEFAULT_DELEGATES" if builtin else "BUILTIN_REF"
    check(writer.bytes(), [values], kernels=kernels)


def test_sums_within_8_bits_are_refused() -> None:
    writer = Writer()
    x, y = writer.tensor((1, 5, 3), 0.05, 17), writer.tensor((1, 3), 0.05, 17)
    writer.add("SUM", [x, writer.constant([1])], [y], "ReducerOptions")
    writer.inputs, writer.outputs = [x], [y]
    with pytest.raises(CompileError, match="computes within 8 bits"):
        tflite.read_bytes(writer.bytes(), "net", "net.tflite")


@pytest.mark.parametrize(("corners", "centers"), [(False, False), (False, True), (True, False)])
def test_bilinear_resize(corners: bool, centers: bool) -> None:
    rng = np.random.default_rng(5)
    writer = Writer()
    x = writer.tensor((1, 4, 3, 2), 0.05, 17)
    for sizes in ((8, 6), (7, 9), (1, 2), (4, 12)):
        y = writer.tensor((1, *sizes, 2), 0.05, 17)
        options = {"alignCorners": corners, "halfPixelCenters": centers}
        writer.add(
            "RESIZE_BILINEAR", [x, writer.constant(sizes)], [y], "ResizeBilinearOptions", **options
        )
        writer.outputs.append(y)
    writer.inputs = [x]
    check(writer.bytes(), [random_integers(rng, (50, 4, 3, 2), np.int8)])


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize(
    ("stride", "kernel"), [((2, 2), (3, 2)), ((1, 2), (2, 2)), ((3, 1), (2, 3))]
)
def test_transposed_convolution(padding: int, stride: Any, kernel: Any) -> None:
    rng = np.random.default_rng(6)
    writer = Writer()
    x = writer.tensor((1, 4, 3, 2), 0.05, 17)
    scales = rng.uniform(0.001, 0.02, 5).astype(np.float32)
    weight = writer.tensor(
        (5, *kernel, 2), scales, 0, data=random_integers(rng, (5, *kernel, 2), np.int8)
    )
    sizes = [
        n * s if padding == 0 else n * s + max(k - s, 0)
        for n, s, k in zip((4, 3), stride, kernel, strict=True)
    ]
    bias = writer.tensor((5,), scales * np.float32(0.05), 0, np.int32, rng.integers(-900, 900, 5))
    for more in ([], [bias]):
        y = writer.tensor((1, *sizes, 5), scale_of(rng), -9)
        writer.add(
            "TRANSPOSE_CONV",
            [writer.constant([1, *sizes, 5]), weight, x, *more],
            [y],
            "TransposeConvOptions",
            padding=padding,
            strideH=stride[0],
            strideW=stride[1],
        )
        writer.outputs.append(y)
    writer.inputs = [x]
    check(writer.bytes(), [random_integers(rng, (50, 4, 3, 2), np.int8)])


@pytest.mark.parametrize("turned", [False, True])
def test_products_of_matrices(turned: bool) -> None:
    rng = np.random.default_rng(7)
    writer = Writer()
    a = writer.tensor((1, 3, 4), 0.05, 17)
    b = writer.tensor((1, 5, 4) if turned else (1, 4, 5), 0.03, -11)
    shape = (5, 4) if turned else (4, 5)
    weight = writer.tensor(shape, 0.01, 0, data=random_integers(rng, shape, np.int8))
    for other in (b, weight):
        y = writer.tensor((1, 3, 5), 0.09, 5)
        writer.add("BATCH_MATMUL", [a, other], [y], "BatchMatMulOptions", adjY=turned)
        writer.outputs.append(y)
    writer.inputs = [a, b]
    samples = [random_integers(rng, (50, *writer.tensors[i].shape[1:]), np.int8) for i in (a, b)]
    check(writer.bytes(), samples)


def test_labels() -> None:
    rng = np.random.default_rng(8)
    writer = Writer()
    x = writer.tensor((1, 3, 6), 0.05, 17)
    for dtype, axis, shape in ((np.int32, 2, (1, 3)), (np.int64, -2, (1, 6))):
        y = writer.tensor(shape, dtype=dtype)
        options = {"outputType": 2 if dtype is np.int32 else 4}
        writer.add("ARG_MAX", [x, writer.constant(axis)], [y], "ArgMaxOptions", **options)
        writer.outputs.append(y)
    writer.inputs = [x]
    data = rng.integers(-3, 3, (50, 3, 6)).astype(np.int8)
    content = writer.bytes()
    expected = interpret(content, [data])
    found = hwflow.compile(tflite.read_bytes(content, "net", "net.tflite")).simulate(data).outputs
    for name, wanted in expected.items():
        np.testing.assert_array_equal(found[name].reshape(wanted.shape), wanted)


def decoder(layers: Any, x: Any) -> Any:
    """Layers that a small decoder has."""
    y = layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_normal")(layers.Conv2D(3, 1)(x))
    z = layers.UpSampling2D(2, interpolation="bilinear")(y)
    z = layers.Maximum()([z, layers.Conv2DTranspose(3, 3, strides=2, padding="same")(y)])
    return layers.Conv2D(2, 1)(layers.Activation("gelu")(z))


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_generated_cpp(io_type: str) -> None:
    from tensorflow import keras

    keras.utils.set_random_seed(1)
    start = keras.Input((3, 2, 2))
    content = convert(keras.Model(start, decoder(keras.layers, start)), (3, 2, 2))
    data = random_integers(np.random.default_rng(1), (20, 3, 2, 2), np.int8)
    check(content, [data])
    model = tflite.read_bytes(content, "decoder", "decoder.tflite")
    found = hwflow.compile(model, io_type=io_type).verify(data)
    assert found.faithful is not None
    assert found.faithful.holds
    assert found.lossless is not None
    assert found.lossless.holds
