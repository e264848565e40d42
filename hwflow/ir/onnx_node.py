"""An ONNX node as an operator sees it when it decides how to become hardware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.ir.tensor import TensorType


class Layout(Enum):
    """How an operator that claims an ONNX node sees the axes of its operands."""

    CHANNELS_LAST = "channels_last"
    """Spatial: ONNX has channels first, the hardware channels last (convolution, pooling)."""
    ELEMENTWISE = "elementwise"
    """Any order of axes serves, as long as all operands share it."""
    ONNX = "onnx"
    """The order of axes carries meaning: operands come in ONNX order (reshape, matrix product)."""
    VIEW = "view"
    """Nothing but another order of axes: hardware keeps its own order and does nothing."""
    REDUCED = "reduced"
    """Elementwise, but the result may lack the axis that the attribute ``axis`` names."""


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant operand of an ONNX node.

    Attributes:
        values: float64, in ONNX order of axes; what an evaluation of the constant part gives.
        quantized: whether a quantiser stands behind it.
    """

    values: npt.NDArray[np.float64]
    quantized: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxNode:
    """An ONNX node as an operator sees it when it decides how to become hardware.

    Attributes:
        op_type: e.g. ``"Conv"``.
        attributes: plain Python values and numpy arrays, strings as ``str``.
        inputs: the type of an activation (batch axis removed, axes as ``Op.layout`` asks), a
            ``Constant`` (ONNX order, batch axis kept where it has one), or None where an
            optional input is absent.
        axes: for each axis of the activations as the operator sees them (batch axis removed), the
            ONNX axis it came from, counted with the batch axis: ``(2, 3, 1)`` for an NCHW value
            laid out channels last.
        output_shape: shape of the ONNX output, batch axis included.
        opset: version of the operator's domain.
        result: position of the result that is wanted, where a node has several.
        requantized: whether the quantiser behind it takes in any scale and offset of the result.
    """

    op_type: str
    attributes: Mapping[str, Any]
    inputs: tuple[TensorType | Constant | None, ...]
    axes: tuple[int, ...]
    output_shape: tuple[int, ...]
    opset: int = 20
    result: int = 0
    requantized: bool = False

    @property
    def activations(self) -> tuple[TensorType, ...]:
        """The operands that are not constants, in order."""
        return tuple(i for i in self.inputs if isinstance(i, TensorType))

    def constant(self, index: int) -> Constant | None:
        """Return the constant at an input position, or None when absent or not constant."""
        value = self.inputs[index] if index < len(self.inputs) else None
        return value if isinstance(value, Constant) else None

    def refuse(self, title: str, *, code: str = "HW210", **parts: str) -> RefusedError:
        """Return the exception that says why this node cannot become hardware."""
        return RefusedError(Diagnostic(code=code, title=title, **parts))


class RefusedError(Exception):
    """A node that cannot become hardware, and why; the lowering pass adds where it stands."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(str(diagnostic))
