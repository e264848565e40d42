"""Samples per second of C++, simulation, golden model and the float network, as ratios.

All run the same data in one process, one after the other: ``python
tests/benchmarks/bench_simulate.py``. The C++ build is not part of the times.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx_ir
import onnxruntime

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import hwflow  # noqa: E402
from hwflow.golden.engine import GoldenEngine  # noqa: E402
from hwflow.ir.qonnx import QonnxModel  # noqa: E402
from hwflow.passes.clean_model import clean_model  # noqa: E402
from hwflow.passes.infer_shapes import infer_shapes  # noqa: E402
from hwflow.simulate import prepare_inputs, simulate, to_original  # noqa: E402
from hwflow.unquantised import remove_quantizers  # noqa: E402


def best(run: Callable[[], object], repeats: int = 3) -> float:
    """Return the shortest of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return min(times)


def session_of(model: QonnxModel) -> onnxruntime.InferenceSession:
    """Return a session, with default optimisations, on a model for batches of any size."""
    proto = onnx_ir.to_proto(model.ir)
    del proto.graph.value_info[:]
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


def main() -> None:
    """Measure both digits networks."""
    with np.load(ROOT / "examples" / "digits.npz") as data:
        x = data["x"]
    columns = ("C++", "simulation", "golden", "float net")
    print(f"{'model':<12}" + "".join(f"{c:>12}" for c in columns) + "  samples/s, ratio to C++")
    for name in ("digits_mlp", "digits_cnn"):
        path = ROOT / "examples" / f"{name}.onnx"
        design = hwflow.compile(path)
        arrays = prepare_inputs(design.graph, {"x": x})
        model = infer_shapes(clean_model(hwflow.load(path)))
        remove_quantizers(model)
        floating = session_of(model)
        golden = GoldenEngine(design.graph).session
        feeds = {p.name: to_original(arrays[p.value], p) for p in design.graph.inputs}
        feeds = {name: array.astype(np.float32) for name, array in feeds.items()}
        csim = design.csim
        times = [
            best(lambda c=csim, a=arrays: c.run(a)),
            best(lambda d=design: simulate(d.graph, {"x": x})),
            best(lambda s=golden, f=feeds: s.run(None, f), 50),
            best(lambda s=floating, f=feeds: s.run(None, f), 50),
        ]
        rates = [len(x) / t for t in times]
        ratios = ", ".join(f"{r / rates[0]:.1f}" for r in rates)
        print(f"{name:<12}" + "".join(f"{r:>12,.0f}" for r in rates) + f"  1 : {ratios[5:]}")


if __name__ == "__main__":
    main()
