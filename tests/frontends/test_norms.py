"""Normalisations by a sample's own statistics, from the frameworks that people train them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.ops.layer_norm import LayerNorm

EXAMPLES = Path(__file__).parents[2] / "examples"
STEP = 2.0**-5


def assert_within_a_step(design: hwflow.Design, x: Any, wanted: Any) -> None:
    """Assert that a design with a normalisation is the framework's own but for a step, seldom."""
    (norm,) = (n for n in design.graph.nodes if isinstance(n.op, LayerNorm))
    bound = norm.op.inexact(*design.graph.input_types(norm)).bound
    assert bound is not None
    assert bound < STEP / 4
    (found,) = design.simulate(x).outputs.values()
    off = np.abs(found - wanted)
    assert off.max() <= STEP
    assert np.mean(off > 0) < 0.03


@pytest.mark.torch
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm1d"])
def test_torch(kind: str) -> None:
    pytest.importorskip("brevitas")
    import brevitas.nn as qnn
    import torch
    from brevitas.quant import Int8ActPerTensorFixedPoint, Int8ActPerTensorFloat

    made = {
        "LayerNorm": lambda: torch.nn.LayerNorm(12),
        "RMSNorm": lambda: torch.nn.RMSNorm(12, eps=1e-5),
        "GroupNorm": lambda: torch.nn.GroupNorm(2, 4),
        "InstanceNorm1d": lambda: torch.nn.InstanceNorm1d(4, affine=True),
    }
    torch.manual_seed(0)
    norm = made[kind]()
    for parameter in norm.parameters():
        torch.nn.init.uniform_(parameter, 0.2, 1.5)
    end = {"scaling_impl_type": "const", "scaling_init": STEP * 128, "bit_width": 8}
    module = torch.nn.Sequential(
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFloat, bit_width=8),
        norm,
        qnn.QuantIdentity(act_quant=Int8ActPerTensorFixedPoint, **end),
    )
    x = torch.randn(200, 4, 12)
    module(x)
    with torch.no_grad():
        wanted = module.eval()(x)
    design = hwflow.compile(module, example=x[:1].numpy())
    assert_within_a_step(design, x.numpy(), wanted.numpy())


@pytest.mark.keras
@pytest.mark.parametrize("kind", ["LayerNormalization", "RMSNormalization"])
@pytest.mark.parametrize("axis", [-1, (1, 2)])
def test_keras3(kind: str, axis: Any, tmp_path: Path) -> None:
    pytest.importorskip("hgq")
    import keras
    from hgq.config import QuantizerConfig
    from hgq.layers import Quantizer

    def quantizer(bits: int) -> Any:
        settings = {"k0": True, "i0": 3, "f0": bits, "overflow_mode": "SAT"}
        return Quantizer(QuantizerConfig("kif", "datalane", **settings, heterogeneous_axis=()))

    norm = getattr(keras.layers, kind)(axis=axis)
    inputs = keras.Input((4, 12))
    model = keras.Model(inputs, quantizer(5)(norm(quantizer(4)(inputs))))
    rng = np.random.default_rng(0)
    norm.set_weights([rng.uniform(0.2, 1.5, w.shape) for w in norm.get_weights()])
    x = rng.normal(0, 2, (200, 4, 12)).astype(np.float32)
    wanted = model.predict(x, verbose=0)
    model.save(tmp_path / "norm.keras")
    assert_within_a_step(hwflow.compile(tmp_path / "norm.keras"), x, wanted)
    assert_within_a_step(hwflow.compile(model), x, wanted)


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("io_type", ["io_parallel", "io_stream"])
def test_the_transformer_with_layer_norms_is_faithful(io_type: str) -> None:
    with np.load(EXAMPLES / "digits.npz") as data:
        images, labels = data["x"], data["y"]
    quantized = hwflow.quantize(EXAMPLES / "digits_encoder.onnx", images[:400], "w=8,a=8")
    design = hwflow.compile(quantized.model, board="zcu104", io_type=io_type)
    assert sum(node.op.kind == "LayerNorm" for node in design.graph.nodes) == 5
    found = design.verify(images[-100:])
    assert found.faithful is not None
    assert found.faithful.holds
    (logits,) = design.simulate(images[400:]).outputs.values()
    assert (logits.reshape(len(logits), -1).argmax(1) == labels[400:]).mean() > 0.96
