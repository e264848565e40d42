"""Accuracy against ONNX Runtime's quantisation of the same model."""

from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from hwflow.frontends.quantization import quantize
from tests.ptq_rivals import classes, minmax, onnxruntime_static

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def digits() -> tuple[onnx.ModelProto, np.ndarray, np.ndarray, np.ndarray]:
    """Return the float CNN, 256 images to calibrate with, noisy copies of others, labels."""
    with np.load(EXAMPLES / "digits.npz") as file:
        x, y = file["x"], file["y"]
    rng = np.random.default_rng(0)
    noisy = [x[256:] + rng.normal(0, 0.15, x[256:].shape) for _ in range(4)]
    many = np.clip(np.concatenate(noisy), 0, 1).astype(np.float32)
    return onnx.load(EXAMPLES / "digits_float.onnx"), x[:256], many, np.tile(y[256:], 4)


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_at_least_as_accurate_and_better_at_four_bits(
    digits: tuple[onnx.ModelProto, np.ndarray, np.ndarray, np.ndarray],
    bits: int,
    per_channel: bool,
) -> None:
    model, calibration, x, y = digits
    found = quantize(model, calibration, f"w={bits},a={bits}", per_channel=per_channel)
    ours = classes(ir.to_proto(found.model.ir), x)
    if bits == 8:
        rival = classes(onnxruntime_static(model, calibration, per_channel=per_channel), x)
    else:
        rival = classes(minmax(model, calibration, bits, per_channel=per_channel), x)
    right = [int((c == y).sum()) for c in (ours, rival)]
    like_float = [int((c == classes(model, x)).sum()) for c in (ours, rival)]
    assert right[0] >= right[1]
    assert like_float[0] >= like_float[1]
    if bits == 4:
        assert right[0] > right[1] + 0.01 * len(y)


def test_the_emulation_is_as_good_as_the_original(
    digits: tuple[onnx.ModelProto, np.ndarray, np.ndarray, np.ndarray],
) -> None:
    model, calibration, x, _ = digits
    emulated = classes(minmax(model, calibration, 8, per_channel=True), x)
    original = classes(onnxruntime_static(model, calibration, per_channel=True), x)
    reference = classes(model, x)
    shares = [float((c == reference).mean()) for c in (emulated, original)]
    assert abs(shares[0] - shares[1]) < 0.005


@pytest.mark.parametrize("per_channel", [False, True], ids=["tensor", "channel"])
def test_weights_of_four_bits_against_onnxruntime(
    digits: tuple[onnx.ModelProto, np.ndarray, np.ndarray, np.ndarray], per_channel: bool
) -> None:
    model, calibration, x, _ = digits
    reference = classes(model, x)
    rival = onnxruntime_static(model, calibration, per_channel=per_channel, weight_bits=4)
    found = quantize(model, calibration, "w=4,a=8", per_channel=per_channel)
    ours = classes(ir.to_proto(found.model.ir), x)
    assert (ours == reference).sum() > (classes(rival, x) == reference).sum()
