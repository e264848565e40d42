"""The record of test vectors, and the files that it is written to.

Everything is mantissas, the integers that the ports carry: ``real = mantissa * 2**-fractional``,
times the scale of the port where the host quantises. ``docs/simulation.md`` describes the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwflow.codegen.bench import INPUT_FILE, OUTPUT_FILE, HlsPort
from hwflow.fixed import FixedArray
from hwflow.ir.graph import Port
from hwflow.ops.shared.port_data import real_values
from hwflow.project.vectors.formats import FORMATS, check_formats, dat_text, hex_text, npy_bytes

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
        check_formats(formats)
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


def placed(vectors: Vectors) -> dict[str, bytes]:
    """Return the files of vectors by path in a written design."""
    up = "../" * (VECTOR_FOLDER.count("/") + 1)
    prefix = f"{up}{DAT_FOLDER}/"
    return {
        name.removeprefix(up) if name.startswith(prefix) else f"{VECTOR_FOLDER}/{name}": content
        for name, content in vectors.files(dat=prefix).items()
    }


def _port_files(p: PortVectors, formats: Sequence[str]) -> dict[str, bytes]:
    files = {}
    if "npy" in formats:
        files[f"{p.file}.npy"] = npy_bytes(real_values(p.values, p.port))
        files[f"{p.file}.raw.npy"] = npy_bytes(p.values.raw)
    if "hex" in formats:
        files[f"{p.file}.hex"] = hex_text(p.values.raw, p.hls.dtype.width, p.hls.beat)
    return files


def _listed(files: Mapping[str, bytes]) -> list[dict[str, str]]:
    return [{"path": n, "sha256": hashlib.sha256(c).hexdigest()} for n, c in files.items()]
