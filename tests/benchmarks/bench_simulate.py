"""Samples per second of the Python simulation, the compiled C++ and float ONNX Runtime, as ratios.

All three run the same data in one process, one after the other: ``python
tests/benchmarks/bench_simulate.py``. The C++ build is not part of the times.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import hwflow  # noqa: E402
from hwflow.passes.clean_model import clean_model  # noqa: E402
from hwflow.passes.infer_shapes import infer_shapes  # noqa: E402
from hwflow.reference import Reference  # noqa: E402
from hwflow.simulate import prepare_inputs, simulate, to_original  # noqa: E402


def best(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def main() -> None:
    """Measure both digits networks."""
    with np.load(ROOT / "examples" / "digits.npz") as data:
        x = data["x"]
    print(f"{'model':<12}{'C++':>12}{'simulation':>12}{'float ORT':>12}  samples/s, ratio to C++")
    for name in ("digits_mlp", "digits_cnn"):
        path = ROOT / "examples" / f"{name}.onnx"
        design = hwflow.compile(path)
        arrays = prepare_inputs(design.graph, {"x": x})
        reference = Reference(infer_shapes(clean_model(hwflow.load(path))))
        feeds = {p.name: to_original(arrays[p.value], p) for p in design.graph.inputs}
        reference.run(feeds)
        csim = design.csim
        times = [
            best(lambda c=csim, a=arrays: c.run(a)),
            best(lambda d=design: simulate(d.graph, {"x": x})),
            best(lambda r=reference, f=feeds: r.run(f)),
        ]
        rates = [len(x) / t for t in times]
        ratios = ", ".join(f"{r / rates[0]:.1f}" for r in rates)
        print(f"{name:<12}" + "".join(f"{r:>12,.0f}" for r in rates) + f"  1 : {ratios[5:]}")


if __name__ == "__main__":
    main()
