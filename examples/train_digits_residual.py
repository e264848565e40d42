"""Trains a residual digits CNN with Brevitas' default quantisers: scales of any size.

Weights have 4 bits and a float scale for each channel, activations 4 bits and one float scale,
batch norms stay in the model. Run ``python examples/train_digits_residual.py``; it writes
``digits_residual.onnx`` (QONNX) and ``digits.npz`` (``x``: (1797, 1, 8, 8), ``y``: labels) next to
itself in about a minute.
"""

from __future__ import annotations

import brevitas.nn as qnn
import digits
import torch
from brevitas.quant import Int8WeightPerChannelFloat
from torch import Tensor, nn

BITS = 4


def conv(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution that keeps height and width."""
    return qnn.QuantConv2d(
        inputs,
        outputs,
        3,
        padding=1,
        bias=False,
        weight_quant=Int8WeightPerChannelFloat,
        weight_bit_width=BITS,
    )


class DigitsResidual(nn.Module):
    """A convolution, a residual block around a second one, and one dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.quant_in = qnn.QuantIdentity(bit_width=5)
        self.conv1, self.norm1 = conv(1, 8), nn.BatchNorm2d(8)
        self.relu1 = qnn.QuantReLU(bit_width=BITS)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2, self.norm2 = conv(8, 8), nn.BatchNorm2d(8)
        self.quant2 = qnn.QuantIdentity(bit_width=BITS)
        self.relu2 = qnn.QuantReLU(bit_width=BITS)
        self.pool2 = nn.MaxPool2d(2)
        self.flatten = nn.Flatten()
        self.fc = qnn.QuantLinear(
            32, 10, bias=True, weight_quant=Int8WeightPerChannelFloat, weight_bit_width=BITS
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (samples, 10), of images of shape (samples, 1, 8, 8)."""
        x = self.pool1(self.relu1(self.norm1(self.conv1(self.quant_in(x)))))
        x = self.relu2(x + self.quant2(self.norm2(self.conv2(x))))
        return self.fc(self.flatten(self.pool2(x)))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    images, labels = digits.load()
    digits.run(DigitsResidual(), images, labels, "digits_residual", epochs=20)
