"""The fronts of two small CNNs on images, from one float training and one training of bits each.

``make bench-compress-images`` takes scikit-learn's digits, ``make bench-compress-images
IMAGES=t10k-images-idx3-ubyte.gz LABELS=t10k-labels-idx1-ubyte.gz`` MNIST's test images. Four
fifths train, and a fifth is held out: nothing is trained or chosen with it. Both trainings are
those of the public path: ``compress distill`` with labels alone, then ``compress qat``, whose LUTs
go down from many to a few. Points of the front are judged on the held-out images.
"""

from __future__ import annotations

import gzip
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import sklearn.datasets
import torch
from torch import nn

import hwflow
from hwflow.compression.api import distill, train
from hwflow.frontends.ensemble import save_model

FLOAT_EPOCHS, EPOCHS, GOAL = 25, 40, "lut=8000"


def images(paths: list[Path]) -> tuple[np.ndarray, np.ndarray]:
    """Return images of one channel from 0 to 1, and their classes."""
    if not paths:
        found = sklearn.datasets.load_digits()
        return np.float32(found.images[:, None] / 16), found.target
    pixels, labels = (gzip.decompress(path.read_bytes()) for path in paths)
    shape = np.frombuffer(pixels, ">i4", 4)[1:]  # the format IDX: a magic number, then the axes
    x = np.frombuffer(pixels, np.uint8, offset=16).reshape(shape[0], 1, shape[1], shape[2])
    return np.float32(x) / 255, np.frombuffer(labels, np.uint8, offset=8).astype(np.int64)


def strided(side: int) -> nn.Module:
    """Return a CNN of two convolutions that step over places, and a dense layer, not trained."""
    first, width = (2, 16) if side > 8 else (1, 8)
    places = (side + 2 * first - 1) // (2 * first)  # along each axis behind both strides
    return nn.Sequential(
        nn.Conv2d(1, width, 3, stride=first, padding=1), nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(2 * width * places * places, 10),
    )  # fmt: skip


def pooled(side: int) -> nn.Module:
    """Return a CNN of two convolutions, each with a pooling, and a dense layer, not trained."""
    width = 16 if side > 8 else 8
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(width, 2 * width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * width * (side // 4) ** 2, 10),
    )  # fmt: skip


def main(paths: list[Path]) -> None:
    """Print the front of each network."""
    torch.set_num_threads(1)
    x, y = images(paths)
    for network in (strided, pooled):
        torch.manual_seed(0)
        print_front(network.__name__, network(x.shape[-1]), x, y)


def print_front(name: str, network: nn.Module, x: np.ndarray, y: np.ndarray) -> None:
    """Train a network, then its bits, and print what that finds."""
    with tempfile.TemporaryDirectory() as path:
        folder, started = Path(path), time.process_time()
        np.savez(folder / "data.npz", x=x, y=y)
        begun = save_model(hwflow.load(network, x[:1]), folder / "begun.onnx")
        small = distill(
            begun, folder / "data.npz", hard=1.0, epochs=FLOAT_EPOCHS, run=folder / "float"
        )
        found = train(
            small.folder / "model.onnx", folder / "data.npz", goal=GOAL, epochs=EPOCHS,
            io_type="io_stream", run=folder / "qat",
        )  # fmt: skip
    print(f"{name}: {time.process_time() - started:.0f} CPU s; "
          f"float {found.result['float']['accuracy']:.1%}")  # fmt: skip
    print("held out (95 % interval)   LUT post-synthesis   EBOPs")
    for row in sorted(found.result["points"], key=lambda p: p["lut_synth"]):
        low, high = row["accuracy_interval"]
        print(f"{row['accuracy']:7.1%} ({low:.1%}-{high:.1%}) {row['lut_synth']:19,.0f} "
              f"{row['ebops']:9,.0f}")  # fmt: skip


if __name__ == "__main__":
    main([Path(given) for given in sys.argv[1:]])
