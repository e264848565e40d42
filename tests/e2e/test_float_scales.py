"""Brevitas models with its default quantisers, whose scales are float32 numbers, bit by bit."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hwflow

pytestmark = pytest.mark.torch
SAMPLES = 2_000
MANY = 10_000
"""Samples on every target."""
COMPILED = 300
"""Samples that go through the compiled C++ as well."""


def trained(model: Any, shape: tuple[int, ...], seed: int) -> Any:
    """Return the model with the statistics of some random data: scales and batch norms are set."""
    import torch

    torch.manual_seed(seed)
    model.train()
    for _ in range(8):
        model(torch.rand(32, *shape) * 2 - 0.7)
    return model.eval()


def mlp(*, per_channel: bool, norm: bool, bits: int = 4, activation: str = "QuantReLU") -> Any:
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat
    from torch import nn

    quant = Int8WeightPerChannelFloat if per_channel else Int8WeightPerTensorFloat
    weights = {"bias": True, "weight_quant": quant, "weight_bit_width": bits}
    layers: list[Any] = [qnn.QuantIdentity(bit_width=6)]
    for inputs, outputs in ((8, 10), (10, 6)):
        layers.append(qnn.QuantLinear(inputs, outputs, **weights))
        layers += [nn.BatchNorm1d(outputs)] if norm else []
        layers.append(getattr(qnn, activation)(bit_width=bits))
    return nn.Sequential(*layers, qnn.QuantLinear(6, 3, **weights))


def cnn(*, per_channel: bool) -> Any:
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerChannelFloat, Int8WeightPerTensorFloat
    from torch import nn

    quant = Int8WeightPerChannelFloat if per_channel else Int8WeightPerTensorFloat
    weights = {"weight_quant": quant, "weight_bit_width": 4, "bias": True}
    return nn.Sequential(
        qnn.QuantIdentity(bit_width=6),
        qnn.QuantConv2d(2, 4, 3, **weights), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        qnn.QuantIdentity(bit_width=4),
        qnn.QuantConv2d(4, 3, 2, **weights), qnn.QuantReLU(bit_width=4),
        nn.Flatten(), qnn.QuantLinear(3, 3, **weights),
    )  # fmt: skip


def residual() -> Any:
    import brevitas.nn as qnn
    from brevitas.quant import Int8WeightPerChannelFloat
    from torch import nn

    class Residual(nn.Module):
        """One branch quantised after its batch norm, the other with a scale of its own."""

        def __init__(self) -> None:
            super().__init__()
            weights = {"weight_quant": Int8WeightPerChannelFloat, "weight_bit_width": 4}
            self.quant_in = qnn.QuantIdentity(bit_width=6)
            self.conv1 = qnn.QuantConv2d(2, 4, 3, padding=1, bias=True, **weights)
            self.relu1 = qnn.QuantReLU(bit_width=4)
            self.conv2 = qnn.QuantConv2d(4, 4, 3, padding=1, bias=False, **weights)
            self.norm2, self.quant2 = nn.BatchNorm2d(4), qnn.QuantIdentity(bit_width=5)
            self.relu2 = qnn.QuantReLU(bit_width=5)
            self.pool, self.quant3 = nn.AdaptiveAvgPool2d(1), qnn.QuantIdentity(bit_width=6)
            self.fc = qnn.QuantLinear(4, 3, bias=True, weight_bit_width=5)

        def forward(self, x: Any) -> Any:
            a = self.relu1(self.conv1(self.quant_in(x)))
            y = self.relu2(a + self.quant2(self.norm2(self.conv2(a))))
            return self.fc(self.quant3(self.pool(y)).flatten(1))

    return Residual()


IMAGE = (2, 6, 6)
MODELS: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp_per_tensor": (lambda: mlp(per_channel=False, norm=True), (8,)),
    "mlp_per_channel": (lambda: mlp(per_channel=True, norm=True), (8,)),
    "residual": (residual, IMAGE),
    "cnn_per_channel": (lambda: cnn(per_channel=True), IMAGE),
}
MORE: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
    "mlp_no_norm": (lambda: mlp(per_channel=True, norm=False), (8,)),
    "mlp_8_bits": (lambda: mlp(per_channel=True, norm=True, bits=8), (8,)),
    "cnn_per_tensor": (lambda: cnn(per_channel=False), IMAGE),
    "sigmoid": (lambda: mlp(per_channel=False, norm=True, activation="QuantSigmoid"), (8,)),
    "tanh": (lambda: mlp(per_channel=False, norm=True, activation="QuantTanh"), (8,)),
}


def check(name: str, *, io_type: str, samples: int = SAMPLES) -> None:
    import torch

    torch.manual_seed(0)
    make, shape = (MODELS | MORE)[name]
    design = hwflow.compile(
        trained(make(), shape, seed=len(name)), example=torch.rand(1, *shape), io_type=io_type
    )
    data = np.random.default_rng(0).random((samples, *shape), np.float32) * 2 - np.float32(0.7)
    found = design.verify(data, cpp=False).lossless
    assert found is not None
    assert found.float32_only == ""
    assert (found.samples, found.mismatches) == (samples, 0), found.first
    assert found.float32 is not None
    assert found.float32.elements > samples
    assert found.float32.differs < found.float32.elements / 1000
    faithful = design.verify(data[:COMPILED]).faithful
    assert faithful is not None
    assert faithful.holds, faithful.first


@pytest.mark.cpp
@pytest.mark.parametrize(
    ("name", "io_type"), [("mlp_per_channel", "io_stream"), ("residual", "io_parallel")]
)
def test_every_integer_is_the_models_own(name: str, io_type: str) -> None:
    check(name, io_type=io_type)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
@pytest.mark.parametrize("name", [*MODELS, *MORE])
def test_every_integer_is_the_models_own_on_every_target(name: str, io_type: str) -> None:
    check(name, io_type=io_type, samples=MANY)
