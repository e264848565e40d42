"""An implementation that was found: its constants, its arithmetic and the proof."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from hwflow.estimate.products import constant_bits
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization.cost import Lanes
from hwflow.ops.requantization.problem import Ends, Problem, Weights
from hwflow.ops.requantization.total import total

LARGEST_CONSTANT = 53
"""Bits of the widest constant: a double's significand."""

AT_ENDS = "both ends of every run; the implementation is monotone in between"


@dataclass(frozen=True)
class Proof:
    """What shows that an implementation equals the function everywhere.

    Attributes:
        method: which inputs were compared, and why these are enough.
        points: how many results of the implementation were compared.
        range: least and greatest input over all rows.
    """

    method: str
    points: int
    range: tuple[int, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan(ABC):
    """An implementation with its constants.

    Class attributes:
        kernel: stem of the template under ``templates/ops``.

    Attributes:
        implementation: its name in settings and reports.
        rows: number of functions.
        weights: factors of the operands in the hardware, each of shape ``(rows,)``; None where
            there is one operand.
        ends: least and greatest value of each operand, each of shape ``(rows,)``.
        lo: least ``n`` of each row.
        hi: greatest ``n`` of each row.
        proof: set once the arithmetic was compared.
        turns: values that each lane computes, for which it was the cheapest.
    """

    kernel: ClassVar[str]

    implementation: str
    rows: int
    weights: Weights = None
    ends: Ends
    lo: RawArray
    hi: RawArray
    proof: Proof | None = None
    turns: int = 1

    @abstractmethod
    def levels(self, n: RawArray, row: RawArray) -> RawArray:
        """Return the results for inputs, each with its row, by the hardware's own arithmetic."""

    @abstractmethod
    def constants(self) -> Mapping[str, RawArray]:
        """Return the kernel's arrays, rows first; names begin with different letters."""

    @abstractmethod
    def lanes(self, target: Target) -> Lanes:
        """Return the hardware of each row, behind the sum of operands."""

    @abstractmethod
    def shared_lane(self, target: Target) -> Lanes:
        """Return one lane that computes any of the rows, behind the sum of operands."""

    def cost(self, target: Target, *inputs: TensorType, turns: int = 1) -> Cost:
        """Return the estimated resources and timing of one turn.

        Args:
            target: backend, io type, part and clock.
            inputs: types of the operands.
            turns: values that a lane computes one after the other.
        """
        return total(self, target, inputs, turns)

    def numbers(self) -> Mapping[str, int]:
        """Return the kernel's integer parameters."""
        return {}

    def types(self) -> Mapping[str, FixedType]:
        """Return the kernel's integer types beside those of operands, sum and result."""
        return {}

    @property
    def detail(self) -> str:
        """Return the figures that describe it, for people."""
        return ""

    @property
    def multiplier_bits(self) -> int:
        """Width of its widest multiplier constant; 0 where it has none."""
        return self.factor_bits

    @property
    def factor_bits(self) -> int:
        """Width of the widest factor of an operand; 0 where it has none."""
        return max((int(significant_bits(w).max()) for w in self.weights or ()), default=0)

    @property
    def shift(self) -> int | None:
        """Bits that it drops at the end, or None."""
        return None

    def __str__(self) -> str:
        """Return name and figures."""
        return f"{self.implementation}({self.detail})" if self.detail else self.implementation

    def proven(self, problem: Problem) -> Self | None:
        """Return the plan with its proof.

        Returns:
            None where a result differs, or hls4ml cannot write a constant exactly.
        """
        if not self.written_exactly:
            return None
        n = np.concatenate([problem.first, problem.last])
        row, level = np.tile(problem.row, 2), np.tile(problem.level, 2)
        if not np.array_equal(self.levels(n, row), level):
            return None
        return replace(self, proof=Proof(AT_ENDS, n.size, problem.range))

    def covers(self, ends: Ends) -> bool:
        """Return whether the plan was made for all operands between ``ends``."""
        pairs = list(zip(self.ends, ends, strict=True))
        if any(a[0].shape != b[0].shape for a, b in pairs):
            return False
        return all(bool((a[0] <= b[0]).all() and (a[1] >= b[1]).all()) for a, b in pairs)

    @property
    def written_exactly(self) -> bool:
        """Whether hls4ml, which writes constants as doubles, writes all of them exactly."""
        arrays = (*self.constants().values(), *(self.weights or ()))
        return all(int(np.abs(a).max(initial=0)) < 2**LARGEST_CONSTANT for a in arrays)

    def layer(self, result: TensorType, *inputs: TensorType) -> HlsLayer:
        """Return the kernel with its constants.

        Args:
            result: type of the result, before any cast.
            inputs: types of the operands.
        """
        arrays = dict(self.constants())
        if self.weights is not None:
            arrays["factors"] = np.stack(self.weights, axis=1)
        bound = (int(self.lo.min()), int(self.hi.max()))
        types = {f"raw{i}": replace(x.dtype, integer=x.dtype.width) for i, x in enumerate(inputs)}
        types |= {"n": FixedType.covering(*bound, 0, signed=True), **self.types()}
        types["level"] = replace(result.dtype, integer=result.dtype.width)
        return HlsLayer(
            class_name="HwflowKernel",
            kernel=self.kernel,
            attributes={
                "output_shape": list(result.shape),
                "weight_names": list(arrays),
                "integer_types": {name: _integer(t) for name, t in types.items()},
                "numbers": {"n_rows": self.rows, **self.numbers()},
                "value_bits": [result.dtype.width, result.dtype.integer],
                "value_signed": result.dtype.signed,
            },
            weights={name: _constant(array) for name, array in arrays.items()},
        )


def significant_bits(raw: RawArray) -> RawArray:
    """Return the bits of constants without the zeros at their low end, which are wires."""
    lowest = np.where(raw == 0, 1, raw & -raw)
    return constant_bits(raw // lowest)


def _constant(array: RawArray) -> FixedArray:
    flat = np.asarray(array, np.int64).reshape(-1)
    return FixedArray(flat, FixedType.covering(int(flat.min()), int(flat.max()), 0))


def _integer(dtype: FixedType) -> str:
    return f"ap_{'' if dtype.signed else 'u'}int<{dtype.width}>"
