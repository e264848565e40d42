"""The same number of bits everywhere, trained with Brevitas, to compare learned bits with."""

from __future__ import annotations

import warnings
from typing import Any

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Uint8ActPerTensorFixedPoint,
)
from torch import nn

from hwflow.compression.material import Material
from hwflow.compression.training.losses import Aim, Wanted
from hwflow.compression.training.schedule import batches, rate_at

RATE = 2e-3


def module_of(proto: onnx.ModelProto, bits: int) -> nn.Module:
    """Return dense layers with ReLUs between them, whose scales are powers of two."""
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in proto.graph.initializer}
    count = sum(name.startswith("kernel") for name in arrays)
    layers: list[nn.Module] = [
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, bit_width=bits)
    ]
    for i in range(count):
        kernel, bias = (torch.tensor(arrays[f"{k}{i}"]) for k in ("kernel", "bias"))
        layer = qnn.QuantLinear(
            *kernel.shape, bias=True, weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=bits,
        )  # fmt: skip
        with torch.no_grad():
            layer.weight.copy_(kernel.T)
            layer.bias.copy_(bias)
        layers.append(layer)
        if i + 1 < count:
            layers.append(qnn.QuantReLU(act_quant=Uint8ActPerTensorFixedPoint, bit_width=bits))
    return nn.Sequential(*layers)


def trained(
    proto: onnx.ModelProto, bits: int, material: Material, *, epochs: int, batch: int
) -> Any:
    """Return the module trained with the teacher's answers, as ``compress qat`` is.

    Args:
        proto: the float network, as ``logits_model`` gives it.
        bits: of all weights and activations.
        material: samples with the teacher's answers.
        epochs: passes over the samples.
        batch: samples of a step.
    """
    warnings.filterwarnings("ignore")
    torch.manual_seed(0)
    module, wanted = module_of(proto, bits), Wanted(material.train, material.task, Aim())
    ((inputs, output),) = [(next(iter(wanted.inputs)), next(iter(wanted.taught)))]
    optimiser = torch.optim.Adam(module.parameters(), lr=RATE)
    for epoch in range(epochs):
        steps = batches(wanted.size, batch, 0, epoch)
        for i, which in enumerate(steps):
            optimiser.param_groups[0]["lr"] = RATE * rate_at((epoch + i / len(steps)) / epochs)
            found = module(wanted.batch(which)[inputs])
            loss = wanted.loss({output: found}, which)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return module.eval()


def example(material: Material) -> np.ndarray[Any, Any]:
    """Return a sample to export the module with."""
    return np.asarray(next(iter(material.train.inputs.values()))[:1])
