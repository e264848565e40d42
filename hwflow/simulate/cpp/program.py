"""A compiled project: runs batches through it, on all cores."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hwflow.codegen.project import Project
from hwflow.core import toolchain
from hwflow.core.machine import cores
from hwflow.ir.graph import Graph

RUN_TIMEOUT_S = 3600.0
SAMPLES_PER_PROCESS = 16
"""Fewest samples of a process, which starts in milliseconds. Samples that one process runs one
after another also show a kernel that keeps something from one sample to the next."""


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
        values: node names and sizes in the order in which the program writes them.
    """

    graph: Graph
    program: Path
    project: Project
    values: tuple[tuple[str, int], ...]

    def __repr__(self) -> str:
        """Return what was compiled, in one line."""
        return f"Csim: {self.graph.name} compiled, {len(self.values)} values are compared"

    def run(
        self, inputs: Mapping[str, npt.NDArray[np.float64]], *, processes: int | None = None
    ) -> CsimResult:
        """Run a batch.

        Args:
            inputs: float64 arrays by input node name, batch first, channels last; each number a
                value of its input's type, as ``prepare_inputs`` gives them.
            processes: number of processes that share the samples; without it, as many as there
                are cores if the batch is worth it. The values are the same.

        Raises:
            ToolError: the program crashed or took too long.
        """
        batch = len(next(iter(inputs.values())))
        flat = [
            np.ascontiguousarray(inputs[p.value], np.float64).reshape(
                batch, prod(self.graph.types[p.value].shape)
            )
            for p in self.graph.inputs
        ]
        samples = np.concatenate(flat, axis=1)
        if processes is None:
            processes = min(cores(), batch // SAMPLES_PER_PROCESS)
        with tempfile.TemporaryDirectory(prefix="hwflow-csim-") as name:
            folder = Path(name)
            self._write_weights(folder)
            (folder / "csim").symlink_to(self.program.absolute())
            parts = np.array_split(samples, max(1, processes))
            tasks = [partial(self._run, folder, n, part) for n, part in enumerate(parts)]
            found = np.concatenate(toolchain.side_by_side(tasks, len(tasks)))
        return CsimResult(self._split(found))

    def _write_weights(self, folder: Path) -> None:
        """Write the weights as the program reads them: float64."""
        (folder / "weights").mkdir()
        for path, content in self.project.files.items():
            if path.startswith("firmware/weights/") and path.endswith(".txt"):
                values = np.array(content.decode().split(","), np.float64)
                values.tofile(folder / path.removeprefix("firmware/"))

    def _run(
        self, folder: Path, number: int, samples: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        given, computed = f"inputs{number}.bin", f"outputs{number}.bin"
        samples.tofile(folder / given)
        toolchain.run_program(
            folder / "csim",
            [given, computed, str(len(samples))],
            cwd=folder,
            limits=toolchain.Limits(RUN_TIMEOUT_S),
            what="the C++ simulation",
        )
        found = np.fromfile(folder / computed, np.float64)
        return found.reshape(len(samples), sum(size for _, size in self.values))

    def _split(self, data: npt.NDArray[np.float64]) -> dict[str, npt.NDArray[np.float64]]:
        found, at = {}, 0
        for value, size in self.values:
            shape = self.graph.types[value].shape
            found[value] = data[:, at : at + size].reshape(len(data), *shape)
            at += size
        return found
