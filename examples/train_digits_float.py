"""Trains a digits CNN in floating point, for ``hwflow quantize``.

Run ``python examples/train_digits_float.py``; it writes ``digits_float.onnx`` (float32, batch norm
folded by the exporter) next to itself in about a minute. The data is ``digits.npz``, which
``train_digits_cnn.py`` writes.
"""

from __future__ import annotations

import warnings

import digits
import torch
from torch import Tensor, nn


class Block(nn.Module):
    """A convolution with batch norm around which the input goes, too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of ``x``, (samples, channels, height, width)."""
        return self.relu(self.norm(self.conv(x)) + x)


class DigitsFloat(nn.Module):
    """Three convolutions, one with a residual connection, and a dense layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.pool1 = nn.MaxPool2d(2)
        self.block = Block(8)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(16)
        self.relu2 = nn.ReLU()
        self.pool2 = nn.MaxPool2d(2)
        self.fc = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, shape (samples, 10), of images of shape (samples, 1, 8, 8)."""
        x = self.pool1(self.relu1(self.norm1(self.conv1(x))))
        x = self.pool2(self.relu2(self.norm2(self.conv2(self.block(x)))))
        return self.fc(x.flatten(1))


if __name__ == "__main__":
    torch.manual_seed(0)
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    images, labels = digits.load()
    model = DigitsFloat()
    accuracy = digits.train(model, images, labels, epochs=12)
    print(f"digits_float: accuracy {accuracy:.1%} on {digits.TEST_SAMPLES} held-out digits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation notices
        torch.onnx.export(
            model,
            (images[:1],),
            str(digits.HERE / "digits_float.onnx"),
            dynamo=False,  # keeps the names of the layers
            opset_version=18,
            input_names=["x"],
            output_names=["logits"],
            dynamic_axes={"x": {0: "batch"}, "logits": {0: "batch"}},
        )
