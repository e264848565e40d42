"""Functions of HGQ between two quantisers: the numbers that Keras computes for them in float32.

A function of a few thousand points is these numbers, in HGQ as in hardware, and not the real
function: float32 reaches 1 where a hyperbolic tangent does not, and a truncating quantiser sees it.
A live model computes its numbers itself. Of a file they are the float32 nearest to the real result;
backends of Keras may be a unit in the last place or more beside it, and differ between each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.quantizers import FixedQuantizer
from hwflow.ir.qonnx.fixed_quant import Formats
from hwflow.ir.qonnx.model import printable
from hwflow.ir.qonnx.table import DOMAIN, MOST, OP
from hwflow.ir.real.functions import DEFAULTS, FUNCTIONS

Numbers = Callable[[FloatArray], FloatArray]
"""A function that gives what a live layer computes for float32 operands."""

OPERATORS = {
    "elu": "Elu", "exponential": "Exp", "gelu": "Gelu", "mish": "Mish", "selu": "Selu",
    "sigmoid": "Sigmoid", "silu": "Swish", "softplus": "Softplus", "softsign": "Softsign",
    "swish": "Swish", "tanh": "Tanh",
}  # fmt: skip
"""ONNX's operators of the functions that float32 rounds, by Keras' name."""


UNITS = {"Tanh": 5}
"""Units in the last place that a backend's float32 function may be off, where not ``USUAL``:
TensorFlow's is 1 from 7.905 on, 4.5 units above the real one (Eigen, MathFunctionsImpl.h)."""

USUAL = 2
"""Units in the last place for other functions: what torch's are off from the nearest float32."""


@dataclass(frozen=True)
class RealFunction:
    """``op(slope * x + offset)``, ``op`` an elementwise operator of ONNX."""

    op: str
    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the float32 nearest to each result, of a line that float32 computes."""
        line = np.asarray(x, np.float32) * np.float32(self.slope) + np.float32(self.offset)
        with np.errstate(all="ignore"):  # what is not finite gets no table
            real = FUNCTIONS[self.op].value(line.astype(np.float64), DEFAULTS.get(self.op, {}))
        return np.asarray(real, np.float32)


@dataclass(frozen=True)
class Points:
    """``count`` points from ``first`` on, ``step`` apart."""

    first: float
    step: float
    count: int

    @classmethod
    def of(cls, quantizer: FixedQuantizer | None) -> Points | None:
        """Return the grid that holds every result of a quantiser; None where it is too large."""
        if quantizer is None or quantizer.scaler is not None or quantizer.affine is not None:
            return None
        formats = _formats(quantizer)
        if formats is None:
            return None
        types = [t for t in formats.types if t is not None]
        if not types:
            return cls(0.0, 1.0, 1)
        step = min(t.step for t in types)
        first = min(0.0, *(t.raw_min * t.step for t in types))
        last = max(0.0, *(t.raw_max * t.step for t in types))
        count = round((last - first) / step) + 1
        return cls(first, step, count) if count <= MOST else None

    def values(self) -> FloatArray:
        """Return the points, which float32 holds exactly."""
        return np.asarray(self.first + self.step * np.arange(self.count), np.float32)


def write_table(
    b: Writer,
    x: Tensor,
    *,
    points: Points | None,
    real: RealFunction,
    numbers: Numbers | None,
    after: FixedQuantizer | None,
) -> Tensor | None:
    """Append a function as a table, or return None where it has no table.

    Args:
        b: the model.
        x: the operand.
        points: where the operand lies; None where that is not known.
        real: the function.
        numbers: what a live layer computes; None of a file.
        after: the quantiser behind the function.
    """
    if points is None or after is None:
        return None
    values = (numbers or real)(points.values())
    if values.shape != (points.count,) or not np.isfinite(values).all():
        return None
    if numbers is None:
        count = _most_undecided(real.op, values, after)
        b.warnings.extend([depends_on_backend(b, count, len(values))] if count else [])
    name = b.node(
        OP, [x.name, b.constant("table", values)], domain=DOMAIN, first=points.first,
        step=points.step, function=real.op, slope=real.slope, offset=real.offset,
    )  # fmt: skip
    return replace(x, name=name)


def depends_on_backend(b: Writer, count: int, total: int) -> Diagnostic:
    """Return the warning that backends of Keras can give tables of a file other entries.

    Args:
        b: for messages.
        count: numbers that float32 of a backend may round to another entry.
        total: all numbers.
    """
    return Diagnostic(
        code="HW286",
        severity="warning",
        title="table that depends on the backend of Keras",
        where=f"{printable(b.layer)}: {b.kind}, in {b.source}",
        found=f"{count} of {total} numbers are so close to a step of the quantiser "
        "behind them that float32 of one backend and of another may fall on either side; "
        "the hardware has those of the nearest float32",
        supported="the numbers of a live model, in the environment that computes with it",
        help="give the live model, hwflow.compile(model), instead of the file",
    )


def _most_undecided(op: str, values: FloatArray, after: FixedQuantizer) -> int:
    """Return how many numbers of a file's table backends can give other entries, in one channel."""
    formats = _formats(after)
    types = () if formats is None else formats.types
    units, exact = UNITS.get(op, USUAL), values.astype(np.float64)
    return max((_undecided(exact, units, t) for t in types if t is not None), default=0)


def _undecided(values: npt.NDArray[np.float64], units: int, to: FixedType) -> int:
    """Return how many numbers a few units in the last place move to another level.

    What lies on a level, or half way between two, is there by nature: functions are exact at 0 and
    where they saturate.
    """
    unit = np.spacing(np.abs(values).astype(np.float32)).astype(np.float64)
    low, high = (quantize_values(values + k * units * unit, to) for k in (-1, 1))
    halves = np.ldexp(values, to.fractional + 1)
    return int(((low != high) & (halves != np.rint(halves))).sum())


def _formats(quantizer: FixedQuantizer) -> Formats | None:
    """Return the formats of a quantiser; None where it is refused when it is written."""
    kif = (quantizer.k, quantizer.i, quantizer.f)
    try:
        return Formats.of(kif, Rounding(quantizer.rounding), Overflow(quantizer.overflow))
    except ValueError:
        return None
