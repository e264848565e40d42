"""Samples per second of the golden model, numpy, the float network and C++ simulations.

Part of ``python -m tests.benchmarks.bench``. In a process of its own, with ``--stream NAME FILE``,
it streams a file through a network and prints time and memory, which the table takes from there.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir
import onnxruntime

import hwflow
from hwflow.codegen.golden.model import golden_model
from hwflow.ops.shared.port_data import prepare_inputs
from hwflow.passes.model.clean_model import clean_model
from hwflow.passes.model.infer_shapes import infer_shapes
from hwflow.project.design import Design
from hwflow.simulate.numpy import simulate
from hwflow.verify.references.unquantized import remove_quantizers
from tests.benchmarks.hls4ml_model import Hls4mlModel
from tests.benchmarks.networks import ROOT, Array, Network, networks
from tests.benchmarks.table import Row
from tests.benchmarks.timing import peak_megabytes, seconds, shortest

RATE, TIME = "samples/s", "us/sample"

PAIRS = 40
"""How often golden model and float network run in turn."""

INTEGER_KERNELS = {
    "QGemm", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "MatMulIntegerToFloat",
}  # fmt: skip
"""What ONNX Runtime computes in integers."""

FEWER = 10
"""In how many parts of the streamed samples as much memory is to be taken as in all."""


def design_of(network: Network) -> Design:
    """Return a network compiled for a device that is large enough."""
    return hwflow.compile(network.proto, board="zcu104", io_type=network.io_type)


def session(
    model: onnx.ModelProto, optimised: Path | None = None, threads: int = 0
) -> onnxruntime.InferenceSession:
    """Return a session on a model as a user opens it, for batches of any size.

    Args:
        model: that is run.
        threads: that share a batch; 0 for one per core, which is ONNX Runtime's default.
        optimised: where ONNX Runtime writes what it made of the model.
    """
    del model.graph.value_info[:]
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
    if optimised is not None:
        options.optimized_model_filepath = str(optimised)
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def kernels(model: onnx.ModelProto) -> set[str]:
    """Return what ONNX Runtime runs for a model, after its optimisations."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        session(model, optimised)
        return {node.op_type for node in onnx.load(optimised).graph.node}


def float_network(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a network without its quantisers, as it is before quantisation.

    Unsigned quantisers leave a relu; behind another one, or at an input, the float network has
    none.
    """
    prepared = infer_shapes(clean_model(hwflow.load(model)))
    remove_quantizers(prepared)
    for node in list(prepared.ir.graph):
        before = node.inputs[0]
        if node.op_type == "Relu" and before is not None:
            producer = before.producer()
            if producer is None or producer.op_type == "Relu":
                node.op_type = "Identity"
    return onnx_ir.to_proto(prepared.ir)


def runner(opened: onnxruntime.InferenceSession, x: Array) -> Callable[[], Array]:
    """Return a call that runs a batch and returns the first output as a matrix."""
    name = opened.get_inputs()[0].name
    return lambda: np.asarray(opened.run(None, {name: x})[0]).reshape(len(x), -1)


def against_float(
    network: Network, design: Design, sizes: Sequence[int], rounds: int
) -> Iterator[Row]:
    """Compare the golden model with the float network, both in stock ONNX Runtime, in memory.

    Args:
        network: what is measured.
        design: compiled from it.
        sizes: of batches; both take the same.
        rounds: how often the two take turns.
    """
    golden = golden_model(design.graph)
    integer = bool(kernels(golden) & INTEGER_KERNELS)
    name = "golden model, 8-bit kernels" if integer else "golden model"
    models = {"golden": golden, "float": float_network(network.proto)}
    for threads, size in product((0, 1), sizes):
        opened = {which: session(model, threads=threads) for which, model in models.items()}
        x = network.draw(size)
        runs = {which: runner(found, x) for which, found in opened.items()}
        repeats = max(1, int(0.02 / shortest(runs, 2)["float"]))
        loops = {which: repeated(run, repeats) for which, run in runs.items()}
        times = {w: t / repeats / size * 1e6 for w, t in shortest(loops, rounds).items()}
        batches = f"batches of {size:,}" + (", 1 thread" if threads else "")
        yield Row(
            network.name, f"{name}, {batches}", times["golden"], TIME,
            "float32 network", times["float"],
            most=None if integer else 1.2, below=1.0 if integer else None,
        )  # fmt: skip


def repeated(run: Callable[[], object], times: int) -> Callable[[], None]:
    """Return a call that makes another some times."""

    def all_of_them() -> None:
        for _ in range(times):
            run()

    return all_of_them


def rates(network: Network, design: Design, theirs: Hls4mlModel, file: Path) -> dict[str, float]:
    """Return samples per second of hls4ml's and hwflow's C++, of numpy and of a stream.

    Args:
        network: what is measured.
        design: compiled from it.
        theirs: hls4ml's compiled model of it.
        file: with ``network.streamed`` samples.
    """
    x = network.draw(network.csim)
    arrays = prepare_inputs(design.graph, given(design, x))
    many = given(design, network.draw(network.simulated))
    runs: dict[str, Callable[[], object]] = {
        "hls4ml": lambda: theirs.predict(x),
        "C++": lambda: design.csim.run(arrays),
        "numpy": lambda: simulate(design.graph, many),
        "stream": lambda: streamed(design, file),
    }
    count = {"numpy": network.simulated, "stream": network.streamed}
    times = shortest(runs, network.rounds)
    return {name: count.get(name, network.csim) / t for name, t in times.items()}


def differences(network: Network, design: Design, theirs: Hls4mlModel) -> int:
    """Return how many values hls4ml's C++, numpy and a stream do not agree on."""
    x = network.draw(network.csim)
    name = design.graph.outputs[0].name
    golden = np.concatenate([batch.outputs[name] for batch in design.stream(x)])
    computed = simulate(design.graph, given(design, x)).outputs[name]
    different = (golden != computed).reshape(len(x), -1) | (
        golden.reshape(len(x), -1) != theirs.predict(x)
    )
    return int(np.count_nonzero(different))


def given(design: Design, x: Array) -> Mapping[str, Array]:
    """Return data by input name."""
    return {design.graph.inputs[0].name: x}


def streamed(design: Design, file: Path) -> int:
    """Stream a file through a design and return how many samples came out."""
    return sum(len(batch) for batch in design.stream(file))


def rows(
    key: str, network: Network, design: Design, theirs: Hls4mlModel, folder: Path
) -> Iterator[Row]:
    """Measure one network; ``key`` names it, and ``folder`` is for its data."""
    file, part = folder / f"{key}.npy", folder / f"{key}-part.npy"
    network.write_data(file, network.streamed)
    network.write_data(part, network.streamed // FEWER)
    found = rates(network, design, theirs, file)
    different = differences(network, design, theirs)
    name, golden, csim = network.name, "golden model, streamed from .npy", "hls4ml csim"
    yield Row(name, golden, found["stream"], RATE, csim, found["hls4ml"], least=network.faster)
    yield Row(name, golden, found["stream"], RATE, "numpy simulation", found["numpy"])
    yield Row(name, "hwflow csim", found["C++"], RATE, csim, found["hls4ml"])
    yield Row(name, "values that differ between these", different, "", most=0)
    yield from against_float(network, design, network.batches, PAIRS)
    yield memory(key, network, file, part)


def memory(key: str, network: Network, file: Path, part: Path) -> Row:
    """Compare the memory that a long stream takes with that of a part of it."""
    most = [in_own_process("--stream", key, str(f))["peak_mb"] for f in (file, part)]
    return Row(
        network.name, f"memory, {network.streamed:,} streamed", most[0], "MB",
        f"{network.streamed // FEWER:,} streamed", most[1], most=1.1,
    )  # fmt: skip


def in_own_process(*arguments: str) -> Any:
    """Return what this module prints as JSON in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_simulate", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(done.stdout)


def main() -> None:
    """Stream a file in this process and print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stream", nargs=2, required=True, metavar=("NAME", "FILE"))
    name, file = parser.parse_args().stream
    network = networks()[name]
    design = design_of(network)
    took = seconds(lambda: streamed(design, Path(file)))
    print(json.dumps({"seconds": took, "peak_mb": peak_megabytes()}))


if __name__ == "__main__":
    main()
