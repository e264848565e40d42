"""Where made-up values of a port may lie: the levels that the hardware takes, and their reals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwflow.fixed import FixedArray, Overflow, RawArray
from hwflow.ir.graph import Graph, Port
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import channels_last, original_shape, real_values, to_original

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class PortRange:
    """The levels of one port, channels last.

    Attributes:
        port: the port of the graph.
        lo: least level of each element.
        hi: greatest level of each element.
        zero: the level nearest to the real number 0.
        bipolar: only both ends are levels.
        host: whether the host quantises; else the port itself rounds real numbers.
        whole: whether it takes integers of its own type alone, as a camera's bytes.
    """

    port: Port
    lo: RawArray
    hi: RawArray
    zero: RawArray
    bipolar: bool
    host: bool
    whole: bool

    def snapped(self, levels: RawArray) -> RawArray:
        """Return levels brought into the range, batch first."""
        if self.bipolar:
            return np.where(2 * levels < self.lo + self.hi, self.lo, self.hi)
        return np.clip(levels, self.lo, self.hi)


def port_range(graph: Graph, port: Port) -> PortRange:
    """Return the levels of a port."""
    tensor, op = graph.types[port.value], graph.by_name[port.value].op
    quantizer = op.quantizer if isinstance(op, Input) else None
    if quantizer is None:
        lo, hi = (np.broadcast_to(end, tensor.shape) for end in (tensor.lo, tensor.hi))
    else:
        shape = (1, *original_shape(tensor.shape, port))
        zero = np.broadcast_to(quantizer.zero_point.astype(np.int64), shape)
        zero = channels_last(zero, port)[0]
        lo, hi = quantizer.raw_min - zero, quantizer.raw_max - zero
    host, dtype = quantizer is not None, tensor.dtype
    whole = not host and dtype.fractional <= 0 and dtype.overflow is Overflow.WRAP
    bipolar = quantizer is not None and quantizer.bipolar
    return PortRange(
        port=port,
        lo=lo,
        hi=hi,
        zero=_nearest_to_zero(port, lo, hi),
        bipolar=bipolar,
        host=host,
        whole=whole,
    )


def _nearest_to_zero(port: Port, lo: RawArray, hi: RawArray) -> RawArray:
    offset, scale = (v.astype(np.float64) for v in (port.grid.offset, port.grid.scale))
    found = np.rint(-offset / scale).astype(np.int64)
    return np.clip(np.broadcast_to(found, lo.shape), lo, hi)


def real_numbers(graph: Graph, port: Port, levels: RawArray, fractions: F64) -> F64:
    """Return what a user would hand in, batch first, in the original order of axes.

    Args:
        graph: the hardware graph.
        port: one of its inputs.
        levels: channels last; beyond the range, too.
        fractions: how far off its level each number lies, in steps.
    """
    dtype = graph.types[port.value].dtype
    exact = real_values(FixedArray(levels, dtype), port)
    if not fractions.any():
        return exact
    step = port.grid.scale.astype(np.float64) * dtype.step
    return exact + to_original(fractions * step, port)
