"""What operators share that take elements by their index along each axis, on its own."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import ClassVar

from hwflow.fixed import RawArray
from hwflow.ir.op import OnnxNode, RefusedError
from hwflow.ops.shared.move import _Move, flat_index

MAX_PICKS = 2**24
"""Most elements of a result: what its table of sources may hold."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Picks(_Move):
    """Takes elements by their index along each axis.

    Attributes:
        indices: for each axis without the batch the index of each element of the result, at least
            0; None where an axis stays as it is.
    """

    selects: ClassVar[bool] = True

    indices: tuple[tuple[int, ...] | None, ...]

    def sources(self, shape: tuple[int, ...]) -> RawArray:
        index = flat_index(shape)
        for axis, picked in enumerate(self.indices):
            index = index if picked is None else index.take(picked, axis=axis)
        return index


def by_axes(
    node: OnnxNode, picked: dict[int, tuple[int, ...]]
) -> tuple[tuple[int, ...] | None, ...]:
    """Return ``indices`` in the hardware's order from those along ONNX axes, batch counted."""
    return tuple(picked.get(a) for a in node.axes)


def batch_moved(node: OnnxNode, what: str, found: str) -> RefusedError:
    """Return the refusal of a node that would take elements along the batch axis."""
    return node.refuse(f"{what} along the batch axis", code="HW216", found=found,
        supported="axes from 1 on", help="export with the batch as first axis, and move the others"
    )  # fmt: skip


def require_size(node: OnnxNode) -> None:
    """Check that a node's result is not empty, and no larger than tables of sources may be.

    Raises:
        RefusedError: it is.
    """
    shape = node.output_shape
    if not 0 < prod(shape) <= MAX_PICKS:
        raise node.refuse(
            "a result of this size", code="HW217", found=f"shape {shape}",
            supported=f"1 to {MAX_PICKS} elements",
        )  # fmt: skip
