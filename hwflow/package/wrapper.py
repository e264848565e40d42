"""The C++ around the network: ports of a bus, and what moves frames across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, gcd
from typing import Any

from hwflow.codegen.bench import HlsPort
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.package.classes import at_once
from hwflow.package.description import Description, Port, Register
from hwflow.package.reals import Reals

SIDE_CHANNELS = {
    ("Vitis", "input"): "0, 0, 0",
    ("Vitis", "output"): "1, 0, 0",
    ("Vivado", "input"): "1, 1, 1",
    ("Vivado", "output"): "1, 1, 1",
}
"""Bits of TUSER, TID and TDEST; Vivado HLS knows no beat without them (UG902, "ap_axiu")."""

WORDS = {
    "axis": "AXI4-Stream ports and an AXI4-Lite control window",
    "axi-lite": "frames and control in one AXI4-Lite window",
    "memory": "AXI4 masters that fetch and store frames, and an AXI4-Lite control window",
}
"""The interfaces in words."""


@dataclass(frozen=True, kw_only=True)
class PortCode:
    """A port as the templates write it.

    Attributes:
        port: its description.
        hls: the network's own port.
        streams: whether the network has streams inside.
        several: whether the network has several inputs.
        backend: the HLS tool.
        errors: name of the register that counts wrong packets, or empty.
        reals: how real numbers in the lanes are made, or scores put in order; None for integers.
    """

    port: Port
    hls: HlsPort
    streams: bool
    several: bool
    backend: str
    errors: str = ""
    reals: Reals | None = None

    def __getattr__(self, name: str) -> Any:
        """Return what the description says: of the port, of its elements, or of its packing."""
        for part in (self.port, self.port.element, self.port.packing):
            if name in type(part).model_fields:
                return getattr(part, name)
        raise AttributeError(name)

    @property
    def local(self) -> str:
        """Name of the array or stream between wrapper and network."""
        return f"{self.hls.name}_"

    @property
    def side(self) -> str:
        """Bits of the side channels of a beat."""
        return SIDE_CHANNELS[self.backend, self.port.direction]

    @property
    def format(self) -> str:
        """Class of C++ that reads and writes lanes."""
        if self.reals is not None:
            return self.reals.format
        e = self.port.element
        return f"Integers<{e.lane_bits}, {e.width}, {str(e.signed).lower()}>"

    @property
    def table(self) -> str:
        """The C++ of the table that the lanes refer to, or nothing."""
        return "" if self.reals is None else self.reals.table

    @property
    def mover(self) -> str:
        """Class of C++ that takes a frame across."""
        if self.port.classes is not None:
            return self._class_mover
        way = "To" if self.port.direction == "input" else "From"
        what = "Stream" if self.streams else "Array"
        figures = [self.port.packing.lanes, self.port.elements]
        figures += [self.hls.beat] if self.streams else []
        shown = ", ".join(map(str, figures))
        return f"{way}{what}<{self.port.name}_lane_, {self.hls.ctype}, {shown}>"

    @property
    def _class_mover(self) -> str:
        """Class of C++ that gives the class of a frame."""
        what = "Stream" if self.streams else "Array"
        figures = [self.hls.size, at_once(self.hls, streams=self.streams), self.port.element.width]
        figures += [self.hls.beat] if self.streams else []
        shown = ", ".join(map(str, figures))
        return f"ClassFrom{what}<{self.port.name}_lane_, {self.hls.ctype}, {shown}>"

    @cached_property
    def step(self) -> int:
        """Elements, or scores, that are moved in a clock cycle."""
        if self.port.classes is not None:
            return at_once(self.hls, streams=self.streams)
        lanes = self.port.packing.lanes
        return gcd(lanes, self.hls.beat) if self.streams else lanes

    @property
    def steps(self) -> int:
        """Cycles that a frame takes."""
        return -(-(self.port.classes or self.port.elements) // self.step)

    @property
    def steps_in_last_word(self) -> int:
        """Cycles that the last word of a frame takes."""
        packing = self.port.packing
        left = self.port.elements - (packing.words - 1) * packing.lanes
        return -(-left // self.step)

    @property
    def last_keep(self) -> str:
        """TKEEP of the last word of a frame: the bytes that hold elements."""
        packing = self.port.packing
        width = packing.data_width // 8
        return hexadecimal(width - (packing.stride_bytes - packing.frame_bytes))

    @property
    def local_declaration(self) -> str:
        """What a function takes the array or stream as."""
        if self.streams:
            return f"hls::stream<{self.hls.ctype}> &{self.local}"
        return f"{self.hls.ctype} {self.local}[{self.hls.size}]"

    @property
    def local_definition(self) -> str:
        """What makes the array or stream."""
        if self.streams:
            return f'hls::stream<{self.hls.ctype}> {self.local}("{self.local}")'
        return f"{self.hls.ctype} {self.local}[{self.hls.size}]"

    @property
    def pragmas(self) -> tuple[str, ...]:
        """What HLS has to know of it.

        Arrays are laid out as the network's top function lays out its own ports. The streams of
        several inputs hold a frame each, since a network may take all of one before any of another.
        """
        if not self.streams:
            how = "RESHAPE" if self.port.direction == "input" else "PARTITION"
            return (f"#pragma HLS ARRAY_{how} variable={self.local} complete dim=0",)
        if self.port.direction == "input" and self.several:
            depth = self.hls.size // self.hls.beat
            return (f"#pragma HLS STREAM variable={self.local} depth={depth}",)
        return ()


@dataclass(frozen=True)
class RegisterCode:
    """A register as the templates write it."""

    argument: str
    offset: str
    value: int | None


def hexadecimal(bits: int) -> str:
    """Return a number of so many ones, in hexadecimal."""
    return f"0x{(1 << bits) - 1:x}"


def wrapper_files(description: Description, names: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the C++ of a block by path in its ``hls`` folder.

    Args:
        description: the block.
        names: what its templates refer to.
    """
    kind = "axis" if description.interface == "axis" else "memory"
    top = description.top
    return {
        f"{top}.h": rendered("block.h.j2", names),
        f"{top}.cpp": rendered(f"{kind}.cpp.j2", names),
        "hwflow_port.h": (templates_dir() / "package" / "hwflow_port.h").read_bytes(),
    }


def rendered(template: str, names: Mapping[str, Any]) -> bytes:
    """Return a template of ``templates/package``, filled in."""
    environment = template_environment(templates_dir() / "package")
    return environment.get_template(template).render(**names).encode()


def code_names(
    description: Description,
    hls: Sequence[tuple[Port, HlsPort]],
    reals: Mapping[str, Reals],
) -> dict[str, Any]:
    """Return what the templates of a block refer to.

    Args:
        description: the block.
        hls: its ports with those of the network.
        reals: how real numbers are made, by port, where lanes hold them.
    """
    streams = description.target.io_type == "io_stream"
    errors = {
        r.port: r.name
        for r in description.registers
        if r.port and r.access == "r" and r.value is None
    }
    ports = [
        PortCode(
            port=port,
            hls=own,
            streams=streams,
            several=len(description.inputs) > 1,
            backend=description.target.backend,
            errors=errors.get(port.name, ""),
            reals=reals.get(port.name),
        )
        for port, own in hls
    ]
    width = description.ports[0].packing.data_width
    figures = description.figures
    pace = max(figures.ii_cycles.low, max(p.steps for p in ports))
    registers = [_register(r) for r in description.registers]
    if description.interface == "axi-lite":
        registers += [RegisterCode(p.name, f"{p.address:#x}", None) for p in description.ports]
    return {
        "description": description,
        "top": description.top,
        "network": description.name,
        "interface": description.interface,
        "interface_words": WORDS[description.interface],
        "kernel": description.target.kind == "vitis-kernel",
        "streams": streams,
        "ports": ports,
        "inputs": [p for p in ports if p.port.direction == "input"],
        "outputs": [p for p in ports if p.port.direction == "output"],
        "data_width": width,
        "keep_bits": width // 8,
        "full_keep": hexadecimal(width // 8),
        "frames_inside": 2 + ceil(figures.latency_cycles.high / pace),
        "registers": registers,
        "constants": [r for r in registers if r.value is not None],
        "vector_frames": description.vectors[0].frames,
        "arguments": list(_arguments(description, ports)),
    }


def _register(register: Register) -> RegisterCode:
    return RegisterCode(register.name, f"{register.address:#x}", register.value)


def _arguments(description: Description, ports: Sequence[PortCode]) -> list[str]:
    """Return the declarations of the top function's arguments: ports, then registers."""
    found = []
    for p in ports:
        const = "const " if p.port.direction == "input" else ""
        if description.interface == "axis":
            found.append(f"hls::stream<{p.port.name}_beat_> &{p.port.name}")
        elif description.interface == "memory":
            found.append(f"{const}word_t *{p.port.name}")
        else:
            found.append(f"{const}word_t {p.port.name}[{p.port.packing.words}]")
    for r in description.registers:
        if r.name not in {p.port.name for p in ports}:
            found.append(f"unsigned {'*' if r.access == 'r' else ''}{r.name}")
    return found
