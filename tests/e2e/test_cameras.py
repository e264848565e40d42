"""A camera's integers, normalised inside the network up to the first quantiser: exact everywhere.

The judges are the frameworks: ONNX Runtime, torch, Keras and TFLite's interpreter. They compute in
float32, so that levels are compared with a reference in rational arithmetic as well.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.frontends import load, tflite
from hwflow.frontends.keras.environment import legacy_keras
from hwflow.simulate.float32 import Reference
from tests.e2e.cameras import (
    DEVIATION,
    ELEMENTS,
    MEAN,
    QUANTIZERS,
    STEPS,
    camera,
    per_channel,
    pictures,
)
from tests.frontends.tflite_models import Writer, interpret

ORDERS = [
    ("/255", "-mean", "/deviation"),
    ("*(1/255)", "+(-mean)", "*(1/deviation)"),
    ("/deviation", "/255"),
    ("norm",),
    ("/255", "norm"),
    ("/256-1/2",),
    (),
]


def outcome(source: Any, x: Any, *, cpp: bool = False, **options: Any) -> tuple[Any, Any]:
    """Return a design and its outputs; all that can be compared agrees."""
    design = hwflow.compile(source, board="zcu104", **options)
    check = design.verify(x, cpp=cpp)
    assert check.lossless.holds
    assert check.lossless.float32 is not None, "exact arithmetic is the judge"
    assert check.golden.holds
    assert not cpp or check.faithful.holds
    return design, next(iter(check.simulation.outputs.values()))


def port_of(design: Any) -> str:
    (port,) = design.graph.inputs
    return str(design.graph.types[port.value].dtype)


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("steps", ORDERS, ids=" ".join)
def test_steps_of_any_order(steps: tuple[str, ...], quantizer: str, io_type: str) -> None:
    proto = camera(steps, quantizer)
    x = pictures("uint8")
    design, found = outcome(proto, x, io_type=io_type)
    assert port_of(design) == "ufixed<8,8>"
    runtime = next(iter(Reference(load(proto)).run({"x": x}).values()))
    assert found == pytest.approx(runtime, abs=1e-5)


@pytest.mark.parametrize("elements", ELEMENTS)
def test_integers_of_any_kind(elements: str) -> None:
    steps = ("norm",) if elements.endswith("8") else ("/255", "/255")
    design, _ = outcome(camera(steps, "Quant", elements), pictures(elements))
    signed = "u" * elements.startswith("u")
    bits = elements.lstrip("uint")
    assert port_of(design) == f"{signed}fixed<{bits},{bits}>"


@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_the_c_plus_plus_agrees(io_type: str) -> None:
    outcome(camera(ORDERS[0], "Quant"), pictures("uint8", samples=8), cpp=True, io_type=io_type)


def test_one_function_of_256_values_per_channel() -> None:
    """The levels in rational arithmetic, from nothing but the model's float32 constants."""
    design = hwflow.compile(camera(ORDERS[0], "Quant"), board="zcu104")
    (node,) = [n for n in design.graph.nodes if n.op.kind == "Requantize"]
    x = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None], (256, 3, 5, 5))
    found = design.simulate(x, keep_layers=True).layers[node.name].raw[:, 0, 0]
    scale = Fraction(float(np.float32(0.0213)))
    for channel in range(3):
        mean, deviation = (
            Fraction(float(per_channel(v)[0, channel, 0, 0])) for v in (MEAN, DEVIATION)
        )
        exact = [(Fraction(v, 255) - mean) / deviation / scale for v in range(256)]
        assert found[:, channel].tolist() == [min(max(round(v), -128), 127) for v in exact]


def test_torch_and_brevitas() -> None:
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    from brevitas.quant import Int8ActPerTensorFloat

    class Net(torch.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat)
            self.conv = qnn.QuantConv2d(3, 2, 3, bias=False)
            self.register_buffer("mean", torch.from_numpy(per_channel(MEAN)))
            self.register_buffer("deviation", torch.from_numpy(per_channel(DEVIATION)))

        def forward(self, x: Any) -> Any:
            return self.conv(self.first((x.float() / 255 - self.mean) / self.deviation))

    torch.manual_seed(0)
    net, x = Net(), pictures("uint8")
    net(torch.from_numpy(x))
    expected = net.eval()(torch.from_numpy(x))
    design, found = outcome(net, x, example=x)
    assert port_of(design) == "ufixed<8,8>"
    assert found == pytest.approx(expected.detach().numpy(), abs=1e-5)


def test_a_module_that_takes_no_integers_is_exported_with_floats() -> None:
    torch = pytest.importorskip("torch")
    qnn = pytest.importorskip("brevitas.nn")
    torch.manual_seed(0)
    net = torch.nn.Sequential(qnn.QuantLinear(4, 2, bias=False)).eval()
    x = np.arange(40, dtype=np.uint8).reshape(10, 4)
    assert str(load(net, x).ir.graph.inputs[0].dtype) == "FLOAT"


def quantized_head(qkeras: Any, x: Any) -> Any:
    x = qkeras.QActivation("quantized_bits(8, 2, 1, alpha=1)")(x)
    weights = qkeras.quantized_bits(6, 0, 1, alpha=1.0)
    return qkeras.QConv2D(2, 3, kernel_quantizer=weights, use_bias=False)(x)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "layers",
    [
        lambda k: [k.Rescaling(1 / 127.5, offset=-1)],
        lambda k: [k.Normalization(mean=[120, 130, 110], variance=[3000, 3500, 4000])],
        lambda k: [k.Rescaling(1 / 255), k.Normalization(mean=MEAN, variance=[0.05, 0.06, 0.07])],
        lambda k: [k.Normalization(mean=[-1, 0, 1], variance=[1e-4, 2e-4, 0], invert=True)],
        lambda k: [k.Normalization(mean=3.0, variance=200.0, axis=None)],
    ],
    ids=["rescaling", "normalization", "both", "inverted", "one mean"],
)
def test_keras(layers: Any, dtype: str) -> None:
    keras, qkeras = legacy_keras(), pytest.importorskip("qkeras")
    x = pictures("uint8", (5, 5, 3))
    first = value = keras.Input((5, 5, 3), dtype=dtype, name="x")
    for layer in layers(keras.layers):
        value = layer(value)
    model = keras.Model(first, quantized_head(qkeras, value))
    settings = {} if dtype == "uint8" else {"input": {"x": {"type": "ufixed<8,8>"}}}
    design, found = outcome(model, x, config=settings)
    assert port_of(design) == "ufixed<8,8>"
    expected = model.predict(x.astype(dtype), verbose=0)
    assert found == pytest.approx(expected, abs=1e-5)


def test_an_adapted_normalization_is_read_with_what_it_found(tmp_path: Path) -> None:
    keras, qkeras = legacy_keras(), pytest.importorskip("qkeras")
    x = pictures("uint8", (5, 5, 3))
    layer = keras.layers.Normalization()
    layer.adapt(x.astype(np.float32))
    first = keras.Input((5, 5, 3), dtype="uint8", name="x")
    model = keras.Model(first, quantized_head(qkeras, layer(first)))
    path = tmp_path / "model.h5"
    model.save(path)
    _, found = outcome(path, x)
    assert found == pytest.approx(model.predict(x, verbose=0), abs=1e-5)


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize(
    "steps",
    [
        lambda k, x: k.layers.Rescaling(1 / 127.5, offset=-1)(x),
        lambda k, x: k.layers.Normalization(mean=MEAN, variance=[0.05, 0.06, 0.07])(
            k.layers.Rescaling(1 / 255)(x)
        ),
        lambda k, x: (k.ops.cast(x, "float32") / 255 - 0.45) / 0.225,
    ],
    ids=["rescaling", "both", "operations"],
)
def test_keras_3_and_hgq(steps: Any, dtype: str, tmp_path: Path) -> None:
    keras, layers = pytest.importorskip("keras"), pytest.importorskip("hgq.layers")
    from hgq.config import QuantizerConfigScope

    keras.utils.set_random_seed(0)
    x = pictures("uint8", (5, 5, 3))
    first = keras.Input((5, 5, 3), dtype=dtype, name="x")
    with QuantizerConfigScope(default_q_type="kif", i0=3, f0=4, overflow_mode="SAT"):
        model = keras.Model(first, layers.QConv2D(2, 3)(steps(keras, first)))
    expected = np.asarray(model.predict_on_batch(x.astype(dtype)))
    model.save(tmp_path / "camera.keras")
    settings = {} if dtype == "uint8" else {"input": {"x": {"type": "ufixed<8,8>"}}}
    design, found = outcome(tmp_path / "camera.keras", x, config=settings)
    assert port_of(design) == "ufixed<8,8>"
    assert np.array_equal(found, expected)
    assert len(np.unique(expected)) > 50


def test_tflite_casts_a_port_of_integers() -> None:
    pytest.importorskip("tensorflow")
    w = Writer()
    x = w.tensor((1, 4, 4, 3), dtype=np.uint8)
    real = w.tensor((1, 4, 4, 3), dtype=np.float32)
    q = w.tensor((1, 4, 4, 3), 1.17, -128)
    y = w.tensor((1, 4, 4, 3), 2.3, -100)
    w.add("CAST", [x], [real], "CastOptions", inDataType=3, outDataType=0)
    w.add("QUANTIZE", [real], [q], "QuantizeOptions")
    w.add("QUANTIZE", [q], [y], "QuantizeOptions")
    w.inputs, w.outputs = [x], [y]
    data = pictures("uint8", (4, 4, 3))
    content = w.bytes()
    expected = next(iter(interpret(content, [data]).values()))[:, 0]
    design = hwflow.compile(tflite.read_bytes(content, "camera", "camera.tflite"))
    assert port_of(design) == "ufixed<8,8>"
    found = next(iter(design.simulate(data).outputs.values()))
    assert np.array_equal(found, expected)


def depthwise(keras: Any) -> Any:
    """Return mean and deviation of each channel as a depthwise convolution of one pixel."""
    deviation = np.asarray(DEVIATION, np.float32)
    return keras.layers.DepthwiseConv2D(
        1,
        depthwise_initializer=keras.initializers.Constant((1 / deviation).reshape(1, 1, 3, 1)),
        bias_initializer=keras.initializers.Constant(-np.asarray(MEAN, np.float32) / deviation),
    )


def converted(layers: list[Any], dtype: str, x: Any) -> bytes:
    """Return what TFLite's converter makes of layers on pixels and a convolution."""
    import tensorflow as tf

    tf.keras.utils.set_random_seed(0)
    first = value = tf.keras.Input((5, 5, 3), dtype=dtype, name="x")
    for layer in layers:
        value = layer(value)
    model = tf.keras.Model(first, tf.keras.layers.Conv2D(2, 3, activation="relu")(value))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None].astype(dtype)] for row in x)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    return bytes(converter.convert())


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("channels", [False, True], ids=["one scale", "per channel"])
def test_tflites_converter(channels: bool, dtype: str) -> None:
    keras = pytest.importorskip("tensorflow").keras
    x = pictures("uint8", (5, 5, 3))
    layers = [keras.layers.Rescaling(1 / 255), *([depthwise(keras)] if channels else [])]
    content = converted(layers, dtype, x)
    expected = next(iter(interpret(content, [x]).values()))[:, 0]
    design = hwflow.compile(tflite.read_bytes(content, "camera", "camera.tflite"))
    assert port_of(design) == "ufixed<8,8>"
    check = design.verify(x, cpp=False)
    assert check.lossless is not None
    assert check.lossless.holds
    assert np.array_equal(next(iter(check.simulation.outputs.values())), expected)
    assert len(np.unique(expected)) > 50


def test_a_normalization_in_tflite_is_refused_with_what_is_read_instead() -> None:
    keras = pytest.importorskip("tensorflow").keras
    layer = keras.layers.Normalization(mean=MEAN, variance=[0.05, 0.06, 0.07])
    x = pictures("uint8", (5, 5, 3))
    content = converted([keras.layers.Rescaling(1 / 255), layer], "float32", x)
    with pytest.raises(hwflow.CompileError) as refused:
        hwflow.compile(tflite.read_bytes(content, "camera", "camera.tflite"))
    (finding,) = refused.value.diagnostics
    assert (finding.code, ": SUB" in finding.where) == ("HW293", True)
    assert "DepthwiseConv2D" in finding.help  # test_tflites_converter applies it


def test_every_step_is_tried() -> None:
    assert {step for order in ORDERS for step in order} == set(STEPS)
