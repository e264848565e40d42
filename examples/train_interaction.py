"""Trains an interaction network on made jets of particles, and quantises it.

Each jet is six particles of three features. Half of the jets come of two particles that fell
apart, the others of one: what tells them apart is the distances between particles, which a network
over all pairs sees. Run ``python examples/train_interaction.py``; it writes ``interaction.onnx``
(QONNX) and ``interaction.npz`` (``x``: (3000, 6, 3), ``y``: labels) next to itself in a minute.

The network is that of Battaglia et al., "Interaction networks for learning about objects,
relations and physics" (2016): a network of each pair, sums over the pairs of each particle, a
network of each particle, a sum over all.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import hwflow

HERE = Path(__file__).parent
PARTICLES, FEATURES, JETS, TEST_JETS = 6, 3, 3000, 600


def jets(seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Return jets, (``JETS``, ``PARTICLES``, ``FEATURES``), in steps of 1/64, and their labels.

    Features are two angles and the share of the energy, greatest first.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, JETS)
    turn = rng.uniform(0, 2 * np.pi, JETS)
    apart = rng.uniform(0.5, 0.9, JETS) * labels
    side = rng.choice([-0.5, 0.5], (JETS, PARTICLES))[..., None]
    axis = np.stack([np.cos(turn), np.sin(turn)], -1)[:, None]
    angles = rng.normal(0, 0.25, (JETS, PARTICLES, 2)) + side * axis * apart[:, None, None]
    share = rng.dirichlet(np.full(PARTICLES, 2.0), JETS)
    order = np.argsort(-share, axis=1)[..., None]
    x = np.take_along_axis(np.concatenate([angles, share[..., None]], -1), order, axis=1)
    return (np.clip(np.round(x * 64), -128, 127) / 64).astype(np.float32), labels


def layers(*sizes: int) -> nn.Module:
    """Return dense layers with activations, over the last axis."""
    parts = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(sizes)]
    return nn.Sequential(*(layer for part in parts for layer in part))


class Interaction(nn.Module):
    """Networks of pairs and of particles, joined by matrices that say which is whose."""

    def __init__(self) -> None:
        super().__init__()
        pairs = [(a, b) for a in range(PARTICLES) for b in range(PARTICLES) if a != b]
        one = torch.eye(PARTICLES)
        self.register_buffer("receivers", torch.stack([one[a] for a, _ in pairs]))
        self.register_buffer("senders", torch.stack([one[b] for _, b in pairs]))
        self.of_pairs = layers(2 * FEATURES, 12, 6)
        self.of_particles = layers(FEATURES + 6, 12, 8)
        self.out = nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits, (samples, 2), of jets (samples, ``PARTICLES``, ``FEATURES``)."""
        pairs = torch.cat([self.receivers @ x, self.senders @ x], -1)
        effects = self.receivers.T @ self.of_pairs(pairs)
        particles = self.of_particles(torch.cat([x, effects], -1))
        return self.out(particles.sum(1))


def main() -> None:
    """Train, quantise and write the model and its data."""
    torch.set_num_threads(1)  # the same sums, hence the same file, on every machine of one kind
    torch.manual_seed(0)
    x, y = (torch.from_numpy(a) for a in jets(0))
    model, epochs = Interaction(), 30
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for batch in (TEST_JETS + torch.randperm(JETS - TEST_JETS)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        schedule.step()
    model.eval()
    with torch.no_grad():
        right = (model(x[:TEST_JETS]).argmax(1) == y[:TEST_JETS]).float().mean()
    print(f"interaction: accuracy {right:.1%} on {TEST_JETS} held-out jets, float")
    quantized = hwflow.quantize(model, x[TEST_JETS:].numpy(), "w=6,a=8")
    quantized.save(HERE / "interaction.onnx")
    print(quantized)
    np.savez_compressed(HERE / "interaction.npz", x=x.numpy(), y=y.numpy())


if __name__ == "__main__":
    main()
