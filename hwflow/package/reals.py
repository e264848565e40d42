"""Real numbers at the edge of a block: float32 in the lanes, quantised and scaled in hardware.

Inputs become the mantissas that hwflow's own quantisers give for every finite float32. Outputs are
the float64 numbers of ``hwflow simulate``, rounded to float32. What cannot be shown to be so for
every value that can occur is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray, FixedType
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph
from hwflow.ir.graph import Port as GraphPort
from hwflow.ir.qonnx.quantizer import Quantizer
from hwflow.ir.real.host import host_levels
from hwflow.ops.input import Input
from hwflow.package.description import Port

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

SINGLE_BITS = 24
"""Significand of a float32 (IEEE 754)."""

DOUBLE_BITS = 53
"""Significand of a float64 (IEEE 754)."""

MOST_THRESHOLDS = 1 << 12
"""Floats of a port's table, at most: 16 KiB, what half a dozen block RAMs hold."""

MOST_RESULTS = 1 << 20
"""Results of an output that are compared one by one with exact arithmetic, at most."""

_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True, eq=False)
class Reals:
    """How a port's real numbers are made.

    Attributes:
        format: class of C++ that reads or writes lanes.
        table: the C++ of the table that it refers to, or empty.
    """

    format: str
    table: str = ""


def reals_of(graph: Graph, graph_port: GraphPort, port: Port) -> Reals:
    """Return how the real numbers of a port are made, after showing that they are right.

    Raises:
        CompileError: HW579, they would not be those of hwflow for every value.
    """
    if port.direction == "input":
        if port.quantize is None:
            return Reals("Assigned")
        return _by_levels(graph, graph_port, port)
    if graph_port.grid.plain and port.element.width <= SINGLE_BITS:
        return Reals("Exact")
    return _by_scale(graph, graph_port, port)


def key_of(x: F32) -> npt.NDArray[np.uint32]:
    """Return numbers in the order of finite floats."""
    bits = x.view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def float_of(key: npt.NDArray[np.uint32]) -> F32:
    """Return the floats of numbers that ``key_of`` gives."""
    found: F32 = np.where(key & _SIGN, key ^ _SIGN, ~key).astype(np.uint32).view(np.float32)
    return found


def thresholds(quantizer: Quantizer, scale: float, zero: int) -> npt.NDArray[np.uint32]:
    """Return the key of the least float32 that is given each level above the lowest.

    Args:
        quantizer: the quantiser, for its rounding and its ends; it keeps the order of numbers.
        scale: the scale of one channel.
        zero: the zero point of one channel.
    """
    one = replace(quantizer, scale=np.array(scale), zero_point=np.array(float(zero)))
    wanted = _levels(quantizer)[1:].astype(np.float64) - zero
    low = np.full(len(wanted), key_of(np.array([np.finfo(np.float32).min], np.float32))[0])
    high = np.full(len(wanted), key_of(np.array([np.finfo(np.float32).max], np.float32))[0])
    low, high = low.astype(np.int64), high.astype(np.int64)
    while (low < high).any():
        middle = (low + high) // 2
        reached = host_levels(one, float_of(middle.astype(np.uint32)).astype(np.float64)) >= wanted
        high, low = np.where(reached, middle, high), np.where(reached, low, middle + 1)
    return high.astype(np.uint32)


def _levels(quantizer: Quantizer) -> I64:
    return np.arange(quantizer.raw_min, quantizer.raw_max + 1, _rise(quantizer))


def _rise(quantizer: Quantizer) -> int:
    """Return how far apart levels are; a sign has none at 0."""
    return 2 if quantizer.bipolar else 1


def _by_levels(graph: Graph, graph_port: GraphPort, port: Port) -> Reals:
    op = graph.by_name[graph_port.value].op
    assert isinstance(op, Input)
    assert op.quantizer is not None
    assert port.quantize is not None
    q = port.quantize
    rows = np.stack(np.broadcast_arrays(np.array(q.scale), np.array(q.zero_point, np.int64)))
    count = len(_levels(op.quantizer))
    if (count - 1) * rows.shape[1] > MOST_THRESHOLDS:
        what = f"a quantiser with {count:,} levels, {rows.shape[1]:,} tables"
        raise CompileError([_refused(port, what)])
    keys = [thresholds(op.quantizer, float(s), int(z)) for s, z in rows.T]
    lowest = [q.minimum - int(z) for z in rows[1]]
    table = _level_table(port, keys, lowest, _rise(op.quantizer))
    return Reals(f"Levels<{port.name}_table_, {port.element.width}>", table)


def _by_scale(graph: Graph, graph_port: GraphPort, port: Port) -> Reals:
    """Return how scaled outputs are made, after comparing every one that can occur."""
    tensor = graph.types[graph_port.value]
    scale, offset = (
        np.broadcast_to(np.array(part), tensor.shape if len(part) == port.elements else
                        (len(part),)).reshape(-1)
        for part in (port.scale, port.offset)
    )  # fmt: skip
    scale, offset = np.broadcast_arrays(scale, offset)
    if not _halves(graph_port, tensor.dtype):
        lo, hi = tensor.bounds
        results = (hi - lo + 1) * len(scale)
        if results > MOST_RESULTS:
            raise CompileError([_refused(port, f"{results:,} scaled results to compare")])
        _compare(graph_port, port, np.arange(lo, hi + 1), scale, offset)
    table = _scale_table(port, scale, offset)
    sign = str(port.element.signed).lower()
    return Reals(f"Scaled<{port.name}_table_, {port.element.width}, {sign}>", table)


def _halves(graph_port: GraphPort, dtype: FixedType) -> bool:
    """Return whether nothing but the last step rounds: a power of two times a float64."""
    return graph_port.grid.plain and dtype.width <= DOUBLE_BITS


def _compare(graph_port: GraphPort, port: Port, mantissas: I64, scale: Any, offset: Any) -> None:
    """Hold what the hardware computes against the exact real numbers of an output."""
    made = (mantissas[:, None].astype(np.float64) * scale + offset).astype(np.float32)
    right = exact_floats(graph_port, port, mantissas, len(scale))
    wrong = np.argwhere(made.view(np.uint32) != right.view(np.uint32))
    if len(wrong):
        n, channel = wrong[0]
        pair = f"{made[n, channel]!r}, not {right[n, channel]!r}"
        found = f"mantissa {mantissas[n]}, channel {channel}: {pair}"
        raise CompileError([_refused(port, found)])


def exact_floats(graph_port: GraphPort, port: Port, mantissas: I64, channels: int) -> F32:
    """Return the real numbers of mantissas as ``simulate`` gives them, in float32.

    Args:
        graph_port: the port of the graph.
        port: the port of the block.
        mantissas: one axis.
        channels: 1, the last axis of the port, or all its elements.
    """
    dtype = FixedType(
        port.element.width, port.element.width - port.element.fractional_bits, port.element.signed
    )
    shape = {1: (1,), port.shape[-1]: (port.shape[-1],)}.get(channels, port.shape)
    spread = np.broadcast_to(mantissas.reshape(-1, *[1] * len(shape)), (len(mantissas), *shape))
    real = graph_port.grid.real(FixedArray(np.ascontiguousarray(spread), dtype))
    found: F32 = real.reshape(len(mantissas), -1).astype(np.float32)
    return found


def given_floats(graph: Graph, graph_port: GraphPort, port: Port, mantissas: I64) -> F32:
    """Return float32 numbers that an input makes mantissas of, off their grid where that is so.

    Args:
        graph: the network.
        graph_port: the port of the graph.
        port: the port of the block.
        mantissas: batch first, channels last.

    Raises:
        CompileError: HW579, no float32 number is given one of them.
    """
    op = graph.by_name[graph_port.value].op
    assert isinstance(op, Input)
    scale, offset = (
        np.broadcast_to(
            np.array(part).reshape(port.shape if len(part) == port.elements else -1), port.shape
        )
        for part in (port.scale, port.offset)
    )
    on_grid = (mantissas * scale + offset).astype(np.float32)
    shares = np.random.default_rng(0).choice(
        [-0.5, -0.4375, -0.2, 0.1, 0.375, 0.5], mantissas.shape
    )
    beside = (on_grid + shares * scale).astype(np.float32)
    back = {
        name: _entered(op, graph_port, x) == mantissas
        for name, x in (("on", on_grid), ("beside", beside))
    }
    if not (back["on"] | back["beside"]).all():
        raise CompileError([_refused(port, f"mantissas of {port.element.width} bits")])
    found: F32 = np.where(back["beside"], beside, on_grid)
    return found


def _entered(op: Input, graph_port: GraphPort, x: F32) -> I64:
    """Return the mantissas that hwflow gives to real numbers, channels last."""
    wide = x.astype(np.float64)
    if op.quantizer is None:
        return quantize_values(wide, op.dtype)
    order = np.argsort(graph_port.axes)
    outside = wide.transpose(0, *(1 + i for i in order))
    levels = host_levels(op.quantizer, outside)
    found: I64 = levels.transpose(0, *graph_port.axes).astype(np.int64)
    return found


def lanes_of(graph: Graph, graph_port: GraphPort, port: Port, mantissas: I64) -> npt.NDArray[Any]:
    """Return what the lanes of a port hold for mantissas, batch first, channels last.

    Raises:
        CompileError: HW579, float32 does not hold what an input needs.
    """
    if port.element.numpy != "float32":
        return mantissas
    if port.direction == "input":
        return given_floats(graph, graph_port, port, mantissas)
    dtype = graph.types[graph_port.value].dtype
    return graph_port.grid.real(FixedArray(mantissas, dtype)).astype(np.float32)


def _which(port: Port, tables: int) -> str:
    """Return the C++ that finds the table of an element by its number in the frame."""
    return "0" if tables == 1 else "number" if tables == port.elements else f"number % {tables}"


def _level_table(
    port: Port, keys: list[npt.NDArray[np.uint32]], lowest: list[int], rise: int
) -> str:
    levels = len(keys[0]) + 1
    rows = ",\n".join("            {" + ", ".join(f"{k}u" for k in row) + "}" for row in keys)
    which = _which(port, len(keys))
    return f"""\
struct {port.name}_table_ {{
    static const int levels = {levels}, first_step = {1 << (levels - 1).bit_length() - 1};
    static const int rise = {rise}; // from level to level
    static unsigned least(int number, int level) {{
        static const unsigned keys[{len(keys)}][{levels - 1}] = {{
{rows}}};
        return keys[{which}][level - 1];
    }}
    static int lowest(int number) {{
        static const int values[{len(lowest)}] = {{{", ".join(map(str, lowest))}}};
        return values[{which}];
    }}
}};
"""


def _scale_table(port: Port, scale: Any, offset: Any) -> str:
    which = _which(port, len(scale))
    functions = "".join(
        f"""\
    static double {name}(int number) {{
        static const double values[{len(scale)}] = {{{", ".join(repr(float(v)) for v in values)}}};
        return values[{which}];
    }}
"""
        for name, values in (("scale", scale), ("offset", offset))
    )
    return f"struct {port.name}_table_ {{\n{functions}}};\n"


def _refused(port: Port, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW579",
        title="float32 at this port would not be exact",
        where=f"{port.direction} {port.model_name!r}",
        found=found,
        supported=f"tables of {MOST_THRESHOLDS:,} floats; {MOST_RESULTS:,} scaled results",
        help="--edge raw: the host quantises and scales, as the description says",
    )
