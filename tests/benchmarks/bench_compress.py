"""How small a jets MLP gets by training with drawn samples, its own answers and no label.

``make bench-compress MODEL=jets.h5 DATA=jets.npz``: a Keras MLP of dense layers with ReLUs, whose
softmax is left out, and real samples with labels. Each goal is one training of ``hwflow compress
qat``, or of ``compress tables``, with samples that are drawn like four fifths of the real ones. The
design that is chosen is judged on all real samples, whose labels nothing has seen, and on the fifth
that is held out. The first row is the same network with 6 bits everywhere, trained by Brevitas with
the same samples and answers: its weights and activations have scales that are powers of two.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch

import hwflow
from hwflow.compression.api import train
from hwflow.compression.material import material_of, samples_of
from hwflow.compression.teachers import Teachers
from hwflow.exploration.front import wilson
from hwflow.frontends.quantization.preparation import prepare
from hwflow.frontends.sources import Sources
from hwflow.project.design import Design
from tests.benchmarks import uniform
from tests.benchmarks.bench_explore import logits_model

Array = npt.NDArray[Any]
Parts = tuple[tuple[Array, Array], tuple[Array, Array]]
"""All real samples, and those that are held out, with their labels."""

PRODUCTS = {"draw": 100_000, "epochs": 250, "batch": 1024}
TABLES = {"draw": 30_000, "epochs": 60, "batch": 512, "tables": ()}
TRAININGS: dict[str, dict[str, Any]] = {
    "ebops=5000": PRODUCTS, "ebops=10000": PRODUCTS, "lut=8000": TABLES,
    "lut=5000": {**TABLES, "draw": 40_000, "epochs": 90},
}  # fmt: skip
"""Options of the trainings by their goals: learned bits of products, and tables."""

DRAWN, BATCH = 100_000, 1024
UNIFORM_BITS, UNIFORM_EPOCHS = 6, 40


def main(model: Path, data: Path) -> None:
    """Print a row for each goal."""
    torch.set_num_threads(1)
    arrays = np.load(data)
    print("goal          EBOPs   LUT post-synthesis   all real samples      held out   CPU s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(logits_model(model), path)
        started = time.process_time()
        design, held_out = uniform_design(path, data)
        parts = ((arrays["x"], arrays["y"]), held_out)
        row(f"{UNIFORM_BITS} bits", 0, design, parts, time.process_time() - started)
        for goal, options in TRAININGS.items():
            started = time.process_time()
            found = train(path, data, goal=goal, run=Path(folder) / goal, **options)
            seconds = time.process_time() - started
            row(goal, found.result["chosen"]["ebops"], hwflow.compile(found.model), parts,
                seconds)  # fmt: skip


def uniform_design(path: Path, data: Path) -> tuple[Design, tuple[Array, Array]]:
    """Return the design with the same bits everywhere, taught as the others, and what is held out.

    Samples that are held out come with their labels.
    """
    sources = Sources(str(data))
    before = prepare(hwflow.load(path))
    samples = samples_of(before, sources, "classification")
    material = material_of(
        Teachers(before, (before,)), samples, task="classification", drawn=DRAWN, seed=0
    )
    module = uniform.trained(
        onnx.load(path), UNIFORM_BITS, material, epochs=UNIFORM_EPOCHS, batch=BATCH
    )
    design = hwflow.compile(hwflow.load(module, uniform.example(material)))
    return design, (next(iter(samples.held_out.values())), np.asarray(samples.labels))


def row(name: str, ebops: float, design: Design, parts: Parts, seconds: float) -> None:
    """Print what a design costs and how often it is right."""
    shares = []
    for x, labels in parts:
        (scores,) = design.simulate(x).outputs.values()
        right = int((scores.argmax(1) == labels).sum())
        shares.append((right / len(x), *wilson(right, len(x))))
    (real, low, high), (held_out, *_) = shares
    print(
        f"{name:11} {ebops:7,.0f} {design.estimate().total.lut_synth.value:20,.0f}   "
        f"{real:.1%} ({low:.1%}-{high:.1%}) {held_out:10.1%} {seconds:7.0f}",
        flush=True,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
