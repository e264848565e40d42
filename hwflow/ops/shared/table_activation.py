"""Activation functions by table: hls4ml's own, copied bit for bit, or one entry for each value."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType, RawArray, Rounding
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.op import Example, HlsLayer, Inexact, Target
from hwflow.ir.pieces import Kind, Pieces
from hwflow.ir.tensor import TensorType
from hwflow.ops.shared.tables import (
    F32,
    F64,
    _Table,
    bits_of,
    lookup_layer,
    lookup_pieces,
    met_by,
    saturating,
    table_error,
    table_index,
    table_place,
    table_points,
)
from hwflow.ops.shared.turns import turns_layer

LARGEST_SIZE = 4096
"""Most entries chosen here, and only where that gives each input value an entry of its own."""

DEFAULT_SIZE = 1024
"""Entries of hls4ml's tables unless told otherwise; 1024 x 18 bits fill one block RAM."""

MOST_COMPARED = 2**16
"""Most operands of a wide table that are compared one by one."""

DIRECT_BITS = 10
"""Inputs of at most this many bits get a table with one entry for each value they can take."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _TableActivation(_Table):
    """A monotone function by table.

    Inputs of few bits get one entry per value, which holds the true function as a float32, as the
    model does, rounded once. Wider
    inputs use hls4ml's table over a fixed span.

    Attributes:
        table_size: entries of hls4ml's table; None to choose.
        table_t: type of the entries; None for ``result_t``, so that rounding happens once.
    """

    settings: ClassVar[tuple[str, ...]] = ("result_t", "table_size", "table_t", "reuse_factor")
    approximate: ClassVar[str] = "a table of the function, rounded"
    function: ClassVar[str]
    span: ClassVar[int]
    bounded: ClassVar[bool] = True
    default_t: ClassVar[FixedType]

    table_size: int | None = None
    table_t: FixedType | None = None

    @staticmethod
    @abstractmethod
    def real(x: F64) -> F64:
        """Return the true function."""

    @staticmethod
    @abstractmethod
    def entries(x: F32) -> F32:
        """Return what hls4ml's C++ computes for its table, with floats."""

    def direct(self, x: FixedType) -> bool:
        """Return whether each value of the input has an entry of its own, by its bits."""
        return self.table_size is None and x.width <= DIRECT_BITS

    def size(self, x: FixedType) -> int:
        """Return the number of entries of the table for an input of this type."""
        if self.direct(x):
            return int(2**x.width)
        if self.table_size is not None:
            return self.table_size
        every = self.span << max(x.fractional, 0)
        return every if 2 * self.span <= every <= LARGEST_SIZE else DEFAULT_SIZE

    def table(self, x: FixedType) -> FixedArray:
        """Return the table for an input of this type."""
        to = self.table_t or self.result_t or self.default_t
        return _filled(type(self), x if self.direct(x) else None, self.size(x), to)

    def exact(self, *inputs: TensorType) -> TensorType:
        (x,) = inputs
        table = self.table(x.dtype)
        if x.dtype.width + table.shape[0].bit_length() > 62:
            raise OverflowError("the index into the table could pass 62 bits")
        spans = np.array(
            [self._extremes(*ends, x.dtype, table) for ends in zip(x.lo, x.hi, strict=True)]
        )
        return TensorType.exactly(x.shape, spans[:, 0], spans[:, 1], table.dtype.fractional)

    def inexact(self, *inputs: TensorType) -> Inexact:
        (x,) = inputs
        lo, hi = x.bounds
        if self.result_t is not None or hi - lo >= MOST_COMPARED:
            return Inexact(self.approximate)
        raw = np.arange(lo, hi + 1)
        points, table = np.ldexp(raw.astype(np.float64), -x.dtype.fractional), self.table(x.dtype)
        entries = self._look_up(raw, x.dtype, table).astype(np.float64) * table.dtype.step
        return table_error(self.approximate, points, self.real(points), entries)

    def _extremes(self, lo: int, hi: int, x: FixedType, table: FixedArray) -> tuple[int, int]:
        """Return the least and greatest entry that mantissas ``lo .. hi`` reach."""
        if self.direct(x):
            reached = self._look_up(np.arange(lo, hi + 1), x, table)
        else:
            ends = table_index(np.array([lo, hi]), x.fractional, self.size(x), self.span)
            reached = table.raw[ends[0] : ends[1] + 1]
        return int(reached.min()), int(reached.max())

    def compute(self, *inputs: FixedArray) -> FixedArray:
        (x,) = inputs
        table = self.table(x.dtype)
        return FixedArray(self._look_up(x.raw, x.dtype, table), table.dtype)

    def _look_up(self, raw: RawArray, x: FixedType, table: FixedArray) -> RawArray:
        if self.direct(x):
            return np.asarray(table.raw[raw & (2**x.width - 1)])
        return np.asarray(table.raw[table_index(raw, x.fractional, self.size(x), self.span)])

    def pieces(self, *inputs: TensorType) -> Pieces:
        (x,) = inputs
        if self.direct(x.dtype):
            return lookup_pieces(x)
        size, fractional = self.size(x.dtype), x.dtype.fractional

        def cells(raw: RawArray) -> RawArray:
            return np.clip(table_place(raw, fractional, size, self.span), -1, size) + 1

        met = met_by(x)
        reached = cells(np.array(x.bounds) if met is None else met)
        piece, place = np.full(size + 2, -1), np.arange(size + 2)
        reached = np.arange(reached[0], reached[1] + 1) if met is None else reached
        piece[reached] = np.clip(reached, 1, size)
        return Pieces.of(
            lambda a: (cells(a.raw),), Kind.ENTRIES, piece, low=place == 0, high=place > size
        )

    def check(self, target: Target, *inputs: TensorType) -> Iterator[Diagnostic]:
        (x,) = inputs
        yield from super().check(target, x)
        size = self.table_size
        if size is not None and not 2 <= size <= 2**16:
            yield Diagnostic(
                code="HW112", title="illegal table size", found=f"table_size = {size}",
                supported="2 to 65536", help=f"set table_size = {DEFAULT_SIZE}",
            )  # fmt: skip
            return
        if self.direct(x.dtype):
            return
        largest = max(abs(b) for b in x.bounds) * x.dtype.step
        limit = self.span / 2 if not self.bounded else 2.0**31 * self.span / self.size(x.dtype)
        if largest > limit:
            yield Diagnostic(
                code="HW221",
                title=f"input of {self.kind} is out of the range of its table",
                found=f"values up to {largest:g} in magnitude, type {x.dtype}",
                supported=f"magnitudes up to {limit:g}, or any range in {DIRECT_BITS} bits",
                help="quantise the value before this layer",
            )

    def lower(self, *inputs: TensorType) -> HlsLayer:
        (x,) = inputs
        table = self.table(x.dtype)
        if self.direct(x.dtype):
            return lookup_layer(x, table, self.reuse_factor)
        if self.reuse_factor > 1:
            return turns_layer(
                self.function, x.shape, self.reuse_factor, entries=table.shape[0],
                entry=table.dtype,
            )  # fmt: skip
        return HlsLayer(
            class_name="Activation",
            attributes={
                "n_in": x.size, "activation": self.function, "table_size": table.shape[0]
            },
            types={"table": table.dtype},
        )  # fmt: skip

    @classmethod
    def examples(cls) -> Iterable[Example]:
        coarse, fine = saturating(6, 1, signed=True), FixedType(16, 1, True, Rounding.RND)
        kinds: list[tuple[str, FixedType, dict[str, object]]] = [
            ("direct", FixedType(7, 4), {"result_t": coarse}),
            ("direct_unsigned", FixedType(6, 3, signed=False), {}),
            ("wide", FixedType(14, 4), {"result_t": coarse}),
            ("wide_unsigned", FixedType(12, 3, signed=False), {}),
            ("small_table", FixedType(12, 4), {"table_size": 100}),
            ("own_table", FixedType(8, 3), {"table_size": 64, "table_t": fine}),
            ("double_rounding", FixedType(11, 4), {"table_t": fine, "result_t": coarse}),
        ]
        if cls.bounded:
            kinds.append(("integers", FixedType(12, 14), {}))
        for name, dtype, fields in kinds:
            yield Example(name, cls(**fields), (TensorType.full((2, 3), dtype),))  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def _filled(
    cls: type[_TableActivation], direct: FixedType | None, size: int, to: FixedType
) -> FixedArray:
    if direct is None:
        values = cls.entries(table_points(size, cls.span)).astype(np.float64)
    else:
        points = np.ldexp(bits_of(direct).astype(np.float64), -direct.fractional)
        # a float32 stands between the function and the quantiser in the model, too
        values = cls.real(points).astype(np.float32).astype(np.float64)
    return FixedArray(quantize_values(values, to), to)
