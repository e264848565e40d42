"""Any function of one value that has few bits: a table with an entry for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from hwflow.fixed import FixedArray, FixedType
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.op import Example, HlsLayer, Inexact, OnnxNode, Op
from hwflow.ir.pieces import Pieces
from hwflow.ir.qonnx.table import NAME as TABLE
from hwflow.ir.real import functions
from hwflow.ir.real.expression import Expression
from hwflow.ir.real.functions import Parameters
from hwflow.ir.real.table import Tabulated
from hwflow.ir.scaled import Operand, Scaled, keeps_scale
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.tables import (
    F64,
    _Table,
    bits_of,
    lookup_layer,
    lookup_pieces,
    saturating,
    table_error,
)

WIDEST = 12
"""Widest input: 4096 entries."""

ENTRY_BITS = 18
"""Width of the entries where nothing else is said and they are not exact in fewer bits."""

FUNCTIONS: dict[str, Callable[[F64, Parameters], F64]] = {
    name: functions.FUNCTIONS[name].value
    for name in (
        "Abs", "Celu", "Elu", "Erf", "Exp", "Gelu", "HardSwish", "Log", "Mish", "Reciprocal",
        "Selu", "Softsign", "Sqrt",
    )
} | {"ThresholdedRelu": lambda x, p: np.where(x > p["alpha"], x, 0)}  # fmt: skip
"""The functions as ONNX defines them (https://onnx.ai/onnx/operators/), in float64."""

RATIONAL = ("Abs", "HardSwish", "Reciprocal", "Softsign", "ThresholdedRelu")
"""Functions with rational results, which a table may hold exactly."""

DEFAULTS: dict[str, Parameters] = {**functions.DEFAULTS, "ThresholdedRelu": {"alpha": 1.0}}
"""ONNX's default attributes."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Lookup(_Table):
    """A function by table; every entry holds the true function in float32, rounded once.

    Attributes:
        function: a key of ``FUNCTIONS``.
        constants: its parameters.
        table_t: type of the entries; None for ``result_t``, or else an exact or wide enough type.
    """

    onnx: ClassVar[tuple[str, ...]] = (*FUNCTIONS, TABLE)
    attributes: ClassVar[Mapping[str, Sequence[str]]] = {
        "Celu": ("alpha",),
        "Elu": ("alpha",),
        "Gelu": ("approximate",),
        "Selu": ("alpha", "gamma"),
        "ThresholdedRelu": ("alpha",),
    }
    functions: ClassVar[tuple[str, ...]] = tuple(n for n in onnx if n != "ThresholdedRelu")
    wraps: ClassVar[bool] = True
    settings: ClassVar[tuple[str, ...]] = ("result_t", "table_t", "reuse_factor")
    approximate: ClassVar[str] = "a table of the function, rounded"

    function: str
    constants: Parameters = field(default_factory=dict)
    table_t: FixedType | None = None

    @classmethod
    def real_function(cls, node: OnnxNode, x: TensorType, *trees: Expression) -> Expression:
        (tree,) = trees
        if node.op_type in FUNCTIONS:
            return super().real_function(node, x, *trees)
        values = node.constant(1)
        first, step = (float(node.attributes.get(name, 0.0)) for name in ("first", "step"))
        if values is None or not np.isfinite(values.values).all() or step <= 0:
            raise node.refuse("table with numbers that are not finite", code="HW224")
        return Tabulated(tree, first, step, values.values.ravel())

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> Sequence[Op]:
        (x,) = node.activations
        if node.op_type not in FUNCTIONS:
            raise node.refuse(
                "table of a framework's numbers without a quantiser behind it",
                code="HW221",
                supported="tables with a quantiser behind them",
                help="put a quantiser behind this layer",
            )
        if x.dtype.width > WIDEST:
            raise node.refuse(
                f"{node.op_type} of a value with many bits",
                code="HW221",
                found=f"an input of type {x.dtype}",
                supported=f"inputs of at most {WIDEST} bits, which get one table entry per value",
                help="quantise the value before this layer",
            )
        defaults = DEFAULTS.get(node.op_type, {})
        constants = {k: float(node.attributes.get(k, v)) for k, v in defaults.items()}
        if node.op_type == "Gelu":
            constants["tanh"] = float(node.attributes.get("approximate", "none") == "tanh")
        op = cls(function=node.op_type, constants=constants)
        least, most = (bound * x.dtype.step for bound in x.bounds)
        inside = np.arange(x.bounds[0], x.bounds[1] + 1) & (2**x.dtype.width - 1)
        if not np.isfinite(op.values(x.dtype)[inside]).all():
            raise node.refuse(
                f"{node.op_type} is not defined for all values of its input",
                code="HW221",
                found=f"inputs from {least:g} to {most:g}",
                help="keep the input within the function's domain by a quantiser or Clip",
            )
        return [op]

    @classmethod
    def scaled(cls, node: OnnxNode, *operands: Operand) -> Scaled | None:
        if node.op_type == "Abs":
            return keeps_scale(cls, node, *operands)
        return super().scaled(node, *operands)

    def values(self, x: FixedType) -> F64:
        """Return the function at every bit pattern; not finite outside the function's domain.

        Raises:
            OverflowError: the table would be too large.
        """
        if x.width > WIDEST:
            raise OverflowError(f"a table for {x} would have more than {2**WIDEST} entries")
        points = np.ldexp(bits_of(x).astype(np.float64), -x.fractional)
        with np.errstate(all="ignore"):
            real = FUNCTIONS[self.function](points, self.constants)
        return real.astype(np.float32).astype(np.float64)  # as the model has it

    def table(self, x: FixedType) -> FixedArray:
        """Return the entries in the order of bit patterns, 0 outside the function's domain.

        They depend on the type of the input alone, not on its range.
        """
        values = np.nan_to_num(self.values(x), nan=0.0, posinf=0.0, neginf=0.0)
        to = self.table_t or self.result_t or _entry_type(values)
        return FixedArray(quantize_values(values, to), to)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        table, mask = self.table(x.dtype), 2**x.dtype.width - 1
        reached = [
            table.raw[np.arange(lo, hi + 1) & mask] for lo, hi in zip(x.lo, x.hi, strict=True)
        ]
        lo, hi = (np.array([f(r) for r in reached]) for f in (np.min, np.max))
        return TensorType.exactly(x.shape, lo, hi, table.dtype.fractional)

    def inexact(self, *inputs: TensorType) -> Inexact | None:
        (x,) = inputs
        rational = self.function in RATIONAL
        if self.result_t is not None and not rational:
            return Inexact(self.approximate)
        raw, table = np.arange(x.bounds[0], x.bounds[1] + 1), self.table(x.dtype)
        points = np.ldexp(raw.astype(np.float64), -x.dtype.fractional)
        with np.errstate(all="ignore"):
            real = FUNCTIONS[self.function](points, self.constants)
        held = table.raw[raw & (2**x.dtype.width - 1)]
        entries = held * table.dtype.step
        if rational and self.result_t is None and np.array_equal(entries, real):
            return None
        if rational and self.result_t == table.dtype:  # as a quantiser right behind the function
            exact = np.array_equal(held, quantize_values(real, table.dtype))
            return None if exact else Inexact(self.approximate)
        if self.result_t is not None:
            return Inexact(self.approximate)
        return table_error(self.approximate, points, real, entries)

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        table = self.table(x.dtype)
        return FixedArray(np.asarray(table.raw[x.raw & (2**x.dtype.width - 1)]), table.dtype)

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        return lookup_pieces(x)

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        return lookup_layer(x, self.table(x.dtype), self.reuse_factor)

    @classmethod
    def examples(cls) -> Iterable[Example]:
        signed, unsigned = FixedType(7, 4), FixedType(6, 3, signed=False)
        for function in FUNCTIONS:
            op = cls(function=function, constants=DEFAULTS.get(function, {}))
            dtype = unsigned if function in ("Log", "Reciprocal", "Sqrt") else signed
            yield Example(function.lower(), op, (TensorType.full((2, 3), dtype),))
        coarse = saturating(6, 3, signed=True)
        op = cls(function="Gelu", constants={"tanh": 1.0}, result_t=coarse)
        yield Example("gelu_rounded", op, (TensorType.full((2, 3), signed),))


def _entry_type(values: F64) -> FixedType:
    """Return a type that holds all values exactly in few bits, or else rounds and saturates."""
    try:
        exact = FixedArray.exactly(values).dtype
    except OverflowError:
        exact = None
    if exact is not None and exact.width <= ENTRY_BITS:
        return exact
    signed = bool((values < 0).any())
    integer = int(np.floor(np.log2(np.abs(values).max()))) + 1 + signed
    return saturating(ENTRY_BITS, integer, signed=signed)
