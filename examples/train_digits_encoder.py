"""Trains a float transformer with layer norms on digits: the rows of an image are its eight places.

Run ``python examples/train_digits_encoder.py``; it writes ``digits_encoder.onnx`` beside itself in
a minute. Its data are those of ``digits.npz``, with which ``hwflow quantize`` makes integers of it.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

HERE = Path(__file__).parent
TEST_SAMPLES = 360
"""Held out: a fixed random fifth of scikit-learn's digits."""

ROWS, CHANNELS, HEADS, BLOCKS = 8, 16, 2, 2
EPOCHS, BATCH = 60, 64


class Block(nn.Module):
    """A block: attention and two dense layers, each behind a layer norm and with a way around."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(CHANNELS), nn.LayerNorm(CHANNELS)
        self.query, self.key, self.value, self.joined = (
            nn.Linear(CHANNELS, CHANNELS) for _ in range(4)
        )
        self.wide, self.narrow = (
            nn.Linear(CHANNELS, 2 * CHANNELS),
            nn.Linear(2 * CHANNELS, CHANNELS),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the places of the next block, of the same shape."""
        x = x + self.attention(self.before(x))
        return x + self.narrow(torch.relu(self.wide(self.between(x))))

    def attention(self, x: Tensor) -> Tensor:
        """Return the values of all places, weighted by how the keys suit the query."""
        split = (-1, ROWS, HEADS, CHANNELS // HEADS)
        q, k, v = (f(x).reshape(split).transpose(1, 2) for f in (self.query, self.key, self.value))
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(CHANNELS // HEADS), dim=-1)
        return self.joined((weights @ v).transpose(1, 2).reshape(-1, ROWS, CHANNELS))


class Encoder(nn.Module):
    """Rows, each with weights that say where it stands, blocks, and a classifier of their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(ROWS, CHANNELS)
        self.place = nn.Parameter(torch.randn(ROWS, CHANNELS) / 4)
        self.blocks = nn.Sequential(*(Block() for _ in range(BLOCKS)))
        self.norm, self.classes = nn.LayerNorm(CHANNELS), nn.Linear(CHANNELS, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Return a logit for each digit."""
        x = self.blocks(self.embed(image.flatten(1, 2)) + self.place)
        return self.classes(self.norm(x).mean(dim=1))


def main() -> None:
    """Train, and write the model."""
    torch.manual_seed(0)
    digits = load_digits()
    x = torch.tensor(digits.images[:, None] / 16, dtype=torch.float32)
    y = torch.tensor(digits.target)
    order = torch.tensor(np.random.default_rng(0).permutation(len(x)))
    held_out, kept = order[:TEST_SAMPLES], order[TEST_SAMPLES:]
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    steps = EPOCHS * -(-len(kept) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.005, steps)
    for _ in range(EPOCHS):
        for batch in kept[torch.randperm(len(kept))].split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    with torch.no_grad():
        right = (model(x[held_out]).argmax(1) == y[held_out]).sum()
    print(f"{int(right)} of {TEST_SAMPLES} held-out digits")
    torch.onnx.export(
        model, (x[:1],), str(HERE / "digits_encoder.onnx"), input_names=["image"],
        output_names=["logits"], opset_version=17, dynamo=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
