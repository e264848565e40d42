"""Trains the digits CNN, 4-bit weights and activations, power-of-two scales.

Run ``python examples/train_digits_cnn.py``; it writes ``digits_cnn.onnx`` (QONNX) and
``digits.npz`` (``x``: (1797, 1, 8, 8), ``y``: labels) next to itself in about a minute.
"""

from __future__ import annotations

import brevitas.nn as qnn
import digits
import torch
from brevitas.quant import (
    Int8WeightPerTensorFixedPoint,
    Int16Bias,
    Uint8ActPerTensorFixedPoint,
)
from torch import Tensor, nn

BITS = 4


class DigitsCNN(nn.Module):
    """Two convolutions with max pooling, one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.quant_in = qnn.QuantIdentity(
            act_quant=Uint8ActPerTensorFixedPoint, bit_width=BITS, return_quant_tensor=True
        )
        self.conv1 = self._weights(qnn.QuantConv2d, 1, 8, kernel_size=3, padding=1)
        self.relu1 = self._relu()
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = self._weights(qnn.QuantConv2d, 8, 16, kernel_size=3, padding=1)
        self.relu2 = self._relu()
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = self._weights(qnn.QuantLinear, 64, 10)

    @staticmethod
    def _weights(layer: type[nn.Module], *sizes: int, **settings: int) -> nn.Module:
        return layer(
            *sizes,
            **settings,
            bias=True,
            weight_quant=Int8WeightPerTensorFixedPoint,
            weight_bit_width=BITS,
            bias_quant=Int16Bias,
        )

    @staticmethod
    def _relu() -> nn.Module:
        return qnn.QuantReLU(
            act_quant=Uint8ActPerTensorFixedPoint, bit_width=BITS, return_quant_tensor=True
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (samples, 10), of images of shape (samples, 1, 8, 8)."""
        x = self.pool1(self.relu1(self.conv1(self.quant_in(x))))
        x = self.pool2(self.relu2(self.conv2(x)))
        return self.fc(self.flatten(x))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    images, labels = digits.load()
    digits.run(DigitsCNN(), images, labels, "digits_cnn", epochs=12)
