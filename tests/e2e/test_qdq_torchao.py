"""A module quantised by torchao (PT2E) and exported by torch: lossless, and torch's own numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwflow

pytest.importorskip("torch")
pytest.importorskip("torchao", reason="torchao is not installed: pip install torchao")
pytestmark = [
    pytest.mark.torch,
    pytest.mark.filterwarnings("ignore"),  # of torchao's and torch's own modules
]


def quantizer(activation: Any, weight: Any) -> Any:
    """Return a quantiser of inputs and weights of layers, and of relus and results."""
    import torch
    from torchao.quantization.pt2e.quantizer import QuantizationAnnotation, Quantizer

    layers = {
        torch.ops.aten.linear.default, torch.ops.aten.conv2d.default,
        torch.ops.aten.conv2d.padding,
    }  # fmt: skip
    relu = torch.ops.aten.relu.default

    class Layers(Quantizer):  # type: ignore[misc]
        def annotate(self, model: Any) -> Any:
            for node in model.graph.nodes:
                operands, result = {}, None
                if node.target in layers:
                    operands = {node.args[0]: activation, node.args[1]: weight}
                    followed = any(user.target == relu for user in node.users)
                    result = None if followed else activation
                elif node.target == relu:
                    result = activation
                if operands or result:
                    node.meta["quantization_annotation"] = QuantizationAnnotation(
                        input_qspec_map=operands, output_qspec=result, _annotated=True
                    )
            return model

        def validate(self, model: Any) -> None:
            """Accept every model."""

    return Layers()


def converted(x: Any, dtype: str) -> Any:
    """Return a small CNN, calibrated and converted by PT2E, weights per channel."""
    import torch
    from torch import nn
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    from torchao.quantization.pt2e.quantizer import QuantizationSpec

    low, high = (0, 255) if dtype == "uint8" else (-128, 127)
    affine, symmetric = torch.per_tensor_affine, torch.per_channel_symmetric
    activation = QuantizationSpec(
        dtype=getattr(torch, dtype), quant_min=low, quant_max=high, qscheme=affine,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(qscheme=affine),
    )  # fmt: skip
    weight = QuantizationSpec(
        dtype=torch.int8, quant_min=-127, quant_max=127, qscheme=symmetric, ch_axis=0,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver.with_args(qscheme=symmetric),
    )  # fmt: skip
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(36, 8), nn.ReLU(), nn.Linear(8, 5),
    ).eval()  # fmt: skip
    exported = torch.export.export(module, (x[:1],)).module()
    prepared = prepare_pt2e(exported, quantizer(activation, weight))
    for sample in x:
        prepared(sample[None])
    return convert_pt2e(prepared)


@pytest.mark.parametrize("dtype", ["uint8", "int8"])
def test_lossless(dtype: str, tmp_path: Path) -> None:
    import torch

    x = torch.tensor(np.random.default_rng(0).uniform(-0.5, 1.5, (60, 1, 8, 8)).astype(np.float32))
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = converted(x, dtype)
        torch.onnx.export(module, (x[:1],), str(path), dynamo=True, opset_version=21, verbose=False)
    design = hwflow.compile(path)
    found = design.verify(x.numpy(), cpp=False)
    assert found.lossless is not None
    assert found.lossless.mismatches == 0, found.lossless.first
    assert found.lossless.float32 is not None
    assert found.lossless.float32.differs == 0
    of_torch = torch.cat([module(sample[None]) for sample in x]).detach().numpy()
    ours = found.simulation.outputs[design.graph.outputs[0].name].astype(np.float32)
    np.testing.assert_array_equal(ours, of_torch)
