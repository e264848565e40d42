"""Trains an LSTM and a GRU on the rows of digits, and quantises them between their steps.

Run ``python examples/train_digits_recurrent.py``; it writes ``digits_lstm.onnx`` and
``digits_gru.onnx`` (QONNX, unrolled over 8 steps) next to itself in a few minutes. The data is
``digits.npz``, which ``train_digits_cnn.py`` writes.
"""

from __future__ import annotations

import digits
import torch
from torch import Tensor, nn

import hwflow

UNITS = 12


class Rows(nn.Module):
    """A recurrent layer that reads an image row by row, and a dense layer behind the last one."""

    def __init__(self, cells: nn.Module) -> None:
        super().__init__()
        self.cells = cells
        self.fc = nn.Linear(UNITS, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (samples, 10), of images of shape (samples, 1, 8, 8)."""
        states, _ = self.cells(x.flatten(1, 2))
        return self.fc(states[:, -1])


if __name__ == "__main__":
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    images, labels = digits.load()
    for name, kind in (("digits_lstm", nn.LSTM), ("digits_gru", nn.GRU)):
        torch.manual_seed(0)
        model = Rows(kind(8, UNITS, batch_first=True))
        accuracy = digits.train(model, images, labels, epochs=40)
        print(f"{name}: accuracy {accuracy:.1%} on {digits.TEST_SAMPLES} held-out digits, float")
        quantized = hwflow.quantize(model, images.numpy()[:600], "w=6,a=8")
        quantized.save(digits.HERE / f"{name}.onnx")
        print(quantized)
