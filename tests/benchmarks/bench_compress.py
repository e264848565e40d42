"""How small a jets MLP gets by training with drawn samples, its own answers and no label.

``make bench-compress MODEL=jets.h5 DATA=jets.npz``: a Keras MLP of dense layers with ReLUs, whose
softmax is left out, and real samples with labels. Each goal is one training of ``hwflow compress
qat``, or of ``compress tables``, with samples that are drawn like four fifths of the real ones. The
design that is chosen is judged on all real samples, whose labels nothing has seen, and on the fifth
that is held out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

import hwflow
from hwflow.compression.api import train
from hwflow.exploration.front import wilson
from tests.benchmarks.bench_explore import logits_model

PRODUCTS = {"draw": 100_000, "epochs": 250, "batch": 1024}
TABLES = {"draw": 30_000, "epochs": 60, "batch": 512, "tables": ()}
TRAININGS: dict[str, dict[str, Any]] = {
    "ebops=5000": PRODUCTS, "ebops=10000": PRODUCTS, "lut=8000": TABLES,
    "lut=5000": {**TABLES, "draw": 40_000, "epochs": 90},
}  # fmt: skip
"""Options of the trainings by their goals: learned bits of products, and tables."""


def main(model: Path, data: Path) -> None:
    """Print a row for each goal."""
    torch.set_num_threads(1)
    arrays = np.load(data)
    print("goal          EBOPs   LUT post-synthesis   all real samples      held out   CPU s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(logits_model(model), path)
        for goal, options in TRAININGS.items():
            started = time.process_time()
            found = train(path, data, goal=goal, run=Path(folder) / goal, **options)
            seconds = time.process_time() - started
            design = hwflow.compile(found.model)
            (scores,) = design.simulate(arrays["x"]).outputs.values()
            right = int((scores.argmax(1) == arrays["y"]).sum())
            low, high = wilson(right, len(scores))
            chosen = found.result["chosen"]
            print(
                f"{goal:11} {chosen['ebops']:7,.0f} {chosen['lut_synth']:20,.0f}   "
                f"{right / len(scores):.1%} ({low:.1%}-{high:.1%}) {chosen['accuracy']:10.1%} "
                f"{seconds:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
