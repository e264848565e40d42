"""Time by stage and peak memory of what ``hwflow build`` does.

Part of ``python -m tests.benchmarks.bench``; alone, ``python -m tests.benchmarks.bench_build``
measures how the parts without C++ grow with the number of layers. Each network runs in a process
of its own, so that the peak is its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx

from tests.benchmarks.networks import ROOT, Network, networks
from tests.benchmarks.table import Row
from tests.benchmarks.timing import peak_megabytes, peak_megabytes_of_children
from tests.fixtures import deep_cnn

DEPTHS = (10, 25, 50)


def measure(model: onnx.ModelProto, io_type: str, data: Any) -> dict[str, float]:
    """Return seconds by stage, and memory in MB, of a build in this process.

    Args:
        model: what is built.
        io_type: of the hardware.
        data: samples to verify on; None to leave out verification and C++.
    """
    import hwflow

    hwflow.load(deep_cnn(1))  # libraries are loaded; what is timed grows with the model
    before = peak_megabytes()
    started = time.perf_counter()
    design = hwflow.compile(model, board="zcu104", io_type=io_type)
    found = None if data is None else design.verify({design.graph.inputs[0].name: data})
    with tempfile.TemporaryDirectory() as folder:
        design.write(Path(folder) / "out", found)
    total = time.perf_counter() - started
    stages = {k: v for k, v in design.seconds.items() if not k.startswith("pass ")}
    stages["passes"] = sum(v for k, v in design.seconds.items() if k.startswith("pass "))
    stages["write and rest"] = total - sum(stages.values())
    memory = {"start": before, "peak": peak_megabytes(), "g++": peak_megabytes_of_children()}
    return {
        **{f"{stage} [s]": took for stage, took in stages.items()},
        "total [s]": total,
        **{f"{which} [MB]": most for which, most in memory.items()},
    }


def in_own_process(name: str, cache: Path | None = None) -> dict[str, float]:
    """Return what ``measure`` finds in a process of its own.

    Args:
        name: of a network, or a number of layers, which leaves out verification and C++.
        cache: of what was compiled.
    """
    command = [sys.executable, "-m", "tests.benchmarks.bench_build", "--one", name]
    environment = os.environ | ({} if cache is None else {"HWFLOW_CACHE": str(cache)})
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return dict(json.loads(done.stdout))


def rows(key: str, network: Network, cache: Path) -> tuple[list[Row], dict[str, dict[str, float]]]:
    """Build a network twice, and return rows, and the stages of both builds.

    Args:
        key: names the network.
        network: what is built.
        cache: an empty one.
    """
    first, again = in_own_process(key, cache), in_own_process(key, cache)
    name, total, peak = network.name, "total [s]", "peak [MB]"
    found = [
        Row(name, "hwflow build, again", again[total], "s", "first", first[total]),
        Row(name, "memory of hwflow build", first[peak], "MB", "before it", first["start [MB]"]),
    ]
    return found, {f"{name}, first": first, f"{name}, again": again}


def stages_text(builds: Mapping[str, Mapping[str, float]]) -> str:
    """Return builds side by side, a line for each stage."""
    stages = list(dict.fromkeys(stage for build in builds.values() for stage in build))
    width = max(map(len, stages))
    lines = [" " * width + "".join(f"  {name:>18}" for name in builds)]
    for stage in stages:
        cells = (f"{b[stage]:.2f}" if stage in b else "" for b in builds.values())
        lines.append(stage.ljust(width) + "".join(f"  {cell:>18}" for cell in cells))
    return "\n".join(lines)


def main() -> None:
    """Measure CNNs of several depths, or one network in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", help="measure one network in this process and print JSON")
    name = parser.parse_args().one
    if name is None:
        print(stages_text({f"{n} layers": in_own_process(str(n)) for n in DEPTHS}))
    elif name.isdigit():
        print(json.dumps(measure(deep_cnn(int(name)), "io_stream", None)))
    else:
        network = networks()[name]
        data = network.draw(network.csim)
        print(json.dumps(measure(network.proto, network.io_type, data)))


if __name__ == "__main__":
    main()
