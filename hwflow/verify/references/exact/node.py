"""A node of a QONNX graph as the builders of its exact evaluation see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.verify.references.exact.arithmetic import table
from hwflow.verify.references.exact.values import F64, Leaf, NoExactReferenceError, Tensor

Operands: TypeAlias = Sequence[Tensor | None]
Step: TypeAlias = Callable[[Operands, int], tuple[Tensor, ...]]
"""A node's results as a function of its operands, without constants, and the number of samples."""


@dataclass(frozen=True, eq=False)
class View:
    """A node, with what building its evaluation needs.

    Attributes:
        node: the node itself.
        where: for messages.
        attributes: its attributes as plain Python values.
        constants: the value of each operand that is constant, else None.
        opset: version of the standard operators.
    """

    node: ir.Node
    where: str
    attributes: dict[str, Any]
    constants: tuple[npt.NDArray[Any] | None, ...]
    opset: int

    @cached_property
    def _tables(self) -> dict[int, Leaf]:
        """Constant operands that were asked for, as tensors; weights seldom are, and take long."""
        return {}

    def _table(self, index: int) -> Leaf | None:
        value = self.constants[index]
        if value is None:
            return None
        if index not in self._tables:
            self._tables[index] = table(value)
        return self._tables[index]

    def tensor(self, operands: Operands, index: int) -> Tensor:
        """Return an operand that must be there, constant or not."""
        found = self.optional(operands, index)
        if found is None:
            raise self.refused(f"without operand {index}")
        return found

    def optional(self, operands: Operands, index: int) -> Tensor | None:
        """Return an operand, constant or not, or None where it is left out."""
        if index >= len(operands):
            return None
        held = operands[index]
        return held if held is not None else self._table(index)

    def constant(self, index: int) -> F64 | None:
        """Return a constant operand as float64, or None where it is left out.

        Raises:
            NoExactReferenceError: it is not constant.
        """
        if index >= len(self.node.inputs) or self.node.inputs[index] is None:
            return None
        value = self.constants[index]
        if value is None:
            raise self.refused(f"with operand {index} computed at run time")
        return np.asarray(value, np.float64)

    def number(self, name: str, default: float) -> float:
        """Return an attribute that is a float32; the default is brought to float32 too."""
        return float(np.float32(self.attributes.get(name, default)))

    def refused(self, what: str) -> NoExactReferenceError:
        """Return the error for a form that has no exact evaluation."""
        return NoExactReferenceError(f"{self.where}: {self.node.op_type} {what}")
