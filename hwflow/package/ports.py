"""The ports of a block: how elements lie in lanes, words and frames, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Any

import numpy as np

from hwflow.codegen.bench import HlsPort, hls_ports
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph
from hwflow.ir.graph import Port as GraphPort
from hwflow.ir.grid import UNIT
from hwflow.ir.names import Namer
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import channels_last, original_shape
from hwflow.package.classes import class_type
from hwflow.package.description import Edge, Element, Packing, Port, Quantize
from hwflow.project.design import Design
from hwflow.report.manifest.fields import cut

LANES = (8, 16, 32, 64)
"""Bits that a lane may have: those of the integers of NumPy and C."""

WIDTHS = (32, 64, 128)
"""Widths of data in bits that ``auto`` chooses from."""

ZYNQ_7000_WIDTH = 64
"""Widest data port of the processor of a Zynq-7000 (UG585, chapter 5: AXI_HP)."""

_PREFIX = {"input": "s_axis_", "output": "m_axis_"}
_BITS_PER_BYTE = 8


def block_ports(
    design: Design, interface: str, edge: Edge, data_width: int | None, *, argmax: bool = False
) -> tuple[Port, ...]:
    """Return the ports of a block, inputs first.

    Args:
        design: the network.
        interface: how frames come and go.
        edge: what the lanes hold.
        data_width: bits of a word; None for what suits the network and the board.
        argmax: outputs give the number of the first greatest score in the place of scores.

    Raises:
        CompileError: HW575, an element does not fit a word.
    """
    pairs = [_of_class(pair) if argmax and pair[0] == "output" else pair for pair in _pairs(design)]
    lanes = [_element(pair, edge).lane_bits for pair in pairs]
    if data_width is None:
        data_width = 32 if interface == "axi-lite" else _width(design, pairs, lanes)
    if max(lanes) > data_width:
        raise CompileError(
            [_too_narrow(design, pairs[int(np.argmax(lanes))], data_width, interface)]
        )
    names = Namer()
    return tuple(
        _port(
            design.graph,
            pair,
            _name(pair, names.unique(pair[1].name, port=True), interface),
            _packed(pair[2], bits, data_width),
            edge,
        )
        for pair, bits in zip(pairs, lanes, strict=True)
    )


Pair = tuple[str, GraphPort, HlsPort, int | None]
"""Direction, port of the graph, port of the network, and of how many scores it gives the class;
both ports are then as if the network gave the class itself."""


def _of_class(pair: Pair) -> Pair:
    """Return an output of scores as one of their class."""
    direction, port, hls, _ = pair
    made = replace(hls, dtype=class_type(hls.size), size=1)
    return direction, replace(port, axes=(), grid=UNIT), made, hls.size


def _pairs(design: Design) -> Iterator[Pair]:
    graph = design.graph
    inputs, outputs = hls_ports(graph, design.target, design.project.files)
    yield from (("input", *pair, None) for pair in zip(graph.inputs, inputs, strict=True))
    yield from (("output", *pair, None) for pair in zip(graph.outputs, outputs, strict=True))


def _element(pair: Pair, edge: Edge) -> Element:
    dtype = pair[2].dtype
    edge = edge if pair[3] is None else "raw"
    bits = 32 if edge == "float32" else next(n for n in LANES if dtype.width <= n)
    kind = "float32" if edge == "float32" else f"{'int' if dtype.signed else 'uint'}{bits}"
    return Element.model_validate(
        {
            "type": str(dtype),
            "width": dtype.width,
            "signed": dtype.signed,
            "fractional_bits": dtype.fractional,
            "lane_bits": bits,
            "numpy": kind,
        }
    )


def _packed(hls: HlsPort, lane_bits: int, data_width: int) -> Packing:
    lanes = data_width // lane_bits
    words = -(-hls.size // lanes)
    return Packing(
        data_width=data_width,
        lanes=lanes,
        words=words,
        frame_bytes=hls.size * lane_bits // _BITS_PER_BYTE,
        stride_bytes=words * data_width // _BITS_PER_BYTE,
    )


def _width(design: Design, pairs: list[Pair], lanes: Sequence[int]) -> int:
    """Return the least width at which the bus is no slower than the network, or the widest."""
    most = ZYNQ_7000_WIDTH if design.board.family == "Zynq-7000" else WIDTHS[-1]
    able = [w for w in WIDTHS if max(lanes) <= w <= most]
    ii = max(1.0, design.estimated.total.ii.value)

    def words(width: int) -> int:
        return max(_packed(p[2], bits, width).words for p, bits in zip(pairs, lanes, strict=True))

    return next((w for w in able if words(w) <= ii), able[-1])


def _port(graph: Graph, pair: Pair, name: str, packing: Packing, edge: Edge) -> Port:
    direction, port, hls, classes = pair
    shape = graph.types[port.value].shape if classes is None else (1,)
    scale = port.grid.scale * Fraction(2) ** -hls.dtype.fractional
    scales, offsets = (_by_element(part, shape) for part in (scale, port.grid.offset))
    return Port.model_validate(
        {
            "name": name,
            "model_name": cut(port.name),
            "layer": port.value,
            "argument": hls.name,
            "direction": direction,
            "shape": shape,
            "model_shape": original_shape(shape, port),
            "axes": port.axes,
            "elements": hls.size,
            "element": _element(pair, edge),
            "packing": packing,
            "scale": tuple(map(float, scales)),
            "offset": tuple(map(float, offsets)),
            "exact_scale": tuple(map(str, scales)),
            "exact_offset": tuple(map(str, offsets)),
            "quantize": _quantize(graph, port),
            "rounding": str(hls.dtype.rounding),
            "overflow": str(hls.dtype.overflow),
            "classes": classes,
        }
    )


def _name(pair: Pair, name: str, interface: str) -> str:
    """Return the name of a port, which is no word of C++ or Verilog."""
    if interface == "axis":
        return _PREFIX[pair[0]] + name
    return f"{name}_in" if pair[0] == "input" else f"{name}_out"


def _quantize(graph: Graph, port: GraphPort) -> Quantize | None:
    op = graph.by_name[port.value].op
    quantizer = op.quantizer if isinstance(op, Input) else None
    if quantizer is None:
        return None
    shape = graph.types[port.value].shape
    outside = (1, *original_shape(shape, port))
    scale, zero = (
        _by_element(channels_last(np.broadcast_to(part, outside), port)[0], shape)
        for part in (quantizer.scale, quantizer.zero_point)
    )
    return Quantize(
        rounding="SIGN" if quantizer.bipolar else quantizer.rounding,
        minimum=quantizer.raw_min,
        maximum=quantizer.raw_max,
        scale=tuple(map(float, scale)),
        zero_point=tuple(int(z) for z in zero),
    )


def _by_element(values: Any, shape: tuple[int, ...]) -> list[Any]:
    """Return one value, one for each channel, or one for each element of a frame."""
    spread = np.broadcast_to(values, shape).reshape(prod(shape[:-1]), -1)
    if np.all(spread == spread[0]):
        row: list[Any] = spread[0].tolist()
        return row[:1] if all(value == row[0] for value in row) else row
    found: list[Any] = spread.ravel().tolist()
    return found


def _too_narrow(design: Design, pair: Pair, data_width: int, interface: str) -> Diagnostic:
    direction, port, hls, _ = pair
    needed = next(w for w in (*WIDTHS,) if hls.dtype.width <= w)
    words = interface != "axi-lite"
    return Diagnostic(
        code="HW575",
        title="an element does not fit a word of the bus",
        where=f"{direction} {port.name!r} of {design.source}",
        found=f"{hls.dtype.width} bits, words of {data_width}",
        supported=f"words of {needed} bits or more",
        help=f"--data-width {needed}" if words else "--interface axis --data-width 64",
    )
