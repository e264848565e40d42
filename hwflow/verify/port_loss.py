"""What the type of a port loses of the data that enters by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.fixed import MAX_TYPE_WIDTH, FixedType, Overflow
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Graph, Node
from hwflow.ir.qonnx.model import printable
from hwflow.ops.cast import Cast
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input
from hwflow.ops.shared.casts import port_type_of
from hwflow.ops.shared.port_data import original_inputs


@dataclass(frozen=True)
class PortLoss:
    """What one port changed.

    Attributes:
        name: name of the input, as the model has it.
        dtype: type of the port.
        elements: values of the data.
        rounded: those within its range that are none of the type's numbers.
        clipped: those outside of its range.
    """

    name: str
    dtype: FixedType
    elements: int
    rounded: int
    clipped: int

    def __str__(self) -> str:
        """Return ``the port x rounds 12 of 500 values and clips 3``."""
        verb = "clips" if self.dtype.overflow is not Overflow.WRAP else "wraps around"
        parts = [f"rounds {self.rounded:,} of {self.elements:,} values"] if self.rounded else []
        if self.clipped:
            of = "" if parts else f" of {self.elements:,} values"
            parts.append(f"{verb} {self.clipped:,}{of}")
        return f"the port {printable(self.name)} ({self.dtype}) {' and '.join(parts)}"


def port_losses(graph: Graph, data: Mapping[str, npt.NDArray[Any]]) -> tuple[PortLoss, ...]:
    """Return the ports that change numbers of data which no quantiser of the model changes.

    Args:
        graph: the hardware graph.
        data: arrays by input name of the model.

    Raises:
        CompileError: the data does not suit the inputs.
    """
    return tuple(_losses(graph, original_inputs(graph, data)))


def _losses(graph: Graph, data: Mapping[str, npt.NDArray[np.float64]]) -> Iterator[PortLoss]:
    for port in graph.inputs:
        node = graph.by_name[port.value]
        if _is_the_models(graph, node, port.name):
            continue
        dtype = graph.types[port.value].dtype
        values = data[port.name]
        whole = quantize_values(
            values,
            FixedType(
                MAX_TYPE_WIDTH, MAX_TYPE_WIDTH - dtype.fractional, True, dtype.rounding,
                Overflow.SAT,
            ),
        )  # fmt: skip
        outside = (whole < dtype.raw_min) | (whole > dtype.raw_max)
        rounded = (np.ldexp(values, dtype.fractional) != whole) & ~outside
        if outside.any() or rounded.any():
            yield PortLoss(port.name, dtype, values.size, int(rounded.sum()), int(outside.sum()))


def _is_the_models(graph: Graph, node: Node, name: str) -> bool:
    """Return whether a port does what quantisers of the model do, or nothing that they can tell."""
    assert isinstance(node.op, Input)
    if node.op.quantizer is not None or (node.source is not None and node.source.name != name):
        return True
    users = graph.users[node.name]
    types = [t for u in users for t in _types(u)]
    known = all(isinstance(u.op, (Cast, FixedQuant)) for u in users)
    return known and port_type_of(types) == node.op.dtype


def _types(user: Node) -> list[FixedType]:
    op = user.op
    if isinstance(op, FixedQuant):
        return [t for t in op.types if t is not None]
    return [op.result_t] if isinstance(op, Cast) and op.result_t is not None else []
