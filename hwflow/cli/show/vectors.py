"""What the command line prints of test vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.project.vectors.record import Vectors


def print_vectors(found: Vectors, folder: Path, *, json: bool) -> None:
    """Print what was written, and how each port is packed."""
    ports = [p.described() for p in found.ports]
    if json:
        told = {"folder": str(folder), "samples": found.samples, "data": found.source}
        print_json({**told, "made_up_samples": found.made_up, "ports": ports})
        return
    console.print(escape(f"{folder}: {found.samples} samples"), soft_wrap=True)
    data = f"data      {escape(found.source)}"
    console.print(f"[yellow]{data}[/]" if found.made_up else data, soft_wrap=True)
    shown = table(("port", "direction", "shape", "type", "beats per sample", "bits per beat"))
    for port in ports:
        shape = "x".join(map(str, port["shape"]))
        cells = (port["name"], port["direction"], shape, port["type"])
        packing = (port["beats_per_sample"], port["bits_per_beat"])
        shown.add_row(*map(escape, cells), *map(str, packing))
    console.print(shown)
