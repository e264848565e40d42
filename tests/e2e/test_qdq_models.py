"""Models quantised by ONNX Runtime, Brevitas and torchao: every integer, down to the C++."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import hwflow
from tests.qdq_models import evaluate
from tests.verify.exact.rational import nearest

pytest.importorskip("torch")
pytest.importorskip("sklearn")

SAMPLES = 200


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the quantisers' reports off the screen."""
    previous = logging.root.manager.disable
    logging.disable(logging.WARNING)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
    logging.disable(previous)


def digits() -> Any:
    from sklearn.datasets import load_digits

    images = load_digits().images.astype(np.float32) / 16
    return images[:, None]


def networks() -> dict[str, Callable[[], Any]]:
    import torch
    from torch import nn

    class Cnn(nn.Module):  # type: ignore[misc]
        """Residual sum, both poolings, a concatenation, a leaky slope."""

        def __init__(self) -> None:
            super().__init__()
            self.c1, self.c2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.c3, self.fc = nn.Conv2d(4, 3, 1), nn.Linear(7, 10)

        def forward(self, x: Any) -> Any:
            a = torch.relu(self.c1(x))
            a = torch.max_pool2d(a + torch.relu(self.c2(a)), 2)
            b = nn.functional.leaky_relu(self.c3(a), 0.1)
            pooled = nn.functional.adaptive_avg_pool2d(torch.cat([a, b], 1), 1)
            return self.fc(torch.flatten(pooled, 1))

    def mlp() -> Any:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))

    return {"mlp": mlp, "cnn": Cnn}


@pytest.fixture(scope="module")
def floats(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Path]:
    """Return both networks, trained a little, as float ONNX files of two opsets."""
    import torch
    from sklearn.datasets import load_digits

    folder = tmp_path_factory.mktemp("float")
    x, y = torch.tensor(digits()), torch.tensor(load_digits().target)
    found = {}
    for name, build in networks().items():
        torch.manual_seed(0)
        module = build()
        optimizer = torch.optim.Adam(module.parameters(), 1e-2)
        for _ in range(25):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(module(x), y).backward()
            optimizer.step()
        for opset in (17, 21):
            path = folder / f"{name}{opset}.onnx"
            with quiet():
                torch.onnx.export(
                    module.eval(), (x[:1],), str(path), dynamo=False, opset_version=opset,
                    input_names=["x"], output_names=["y"],
                )  # fmt: skip
            found[name, opset] = path
    return found


def quantized(floats: dict[tuple[str, int], Path], name: str, kind: str, to: Path) -> Path:
    """Quantise a float model by ``quantize_static``."""
    from onnxruntime.quantization import (
        CalibrationDataReader,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = iter([{"x": digits()[i : i + 1]} for i in range(40)])

        def get_next(self) -> Any:
            return next(self.left, None)

    activations, weights, channels, extra = KINDS[kind]
    opset = 21 if "4" in weights else 17
    path = to / f"{name}_{kind}.onnx"
    with quiet():
        quantize_static(
            str(floats[name, opset]), str(path), Reader(), quant_format=QuantFormat.QDQ,
            activation_type=QuantType[activations], weight_type=QuantType[weights],
            per_channel=channels, extra_options=extra,
        )  # fmt: skip
    return path


KINDS: dict[str, tuple[str, str, bool, dict[str, bool]]] = {
    "u8s8": ("QUInt8", "QInt8", False, {}),
    "s8s8_channels": ("QInt8", "QInt8", True, {}),
    "s8s8_symmetric": ("QInt8", "QInt8", False, {"ActivationSymmetric": True}),
    "u8u8_shifted": ("QUInt8", "QUInt8", False, {"WeightSymmetric": False}),
    "u8s16": ("QUInt8", "QInt16", False, {}),
    "u8s4": ("QUInt8", "QInt4", False, {}),
}
"""Types of activations and weights, scales per channel, options of ONNX Runtime."""


@pytest.mark.parametrize("name", ["mlp", "cnn"])
@pytest.mark.parametrize("kind", KINDS)
def test_onnx_runtimes_models_are_lossless(
    floats: dict[tuple[str, int], Path], name: str, kind: str, tmp_path: Path
) -> None:
    path = quantized(floats, name, kind, tmp_path)
    design = hwflow.compile(path)
    found = design.verify(digits()[:SAMPLES], cpp=False)
    assert found.lossless is not None
    assert not found.lossless.float32_only
    assert found.lossless.mismatches == 0, found.lossless.first
    assert not [w for w in design.warnings if w.code == "HW230"]  # the host quantises


@pytest.mark.parametrize(("name", "samples"), [("mlp", 20), ("cnn", 2)])
def test_fractions_give_the_same(
    floats: dict[tuple[str, int], Path], name: str, samples: int, tmp_path: Path
) -> None:
    path = quantized(floats, name, "u8s8", tmp_path)
    x = digits()[-samples:]
    expected = nearest(evaluate(onnx.load(path), x)["y"])
    np.testing.assert_array_equal(hwflow.compile(path).simulate(x).outputs["y"], expected)


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("name", "kind", "io_type"),
    [
        ("mlp", "s8s8_channels", "io_parallel"),
        pytest.param("cnn", "u8s8", "io_stream", marks=pytest.mark.slow),
    ],
)
def test_onnx_runtimes_models_agree_with_their_cpp(
    floats: dict[tuple[str, int], Path], name: str, kind: str, io_type: str, tmp_path: Path
) -> None:
    design = hwflow.compile(quantized(floats, name, kind, tmp_path), io_type=io_type)
    found = design.verify(digits()[:60])
    assert found.faithful is not None
    assert found.faithful.mismatches == 0
    assert found.lossless is not None
    assert found.lossless.mismatches == 0


def brevitas_cnn(activation: str, weight: str, bits: int, bias: str | None) -> Any:
    """Return a small network whose statistics have seen some data."""
    import brevitas.nn as qnn
    import brevitas.quant as quantizers
    import torch
    from torch import nn

    torch.manual_seed(1)
    act, weights = getattr(quantizers, activation), getattr(quantizers, weight)
    biases = None if bias is None else getattr(quantizers, bias)
    module = nn.Sequential(
        qnn.QuantIdentity(act_quant=act, bit_width=bits, return_quant_tensor=True),
        qnn.QuantConv2d(
            1, 4, 3, weight_quant=weights, weight_bit_width=4, bias=True, bias_quant=biases
        ),
        nn.BatchNorm2d(4),
        qnn.QuantReLU(bit_width=bits, return_quant_tensor=True),
        nn.MaxPool2d(2),
        nn.Flatten(),
        qnn.QuantLinear(
            36, 5, weight_quant=weights, weight_bit_width=4, bias=True, bias_quant=biases
        ),
        qnn.QuantIdentity(act_quant=act, bit_width=8),
    )
    for _ in range(5):
        module(torch.rand(16, 1, 8, 8) * 2 - 0.6)
    return module.eval()


BREVITAS = {
    "float": ("Int8ActPerTensorFloat", "Int8WeightPerTensorFloat", 4, None),
    "channels": ("Int8ActPerTensorFloat", "Int8WeightPerChannelFloat", 8, "Int32Bias"),
    "shifted": ("ShiftedUint8ActPerTensorFloat", "ShiftedUint8WeightPerTensorFloat", 5, None),
    "fixed": ("Int8ActPerTensorFixedPoint", "Int8WeightPerTensorFixedPoint", 6, None),
}


@pytest.mark.torch
@pytest.mark.parametrize("kind", BREVITAS)
def test_brevitas_models_are_lossless(kind: str, tmp_path: Path) -> None:
    import torch
    from brevitas.export import export_onnx_qcdq

    module = brevitas_cnn(*BREVITAS[kind])
    x = np.random.default_rng(0).uniform(-0.8, 1.6, (SAMPLES, 1, 8, 8)).astype(np.float32)
    path = tmp_path / "model.onnx"
    with quiet(), torch.no_grad():
        export_onnx_qcdq(
            module, args=torch.tensor(x[:1]), export_path=str(path), opset_version=18, dynamo=False
        )
        of_torch = module(torch.tensor(x))
    design = hwflow.compile(path)
    found = design.verify(x, cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0, found.lossless.first
    assert found.lossless.float32 is not None
    ours = found.simulation.outputs[design.graph.outputs[0].name].astype(np.float32)
    if found.lossless.float32.differs == 0:  # torch rounds as ONNX Runtime does
        np.testing.assert_array_equal(ours, getattr(of_torch, "value", of_torch).numpy())


@pytest.mark.torch
@pytest.mark.cpp
def test_a_brevitas_model_agrees_with_its_cpp(tmp_path: Path) -> None:
    import torch
    from brevitas.export import export_onnx_qcdq

    x = np.random.default_rng(0).uniform(-0.8, 1.6, (50, 1, 8, 8)).astype(np.float32)
    path = tmp_path / "model.onnx"
    with quiet(), torch.no_grad():
        export_onnx_qcdq(
            brevitas_cnn(*BREVITAS["shifted"]), args=torch.tensor(x[:1]), export_path=str(path),
            opset_version=18, dynamo=False,
        )  # fmt: skip
    found = hwflow.compile(path).verify(x)
    assert found.faithful is not None
    assert found.faithful.mismatches == 0
    assert found.lossless is not None
    assert found.lossless.mismatches == 0
