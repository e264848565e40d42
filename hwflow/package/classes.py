"""Outputs that give a class in the place of scores: the number of the first greatest one.

Scores are compared as the real numbers that they stand for, exactly. Those are fractions; times
their least common denominator they are integers, which hardware compares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.codegen.bench import HlsPort
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph
from hwflow.ir.graph import Port as GraphPort
from hwflow.package.description import Port
from hwflow.package.reals import Reals, lanes_of

MOST_BITS = 128
"""Widest integers that are compared; scales of float32 need a quarter of it or so."""

MOST_AT_ONCE = 16
"""Scores that are compared in a clock cycle, at most."""

_WORD = 32

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of an output as integers in the order of their real numbers.

    Attributes:
        scale: what a mantissa is multiplied with; one for each score.
        offset: what is added then.
        bits: width of the greatest result, with its sign.
    """

    scale: tuple[int, ...]
    offset: tuple[int, ...]
    bits: int

    @property
    def plain(self) -> bool:
        """Whether mantissas themselves are in the order of their real numbers."""
        return set(self.scale) == {1} and set(self.offset) == {0}


def class_type(scores: int) -> FixedType:
    """Return the type of the number of one of some scores, which begin with 0."""
    bits = max(1, (scores - 1).bit_length())
    return FixedType(bits, bits, signed=False)


def scores_of(graph: Graph, port: GraphPort) -> Scores:
    """Return the scores of an output.

    Args:
        graph: the network.
        port: the output.

    Raises:
        CompileError: HW599, it is no vector of scores, or they are compared in too many bits.
    """
    tensor = graph.types[port.value]
    if len(tensor.shape) != 1 or tensor.shape[0] < 2:
        raise CompileError([_refused(port, f"shape {' x '.join(map(str, tensor.shape))}")])
    scale, offset = (
        np.broadcast_to(part, tensor.shape).tolist() for part in (port.grid.scale, port.grid.offset)
    )
    scale = [s * Fraction(2) ** -tensor.dtype.fractional for s in scale]
    offset = [o - offset[0] for o in offset]  # what is added to all changes no order
    whole = lcm(*(f.denominator for f in (*scale, *offset)))
    factors, terms = ([int(f * whole) for f in part] for part in (scale, offset))
    common = gcd(*factors, *terms)
    factors, terms = ([n // common for n in part] for part in (factors, terms))
    ends = (tensor.dtype.raw_min, tensor.dtype.raw_max)
    greatest = max(
        max(abs(f * raw + t), abs(f * raw), abs(f), abs(t))
        for f, t in zip(factors, terms, strict=True)
        for raw in ends
    )
    found = Scores(tuple(factors), tuple(terms), greatest.bit_length() + 1)
    if found.bits > MOST_BITS:
        raise CompileError([_refused(port, f"scores that are told apart in {found.bits} bits")])
    return found


def classes_of(port: GraphPort, mantissas: I64, dtype: FixedType) -> I64:
    """Return the number of the first greatest score of each frame, in exact arithmetic.

    Args:
        port: the output.
        mantissas: shape (frames, scores).
        dtype: their type.

    Returns:
        Shape (frames, 1).
    """
    scale, offset = (
        np.resize(part, mantissas.shape[1]).tolist() for part in (port.grid.scale, port.grid.offset)
    )
    step = Fraction(2) ** -dtype.fractional
    real = [[m * s * step + o for m, s, o in zip(row, scale, offset, strict=True)]
            for row in mantissas.tolist()]  # fmt: skip
    return np.array([row.index(max(row)) for row in real], np.int64).reshape(-1, 1)


def at_once(port: HlsPort, *, streams: bool) -> int:
    """Return how many scores are compared in a clock cycle; those of a beat are whole cycles."""
    if not streams:
        return min(MOST_AT_ONCE, port.size)
    return next(n for n in range(min(MOST_AT_ONCE, port.beat), 0, -1) if port.beat % n == 0)


def order_of(name: str, scores: Scores, dtype: FixedType) -> Reals:
    """Return how an output's scores are put in the order of their real numbers.

    Args:
        name: the port's.
        scores: its scores.
        dtype: their type.
    """
    shown = f"{dtype.width}, {str(dtype.signed).lower()}"
    if scores.plain:
        return Reals(f"Mantissas<{shown}>")
    words = -(-scores.bits // _WORD)
    functions = "".join(
        _function(name, numbers, words)
        for name, numbers in (("scale", scores.scale), ("offset", scores.offset))
    )
    table = f"struct {name}_table_ {{\n    typedef ap_int<{words * _WORD}> key;\n{functions}}};\n"
    return Reals(f"Weighted<{shown}, {name}_table_>", table)


def orders_of(
    graph: Graph, ports: Sequence[Port], scores: Mapping[str, Scores]
) -> dict[str, Reals]:
    """Return how scores are put in order, by name of the port; others are left out.

    Args:
        graph: the network.
        ports: the block's ports.
        scores: the scores of outputs, by layer.
    """
    return {
        p.name: order_of(p.name, scores[p.layer], graph.types[p.layer].dtype)
        for p in ports
        if p.classes is not None
    }


def lane_values(
    graph: Graph, graph_port: GraphPort, port: Port, mantissas: I64
) -> npt.NDArray[Any]:
    """Return what the lanes of a port hold for the mantissas of a build's vectors.

    Raises:
        CompileError: HW579, float32 does not hold what an input needs.
    """
    if port.classes is not None:
        return classes_of(graph_port, mantissas, graph.types[graph_port.value].dtype)
    return lanes_of(graph, graph_port, port, mantissas)


def _function(name: str, numbers: tuple[int, ...], words: int) -> str:
    """Return a function that gives constants, whose words are in two's complement."""
    mask = (1 << _WORD) - 1
    rows = ",\n".join(
        "            {" + ", ".join(f"{n >> _WORD * k & mask}u" for k in range(words)) + "}"
        for n in numbers
    )
    return f"""\
    static key {name}(int number) {{
#pragma HLS INLINE
        static const unsigned words[{len(numbers)}][{words}] = {{
{rows}}};
        key found;
        for (int k = 0; k < {words}; k++)
            found.range({_WORD} * k + {_WORD - 1}, {_WORD} * k) = words[number][k];
        return found;
    }}
"""


def _refused(port: GraphPort, found: str) -> Diagnostic:
    return Diagnostic(
        code="HW599",
        title="this output has no class",
        where=f"output {port.name!r}",
        found=found,
        supported=f"a vector of two scores or more, told apart in {MOST_BITS} bits",
        help="leave out --argmax: the host compares the scores",
    )
