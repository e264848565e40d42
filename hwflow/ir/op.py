"""What an operator must say about itself, and the registry that finds it.

An operator is a frozen dataclass in a file of its own under ``hwflow/ops``. Its methods are pure:
types and numbers in, types and numbers out; no graph, no file, no process, no global setting.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from hwflow.core.errors import Diagnostic
from hwflow.dataflow.pattern import Pattern
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.body.values import NoGoldenError, Result, Tensor
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.facts import Facts
from hwflow.ir.hls_layer import HlsLayer, Target
from hwflow.ir.onnx_node import Constant, Layout, OnnxNode, RefusedError
from hwflow.ir.pieces import Pieces
from hwflow.ir.scaled import Operand, Scaled, Way, keeps_scale
from hwflow.ir.tensor import TensorType

__all__ = [
    "Constant",
    "Example",
    "HlsLayer",
    "Inexact",
    "Layout",
    "OnnxNode",
    "Op",
    "RefusedError",
    "Target",
]


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


_INFERRED = "_inferred"
"""Under what name an operator keeps what it inferred last."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Op(Facts, ABC):
    """One hardware operator with its constants and settings.

    The result is computed exactly (``exact`` says in which type and range, ``compute`` with which
    value) and then cast once to ``result_t``; None means that nothing is lost and no cast is made.

    Class attributes:
        onnx: names of the ONNX operators that this operator claims: bare for standard and QONNX
            operators, ``domain::name`` for those of other domains and functions of the model.
        attributes: the attributes that it knows of the nodes of an ONNX operator, by its name; it
            reads them, or they say nothing about what is computed here. Others are refused.
        layout: the order of axes it needs its operands in.
        settings: names of the fields that a user may set in ``hwflow.toml``.
        approximate: why the result differs from the real function by nature, or empty.
        results: how many of the ONNX node's results it can give, one at a time.
        templates: folder of its kernels' templates, relative to its file's, which is the default.
        registry: hwflow's own operators by name, filled by ``hwflow.ops``.

    Attributes:
        result_t: the type that the exact result is cast to; None for no cast.
        rectified: a relu stands between the exact result and the cast, which is unsigned and
            saturates, and so computes it: what is below 0 is not out of range.
        fifo_depth: words of each FIFO that carries the result in io_stream; None for the least.
    """

    onnx: ClassVar[tuple[str, ...]] = ()
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {}
    layout: ClassVar[Layout] = Layout.ELEMENTWISE
    settings: ClassVar[tuple[str, ...]] = ("result_t",)
    approximate: ClassVar[str] = ""
    results: ClassVar[int] = 1
    templates: ClassVar[str] = ""
    registry: ClassVar[dict[str, type[Op]]] = {}

    result_t: FixedType | None = None
    rectified: bool = False
    fifo_depth: int | None = None

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
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        """Return what becomes of scales, where integers of the operands stand for real numbers.

        By default, a homogeneous operator keeps scales, and one that is approximate by nature takes
        the real number, rounded; any other operator takes no scale.

        Args:
            node: with its constants.
            operands: its activations, in order.

        Returns:
            None where the operands must be quantised first, with other scales.

        Raises:
            RefusedError: as ``from_onnx``.
        """
        if cls.homogeneous:
            return keeps_scale(cls, node, *operands)
        return Way.ROUNDED if cls.approximate else None

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

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        """Write the nodes that compute the same as ``compute``; not asked where ``golden`` is said.

        hwflow's own operators write them with the methods of ``Body``, so that they can choose the
        narrowest arithmetic that is exact, and take the operands in the order that they have.

        Args:
            body: the body that is written.
            operands: the mantissas of the operands.
            types: their types, with the proven ranges.

        Raises:
            NoGoldenError: no standard operators compute it exactly; says why.
        """
        raise NoGoldenError("the operator has no golden function")

    @abstractmethod
    def lower(self, *inputs: TensorType) -> HlsLayer:
        """Return the hls4ml layer that computes the same bits."""

    @abstractmethod
    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        """Return the estimated resources and timing."""

    def tokens(self, counts: Sequence[int], *inputs: TensorType) -> Pattern:
        """Return what the kernel does with its streams in io_stream.

        By default it makes one token of one of each operand, as all elementwise kernels do. An
        operator of a user that does not say it is taken for one that nothing is known of.

        Args:
            counts: tokens that each operand comes in; a flattened one keeps those it had before.
            inputs: types of the operands.
        """
        return Pattern.elementwise(counts[0], len(counts))

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

    def reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return the reuse factors that the layer can have with its strategy, ascending.

        Empty where there is nothing to choose. No bit of any result depends on which is taken.

        Args:
            target: what the hardware is generated for.
            inputs: types of the operands, whose shapes are asked.
        """
        return ()

    def telling_reuse_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return the reuse factors of which no two cost the same, ascending.

        Of those with the same cost, the smallest stands for all: none of them has a smaller II.
        """
        return self.reuse_factors(target, *inputs)

    def parallelization_factors(self, target: Target, *inputs: TensorType) -> Sequence[int]:
        """Return the parallelization factors that the layer can have, ascending.

        Empty where there is nothing to choose. No bit of any result depends on which is taken.
        """
        return ()

    def infer(self, *inputs: TensorType) -> TensorType:
        """Return the type of the result, after the cast to ``result_t``.

        What was found last is kept: graphs that share operators ask for the same again.
        """
        known: list[tuple[tuple[TensorType, ...], TensorType]] = self.__dict__.get(_INFERRED, [])
        for before, found in known:
            if len(before) == len(inputs) and all(map(TensorType.is_like, before, inputs)):
                return found
        exact = self.exact(*inputs)
        found = exact if self.result_t is None else exact.cast(self.result_t)
        self.__dict__[_INFERRED] = [(inputs, found)]
        return found

    @classmethod
    def examples(cls) -> Iterable[Example]:
        """Yield small instances with input types, covering what the operator can do."""
        return ()

    def parameters(self) -> dict[str, Any]:
        """Return the fields that are set, by name, for the printed form."""
        found = {f.name: v for f in fields(self) if (v := getattr(self, f.name)) is not None}
        return found if self.rectified else {k: v for k, v in found.items() if k != "rectified"}
