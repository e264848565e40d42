"""Makes the small QONNX models of the tests: random, seeded weights, calibrated, not trained.

Run ``python tests/models/make.py``. It writes, beside itself, ``NAME.onnx`` for each entry of
``VARIANTS``, and ``expected.npz`` with ``NAME.x`` (inputs, batch first) and ``NAME.y`` (what the
torch module itself returns for them in float32).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import brevitas.nn as qnn
import numpy as np
import onnx
import torch
from brevitas.export import export_qonnx
from brevitas.inject.enum import ScalingImplType
from brevitas.quant import (
    Int8ActPerTensorFixedPoint,
    Int8WeightPerTensorFixedPoint,
    Int8WeightPerTensorFloat,
    Int16Bias,
    Uint8ActPerTensorFixedPoint,
)
from brevitas.quant.binary import SignedBinaryWeightPerTensorConst
from brevitas.quant.fixed_point import Int8WeightPerChannelFixedPoint
from brevitas.quant.scaled_int import TruncTo8bit
from brevitas.quant.shifted_scaled_int import ShiftedUint8ActPerTensorFixedPoint
from torch import Tensor, nn

HERE = Path(__file__).parent
SAMPLES = 24
KEPT_METADATA = "pkg.torch.onnx.name_scopes"


def act(bits: int = 6, **settings: Any) -> nn.Module:
    """Return a signed activation quantiser."""
    settings.setdefault("act_quant", Int8ActPerTensorFixedPoint)
    return qnn.QuantIdentity(bit_width=bits, return_quant_tensor=True, **settings)


def relu(bits: int = 4) -> nn.Module:
    """Return a ReLU with an unsigned quantiser."""
    return qnn.QuantReLU(
        act_quant=Uint8ActPerTensorFixedPoint, bit_width=bits, return_quant_tensor=True
    )


def weights(kind: type[nn.Module], *sizes: int, bits: int = 4, **settings: Any) -> nn.Module:
    """Return a layer with weights, by default per-tensor power-of-two scales and a 16-bit bias."""
    settings.setdefault("weight_quant", Int8WeightPerTensorFixedPoint)
    settings.setdefault("bias_quant", Int16Bias)
    settings.setdefault("bias", True)
    if not settings["bias"]:
        settings["bias_quant"] = None
    return kind(*sizes, weight_bit_width=bits, **settings)


def conv(*sizes: int, **settings: Any) -> nn.Module:
    """Return a 2-D convolution, 3x3 unless said otherwise."""
    settings.setdefault("kernel_size", 3)
    return weights(qnn.QuantConv2d, *sizes, **settings)


def dense(*sizes: int, **settings: Any) -> nn.Module:
    """Return a dense layer."""
    return weights(qnn.QuantLinear, *sizes, **settings)


class Net(nn.Module):
    """Named layers, one after the other."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        self.order = list(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        """Run the layers in order."""
        for name in self.order:
            x = getattr(self, name)(x)
        return x


class Join(nn.Module):
    """Two branches of one convolution each, joined by a sum or a concatenation."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.quant_in = act()
        self.stem = conv(2, 4, padding=1)
        self.relu = relu()
        self.left = conv(4, 4, padding=1)
        self.left_quant = act()
        self.right = conv(4, 4, kernel_size=1)
        self.right_quant = act()
        self.out_quant = act()
        self.flatten = nn.Flatten()
        self.fc = dense(256 if how == "add" else 512, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Join both branches, quantise, classify."""
        x = self.relu(self.stem(self.quant_in(x)))
        left, right = self.left_quant(self.left(x)).value, self.right_quant(self.right(x)).value
        joined = left + right if self.how == "add" else torch.cat([left, right], dim=1)
        return self.fc(self.flatten(self.out_quant(joined)))


def image_net(*middle: nn.Module, features: int, channels: int = 2, **last: Any) -> Net:
    """Return input quantiser, the layers in between, and a dense layer."""
    layers = {f"layer{i}": layer for i, layer in enumerate(middle)}
    return Net(
        quant_in=act(), stem=conv(channels, 4, padding=1), stem_relu=relu(), **layers,
        flatten=nn.Flatten(), fc=dense(features, 3, **last),
    )  # fmt: skip


def vector_net(activation: nn.Module, **settings: Any) -> Net:
    """Return two dense layers with an activation between them."""
    return Net(
        quant_in=act(), fc1=dense(8, 6, **settings), act=activation, fc2=dense(6, 3, **settings)
    )


IMAGE, VECTOR = (2, 8, 8), (8,)
BINARY = {
    "weight_quant": SignedBinaryWeightPerTensorConst,
    "weight_scaling_impl_type": ScalingImplType.CONST,
    "weight_scaling_init": 1.0,
    "bits": 1,
}

VARIANTS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "strided": (lambda: image_net(conv(4, 4, stride=2, padding=1), relu(), features=64), IMAGE),
    "padded": (lambda: image_net(conv(4, 3, padding=(2, 1)), relu(), features=240), IMAGE),
    "dilated": (lambda: image_net(conv(4, 4, dilation=2), relu(), features=64), IMAGE),
    "depthwise": (
        lambda: image_net(
            conv(4, 4, groups=4, padding=1), relu(), conv(4, 6, kernel_size=1), relu(), features=384
        ),
        IMAGE,
    ),
    "grouped": (lambda: image_net(conv(4, 6, groups=2), relu(), features=216), IMAGE),
    "residual": (lambda: Join("add"), IMAGE),
    "concat": (lambda: Join("concat"), IMAGE),
    "maxpool": (lambda: image_net(nn.MaxPool2d(2), features=64), IMAGE),
    "maxpool_padded": (lambda: image_net(nn.MaxPool2d(3, 2, padding=1), features=64), IMAGE),
    "avgpool": (lambda: image_net(nn.AvgPool2d(2), act(), features=64), IMAGE),
    "trunc_avgpool": (
        lambda: image_net(
            qnn.TruncAvgPool2d(2, trunc_quant=TruncTo8bit, bit_width=4, return_quant_tensor=True),
            features=64,
        ),
        IMAGE,
    ),
    "global_avgpool": (lambda: image_net(nn.AdaptiveAvgPool2d(1), act(), features=4), IMAGE),
    "conv1d": (
        lambda: Net(
            quant_in=act(), conv=weights(qnn.QuantConv1d, 3, 4, kernel_size=3, padding=1),
            relu=relu(), pool=nn.MaxPool1d(2), flatten=nn.Flatten(), fc=dense(32, 3),
        ),
        (3, 16),
    ),
    "per_channel": (
        lambda: Net(
            quant_in=act(), conv=conv(2, 4, weight_quant=Int8WeightPerChannelFixedPoint),
            relu=relu(), flatten=nn.Flatten(),
            fc=dense(144, 3, weight_quant=Int8WeightPerChannelFixedPoint),
        ),
        IMAGE,
    ),
    "float_bias": (lambda: vector_net(relu(), bias_quant=None), VECTOR),
    "no_bias": (lambda: vector_net(relu(), bias=False), VECTOR),
    "batchnorm": (
        lambda: image_net(
            conv(4, 4, bias=False), nn.BatchNorm2d(4), relu(), features=144
        ),
        IMAGE,
    ),
    "batchnorm_bias": (
        lambda: image_net(conv(4, 4), nn.BatchNorm2d(4), relu(), features=144), IMAGE
    ),
    "batchnorm1d": (
        lambda: Net(
            quant_in=act(), fc1=dense(8, 6), norm=nn.BatchNorm1d(6), act=relu(), fc2=dense(6, 3)
        ),
        VECTOR,
    ),
    "leaky_relu": (
        lambda: Net(
            quant_in=act(), fc1=dense(8, 6), act=nn.LeakyReLU(0.125), quant=act(),
            fc2=dense(6, 3),
        ),
        VECTOR,
    ),
    "sigmoid": (
        lambda: vector_net(
            qnn.QuantSigmoid(
                act_quant=Uint8ActPerTensorFixedPoint, bit_width=6, return_quant_tensor=True
            )
        ),
        VECTOR,
    ),
    "tanh": (
        lambda: vector_net(
            qnn.QuantTanh(
                act_quant=Int8ActPerTensorFixedPoint, bit_width=6, return_quant_tensor=True
            )
        ),
        VECTOR,
    ),
    "hardtanh": (
        lambda: vector_net(
            qnn.QuantHardTanh(
                act_quant=Int8ActPerTensorFixedPoint, bit_width=6, min_val=-1.0, max_val=1.0,
                return_quant_tensor=True,
            )
        ),
        VECTOR,
    ),
    "signed": (lambda: vector_net(act(4)), VECTOR),
    "bipolar": (lambda: vector_net(relu(), **BINARY), VECTOR),
    "softmax": (
        lambda: Net(quant_in=act(), fc1=dense(8, 6), act=act(), softmax=nn.Softmax(dim=1)), VECTOR
    ),
    "float_scale": (
        lambda: vector_net(relu(), weight_quant=Int8WeightPerTensorFloat), VECTOR
    ),
    "zero_point": (
        lambda: vector_net(act(act_quant=ShiftedUint8ActPerTensorFixedPoint), bias_quant=None),
        VECTOR,
    ),
    "dynamo_bias": (lambda: vector_net(relu()), VECTOR),
    "dynamo_no_bias": (lambda: vector_net(relu(), bias=False), VECTOR),
    "dynamo_conv": (
        lambda: image_net(conv(4, 4), relu(), nn.MaxPool2d(2), features=36), IMAGE
    ),
}  # fmt: skip


def make(name: str, index: int) -> tuple[np.ndarray, np.ndarray]:
    """Write one model; return inputs and what the module makes of them."""
    torch.manual_seed(index)
    build, shape = VARIANTS[name]
    module = build().train()
    for _ in range(3):  # scales and running means follow what they see
        module(torch.randn(64, *shape))
    module.eval()
    x = torch.round(torch.randn(SAMPLES, *shape) * 32) / 32  # coarse, so that ties are met
    with torch.no_grad():
        result = module(x)
    y = getattr(result, "value", result)
    path = HERE / f"{name}.onnx"
    export_qonnx(
        module, args=x[:1], export_path=str(path), dynamo=name.startswith("dynamo"),
        input_names=["x"], output_names=["y"],
    )  # fmt: skip
    _strip(path)
    return x.numpy(), y.numpy()


def _strip(path: Path) -> None:
    """Remove stack traces and other texts that name files of the machine."""
    model = onnx.load(path)
    for node in model.graph.node:
        node.ClearField("doc_string")
        kept = [p for p in node.metadata_props if p.key == KEPT_METADATA]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.metadata_props[:], model.graph.metadata_props[:]
    onnx.save(model, path)
    path.with_suffix(".onnx.data").unlink(missing_ok=True)  # what dynamo writes beside it


def main() -> None:
    """Make all models again."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    expected = {}
    for index, name in enumerate(VARIANTS):
        expected[f"{name}.x"], expected[f"{name}.y"] = make(name, index)
    np.savez_compressed(HERE / "expected.npz", **expected)


if __name__ == "__main__":
    main()
