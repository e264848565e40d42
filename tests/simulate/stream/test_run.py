"""Streams through engines: the bits of the simulation, whatever the batches; memory; findings."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.tensor import TensorType
from hwflow.ops.dense import Dense
from hwflow.project.design import Design
from hwflow.simulate.engines import open_engine
from hwflow.simulate.numpy import simulate
from hwflow.simulate.stream.run import AHEAD, Batch, stream
from hwflow.simulate.stream.sources import open_source
from hwflow.simulate.stream.summary import Summary, summary_of
from tests.cli.command import dense, save
from tests.cli.test_hostile_names import hostile_network
from tests.golden_graphs import graph_of

ROOT = Path(__file__).parents[3]
Array = npt.NDArray[Any]


@cache
def design() -> Design:
    return hwflow.compile(dense())


def samples(n: int) -> Array:
    """Return float64 data of which many values lie half a step between two of the port."""
    rng = np.random.default_rng(n)
    ties = rng.integers(-40, 40, (n, 4)) / 8
    return np.where(rng.random((n, 4)) < 0.5, ties, rng.uniform(-5, 5, (n, 4)))


def expected(x: Array) -> Array:
    (values,) = design().simulate(x).outputs.values()
    return values


def outputs(batches: Iterator[Batch]) -> Array:
    return np.concatenate([next(iter(b.outputs.values())) for b in batches])


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 60),
    st.integers(1, 70),
    st.sampled_from(["golden", "numpy"]),
    st.sampled_from([np.float32, np.float64, np.float16]),
)
def test_batches_of_any_size_have_the_bits_of_the_simulation(
    n: int, batch: int, engine: str, dtype: Any
) -> None:
    x = samples(n).astype(dtype)
    found = list(design().stream(x, engine=engine, batch=batch))
    assert [b.start for b in found] == list(range(0, n, batch))
    assert sum(map(len, found)) == n
    values = outputs(iter(found))
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, expected(x))
    np.testing.assert_array_equal(np.concatenate([b.inputs["x"] for b in found]), x)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_any_number_of_threads_gives_the_same(threads: int) -> None:
    x = samples(500)
    found = design().stream(x, threads=threads, batch=7)
    np.testing.assert_array_equal(outputs(found), expected(x))


@pytest.mark.torch
def test_torch_gives_the_same() -> None:
    x = samples(200)
    np.testing.assert_array_equal(outputs(design().stream(x, engine="torch")), expected(x))


def test_images_and_several_outputs() -> None:
    cnn = hwflow.compile(ROOT / "examples" / "digits_cnn.onnx")
    images = np.load(ROOT / "examples" / "digits.npz")["x"][:50]
    (whole,) = cnn.simulate(images).outputs.values()
    np.testing.assert_array_equal(outputs(cnn.stream(images.reshape(50, -1), batch=7)), whole)
    two = hwflow.compile(hostile_network(("a", "b"), "net"))
    x = {"a": samples(9)[:, :2], "b": samples(9)[:, 2:]}
    simulated = two.simulate(x)
    for engine in ("golden", "numpy"):
        for batch in two.stream(x, engine=engine, batch=4):
            rows = slice(batch.start, batch.start + len(batch))
            for name, values in simulated.outputs.items():
                np.testing.assert_array_equal(batch.outputs[name], values[rows])


def test_labels_come_along_and_are_counted() -> None:
    x = samples(90)
    classes = expected(x).argmax(1)
    classes[:30] = (classes[:30] + 1) % 3
    total = Summary()
    for batch in design().stream({"x": x, "y": classes}, batch=11):
        assert batch.labels is not None
        rows = slice(batch.start, batch.start + len(batch))
        np.testing.assert_array_equal(batch.labels, classes[rows])
        total += summary_of(batch, design().graph)
    (name,) = total.outputs
    assert total.samples == 90
    assert total.accuracy(name) == 60 / 90
    assert total.outputs[name].range == (expected(x).min(), expected(x).max())


def test_a_generator_is_read_in_the_callers_thread_and_closed() -> None:
    seen: list[object] = []

    def items() -> Iterator[Array]:
        try:
            for _ in range(100):
                seen.append(threading.current_thread())
                yield samples(10)
        finally:
            seen.append("closed")

    batches = design().stream(items(), threads=2, batch=10)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert set(seen) == {threading.current_thread(), "closed"}
    assert len(seen) == 2 + AHEAD + 1


def test_what_a_generator_raises_comes_behind_the_samples_before() -> None:
    def items() -> Iterator[Array]:
        yield samples(9)
        raise KeyError("mine")

    taken: list[int] = []
    with pytest.raises(KeyError, match="mine"):
        taken.extend(map(len, design().stream(items(), batch=3)))
    assert taken == [3, 3, 3]


def test_nothing_in_a_generator() -> None:
    with pytest.raises(CompileError, match=r"HW403(.|\n)*no samples"):
        list(design().stream(iter(())))


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_nan_is_located(batch: int, tmp_path: Path) -> None:
    x = samples(100).astype(np.float32)
    x[77, 2] = np.nan
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(CompileError, match=r"HW405(.|\n)*x\.npy, sample 77, input 'x'"):
        list(design().stream(tmp_path / "x.npy", batch=batch))
    (tmp_path / "folder").mkdir()
    for i in range(4):
        np.save(tmp_path / "folder" / f"{i}.npy", x[25 * i : 25 * i + 25])
    with pytest.raises(CompileError, match=r"folder/3\.npy, sample 2, input 'x'"):
        list(design().stream(tmp_path / "folder", batch=batch))


class SlowEngine:
    """Computes nothing, slowly, and counts how many batches are on their way."""

    name, device, workers, batch_bytes = "slow", "cpu", 2, 1

    def __init__(self) -> None:
        self.counters: dict[str, Any] = {}
        self.begun = 0

    def run(self, inputs: Any) -> dict[str, Array]:
        time.sleep(0.002)
        self.begun += 1
        return {"y": np.zeros((len(inputs["x"]), 1))}


def test_no_more_batches_are_read_than_can_wait() -> None:
    engine, read = SlowEngine(), 0

    def items() -> Iterator[Array]:
        nonlocal read
        for _ in range(40):
            read += 1
            yield samples(1)

    source = open_source(items(), design().graph)
    for done, _ in enumerate(stream(engine, source, 1, len)):
        assert read - done <= engine.workers + AHEAD
    assert engine.begun == 40


MEMORY = """
import sys
from pathlib import Path
import hwflow
design = hwflow.compile(sys.argv[1])
def peak(data):
    most = total = 0
    for batch in design.stream(data, batch=4000):
        total += len(batch)
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        most = max(most, pages * 4096)
    return total, most
few, *many = sys.argv[2:]
before = max(peak(few)[1] for _ in range(3))
for data in many:
    total, most = peak(data)
    print(total, most - before)
"""


def test_memory_does_not_grow_with_the_data(tmp_path: Path) -> None:
    n = 2_000_000
    x = np.zeros((n, 4))
    save(dense(), str(tmp_path / "model.onnx"))
    np.savez(tmp_path / "few.npz", x=x[:100_000])
    np.savez(tmp_path / "x.npz", x=x)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(x))
    files = [tmp_path / name for name in ("model.onnx", "few.npz", "x.npz", "x.npy", "fortran.npy")]
    ran = subprocess.run(
        [sys.executable, "-c", MEMORY, *files], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for line in ran.stdout.splitlines():
        total, growth = map(int, line.split())
        assert total == n
        assert growth < x.nbytes / 50


def test_engines_that_are_not_there() -> None:
    graph = design().graph
    with pytest.raises(CompileError, match=r"HW566(.|\n)*did you mean 'golden'"):
        open_engine(graph, "goldn")
    with pytest.raises(CompileError, match=r"HW567(.|\n)*device cuda"):
        open_engine(graph, "golden", device="cuda")


def test_without_a_golden_model_numpy_takes_its_place() -> None:
    weight = FixedArray(np.full((4, 2), 3), FixedType(4, 1))
    bias = FixedArray(np.zeros(2, np.int64), FixedType(1, 1))
    rounds_each_product = Dense(weight=weight, bias=bias, accum_t=FixedType(6, 4))
    graph = graph_of(rounds_each_product, TensorType.full((4,), FixedType(6, 1)))
    with pytest.raises(CompileError, match=r"HW565(.|\n)*--engine numpy"):
        open_engine(graph, "golden")
    engine = open_engine(graph)
    assert engine.name == "numpy"
    x = {"in0": samples(50) / 8}
    found = list(stream(engine, open_source(x, graph), 7, lambda batch: batch))
    whole = simulate(graph, x)
    np.testing.assert_array_equal(outputs(iter(found)), whole.outputs["y"])
    assert engine.counters == whole.counters
