"""Time to build and run the C++ simulation, against hls4ml's own ``compile()`` and ``predict()``.

Both compile the same layers, one after the other on one machine: ``python
tests/benchmarks/bench_csim.py``. hls4ml's time is that of its ``build_lib.sh`` alone. Its library
writes no traces; hwflow's program writes every layer. "new machine" has to precompile the headers,
which all later builds use; "one layer" is a build after the type of one accumulator has changed.
"""

import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import hwflow  # noqa: E402
from hwflow import csim  # noqa: E402
from hwflow.codegen import hls4ml as codegen  # noqa: E402
from hwflow.codegen.project import Project  # noqa: E402
from hwflow.codegen.xnor import use_xnor_kernels  # noqa: E402
from hwflow.csim.cache import LAYERS, OBJECTS, PROGRAMS  # noqa: E402
from hwflow.data import random_data  # noqa: E402
from hwflow.design import Design  # noqa: E402
from hwflow.simulate import prepare_inputs  # noqa: E402
from tests.fixtures import deep_cnn, model  # noqa: E402
from tests.networks import Builder  # noqa: E402

ROUNDS = 2
"""Each time is the shortest of these."""


def jets_mlp() -> onnx.ModelProto:
    """Return a network of the shape that is used for tagging jets, 16-64-32-32-5."""
    b = Builder(np.random.default_rng(0))
    x, last = b.quant("x", 8, 1 / 16, signed=True), 16
    for size in (64, 32, 32):
        x = b.node("Gemm", [x, b.weight((last, size), 6, 1 / 32), b.bias(size)])
        x, last = b.quant(b.node("Relu", [x]), 6, 1 / 8, signed=False), size
    return model(b, b.node("Gemm", [x, b.weight((last, 5), 6, 1 / 32), b.bias(5)]), (1, 16), (1, 5))


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def hls4ml_project(design: Design, folder: Path) -> Any:
    """Return hls4ml's model of a design, written to a folder, hwflow's kernels with it."""
    with codegen._tensorflow_kept_out(), codegen._quiet():
        graph = codegen._model_graph(design.graph, design.target)
        use_xnor_kernels(graph)
        graph.config.config |= {"OutputDir": str(folder), "Stamp": "0"}
        graph.config.trace_output = False
        graph.write()
    for path, content in design.project.files.items():
        if "hwflow_" in path or path in codegen.CORRECTIONS or path.endswith("nnet_xnor.h"):
            (folder / path).write_bytes(content)
    return graph


def with_one_layer_changed(project: Project) -> Project:
    """Return a project with one more bit in the accumulator of the layer in the middle."""
    path = "firmware/defines.h"
    text = project.text(path)
    found = list(re.finditer(r"typedef ap_fixed<(\d+),(-?\d+)> \w+_accum_t;", text))
    accumulator = found[len(found) // 2]
    wider = f"ap_fixed<{int(accumulator[1]) + 1},{int(accumulator[2]) + 1}>"
    line = re.sub(r"ap_fixed<.*?>", wider, accumulator[0])
    return Project(
        project.name, {**project.files, path: text.replace(accumulator[0], line).encode()}
    )


def build_times(design: Design, hls4ml_graph: Any) -> dict[str, float]:
    """Return seconds by kind of build."""
    changed = with_one_layer_changed(design.project)

    def build(project: Project) -> float:
        return seconds(lambda: csim.build(design.graph, project, design.target))

    best: dict[str, float] = {"new machine": build(design.project)}
    for _ in range(ROUNDS):
        for shelf in (LAYERS, OBJECTS, PROGRAMS):
            shutil.rmtree(shelf.path(""))
        with codegen._quiet():
            times = {"hls4ml": seconds(hls4ml_graph._compile)}
        times |= {"first": build(design.project), "one layer": build(changed)}
        times["cached"] = build(changed)
        best |= {name: min(t, best.get(name, t)) for name, t in times.items()}
    return best


def rates(design: Design, hls4ml_graph: Any, samples: int) -> dict[str, float]:
    """Return samples per second."""
    data = random_data(design.graph, samples).inputs
    arrays = prepare_inputs(design.graph, data)
    built = csim.build(design.graph, design.project, design.target)
    given = [np.ascontiguousarray(arrays[p.value], np.float32) for p in design.graph.inputs]
    runs: dict[str, Callable[[], object]] = {
        "hls4ml": lambda: hls4ml_graph.predict(given[0] if len(given) == 1 else given),
        "1 core": lambda: built.run(arrays, processes=1),
        "all cores": lambda: built.run(arrays),
    }
    times = {name: min(seconds(run) for _ in range(ROUNDS)) for name, run in runs.items()}
    return {name: samples / t for name, t in times.items()}


def main() -> None:
    """Measure three networks and print seconds, rates and ratios to hls4ml."""
    models = {
        "jets MLP": (jets_mlp(), "io_parallel", 20000),
        "digits CNN": (ROOT / "examples" / "digits_cnn.onnx", "io_parallel", 2000),
        "10-layer CNN": (deep_cnn(10), "io_stream", 100),
    }
    for name, (source, io_type, samples) in models.items():
        with tempfile.TemporaryDirectory() as folder:
            os.environ["HWFLOW_CACHE"] = f"{folder}/cache"
            design = hwflow.compile(source, board="zcu104", io_type=io_type)
            graph = hls4ml_project(design, Path(folder) / "hls4ml")
            built = build_times(design, graph)
            print(f"{name} ({io_type}): build in s, and part of hls4ml's compile()")
            for kind, t in built.items():
                print(f"  {kind:<12}{t:>10.2f}{t / built['hls4ml']:>10.3f}")
            found = rates(design, graph, samples)
            print(f"{name} ({io_type}): samples/s, and ratio to hls4ml's predict()")
            for kind, rate in found.items():
                print(f"  {kind:<12}{rate:>10,.0f}{rate / found['hls4ml']:>10.2f}", flush=True)


if __name__ == "__main__":
    main()
