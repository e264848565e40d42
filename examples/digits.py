"""What the two digits examples share: the data, the training loop and the export."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from brevitas.export import export_qonnx
from sklearn.datasets import load_digits
from torch import Tensor, nn

HERE = Path(__file__).parent
TEST_SAMPLES = 360
"""Held out: a fixed random fifth of scikit-learn's digits."""


def load() -> tuple[Tensor, Tensor]:
    """Return all images, float32 of shape (1797, 1, 8, 8) in steps of 1/16, and their labels."""
    digits = load_digits()
    images = (digits.images / 16.0).astype(np.float32).reshape(-1, 1, 8, 8)
    return torch.from_numpy(images), torch.from_numpy(digits.target)


def train(model: nn.Module, x: Tensor, y: Tensor, epochs: int) -> float:
    """Train in place on all but ``TEST_SAMPLES``; return the accuracy on those."""
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    held_out, kept = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    x_train, y_train = x[kept], y[kept]
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(x_train)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x_train[batch]), y_train[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        right = model(x[held_out]).argmax(1) == y[held_out]
    return float(right.float().mean())


def run(model: nn.Module, x: Tensor, y: Tensor, name: str, epochs: int) -> None:
    """Train, print the accuracy, and write ``name.onnx`` and ``digits.npz`` beside this file.

    The ``.npz`` holds all images as ``x``, (1797, 1, 8, 8), and their labels as ``y``.
    """
    accuracy = train(model, x, y, epochs)
    print(f"{name}: accuracy {accuracy:.1%} on {TEST_SAMPLES} held-out digits")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecation notices
        export_qonnx(
            model,
            args=x[:1],
            export_path=str(HERE / f"{name}.onnx"),
            dynamo=False,  # keeps the names of the layers
            input_names=["x"],
            output_names=["logits"],
        )
    images = x.numpy().reshape(-1, 1, 8, 8)
    np.savez_compressed(HERE / "digits.npz", x=images, y=y.numpy().astype(np.int64))
