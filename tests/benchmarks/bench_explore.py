"""How fast the space of a jets MLP is evaluated, against one forward pass a configuration.

``make bench-explore MODEL=jets.h5 DATA=jets.npz``: a Keras MLP of four dense layers with ReLUs,
whose softmax is left out, and its data. All 390,625 configurations of five bit widths for each
layer's weights and activations are evaluated by one process; then some of them one by one.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwflow.exploration.explorer import Explorer
from hwflow.exploration.request import Request
from hwflow.exploration.run import explore
from hwflow.simulate.numpy import simulate

BITS = "w=2:6 a=3:7"
SINGLE = 200
"""Configurations that are evaluated one by one."""


def logits_model(path: Path) -> onnx.ModelProto:
    """Return the dense layers of a Keras file as ONNX, with ReLUs between them."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    with h5py.File(path) as file:
        group = file["model_weights"]
        for name in group.attrs["layer_names"]:
            arrays = {}
            for weight in group[name].attrs["weight_names"]:
                full = weight.decode() if isinstance(weight, bytes) else str(weight)
                arrays[full.split("/")[-1].split(":")[0]] = group[name][full][()]
            if "kernel" in arrays:
                found.append((arrays["kernel"], arrays["bias"]))
    nodes, constants, value = [], [], "x"
    for i, (kernel, bias) in enumerate(found):
        constants += [numpy_helper.from_array(a.astype(np.float32), f"{k}{i}")
                      for k, a in (("kernel", kernel), ("bias", bias))]  # fmt: skip
        taken = [value, f"kernel{i}", f"bias{i}"]
        nodes.append(helper.make_node("Gemm", taken, [f"y{i}"], f"fc{i}"))
        value = f"y{i}"
        if i + 1 < len(found):
            nodes.append(helper.make_node("Relu", [value], [f"r{i}"], f"relu{i}"))
            value = f"r{i}"
    ends = [(n, s) for n, s in (("x", found[0][0].shape[0]), (value, found[-1][0].shape[1]))]
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["N", s]) for n, s in ends]
    graph = helper.make_graph(nodes, "jets", infos[:1], infos[1:], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def one_by_one(request: Request) -> float:
    """Return the seconds of a configuration that is simulated by itself, compiling left out."""
    explorer = Explorer.of(request)
    (priced,) = explorer.boards
    numbers = np.random.default_rng(0).choice(explorer.space.size, SINGLE, replace=False)
    config = request.config(priced.name)
    graph = explorer.graph(int(numbers[0]), config, priced.target)
    inputs = dict(explorer.search.inputs)
    started = time.perf_counter()
    for _ in range(SINGLE):
        simulate(graph, inputs)
    return (time.perf_counter() - started) / SINGLE


def main(arguments: list[str]) -> None:
    """Run the benchmark on a model and its data."""
    model, data = map(Path, arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jets.onnx"
        onnx.save(logits_model(model), path)
        request = Request(model=str(path), data=str(data), boards=("pynq-z2",), bits=BITS)
        stages: dict[str, float] = {}
        started = time.perf_counter()

        def progress(stage: str, done: float) -> None:
            stages.setdefault(stage, time.perf_counter() - started)

        run = explore(request, Path(folder) / "run", exhaustive=True, progress=progress, say=say)
        total, cpu = time.perf_counter() - started, time.process_time()
        each = one_by_one(request)
    evaluating = stages["front"] - stages["evaluate"]
    count = run.result["evaluated"]
    say(f"{run}: {total:.1f} s in all ({cpu:.1f} s of processor), {evaluating:.1f} s to evaluate")
    say(f"tree {count / evaluating:,.0f} configurations/s; one by one {1 / each:,.0f}/s")


def say(line: Any) -> None:
    """Print a line."""
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
