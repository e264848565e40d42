"""What the templates of drivers write of a block: tables in C."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from hwflow.package.description import Description, Port, Quantize, Register
from hwflow.package.registers import RELOAD, WINDOW

INTERFACES = {"axis": "AXIS", "axi-lite": "AXI_LITE", "memory": "MEMORY"}
"""Interfaces by their names in C."""

FIXED_REGISTERS = (
    "magic", "version", "design", "batch", "frames", *(wanted.name for wanted in RELOAD)
)  # fmt: skip
"""Registers that are about no port."""


def block_tables(description: Description) -> dict[str, Any]:
    """Return what the templates refer to."""
    names = {port.name for port in description.ports}
    arguments = [r for r in description.registers if r.name not in names]
    ports = [_port(port, description.registers) for port in description.ports]
    return {
        "name": description.name,
        "top": description.top,
        "interface": description.interface,
        "c_interface": INTERFACES[description.interface],
        "design_id": description.design_id,
        "ports": ports,
        "inputs": [p for p in ports if p["direction"] == "input"],
        "outputs": [p for p in ports if p["direction"] == "output"],
        "arguments": arguments,
        "constants": [r for r in arguments if r.value is not None],
        "call": ", ".join(
            [
                *_given(description),
                *(_argument(r) for r in arguments),
                *([f"{WINDOW}_"] if description.reload else []),
            ]
        ),
        "reload": description.reload,
        "registers": {name: _fixed(description.registers, name) for name in FIXED_REGISTERS},
        "argument_addresses": ", ".join(f"{r.address:#x}" for r in description.registers),
        "word_bytes": description.ports[0].packing.data_width // 8,
        "frames": description.vectors[0].frames,
        "largest": max(port.packing.stride_bytes for port in description.ports),
    }


def _given(description: Description) -> list[str]:
    """Return what the block's top function is called with for its ports."""
    if description.interface == "axis":
        return [f"{port.name}_stream_" for port in description.ports]
    return [f"&{port.name}_words_[0]" for port in description.ports]


def _argument(register: Register) -> str:
    return f"{'&' * (register.access == 'r')}{register.name}_"


def _fixed(registers: Sequence[Register], name: str) -> int:
    """Return the address of a register that is about no port, or 0 where there is none."""
    found = (r.address for r in registers if not r.port and r.name.rstrip("_2") == name)
    return next(found, 0)


def _errors(port: Port, registers: Sequence[Register]) -> int:
    counters = (r for r in registers if r.port == port.name and r.value is None)
    return next((r.address for r in counters if r.access == "r"), 0)


def _pointer(port: Port, registers: Sequence[Register]) -> int:
    return next((r.address for r in registers if r.name == port.name), 0)


def _port(port: Port, registers: Sequence[Register]) -> dict[str, Any]:
    element, packing = port.element, port.packing
    scale, scale_rest = _two(port.exact_scale)
    offset, offset_rest = _two(port.exact_offset)
    quantize = port.quantize
    pointer = _pointer(port, registers)
    return {
        "name": port.name,
        "comment": _comment(port.model_name),
        "direction": port.direction,
        "type": element.type,
        "model_shape": "x".join(map(str, port.model_shape)) or "1",
        "elements": port.elements,
        "words": packing.words,
        "stride_bytes": packing.stride_bytes,
        "is_input": _bool(port.direction == "input"),
        "is_signed": _bool(element.signed),
        "is_float": _bool(element.numpy == "float32"),
        "width": element.width,
        "fractional_bits": element.fractional_bits,
        "lane_bytes": element.lane_bits // 8,
        "rank": len(port.shape),
        "shape": _list(f"{n}U" for n in port.shape),
        "places": _list(f"{n}U" for n in _places(port)),
        "rounding": quantize.rounding if quantize else port.rounding,
        "overflow": port.overflow,
        "quantizer": _quantizer(quantize) if quantize else None,
        "scales": len(port.exact_scale),
        "scale": scale,
        "scale_rest": scale_rest,
        "offsets": len(port.exact_offset),
        "offset": offset,
        "offset_rest": offset_rest,
        "address": pointer or port.address or 0,
        "pointer": pointer,
        "errors": _errors(port, registers),
    }


def _quantizer(quantize: Quantize) -> dict[str, Any]:
    count = max(len(quantize.scale), len(quantize.zero_point))
    scale, zero = (np.resize(part, count) for part in (quantize.scale, quantize.zero_point))
    return {
        "minimum": _int64(quantize.minimum),
        "maximum": _int64(quantize.maximum),
        "count": count,
        "scale": _list(repr(float(s)) for s in scale),
        "zero_point": _list(_int64(int(z)) for z in zero),
    }


def _places(port: Port) -> list[int]:
    """Return how far apart elements lie in the model's tensor, by axis of the hardware's shape."""
    if not port.axes:
        return [1] * len(port.shape)
    steps = [prod(port.model_shape[axis + 1 :]) for axis in range(len(port.model_shape))]
    return [steps[axis - 1] for axis in port.axes]


def _two(numbers: Sequence[str]) -> tuple[str, str]:
    """Return fractions as lists of doubles, nearest, and of what these leave over."""
    exact = [Fraction(text) for text in numbers]
    rests = [float(x - Fraction(float(x))) for x in exact]
    return _list(repr(float(x)) for x in exact), _list(map(repr, rests))


def _list(texts: Any) -> str:
    return ", ".join(texts)


def _int64(number: int) -> str:
    return f"INT64_C({number})" if number >= 0 else f"-INT64_C({-number})"


def _bool(value: object) -> str:
    return "true" if value else "false"


def _comment(name: str) -> str:
    """Return a model's name as text within a comment."""
    return name.replace("*/", "* /").replace("\\", "/")
