"""Trains a small U-Net that finds the strokes of digits under noise, and quantises it.

Run ``python examples/train_digits_unet.py``; it writes ``digits_unet.onnx`` (QONNX) and
``digits_unet.npz`` (``x``: noisy images, (1797, 1, 8, 8); ``mask``: what was ink) next to itself in
about a minute.
"""

from __future__ import annotations

import digits
import numpy as np
import torch
from torch import Tensor, nn

import hwflow

INK = 0.5
"""Pixels of the clean image from here on are ink."""

NOISE = 0.3
"""Standard deviation of the noise, where ink is 1."""


def conv(inputs: int, outputs: int) -> nn.Module:
    """Return a convolution that keeps height and width, with its activation."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    """Two steps down, two up, and at each size a way across that is joined to what comes up."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)
        self.large, self.middle, self.little = conv(1, 4), conv(4, 8), conv(8, 12)
        self.up1 = nn.Sequential(nn.ConvTranspose2d(12, 8, 2, stride=2), nn.ReLU())
        self.join1 = conv(16, 8)
        self.up2 = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), conv(8, 4))
        self.join2 = conv(8, 4)
        self.out = nn.Conv2d(4, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return how much each pixel is ink, (samples, 1, 8, 8): above 0 where it is."""
        large = self.large(x)
        middle = self.middle(self.pool(large))
        up = self.up1(self.little(self.pool(middle)))
        up = self.up2(self.join1(torch.cat([up, middle], 1)))
        return self.out(self.join2(torch.cat([up, large], 1)))


def main() -> None:
    """Train, quantise and write the model and its data."""
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    torch.manual_seed(0)
    clean, _ = digits.load()
    mask = (clean >= INK).float()
    noisy = (clean + NOISE * torch.randn(clean.shape)).clamp(0, 1)
    noisy = (noisy * 255).round() / 256  # a camera's steps
    order = torch.randperm(len(clean), generator=torch.Generator().manual_seed(0))
    held_out, kept = order[: digits.TEST_SAMPLES], order[digits.TEST_SAMPLES :]
    model, epochs = UNet(), 30
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    loss = nn.BCEWithLogitsLoss()
    for _ in range(epochs):
        for batch in kept[torch.randperm(len(kept))].split(32):
            optimizer.zero_grad()
            loss(model(noisy[batch]), mask[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        right = ((model(noisy[held_out]) > 0) == (mask[held_out] > 0)).float().mean()
    print(f"digits_unet: {right:.1%} of the pixels of {len(held_out)} held-out images, float")
    quantized = hwflow.quantize(model, noisy[kept[:600]].numpy(), "w=6,a=8")
    quantized.save(digits.HERE / "digits_unet.onnx")
    print(quantized)
    np.savez_compressed(
        digits.HERE / "digits_unet.npz", x=noisy.numpy(), mask=mask.numpy().astype(np.uint8)
    )


if __name__ == "__main__":
    main()
