"""``FixedQuant``: fixed-point formats that differ between elements, and wrap or saturate.

QONNX's ``Quant`` has one bit width for a tensor and clips. HGQ trains a format for every element,
and lets values wrap around, which costs no hardware. ``FixedQuant(x, k, i, f)`` is that: with a
sign bit where ``k`` is 1, ``i`` bits left of the binary point and ``f`` right of it, all three of
any shape that broadcasts to ``x``. Where ``k + i + f <= 0`` there is no bit, and the result is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnx_ir as ir

from hwflow.fixed import FixedType, Overflow, RawArray, Rounding

DOMAIN = "hwflow.fixed"
OP = "FixedQuant"
NAME = f"{DOMAIN}::{OP}"
OPSET = 19
"""Version of the standard operators in the function; it compares strings, which needs 19."""

OVERFLOWS = (Overflow.WRAP, Overflow.SAT, Overflow.SAT_SYM)

FARTHEST = 256
"""Farthest binary point that is taken from a file."""

_MODES = """
    rounding = Constant <value_string : string = @rounding_mode> ()
    overflow = Constant <value_string : string = @overflow_mode> ()
"""

_BODY = """
    zero = Constant <value = float {0.0}> ()
    half = Constant <value = float {0.5}> ()
    one = Constant <value = float {1.0}> ()
    two = Constant <value = float {2.0}> ()
    least = Neg(f)
    whole_bits = Max(i, least)
    scale = Pow(two, f)
    scaled = Mul(x, scale)
    size = Abs(scaled)
    side = Sign(scaled)
    raised = Add(scaled, half)
    lowered = Sub(scaled, half)
    larger = Add(size, half)
    smaller = Sub(size, half)
    floor_of_size = Floor(size)
    floor_of_larger = Floor(larger)
    ceil_of_smaller = Ceil(smaller)
    TRN = Floor(scaled)
    TRN_ZERO = Mul(floor_of_size, side)
    RND = Floor(raised)
    RND_ZERO = Mul(ceil_of_smaller, side)
    RND_INF = Mul(floor_of_larger, side)
    RND_MIN_INF = Ceil(lowered)
    RND_CONV = Round(scaled)
{rounded}
    bits = Add(whole_bits, f)
    span = Pow(two, bits)
    top = Sub(span, one)
    signed_span = Mul(k, span)
    bottom = Neg(signed_span)
    signed_top = Mul(k, top)
    symmetric = Neg(signed_top)
    capped = Min(rounded, top)
    SAT = Max(capped, bottom)
    SAT_SYM = Max(capped, symmetric)
    all_bits = Add(bits, k)
    modulus = Pow(two, all_bits)
    shifted = Add(rounded, signed_span)
    turns = Div(shifted, modulus)
    whole_turns = Floor(turns)
    removed = Mul(whole_turns, modulus)
    rest = Sub(shifted, removed)
    WRAP = Sub(rest, signed_span)
{limited}
    value = Div(limited, scale)
    some = Add(k, i)
    width = Add(some, f)
    live = Greater(width, zero)
    y = Where(live, value, zero)
"""


def function() -> onnx.FunctionProto:
    """Return the operator as an ONNX function, step by step in float32 as HGQ computes it."""
    body = _MODES + _BODY.replace("{rounded}", _chosen("rounding", "rounded", tuple(Rounding)))
    body = body.replace("{limited}", _chosen("overflow", "limited", OVERFLOWS))
    head = f'<opset_import: ["" : {OPSET}], domain: "{DOMAIN}">'
    return onnx.parser.parse_function(
        f"{head}\n{OP} <rounding_mode, overflow_mode> (x, k, i, f) => (y) {{{body}}}"
    )


def function_of_modes(
    name: str, domain: str, rounding: Rounding, overflow: Overflow, opset: int
) -> onnx.FunctionProto:
    """Return the operator for one rounding and one overflow mode, for any opset from 11 on.

    Args:
        name: what the function is called.
        domain: where it stands.
        rounding: one of ap_fixed's roundings.
        overflow: one of ``OVERFLOWS``.
        opset: version of the standard operators.
    """
    body = _BODY.replace("{rounded}", f"    rounded = Identity({rounding})")
    body = body.replace("{limited}", f"    limited = Identity({overflow})")
    head = f'<opset_import: ["" : {opset}], domain: "{domain}">'
    return onnx.parser.parse_function(f"{head}\n{name} (x, k, i, f) => (y) {{{body}}}")


def _chosen(by: str, result: str, modes: tuple[str, ...]) -> str:
    """Return the text that takes the value which is named as a mode is."""
    lines, before = [], modes[0]
    for mode in modes[1:]:
        last = mode == modes[-1]
        name = result if last else f"{result}_{mode}"
        lines += [
            f'    name_{mode} = Constant <value_string = "{mode}"> ()',
            f"    is_{mode} = Equal({by}, name_{mode})",
            f"    {name} = Where(is_{mode}, {mode}, {before})",
        ]
        before = name
    return "\n".join(lines)


def is_fixed_quant(node: ir.Node) -> bool:
    """Return whether a node is a ``FixedQuant``."""
    return node.domain == DOMAIN and node.op_type == OP


@dataclass(frozen=True, eq=False)
class Formats:
    """Fixed-point formats of the elements of a tensor.

    Attributes:
        types: the different ones; None for the one without a bit, whose value is 0.
        index: position in ``types`` of each element, int64, of the shape of the parameters.
    """

    types: tuple[FixedType | None, ...]
    index: RawArray

    @property
    def uniform(self) -> FixedType | None:
        """The only format, or None where there are several or no bits at all."""
        return self.types[0] if len(self.types) == 1 else None

    @property
    def fractional(self) -> int:
        """Most bits right of the binary point; 0 where there are no bits at all."""
        return max((t.fractional for t in self.types if t is not None), default=0)

    @classmethod
    def of(cls, kif: Sequence[npt.ArrayLike], rounding: Rounding, overflow: Overflow) -> Formats:
        """Return the formats with sign bits k, i whole and f fractional bits.

        Raises:
            ValueError: a number is not whole, ``k`` is neither 0 nor 1, or a format is too wide or
                its binary point too far away.
        """
        parts = np.broadcast_arrays(*(np.asarray(p, np.float64) for p in kif))
        stacked = np.stack([p.ravel() for p in parts], axis=1)
        if not np.all(np.isfinite(stacked) & (stacked == np.rint(stacked))):
            raise ValueError("numbers of bits that are not whole")
        rows, index = np.unique(stacked, axis=0, return_inverse=True)
        bits = [[int(v) for v in row] for row in rows]
        types = [_format(k, i, f, rounding, overflow) for k, i, f in bits]
        known = list(dict.fromkeys(types))
        places = np.array([known.index(t) for t in types], np.int64)
        return cls(tuple(known), places[index.reshape(-1)].reshape(parts[0].shape))

    @classmethod
    def of_node(cls, parameters: list[npt.NDArray[Any]], attributes: dict[str, Any]) -> Formats:
        """Return the formats of a ``FixedQuant`` node.

        Raises:
            ValueError: they are none, with the reason.
        """
        rounding = str(attributes.get("rounding_mode", ""))
        overflow = str(attributes.get("overflow_mode", ""))
        if overflow not in OVERFLOWS:
            raise ValueError(f"overflow_mode {overflow!r}")
        if rounding not in tuple(Rounding):
            raise ValueError(f"rounding_mode {rounding!r}")
        return cls.of(parameters, Rounding(rounding), Overflow(overflow))


def _format(k: int, i: int, f: int, rounding: Rounding, overflow: Overflow) -> FixedType | None:
    if k not in (0, 1):
        raise ValueError(f"k = {k}")
    if k + i + f <= 0:
        return None
    i = max(i, -f)
    if max(abs(i), abs(f)) > FARTHEST:
        raise ValueError(f"i = {i}, f = {f}")
    if overflow is Overflow.SAT_SYM:
        if k + i + f == 1 and k:
            return None  # from -0 to 0
        overflow = Overflow.SAT_SYM if k else Overflow.SAT
    try:
        return FixedType(k + i + f, k + i, bool(k), rounding, overflow)
    except OverflowError as error:
        raise ValueError(str(error)) from error
