"""What an operator must say about itself, and the registry that finds it.

An operator is a frozen dataclass in a file of its own under ``hwflow/ops``. Its methods are pure:
types and numbers in, types and numbers out; no graph, no file, no process, no global setting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.cost import Cost
from hwflow.ir.pieces import Pieces
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


@dataclass(frozen=True)
class Target:
    """What the hardware is generated for, as far as operators must know.

    Attributes:
        backend: hls4ml backend, ``"Vitis"`` or ``"Vivado"``.
        io_type: ``"io_parallel"`` or ``"io_stream"``.
        part: the FPGA part.
        clock_period_ns: requested clock period.
    """

    backend: str = "Vitis"
    io_type: str = "io_parallel"
    part: str = "xc7z020clg400-1"
    clock_period_ns: float = 10.0

    @property
    def streams(self) -> bool:
        """Whether values travel through FIFOs, one pixel at a time."""
        return self.io_type == "io_stream"


@dataclass(frozen=True, eq=False)
class Constant:
    """A constant operand of an ONNX node.

    Attributes:
        values: float64, in ONNX order of axes; what an evaluation of the constant part gives.
        quantized: whether a quantiser stands behind it.
    """

    values: npt.NDArray[np.float64]
    quantized: bool


@dataclass(frozen=True, eq=False)
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
    """

    op_type: str
    attributes: Mapping[str, Any]
    inputs: tuple[TensorType | Constant | None, ...]
    axes: tuple[int, ...]
    output_shape: tuple[int, ...]
    opset: int = 20
    result: int = 0

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


@dataclass(frozen=True, kw_only=True, eq=False)
class HlsLayer:
    """One hls4ml layer, with every type explicit.

    Attributes:
        class_name: hls4ml's layer class; ``"HwflowKernel"`` for kernels from ``templates/ops``.
        attributes: layer attributes as hls4ml's ``from_layer_list`` takes them.
        weights: constant arrays by hls4ml's name (``weight``, ``bias``, ``scale``, ...).
        types: fixed-point types by hls4ml's precision name (``result``, ``accum``, ``table``, ...).
        strategy: ``latency``, ``resource`` or ``distributed_arithmetic``.
        reuse_factor: multiplications per multiplier.
        kernel: file stem under ``templates/ops`` that holds the C++, if hls4ml has no kernel.
    """

    class_name: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, FixedArray] = field(default_factory=dict)
    types: Mapping[str, FixedType] = field(default_factory=dict)
    strategy: str = "latency"
    reuse_factor: int = 1
    kernel: str = ""


@dataclass(frozen=True, eq=False)
class Example:
    """An operator with the types of inputs that suit it, for the contract tests."""

    name: str
    op: Op
    inputs: tuple[TensorType, ...]


@dataclass(frozen=True)
class Inexact:
    """Why an operator's result differs from the real function of its operands.

    Attributes:
        why: the reason, in words that follow the name of the layer.
        bound: proven largest difference, in the units of the result; None where none is proven.
    """

    why: str
    bound: float | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Op(ABC):
    """One hardware operator with its constants and settings.

    The result is computed exactly (``exact`` says in which type and range, ``compute`` with which
    value) and then cast once to ``result_t``; None means that nothing is lost and no cast is made.

    Class attributes:
        onnx: names of the ONNX operators that this operator claims: bare for standard and QONNX
            operators, ``domain::name`` for those of other domains and functions of the model.
        layout: the order of axes it needs its operands in.
        settings: names of the fields that a user may set in ``hwflow.toml``.
        approximate: why the result differs from the real function by nature, or empty.
        results: how many of the ONNX node's results it can give, one at a time.
        templates: folder of its kernels' templates, relative to its file's, which is the default.
        registry: hwflow's own operators by name, filled by ``hwflow.ops``.

    Facts, which passes and frontends ask for (of a node: ``hwflow.ops.facts_of``):
        pointwise: it does the same to every element of its one input, wherever it stands.
        selects: every element of its exact result is an element of an input.
        moves: every element of its result is a different element of its one input.
        reorders: it moves all elements of its input.
        functions: those of ``onnx`` that make a real function of one operand, element by element.
        pools: those of ``onnx`` that reduce windows along the spatial axes, channel by channel.
        homogeneous: it works element by element, and ``f(s x)`` is ``s f(x)`` for every s > 0.
        weighted: it sums products with constant weights.
        takes_integers: its operand is a quantised value, never a function of one.
        one_scale: several operands need one scale.
        aligned: scales of several operands may differ by a power of two, which is a shift.
        ranks: nothing counts about its operand but the order of its values.
        wraps: in short integers, as ONNX computes, its result may wrap around.

    Attributes:
        result_t: the type that the exact result is cast to; None for no cast.
        rectified: a relu stands between the exact result and the cast, which is unsigned and
            saturates, and so computes it: what is below 0 is not out of range.
    """

    onnx: ClassVar[tuple[str, ...]] = ()
    layout: ClassVar[Layout] = Layout.ELEMENTWISE
    settings: ClassVar[tuple[str, ...]] = ("result_t",)
    approximate: ClassVar[str] = ""
    results: ClassVar[int] = 1
    templates: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Op]]] = {}

    pointwise: ClassVar[bool] = False
    selects: ClassVar[bool] = False
    moves: ClassVar[bool] = False
    reorders: ClassVar[bool] = False
    functions: ClassVar[tuple[str, ...]] = ()
    pools: ClassVar[tuple[str, ...]] = ()
    homogeneous: ClassVar[bool] = False
    weighted: ClassVar[bool] = False
    takes_integers: ClassVar[bool] = False
    one_scale: ClassVar[bool] = False
    aligned: ClassVar[bool] = False
    ranks: ClassVar[bool] = False
    wraps: ClassVar[bool] = False

    result_t: FixedType | None = None
    rectified: bool = False

    @property
    def kind(self) -> str:
        """The operator's name."""
        return type(self).__name__

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        """Return the chain of operators that computes exactly what the ONNX node computes.

        The first takes all activations of the node, each other one the result before it.

        Raises:
            RefusedError: the node cannot be computed exactly; says why and what to do.
        """
        raise node.refuse("operator is not created from ONNX")

    @classmethod
    def onnx_shape(cls, attributes: Mapping[str, Any], *shapes: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of the ONNX result, for an operator that ONNX does not know.

        Asked only where neither ONNX nor a function in the model tells; by default the result has
        the shape of the first operand.

        Args:
            attributes: attributes of the ONNX node, plain values.
            shapes: shapes of the ONNX operands with the batch axis; ``()`` for absent ones.
        """
        return shapes[0]

    @classmethod
    def is_line(cls, node: OnnxNode) -> bool:
        """Return whether a node of ``functions`` only scales and shifts its operand.

        Args:
            node: with its constants; nothing is known of the other operands.
        """
        return False

    @classmethod
    def is_plain(cls, node: OnnxNode) -> bool:
        """Return whether hardware computes a node of ``functions`` as it stands, exactly.

        That needs constants that are short binary fractions. Otherwise, the chain up to the
        quantiser behind it becomes one ``Requantize``.

        Args:
            node: with its constants; nothing is known of the other operands.
        """
        return False

    @abstractmethod
    def exact(self, *inputs: TensorType) -> TensorType:
        """Return the type and range of the result before the cast to ``result_t``."""

    @abstractmethod
    def compute(self, *inputs: FixedArray) -> FixedArray:
        """Return the result before the cast to ``result_t``; the first axis is the batch."""

    def golden(self, *inputs: TensorType) -> str:
        """Return the body of an ONNX function that computes the same as ``compute``, or ``""``.

        The text is what stands between the braces of a function in ONNX's textual syntax
        (``onnx.parser``), in operators of opset 18. It takes the mantissas of the operands ``x0``,
        ``x1``, ... and gives those of the result ``y`` on the grid that ``exact`` names: tensors of
        whole numbers in double, batch first, channels last.

        Args:
            inputs: types of the operands, each with the full range of its fixed-point type.
        """
        return ""

    @abstractmethod
    def lower(self, *inputs: TensorType) -> HlsLayer:
        """Return the hls4ml layer that computes the same bits."""

    @abstractmethod
    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return the estimated resources and timing."""

    def inexact(self, *inputs: TensorType) -> Inexact | None:
        """Return why the result differs from the real function, or None where it is exact.

        Args:
            inputs: types of the operands; what their proven ranges cannot reach does not count.
        """
        return Inexact(self.approximate) if self.approximate else None

    def pieces(self, *inputs: TensorType) -> Pieces | None:
        """Return what ``compute`` is made of, for coverage and counters; None for one piece."""
        return None

    def magnitude(self, *inputs: float | None) -> float | None:
        """Return ``m`` where every element of the exact result is ``-m`` or ``m``, else None.

        Args:
            inputs: the same of the operands.
        """
        return inputs[0] if self.selects and len(set(inputs)) == 1 else None

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        """Yield a diagnostic for each reason why this cannot be generated for the target."""
        return iter(())

    def reuse_factors(self, target: Target) -> Sequence[int]:
        """Return the reuse factors that the layer can have with its strategy, ascending.

        Empty where there is nothing to choose.
        """
        return ()

    def infer(self, *inputs: TensorType) -> TensorType:
        """Return the type of the result, after the cast to ``result_t``."""
        exact = self.exact(*inputs)
        return exact if self.result_t is None else exact.cast(self.result_t)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Yield small instances with input types, covering what the operator can do."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """Return the fields that are set, by name, for the printed form."""
        found = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        return found if self.rectified else {k: v for k, v in found.items() if k != "rectified"}
