"""Trains the digits MLP (64-32-32-10), 5-bit weights and activations, power-of-two scales.

Run ``python examples/train_digits_mlp.py``; it writes ``digits_mlp.onnx`` (QONNX) and
``digits.npz`` (``x``: (1797, 1, 8, 8), ``y``: labels) next to itself in less than a minute.
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

BITS = 5


class DigitsMLP(nn.Module):
    """Two hidden layers of 32."""

    def __init__(self) -> None:
        super().__init__()
        self.quant_in = qnn.QuantIdentity(
            act_quant=Uint8ActPerTensorFixedPoint, bit_width=BITS, return_quant_tensor=True
        )
        self.fc1 = self._dense(64, 32)
        self.relu1 = self._relu()
        self.fc2 = self._dense(32, 32)
        self.relu2 = self._relu()
        self.fc3 = self._dense(32, 10)

    @staticmethod
    def _dense(inputs: int, outputs: int) -> nn.Module:
        return qnn.QuantLinear(
            inputs,
            outputs,
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
        """Return the logits, shape (samples, 10), of images of shape (samples, 64)."""
        x = self.relu1(self.fc1(self.quant_in(x)))
        return self.fc3(self.relu2(self.fc2(x)))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    images, labels = digits.load()
    digits.run(DigitsMLP(), images.flatten(1), labels, "digits_mlp", epochs=40)
