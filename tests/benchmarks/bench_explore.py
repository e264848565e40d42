"""How fast a space is evaluated, and how near a heuristic search of it comes.

``make bench-explore``: the float CNN of the examples. ``make bench-explore MODEL=jets.h5
DATA=jets.npz``: a Keras MLP of dense layers with ReLUs, whose softmax is left out, and its data.
``SPACE='w=2:4 a=3:5'``: other bits than five widths for each layer's weights and activations.

1. All configurations are explored by one process: seconds of its processor for everything. Then by
   two: what their command takes, and half of what its workers take, which is the longest that any
   processor has to do where the work is shared evenly. Other work on the machine does not count.
2. One forward pass for each configuration, for some of them.
3. Searches with ten seeds, against the certified front.
4. Optuna's NSGA-II for as long as a search takes, and for as long as all configurations take.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwflow.core.workers import Processes
from hwflow.exploration.explorer import Explorer
from hwflow.exploration.plan import chunk_size
from hwflow.exploration.request import Request
from hwflow.exploration.run import EVALUATIONS, Run, explore
from hwflow.exploration.store import open_store
from hwflow.simulate.numpy import simulate
from tests.benchmarks.explore_search import Known
from tests.benchmarks.optuna_search import optuna_search

EXAMPLES = Path(__file__).parents[2] / "examples"
BITS = "w=2:6 a=3:7"
SINGLE = 200
"""Configurations that are evaluated one by one."""

SEEDS = range(10)

T = TypeVar("T")


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


def one_by_one(explorer: Explorer) -> float:
    """Return the seconds of a configuration that is simulated by itself, compiling left out."""
    (priced,) = explorer.boards
    numbers = np.random.default_rng(0).choice(explorer.space.size, SINGLE, replace=False)
    config = explorer.request.config(priced.name)
    graph = explorer.graph(int(numbers[0]), config, priced.target)
    inputs = dict(explorer.search.inputs)
    started = time.process_time()
    for _ in range(SINGLE):
        simulate(graph, inputs)
    return (time.process_time() - started) / SINGLE


def spent(workers: int) -> float:
    """Return the seconds of processors: of this process, and of its children's a worker's share."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + (children.ru_utime + children.ru_stime) / workers


def timed(request: Request, folder: Path, workers: int) -> tuple[Run, dict[str, float]]:
    """Explore all of a space, say how long that takes, and return the seconds of each stage."""
    began: dict[str, float] = {}

    def progress(stage: str, done: float) -> None:
        began.setdefault(stage, spent(workers))

    before = spent(workers)
    run = explore(
        request, folder, exhaustive=True, executor=Processes(workers), progress=progress, say=say
    )
    began["end"] = spent(workers)
    stages = {a: began[b] - began[a] for a, b in pairwise(began)}
    stages["all"] = began["end"] - before
    parts = [f"{name} {seconds:.1f} s" for name, seconds in stages.items()]
    say(f"{run}\n{workers} process{'es' if workers > 1 else ''}: {', '.join(parts)}")
    return run, stages


def anew(work: Callable[..., T], *arguments: Any) -> T:
    """Return what a new process computes, which knows nothing yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def explored(request: Request, folder: Path) -> np.ndarray:
    """Explore all of a space with one process and with two, and return right answers."""
    run, alone = anew(timed, request, folder / "one", 1)
    say(f"tree: {run.result['evaluated'] / alone['evaluate']:,.0f} configurations/s, with checks")
    other, shared = anew(timed, request, folder / "two", 2)
    assert other.result == run.result
    for stage in ("evaluate", "all"):
        say(f"two processes, {stage}: {alone[stage] / shared[stage]:.2f} times one")
    with open_store(folder / "one", new=False) as store:
        return np.concatenate([counts for _, counts in store.counts()])


def compare(explorer: Explorer, counts: np.ndarray) -> None:
    """Say how near searches come, and how near Optuna's."""
    known, tree = Known.of(explorer, counts), explorer.tree(explorer.search)
    searches = [known.searched(seed, EVALUATIONS) for seed in SEEDS]
    shares = [known.covered(numbers) for numbers in searches]
    say(f"{EVALUATIONS} evaluations, {len(SEEDS)} seeds: hypervolume " + spread(shares))
    say("  " + " ".join(f"{share:.2%}" for share in shares))
    say(f"  sensitivity and dynamic programming alone, {len(known.first)} evaluations: "
        f"{known.covered(known.first):.2%}")  # fmt: skip
    started = time.process_time()
    tree.counts(np.sort(searches[0]))
    known.searched(0, EVALUATIONS)
    short = time.process_time() - started
    step = chunk_size(explorer.space)
    chunks = np.random.default_rng(0).integers(explorer.space.size // step, size=4)
    started = time.process_time()
    for chunk in chunks.tolist():
        tree.counts(np.arange(chunk * step, (chunk + 1) * step))
    every = (time.process_time() - started) / (len(chunks) * step)
    say(f"tree: {1 / every:,.0f} configurations/s of those that follow each other")
    for seconds in (short, explorer.space.size * every):
        found = optuna_search(explorer, tree.counts, 0, seconds)
        unlike = len(np.unique(found))
        say(f"Optuna NSGA-II, {seconds:.1f} s, {len(found)} trials, {unlike} different: "
            f"hypervolume {known.covered(found):.2%}")  # fmt: skip


def spread(shares: list[float]) -> str:
    """Return least, median and greatest of some shares."""
    return f"{min(shares):.2%} at least, {np.median(shares):.2%}, {max(shares):.2%} at most"


def main(arguments: list[str]) -> None:
    """Run the benchmark on a model and its data."""
    with tempfile.TemporaryDirectory() as folder:
        model, data = EXAMPLES / "digits_float.onnx", EXAMPLES / "digits.npz"
        if arguments:
            model, data = Path(folder) / "jets.onnx", Path(arguments[1])
            onnx.save(logits_model(Path(arguments[0])), model)
        bits = os.environ.get("SPACE") or BITS
        request = Request(model=str(model), data=str(data), boards=("pynq-z2",), bits=bits)
        counts = explored(request, Path(folder) / "run")
        explorer = Explorer.of(request)
        say(f"one by one: {1 / one_by_one(explorer):,.0f} configurations/s")
        compare(explorer, counts)


def say(line: Any) -> None:
    """Print a line."""
    print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
