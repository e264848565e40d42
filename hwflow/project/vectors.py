"""Test vectors: what enters and leaves the hardware, for benches in C++, Python and Verilog.

Everything is mantissas, the integers that the ports carry: ``real = mantissa * 2**-fractional``,
times the scale of the port where the host quantises. ``docs/simulation.md`` describes the files.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.codegen.bench import INPUT_FILE, OUTPUT_FILE, HlsPort, build_files, hls_ports
from hwflow.codegen.project import Project
from hwflow.core.data import Data
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Graph, Port
from hwflow.ir.op import Target
from hwflow.ops.shared.port_data import real_values
from hwflow.simulate.numpy import simulate
from hwflow.simulate.samples.choose import chosen, entered
from hwflow.verify.agreement import Verification

FORMATS = ("dat", "npy", "hex")

SAMPLES = 100
"""Samples of a build: C/RTL co-simulation takes seconds to minutes for so many."""

BITS_AT_ONCE = 1 << 22
"""Bits that are packed at once, of 8 bytes each while they are."""

DAT_FOLDER = "hls/tb_data"
VECTOR_FOLDER = "sim/vectors"
"""Where a written design holds what its HLS scripts read, and the rest."""


@dataclass(frozen=True, eq=False)
class PortVectors:
    """The values of one port.

    Attributes:
        direction: "input" or "output".
        port: the port of the graph.
        hls: the port of the generated top function.
        values: batch first, channels last.
    """

    direction: str
    port: Port
    hls: HlsPort
    values: FixedArray

    @property
    def file(self) -> str:
        """Name of the port's files, without their ends."""
        return f"{self.direction}_{self.hls.name}"

    def described(self) -> dict[str, Any]:
        """Return what a bench has to know of the port."""
        dtype = self.hls.dtype
        return {
            "name": self.hls.name,
            "model_name": self.port.name,
            "direction": self.direction,
            "shape": list(self.values.shape[1:]),
            "type": str(dtype),
            "width": dtype.width,
            "signed": dtype.signed,
            "fractional_bits": dtype.fractional,
            "scaled_by_host": not self.port.grid.plain,
            "elements_per_beat": self.hls.beat,
            "beats_per_sample": self.hls.size // self.hls.beat,
            "bits_per_beat": self.hls.beat * dtype.width,
        }


@dataclass(frozen=True, eq=False)
class Vectors:
    """Stimuli and expected results of a design.

    Attributes:
        design: name of the top function.
        io_type: "io_parallel" or "io_stream".
        source: where the data comes from.
        made_up: how many of the samples are made up; they are the last.
        ports: inputs, then outputs, each in the order of the top function's arguments.
    """

    design: str
    io_type: str
    source: str
    made_up: int
    ports: tuple[PortVectors, ...]

    def __repr__(self) -> str:
        """Return the ports in one line, without the values."""
        ports = ", ".join(str(port.described()["name"]) for port in self.ports)
        return f"Vectors: {self.samples:,} samples of {self.design}, {self.io_type}, ports {ports}"

    @property
    def samples(self) -> int:
        """How many samples there are."""
        return len(self.ports[0].values.raw)

    def files(self, formats: Sequence[str] = FORMATS, *, dat: str = "") -> dict[str, bytes]:
        """Return the files of the vectors by name, with ``vectors.json`` that describes them.

        Args:
            formats: some of ``FORMATS``.
            dat: folder of the ``.dat`` files as seen from the others, with a slash at its end.

        Raises:
            CompileError: a format is not known.
        """
        _check(formats)
        files: dict[str, bytes] = {}
        described = []
        for p in self.ports:
            own = _port_files(p, formats)
            described.append(p.described() | {"files": _listed(own)})
            files |= own
        texts = self._dat_files(dat) if "dat" in formats else {}
        content = {
            "design": self.design,
            "io_type": self.io_type,
            "samples": self.samples,
            "data": self.source,
            "made_up_samples": self.made_up,
            "files": _listed(texts),
            "ports": described,
        }
        return files | texts | {"vectors.json": (json.dumps(content, indent=2) + "\n").encode()}

    def _dat_files(self, folder: str) -> dict[str, bytes]:
        names = {"input": INPUT_FILE, "output": OUTPUT_FILE}
        return {
            folder + name: dat_text([p.values.raw for p in self.ports if p.direction == direction])
            for direction, name in names.items()
        }


def collect(
    graph: Graph,
    target: Target,
    project: Project,
    layers: Mapping[str, FixedArray],
    source: str,
    samples: int = SAMPLES,
    *,
    made_up: int = 0,
) -> Vectors:
    """Return the vectors of a simulation.

    Args:
        graph: what was simulated.
        target: what the project was generated for.
        project: the generated project, which says how ports are packed.
        layers: values of the graph's inputs and outputs at least, by node name.
        source: where the data comes from.
        samples: how many to keep at most.
        made_up: how many of these are made up, the last ones.
    """
    inputs, outputs = hls_ports(graph, target, project.files)
    pairs = [
        *(("input", *pair) for pair in zip(graph.inputs, inputs, strict=True)),
        *(("output", *pair) for pair in zip(graph.outputs, outputs, strict=True)),
    ]
    ports = tuple(
        PortVectors(direction, port, hls, FixedArray(layers[port.value].raw[:samples], hls.dtype))
        for direction, port, hls in pairs
    )
    return Vectors(graph.name, target.io_type, source, made_up, ports)


def simulated_vectors(
    graph: Graph, target: Target, project: Project, data: Data, samples: int = SAMPLES
) -> Vectors:
    """Return the vectors of the first samples of data; see ``collect``.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    ports = {p.value for p in (*graph.inputs, *graph.outputs)}
    found = simulate(graph, _first(data.inputs, samples), keep=ports.__contains__)
    kept = min(samples, found.samples)
    made = 0 if data.seed is None else kept
    return collect(graph, target, project, found.layers, data.source, samples, made_up=made)


def covering_vectors(
    graph: Graph, target: Target, project: Project, data: Data | None, samples: int = SAMPLES
) -> Vectors:
    """Return the fewest vectors found, of data and of made-up samples, that reach the most.

    Args:
        graph: the hardware graph.
        target: what the project was generated for.
        project: the generated project.
        data: what was given; None for made-up samples alone.
        samples: how many at most.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    given = None if data is None else entered(graph, data.inputs)
    found = chosen(graph, given, None, samples)
    told = found.described("" if data is None else data.source)
    return collect(graph, target, project, found.layers, told, samples, made_up=found.made)


def _first(inputs: Mapping[str, npt.NDArray[Any]], samples: int) -> Mapping[str, npt.NDArray[Any]]:
    """Return the first samples, or all where inputs differ in their number, which is refused."""
    if any(a.ndim == 0 for a in inputs.values()) or len({len(a) for a in inputs.values()}) != 1:
        return inputs
    return {name: array[:samples] for name, array in inputs.items()}


def simulation_files(
    graph: Graph, target: Target, project: Project, verification: Verification | None
) -> dict[str, bytes]:
    """Return what a written design holds beside the HLS project to be simulated alone, by path.

    Args:
        graph: the design.
        target: what the project was generated for.
        project: the generated project.
        verification: of its samples and of made-up ones those are the vectors that reach the
            most; without it there is only what builds the bench, which then refuses to run.
    """
    files = {f"sim/{name}": content for name, content in build_files(graph).items()}
    if verification is None:
        return files
    layers, made_up = verification.simulation.layers, verification.made_up
    run = {p.value: layers[p.value].raw for p in graph.inputs}
    found = chosen(graph, None if made_up else run, run if made_up else None, SAMPLES)
    told = found.described("" if made_up else verification.data)
    ports = collect(graph, target, project, found.layers, told, SAMPLES, made_up=found.made)
    return files | placed(ports)


def placed(vectors: Vectors) -> dict[str, bytes]:
    """Return the files of vectors by path in a written design."""
    up = "../" * (VECTOR_FOLDER.count("/") + 1)
    prefix = f"{up}{DAT_FOLDER}/"
    return {
        name.removeprefix(up) if name.startswith(prefix) else f"{VECTOR_FOLDER}/{name}": content
        for name, content in vectors.files(dat=prefix).items()
    }


def dat_text(arrays: Sequence[npt.NDArray[np.int64]]) -> bytes:
    """Return mantissas as decimal text: a line that announces them, then one line a sample.

    Args:
        arrays: batch first, one for each port; a line holds them one after another.
    """
    rows = np.concatenate([a.reshape(len(a), -1) for a in arrays], axis=1)
    lines = [f"# hwflow vectors: samples {rows.shape[0]}, values {rows.shape[1]}"]
    lines += (" ".join(map(str, row)) for row in rows.tolist())
    return ("\n".join(lines) + "\n").encode()


def hex_text(raw: npt.NDArray[np.int64], width: int, beat: int) -> bytes:
    """Return mantissas as ``$readmemh`` reads them: one line a beat, its first element lowest.

    Args:
        raw: batch first, channels last; a whole number of beats a sample.
        width: bits of an element, which follow one another without gaps.
        beat: elements of a beat.
    """
    elements = raw.reshape(-1, beat, 1)
    rows = max(1, BITS_AT_ONCE // (beat * width))
    digits = -(-beat * width // 4)
    lines: list[str] = []
    for start in range(0, len(elements), rows):
        block = elements[start : start + rows]
        bits = ((block >> np.arange(width)) & 1).astype(np.uint8).reshape(len(block), -1)
        packed = np.packbits(bits, 1, bitorder="little")[:, ::-1]
        lines += (row.tobytes().hex()[-digits:] for row in packed)
    return ("\n".join(lines) + "\n").encode()


def _port_files(p: PortVectors, formats: Sequence[str]) -> dict[str, bytes]:
    files = {}
    if "npy" in formats:
        files[f"{p.file}.npy"] = _npy(real_values(p.values, p.port))
        files[f"{p.file}.raw.npy"] = _npy(p.values.raw)
    if "hex" in formats:
        files[f"{p.file}.hex"] = hex_text(p.values.raw, p.hls.dtype.width, p.hls.beat)
    return files


def _npy(array: npt.NDArray[Any]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


def _listed(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [{"path": n, "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()]


def _check(formats: Sequence[str]) -> None:
    unknown = [f for f in formats if f not in FORMATS]
    if unknown or not formats:
        finding = Diagnostic(
            code="HW553",
            title="unknown format of test vectors",
            where="--format",
            found=", ".join(unknown) or "nothing",
            supported=", ".join(FORMATS),
        )
        raise CompileError([finding])
