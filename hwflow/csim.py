"""C++ simulation: builds a generated project with g++ and runs data through it in a child process.

The program is cached under a digest of everything that is compiled into it; the values of weights
are read when it runs. The cache keeps the programs that were used last.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hwflow import toolchain
from hwflow.codegen.project import Project
from hwflow.debug import cache_dir
from hwflow.errors import ToolError
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.resources import sim_dir

FLAGS = ("-std=c++17", "-O1", "-w", "-fmax-errors=5")
CACHED_PROGRAMS = 200
"""Programs kept, of 1 to 3 MB each."""

BUILD_TIMEOUT_S = 1800.0
RUN_TIMEOUT_S = 3600.0


@dataclass(frozen=True, eq=False)
class CsimResult:
    """What the compiled C++ computed.

    Attributes:
        layers: float64 values by node name, batch first, channels last; every traced layer and
            every output.
    """

    layers: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Csim:
    """A project built for simulation on this machine.

    Attributes:
        graph: the hardware graph it was generated from.
        program: the executable.
        project: the generated files.
        traces: node names and sizes in the order in which the program writes them.
    """

    graph: Graph
    program: Path
    project: Project
    traces: tuple[tuple[str, int], ...]

    def run(self, inputs: Mapping[str, npt.NDArray[np.float64]]) -> CsimResult:
        """Run a batch.

        Args:
            inputs: float64 arrays by input node name, batch first, channels last.

        Raises:
            ToolError: the program crashed or took too long.
        """
        sizes = [_size(self.graph, p.value) for p in self.graph.inputs]
        batch = len(next(iter(inputs.values())))
        flat = [
            np.ascontiguousarray(inputs[p.value], np.float64).reshape(batch, size)
            for p, size in zip(self.graph.inputs, sizes, strict=True)
        ]
        with tempfile.TemporaryDirectory(prefix="hwflow-csim-") as name:
            folder = Path(name)
            for path, content in self.project.files.items():
                if path.startswith("firmware/weights/") and path.endswith(".txt"):
                    target = folder / path.removeprefix("firmware/")
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(content)
            np.concatenate(flat, axis=1).tofile(folder / "inputs.bin")
            toolchain.run_program(
                self.program,
                ["inputs.bin", "outputs.bin", str(batch), "1"],
                cwd=folder,
                timeout_s=RUN_TIMEOUT_S,
                what="the C++ simulation",
            )
            data = np.fromfile(folder / "outputs.bin", np.float64).reshape(batch, -1)
        return CsimResult(self._split(data, batch))

    def _split(
        self, data: npt.NDArray[np.float64], batch: int
    ) -> dict[str, npt.NDArray[np.float64]]:
        names = [(p.value, _size(self.graph, p.value)) for p in self.graph.outputs]
        found, at = {}, 0
        for value, size in [*names, *self.traces]:
            found[value] = data[:, at : at + size].reshape(batch, *self.graph.types[value].shape)
            at += size
        return found


def _size(graph: Graph, value: str) -> int:
    return prod(graph.types[value].shape)


def build(graph: Graph, project: Project, target: Target, *, flags: Sequence[str] = FLAGS) -> Csim:
    """Compile a generated project, or find it in the cache.

    Args:
        graph: the hardware graph that the project was generated from.
        project: the generated files.
        target: what it was generated for.
        flags: of the compiler; they change speed, not results.

    Raises:
        ToolError: g++ is missing, the generated C++ does not compile, or the cache cannot be
            written.
    """
    top = project.text(f"firmware/{project.name}.cpp")
    traced = set(re.findall(r'nnet::save_layer_output<[^;]*?, "(\w+)", ', top))
    traces = tuple(sorted((n, _size(graph, n)) for n in traced if n in graph.types))
    bench = _bench(graph, project, target, traces)
    program = cache_dir() / "csim" / _digest(project, bench, flags) / "bench"
    if not program.exists():
        _compile(project, bench, program, flags)
        _forget_oldest(program.parent.parent)
    with contextlib.suppress(OSError):  # a cache that can only be read serves as well
        os.utime(program)
    return Csim(graph, program, project, traces)


def _forget_oldest(cache: Path) -> None:
    """Remove the programs that were used longest ago, beyond the number that is kept."""

    def used(entry: Path) -> float:
        try:
            return (entry / "bench").stat().st_mtime
        except OSError:
            return float("inf")  # another process is just building or removing it

    for entry in sorted(cache.iterdir(), key=used, reverse=True)[CACHED_PROGRAMS:]:
        shutil.rmtree(entry, ignore_errors=True)


def _bench(
    graph: Graph, project: Project, target: Target, traces: Sequence[tuple[str, int]]
) -> str:
    environment = Environment(
        loader=FileSystemLoader(sim_dir()),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    inputs, outputs = _ports(graph, project.text(f"firmware/{project.name}.h"))
    return environment.get_template("csim_bench.cpp.j2").render(
        project=project.name,
        inputs=inputs,
        outputs=outputs,
        traces=traces,
        streams=target.streams,
    )


def _ports(graph: Graph, header: str) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Return name, C++ type and size of each port, read off the generated top function."""
    declared = re.search(rf"void {graph.name}\((.*?)\);", header, re.S)
    assert declared is not None, "the generated header declares no top function"
    found = re.findall(r"(?:hls::stream<(\w+)>\s*&|(\w+)\s)\s*(\w+)", declared[1])
    values = [p.value for p in (*graph.inputs, *graph.outputs)]
    ports = [
        {"name": name, "type": stream or plain, "size": _size(graph, value)}
        for (stream, plain, name), value in zip(found, values, strict=True)
    ]
    return ports[: len(graph.inputs)], ports[len(graph.inputs) :]


def _digest(project: Project, bench: str, flags: Sequence[str]) -> str:
    total = hashlib.sha256(" ".join(flags).encode() + toolchain.CXX.version().encode())
    total.update(bench.encode())
    for path in sorted(project.files):
        if path.startswith("firmware/") and not path.endswith(".txt"):
            total.update(path.encode() + b"\0" + project.files[path])
    return total.hexdigest()[:32]


def _compile(project: Project, bench: str, program: Path, flags: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory(prefix="hwflow-build-") as name:
        folder = Path(name)
        for path, content in project.files.items():
            if path.startswith("firmware/") and not path.endswith(".txt"):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(content)
        (folder / "bench.cpp").write_text(bench)
        toolchain.run(
            toolchain.CXX,
            [
                *flags,
                "-I.",
                "-Ifirmware/ap_types",
                '-DWEIGHTS_DIR="weights"',
                "bench.cpp",
                "-o",
                "bench",
            ],
            cwd=folder,
            timeout_s=BUILD_TIMEOUT_S,
            what="compiling the generated C++",
        )
        try:
            program.parent.mkdir(parents=True, exist_ok=True)
            staged = program.with_name(f"bench-{os.getpid()}")
            shutil.copy2(folder / "bench", staged)
            staged.replace(program)
        except OSError as error:
            raise ToolError(
                "cache",
                f"cannot keep the compiled simulation in {program.parent}: {error.strerror}",
                help="set HWFLOW_CACHE to a folder that can be written",
            ) from error
