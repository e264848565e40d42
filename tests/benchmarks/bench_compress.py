"""How small a jets MLP gets by training with drawn samples, its own answers and no label.

``make bench-compress MODEL=jets.h5 DATA=jets.npz``: a Keras MLP of dense layers with ReLUs, whose
softmax is left out, and real samples with labels. Each goal is one training of ``hwflow compress
qat`` with samples that are drawn like four fifths of the real ones. The design that is chosen is
judged on all real samples, whose labels nothing has seen, and on the fifth that is held out.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import torch

import hwflow
from hwflow.compression.api import train
from hwflow.exploration.front import wilson
from tests.benchmarks.bench_explore import logits_model

GOALS = (5000, 10000)
DRAWN, EPOCHS, BATCH = 100_000, 250, 1024


def main(model: Path, data: Path) -> None:
    """Print a row for each goal."""
    torch.set_num_threads(1)
    arrays = np.load(data)
    print("goal   EBOPs   LUT post-synthesis   all real samples      held out   CPU s")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(logits_model(model), path)
        for goal in GOALS:
            started = time.process_time()
            run = Path(folder) / str(goal)
            found = train(
                path, data, goal=f"ebops={goal}", run=run, draw=DRAWN, epochs=EPOCHS, batch=BATCH
            )
            seconds = time.process_time() - started
            design = hwflow.compile(found.model)
            (scores,) = design.simulate(arrays["x"]).outputs.values()
            right = int((scores.argmax(1) == arrays["y"]).sum())
            low, high = wilson(right, len(scores))
            chosen = found.result["chosen"]
            print(
                f"{goal:6,} {chosen['ebops']:7,.0f} {chosen['lut_synth']:20,.0f}   "
                f"{right / len(scores):.1%} ({low:.1%}-{high:.1%}) {chosen['accuracy']:10.1%} "
                f"{seconds:7.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
