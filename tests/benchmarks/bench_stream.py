"""Samples per second of streams against plain ONNX Runtime on data in memory, and their memory.

``python tests/benchmarks/bench_stream.py [SAMPLES]``, 10 million unless given: the jets MLP from
.npy and .npz files and a generator, results kept or written. All in one process, one after the
other; each round also times the plain session, so that ratios hold on a machine that does other
things, too. Peak memory is sampled after every batch.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

import hwflow  # noqa: E402
from hwflow.codegen.golden.model import golden_model  # noqa: E402
from hwflow.project.simulation import simulate_path  # noqa: E402
from tests.benchmarks.networks import jets_mlp  # noqa: E402

ROUNDS = 5
PLAIN_BATCH = 8192


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def resident() -> int:
    """Return the bytes of memory that the process holds, pages of mapped files included."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def peak(batches: Iterator[Any]) -> int:
    """Return the most memory that is held behind any batch."""
    return max(resident() for _ in batches)


def write_jets(path: Path, samples: int) -> None:
    """Write random jets in float32, a million at a time."""
    array = np.lib.format.open_memmap(path, "w+", np.float32, (samples, 16))
    rng = np.random.default_rng(0)
    for start in range(0, samples, 1_000_000):
        part = array[start : start + 1_000_000]
        part[:] = rng.uniform(-6, 6, part.shape)
    array.flush()


def main() -> None:
    """Measure and print rates, ratios and memory."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000
    few = samples // 10
    with tempfile.TemporaryDirectory() as folder:
        model, data = Path(folder) / "jets.onnx", Path(folder) / "jets.npy"
        model.write_bytes(jets_mlp().SerializeToString())
        write_jets(data, samples)
        np.save(data.with_name("few.npy"), np.load(data, mmap_mode="r")[:few])
        x = np.load(data.with_name("few.npy"))
        np.savez(data.with_name("few.npz"), x=x)
        np.savez_compressed(data.with_name("packed.npz"), x=x)
        rates(model, data.parent, x)
        memory(hwflow.compile(model), data, few, samples)


def rates(model: Path, folder: Path, x: np.ndarray) -> None:
    """Print samples per second, and the median of the ratios to the plain session."""
    design = hwflow.compile(model)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    content = golden_model(design.graph).SerializeToString()
    session = onnxruntime.InferenceSession(content, options)

    def plain() -> None:
        for start in range(0, len(x), PLAIN_BATCH):
            session.run(None, {"x": x[start : start + PLAIN_BATCH]})

    def streamed(source: Any, **options: Any) -> float:
        return simulate_path(model, source, **options).seconds

    def from_python() -> Any:
        return (x[start : start + 1000] for start in range(0, len(x), 1000))

    runs: dict[str, Callable[[], float]] = {
        "plain session on an array": lambda: seconds(plain),
        "array": lambda: streamed(x),
        ".npy": lambda: streamed(folder / "few.npy"),
        ".npy, 1 thread": lambda: streamed(folder / "few.npy", threads=1),
        ".npy to .npz": lambda: streamed(folder / "few.npy", out=folder / "out.npz"),
        ".npz": lambda: streamed(folder / "few.npz"),
        "compressed .npz": lambda: streamed(folder / "packed.npz"),
        "generator, 1,000 at a time": lambda: streamed(from_python()),
        "torch on the CPU, .npy": lambda: streamed(folder / "few.npy", engine="torch"),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(ROUNDS):
        for name, run in runs.items():
            times[name].append(run())
    base, *_ = times.values()
    print(f"{len(x):,} jets, best of {ROUNDS}: samples/s, and ratio to the plain session (median)")
    for name, found in times.items():
        ratio = median(b / t for b, t in zip(base, found, strict=True))
        print(f"  {name:<28}{len(x) / min(found):>14,.0f}{ratio:>8.2f}")


def memory(design: hwflow.Design, data: Path, few: int, samples: int) -> None:
    """Print how much memory grows while ten times as much is streamed."""
    small = peak(design.stream(data.with_name("few.npy")))
    started = time.perf_counter()
    large = peak(design.stream(data))
    rate = samples / (time.perf_counter() - started)
    print(
        f"peak memory: {small / 1e6:,.1f} MB for {few:,} samples, {large / 1e6:,.1f} MB for ",
        end="",
    )
    print(f"{samples:,} ({data.stat().st_size / 1e6:,.0f} MB): {(large - small) / 1e6:+.1f} MB")
    print(f"{samples:,} samples at {rate:,.0f} samples/s")


if __name__ == "__main__":
    main()
