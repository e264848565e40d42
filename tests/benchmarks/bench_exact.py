"""Seconds of the exact reference against ONNX Runtime, and where float32 differs, per model.

``python tests/benchmarks/bench_exact.py [MODEL.onnx ...]``: 10,000 samples each; the examples
unless models are given. Data is drawn from ``examples/digits.npz`` where it fits, else in
[0, 1] with 256 levels.
"""

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import hwflow  # noqa: E402
from hwflow.ir.qonnx.model import is_quantizer  # noqa: E402
from hwflow.passes.model.clean_model import clean_model  # noqa: E402
from hwflow.passes.model.infer_shapes import infer_shapes  # noqa: E402
from hwflow.simulate.float32 import Reference  # noqa: E402
from hwflow.verify.references.exact import ExactReference  # noqa: E402

SAMPLES = 10_000


def data_for(model: Any) -> dict[str, Any]:
    """Return samples for each input."""
    rng = np.random.default_rng(0)
    with np.load(ROOT / "examples" / "digits.npz") as file:
        digits = file["x"]
    found = {}
    for value in model.ir.graph.inputs:
        if value.name in model.ir.graph.initializers:
            continue
        shape = tuple(int(d) for d in value.shape.numpy()[1:])
        if np.prod(shape) == digits[0].size:
            chosen = digits[rng.integers(0, len(digits), SAMPLES)].reshape(SAMPLES, *shape)
            found[value.name] = (chosen + rng.normal(0, 0.02, chosen.shape)).astype(np.float32)
        else:
            found[value.name] = (rng.integers(0, 256, (SAMPLES, *shape)) / 255).astype(np.float32)
    return found


def measure(path: Path) -> None:
    """Print the times of one model and the values at which float32 differs."""
    model = infer_shapes(clean_model(hwflow.load(path)))
    data = data_for(model)
    exact, float32 = ExactReference(model), Reference(model)
    names = [
        node.outputs[0].name
        for node in model.ir.graph
        if is_quantizer(node) and node.outputs[0].name in exact.computed
    ]
    started = time.perf_counter()
    rounded = float32.run(data, names)
    between = time.perf_counter()
    found = exact.run(data, names)
    ended = time.perf_counter()
    print(f"{path.name}: exact {ended - between:.2f} s, float32 {between - started:.2f} s")
    for name, values in found.items():
        differs = int((values.astype(np.float32) != rounded[name]).sum())
        print(f"    {name}: float32 differs at {differs:,} of {values.size:,}")


def main() -> None:
    """Measure the models given, or the examples."""
    given = [Path(argument) for argument in sys.argv[1:]]
    for path in given or sorted((ROOT / "examples").glob("*.onnx")):
        measure(path)


if __name__ == "__main__":
    main()
