"""The parts of quantisation against plain arithmetic."""

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qonnx.custom_op.general.quant import quant

import hwflow
from hwflow.frontends.quantization.compensation import fit_weights, moments, round_to_nearest
from hwflow.frontends.quantization.equalization import equalize
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.quantization.ranges import Format, choose_format, choose_scale, full_scale
from hwflow.simulate.float32 import Reference
from tests.fixtures import model
from tests.frontends.quantization.networks import NETWORKS, data
from tests.networks import Builder

FORMATS = st.builds(Format, st.integers(2, 16), st.booleans())
SEEDS = st.integers(0, 2**32 - 1)


def some(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32).astype(np.float64)


@given(FORMATS, SEEDS, st.integers(-8, 4))
def test_integers_are_those_of_qonnx(form: Format, seed: int, exponent: int) -> None:
    values, scale = some(seed, 200), 2.0**exponent
    wanted = quant(
        values, np.array(scale), np.array(0.0), np.array(float(form.bits)),
        signed=form.signed, narrow=False, rounding_mode="ROUND",
    )  # fmt: skip
    assert np.array_equal(form.quantized(values, scale), wanted)


@given(st.integers(2, 10), SEEDS, st.booleans(), st.booleans())
@settings(max_examples=30, deadline=None)
def test_minmax_saturates_nothing_and_mse_errs_least(
    bits: int, seed: int, positive: bool, asymmetric: bool
) -> None:
    values = some(seed, 500)
    values = np.abs(values) if positive else values
    form = choose_format(values, bits, asymmetric=asymmetric)
    assert form.signed == (not positive and not asymmetric)
    scale = choose_scale(values, form, "minmax", pow2=False)
    inside = values[np.abs(values) < np.abs(values).max()]
    error = np.abs(form.quantized(inside, scale) - inside)
    assert error.max() <= scale * (1.0 if asymmetric else 0.5) * (1 + 1e-6)
    for method in ("percentile", "entropy", "minmax"):
        other = choose_scale(values, form, method, pow2=False)
        assert 0 < other <= full_scale(values, form) * (1 + 1e-6)
    best = choose_scale(values, form, "mse", pow2=False)
    assert form.error(values, best) <= form.error(values, full_scale(values, form))


@pytest.mark.parametrize("method", ["minmax", "percentile", "mse", "entropy"])
def test_a_constant_zero_has_a_scale(method: str) -> None:
    form = choose_format(np.zeros(10), 8, asymmetric=True)
    assert choose_scale(np.zeros(10), form, method, pow2=True) > 0


@given(SEEDS, st.integers(2, 5), st.booleans(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_compensation_beats_rounding(seed: int, bits: int, per_channel: bool, pow2: bool) -> None:
    mixing = some(seed, 12, 12)
    x = some(seed + 1, 400, 12) @ mixing + 1
    quantized = np.rint(x * 2) / 2
    weights, form = some(seed + 2, 5, 12), Format(bits, signed=True)
    fit = fit_weights(weights, moments(x, quantized), form, per_channel=per_channel, pow2=pow2)
    whole = fit.weights / fit.scale[:, None]
    assert np.abs(whole - np.rint(whole)).max() < 1e-6
    assert np.rint(whole).min() >= form.low
    assert np.rint(whole).max() <= form.high
    assert per_channel or len(set(fit.scale)) == 1
    assert not pow2 or np.all(np.frexp(fit.scale)[0] == 0.5)
    scale = round_to_nearest(weights, form, per_channel=per_channel, pow2=pow2, mse=True)
    plain = quantized @ form.quantized(weights, scale).T
    plain += (x @ weights.T - plain).mean(0)
    ours = quantized @ fit.weights.T + fit.offset
    exact = x @ weights.T
    assert ((ours - exact) ** 2).sum() < ((plain - exact) ** 2).sum()
    assert np.abs((ours - exact).mean(0)).max() < 1e-9


CONVOLUTIONS = [
    {"kernel_shape": (3, 3), "pads": (1, 0, 2, 1)},
    {"kernel_shape": (2, 3), "strides": (2, 1), "dilations": (1, 2)},
    {"kernel_shape": (3, 2), "auto_pad": "SAME_UPPER", "strides": (2, 2)},
    {"kernel_shape": (2, 2), "auto_pad": "SAME_LOWER"},
    {"kernel_shape": (3, 3), "auto_pad": "VALID", "group": 2},
]


@pytest.mark.parametrize("attributes", CONVOLUTIONS, ids=str)
def test_rows_times_matrix_is_the_convolution(attributes: dict[str, object]) -> None:
    b = Builder(np.random.default_rng(0))
    groups = attributes.get("group", 1)
    kernel = attributes["kernel_shape"]
    shape = (6, 4 // groups, *kernel)  # type: ignore[operator,misc]
    y = b.node("Conv", ["x", b.constant(b.rng.integers(-4, 5, shape))], **attributes)
    proto = model(b, y, (1, 4, 7, 6), (1, 6, None, None))  # type: ignore[arg-type]
    x = b.rng.integers(-4, 5, (1, 4, 7, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    (wanted,) = session.run(None, {"x": x})
    (layer,) = layers_of(prepare(hwflow.load(proto)))
    rows = layer.rows(x, 10_000, np.random.default_rng(0))
    found = np.einsum("gri,goi->gor", rows, layer.matrix()).reshape(6, -1)
    assert np.array_equal(found, wanted.reshape(6, -1))


@pytest.mark.parametrize("network", NETWORKS)
def test_preparation_and_equalisation_keep_the_function(network: str) -> None:
    source = NETWORKS[network]()
    session = onnxruntime.InferenceSession(source.SerializeToString())
    wanted = np.concatenate([session.run(None, {"x": x[None]})[0] for x in data(10)])
    prepared = prepare(hwflow.load(source))
    assert not any(n.op_type == "BatchNormalization" for n in prepared.ir.graph)
    name = prepared.ir.graph.outputs[0].name
    found = Reference(prepared).run({"x": data(10)})[name or ""]
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)
    equalize(prepared)
    found = Reference(prepared).run({"x": data(10)})[name or ""]
    assert np.allclose(found, wanted, rtol=1e-4, atol=1e-4)


def test_equalised_channels_have_one_range() -> None:
    b = Builder(np.random.default_rng(3))
    spread = np.exp2(b.rng.integers(-4, 5, 6))
    x = b.node("Gemm", ["x", b.constant(b.rng.normal(size=(4, 6)) * spread), b.constant(spread)])
    x = b.node("Gemm", [b.node("Relu", [x]), b.constant(b.rng.normal(size=(6, 3)))])
    prepared = prepare(hwflow.load(model(b, x, (1, 4), (1, 3))))
    assert equalize(prepared) == 1
    first, second = layers_of(prepared)
    ranges = [np.abs(first.matrix()[0]).max(1), np.abs(second.matrix()[0]).max(0)]
    assert np.allclose(ranges[0], ranges[1], rtol=1e-6)


def test_bias_is_added_where_there_is_none() -> None:
    b = Builder(np.random.default_rng(4))
    y = b.node("MatMul", ["x", b.constant(np.eye(3))])
    prepared = prepare(hwflow.load(model(b, y, (1, 3), (1, 3))))
    (layer,) = layers_of(prepared)
    assert layer.bias() is None
    layer.set_bias(np.array([1.0, 2.0, 3.0]))
    found = Reference(prepared).run({"x": np.zeros((2, 3), np.float32)})
    assert np.array_equal(found[y], [[1, 2, 3]] * 2)
    layer.set_bias(np.array([4.0, 5.0, 6.0]))
    assert np.array_equal(layer.bias(), [4, 5, 6])
    assert sum(n.op_type == "Add" for n in ir.from_proto(ir.to_proto(prepared.ir)).graph) == 1
