"""Scaled values: integers that stand for real numbers, and what operators make of them.

A quantiser's levels are integers; the real numbers are these times a scale, which may be any. The
hardware computes with the integers. ``Op.scaled`` says what that gives for an ONNX node, and what
the integers of the result stand for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from hwflow.ir.grid import Grid, rationals
from hwflow.ir.onnx_node import OnnxNode, RefusedError
from hwflow.ir.real.expression import Expression, all_constants
from hwflow.ir.real.nodes import Linear, Source
from hwflow.ir.tensor import TensorType

if TYPE_CHECKING:
    from hwflow.ir.op import Op


@dataclass(frozen=True, eq=False)
class Operand:
    """An activation of an ONNX node whose integers stand for real numbers.

    Attributes:
        type: type of the integers, with the axes as the operator sees them.
        meaning: the real number as a function of the mantissa, its constants of shape ``(1,)``,
            ``(channels,)`` or that of the value; None for a sum that nothing has computed yet.
    """

    type: TensorType
    meaning: Expression | None

    @property
    def grid(self) -> Grid | None:
        """The line from values to real numbers, or None where they are another function."""
        return None if self.meaning is None else grid_of(self.meaning, self.type)

    @property
    def one_grid(self) -> Grid | None:
        """The line, where it is one for all elements and rises."""
        grid = self.grid
        if grid is None or grid.scale.size > 1 or grid.offset.size > 1:
            return None
        return grid if grid.scale[0] > 0 else None

    @property
    def one_for_all(self) -> bool:
        """Whether all elements stand for real numbers in the same way."""
        return self.meaning is not None and all(c.size == 1 for c in all_constants(self.meaning))

    @property
    def by_channel(self) -> bool:
        """Whether all elements of a channel stand for real numbers in the same way."""
        sizes = (1, self.type.channels)
        return self.meaning is not None and all(
            c.size in sizes for c in all_constants(self.meaning)
        )


@dataclass(frozen=True, eq=False)
class Prepared:
    """A layer that changes an operand before a node computes with it.

    Attributes:
        op: what it computes.
        purpose: one word, a part of its name.
        of_operand: it is named after the operand, instead of the node.
    """

    op: Op
    purpose: str
    of_operand: bool = False


@dataclass(frozen=True, eq=False)
class OnIntegers:
    """Operators on the integers of a node's operands, and what their result stands for.

    Attributes:
        chain: as from ``Op.from_onnx``.
        meaning: a line from the values of the result, or a function of its mantissas; None where
            the result is the real number itself.
        before: layers that change operands first, by position among the activations.
    """

    chain: Sequence[Op]
    meaning: Grid | Expression | None = None
    before: Mapping[int, Prepared] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Total:
    """A sum of the operands, whose scales may differ.

    It is computed on a common scale where that is cheap, or by the quantiser behind it.

    Attributes:
        chain: adds integers of one scale, as from ``Op.from_onnx``.
        signs: 1, or -1 for an operand that is subtracted, for each operand.
        share: what the sum is multiplied by: 1/n for a mean.
    """

    chain: Sequence[Op]
    signs: tuple[int, ...]
    share: Fraction = Fraction(1)


class Way(Enum):
    """How a node of scaled values is computed without a rule for its integers."""

    FUNCTION = "function"
    """The node is the real function that it is, of which the quantiser behind it makes a table."""
    ROUNDED = "rounded"
    """The node takes the real number, rounded to fixed point: what is approximate by nature."""


Scaled = OnIntegers | Total | Way
"""What ``Op.scaled`` says."""


NEEDS_QUANTIZER = "value with a scale that is not a power of two needs a quantiser here"
"""Title of HW213, about a node of scaled values."""


def scale_refused(node: OnnxNode, **parts: str) -> RefusedError:
    """Return the refusal (HW213) of a node whose operand is quantised, with one scale.

    Args:
        node: the node.
        parts: found, supported and help of the finding.
    """
    return node.refuse(NEEDS_QUANTIZER, code="HW213", **parts)


def grid_of(tree: Expression, x: TensorType) -> Grid | None:
    """Return the line that a tree is, in terms of the hardware's value instead of its mantissa."""
    if not (isinstance(tree, Linear) and isinstance(tree.x, Source)):
        return None
    return Grid(tree.scale * rationals(2) ** x.dtype.fractional, tree.offset)


def on_grid(grid: Grid, x: TensorType) -> Expression:
    """Return the real number that a mantissa of ``x`` stands for."""
    return Linear(Source(), grid.scale / rationals(2) ** x.dtype.fractional, grid.offset)


def keeps_scale(cls: type[Op], node: OnnxNode, *operands: Operand) -> OnIntegers | None:
    """Return the rule of what multiplies with its operand: ``f(s x)`` is ``s f(x)`` for s > 0."""
    chain, grid = cls.from_onnx(node), operands[0].grid
    if grid is None or np.any(grid.offset) or np.any(grid.scale <= 0):
        return None
    return OnIntegers(chain, grid)
