"""Look-up tables of functions: how hls4ml fills and addresses them, and what reads them.

hls4ml fills its tables in C++ from floats (nnet_activation.h). Their bits depend on the C library's
``expf`` and ``tanhf``, which numpy's float32 functions do not reproduce, so that library is called.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from hwflow.estimate.layer import table_cost
from hwflow.estimate.turns import in_turns, one_turn
from hwflow.fixed import FixedArray, FixedType, Overflow, RawArray, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.body.values import NoGoldenError, Result, Span, Tensor, carrier
from hwflow.ir.body.writer import Body
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Inexact, Target
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.turns import _InTurns

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]

_FLOAT64_BITS = -49
"""Accuracy of functions in float64, of operand and result: eight units in the last place."""

LONGEST = 2**20
"""Entries of the longest table of a golden body."""

MOST_VALUES = 2**20
"""Mantissas of an operand of which it is found out one by one which entries they meet."""


@cache
def _libm() -> ctypes.CDLL:
    library = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")
    for name in ("expf", "tanhf"):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return library


def c_float_function(name: str) -> Callable[[F32], F32]:
    """Return a float function of the C library, applied element by element."""
    function = getattr(_libm(), name)
    return lambda x: np.array([function(float(v)) for v in x.ravel()], np.float32).reshape(x.shape)


def table_points(size: int, span: int) -> F32:
    """Return where hls4ml samples the function: ``size`` points over ``-span/2 .. span/2``."""
    i = np.arange(size, dtype=np.float64)
    return (span * (i - size / 2.0) / size).astype(np.float32)


def table_index(raw: RawArray, fractional: int, size: int, span: int) -> RawArray:
    """Return the entries that hls4ml's index arithmetic picks.

    ``data * table_size / span`` is an ap_fixed quotient that keeps the input's grid, and is then
    assigned to an int; both steps drop what is below toward zero.
    """
    return np.clip(table_place(raw, fractional, size, span), 0, size - 1)


def table_place(raw: RawArray, fractional: int, size: int, span: int) -> RawArray:
    """Return where ``table_index`` would look, before it is held within the table."""
    quotient = _toward_zero(raw * size, span)
    whole = _toward_zero(quotient, 2**fractional) if fractional > 0 else quotient << -fractional
    return np.asarray(whole + size // 2)


def _toward_zero(raw: RawArray, divisor: int) -> RawArray:
    return np.asarray(np.sign(raw) * (np.abs(raw) // divisor))


def bits_of(x: FixedType) -> RawArray:
    """Return the mantissa of every bit pattern of the type, in the order of the patterns."""
    patterns = np.arange(2**x.width, dtype=np.int64)
    top = 2 ** (x.width - 1)
    return np.where(patterns >= top, patterns - 2 * top, patterns) if x.signed else patterns


def lookup_layer(x: TensorType, table: FixedArray, turns: int = 1) -> HlsLayer:
    """Return the kernel that looks every element up by its bits."""
    return HlsLayer(
        class_name="HwflowKernel",
        kernel="lookup",
        attributes={"output_shape": list(x.shape), "weight_names": ["table"]},
        weights={"table": table},
        reuse_factor=turns,
    )


def table_error(why: str, x: F64, real: F64, entries: F64) -> Inexact:
    """Return how far the entries that a table gives are from the function.

    Args:
        why: what the table is.
        x: every operand that can occur.
        real: the function there, in float64; a few units in the last place off at most.
        entries: what the table gives there.
    """
    slack = np.ldexp(np.abs(real) + np.abs(x) + 1, _FLOAT64_BITS)
    return Inexact(why, float((np.abs(entries - real) + slack).max()))


def met_by(x: TensorType, most: int = MOST_VALUES) -> RawArray | None:
    """Return the mantissas within the proven ranges of all channels; None for more than ``most``.

    Args:
        x: the operand.
        most: most ends of different ranges times mantissas that are looked at.
    """
    pairs = np.unique(np.stack([x.lo, x.hi]), axis=1).T.tolist()
    if sum(hi - lo + 1 for lo, hi in pairs) > most:
        return None
    return np.unique(np.concatenate([np.arange(lo, hi + 1) for lo, hi in pairs]))


def lookup_pieces(x: TensorType) -> Pieces:
    """Return the entries of a table that has one for every bit pattern of its operand."""
    mask = 2**x.dtype.width - 1
    met = met_by(x, most=x.channels << x.dtype.width)
    assert met is not None  # the table itself is no smaller
    piece = np.full(mask + 1, -1, np.int64)
    piece[met & mask] = met & mask
    return Pieces.of(lambda a: (a.raw & mask,), Kind.ENTRIES, piece)


def looked_up(body: Body, index: Tensor, entries: RawArray, name: str = "table") -> Tensor:
    """Return the entries at whole numbers, in a golden body.

    Args:
        body: the body that is written.
        index: from 0 on.
        entries: mantissas.
        name: name of the table.
    """
    within = carrier(int(np.abs(entries).max(initial=0)), "a table's entry")
    place = body.node("Cast", index.name, to=onnx.TensorProto.INT32)
    table = body.constant(entries, within.dtype, name)
    return replace(index, name=body.node("Gather", table, place), carrier=within)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table(_InTurns):
    """A function of each element by table."""

    pointwise: ClassVar[bool] = True

    @abstractmethod
    def table(self, x: FixedType) -> FixedArray:
        """Return the table for an input of this type."""

    def write_golden(
        self, body: Body, operands: Sequence[Tensor], types: Sequence[TensorType]
    ) -> Result:
        (x,), (x_t,) = operands, types
        lo, hi = x_t.bounds
        if hi - lo >= LONGEST:
            raise NoGoldenError(f"its table would have more than {LONGEST} entries")
        found = self.compute(FixedArray(np.arange(lo, hi + 1), x_t.dtype))
        index = body.apply("Sub", x, body.number(x, lo, "first"))
        span = Span(int(found.raw.min()), int(found.raw.max()), found.dtype.fractional)
        return Result(looked_up(body, index, found.raw), span)

    def cost(self, target: Target, *inputs: TensorType) -> Cost:
        (x,) = inputs
        table = self.table(x.dtype)
        some = one_turn(x, self.reuse_factor, target)
        cost = table_cost(some, table.shape[0], table.dtype.width, target=target)
        out = self.infer(x)
        return in_turns(cost, self.reuse_factor, out, x.dtype.width, target=target)


def saturating(width: int, integer: int, *, signed: bool) -> FixedType:
    """Return a type that rounds half to even and saturates."""
    return FixedType(width, integer, signed, Rounding.RND_CONV, Overflow.SAT)


@lru_cache(maxsize=64)
def exponentials_at(x: FixedType, to: FixedType) -> FixedArray:
    """Return exp(-x) at every value of ``x``, by the C library's float function."""
    points = np.ldexp(np.arange(2**x.width, dtype=np.float64), -x.fractional).astype(np.float32)
    return FixedArray(quantize_values(c_float_function("expf")(-points).astype(np.float64), to), to)


@lru_cache(maxsize=64)
def reciprocals_at(x: FixedType, to: FixedType) -> FixedArray:
    """Return 1/x at every value of ``x``, a float quotient as in hls4ml."""
    points = np.ldexp(np.arange(2**x.width, dtype=np.float64), -x.fractional).astype(np.float32)
    with np.errstate(divide="ignore"):
        return FixedArray(quantize_values((np.float32(1) / points).astype(np.float64), to), to)
