"""Whether any input brings a result above a level, as a mixed integer program that allows more.

Inputs are real numbers in their ranges. A cast's result is within its rounding of the exact sum, or
the type's end; a maximum is one of its operands. Whatever the layers compute fulfils that, so where
no solution exists, no input exists.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op
from hwflow.ops.input import Input

F64 = npt.NDArray[np.float64]
Terms = dict[int, float]
"""A sum of variables times factors, by number of the variable."""

SECONDS = 120.0
"""Time for one program; beyond, nothing is known."""

MARGIN = 1e-4
"""What sums must stay below a level by, in steps; the solver's tolerance is 1e-6."""

INFEASIBLE = 2
"""Status of ``scipy.optimize.milp`` for a program without a solution."""


class UnknownError(Exception):
    """A layer that the program has no words for."""


class Program:
    """Variables and inequalities for what a graph's elements can be, in mantissas.

    An element that only helps when it is great gets the inequalities that keep it from being
    greater than it is, and the other way round.
    """

    def __init__(self, graph: Graph) -> None:
        """Know no element yet."""
        self._graph = graph
        self._lo: list[float] = []
        self._hi: list[float] = []
        self._whole: list[bool] = []
        self._rows: list[tuple[Terms, float]] = []
        self._known: dict[tuple[str, int], int] = {}
        self._bounded: set[tuple[str, int, bool]] = set()
        self._responses = cache(self._response)

    def cannot_reach(self, node: Node, op: Op, place: int, level: float) -> bool:
        """Return whether no input brings an element's exact result to a level.

        Args:
            node: the layer.
            op: its operator, or one to be taken in its place.
            place: the element, counted through the shape.
            level: in mantissas of the exact result.
        """
        terms, constant = self._sum(node, op, place)
        self._bound(node.inputs[0], terms, up=True)
        self._at_most({v: -f for v, f in terms.items()}, constant - level + MARGIN)
        rows, columns, factors = zip(
            *((row, v, f) for row, (t, _) in enumerate(self._rows) for v, f in t.items()),
            strict=True,
        )
        matrix = sparse.csr_array((factors, (rows, columns)), (len(self._rows), len(self._lo)))
        limits = LinearConstraint(matrix, -np.inf, np.array([limit for _, limit in self._rows]))
        found = milp(
            np.zeros(len(self._lo)), constraints=limits, bounds=Bounds(self._lo, self._hi),
            integrality=np.array(self._whole, int), options={"time_limit": SECONDS},
        )  # fmt: skip
        return int(found.status) == INFEASIBLE

    def _variable(self, lo: float, hi: float, *, whole: bool = False) -> int:
        self._lo.append(lo)
        self._hi.append(hi)
        self._whole.append(whole)
        return len(self._lo) - 1

    def _at_most(self, terms: Terms, limit: float) -> None:
        self._rows.append((terms, limit))

    def _element(self, name: str, place: int) -> int:
        """Return the variable of an element of a layer's result, within its range."""
        key = name, place
        if key not in self._known:
            node, tensor = self._graph.by_name[name], self._graph.types[name]
            channel = place % tensor.channels
            if node.op.kind == "Reshape":
                self._known[key] = self._element(node.inputs[0], place)
            else:
                ends = float(tensor.lo[channel]), float(tensor.hi[channel])
                self._known[key] = self._variable(*ends)
        return self._known[key]

    def _bound(self, name: str, terms: Terms, *, up: bool) -> None:
        """Bound the elements of a layer whose sum helps when it is great, or small."""
        node = self._graph.by_name[name]
        if node.op.kind == "Reshape":
            self._bound(node.inputs[0], terms, up=up)
            return
        places = {v: place for (n, place), v in self._known.items() if n == name}
        for variable, factor in terms.items():
            key = name, places[variable], (factor > 0) is up
            if key in self._bounded or isinstance(node.op, Input):
                continue
            self._bounded.add(key)
            bound = self._greatest if node.op.kind == "MaxPool" else self._cast
            bound(node, places[variable], up=key[2])

    def _greatest(self, node: Node, place: int, *, up: bool) -> None:
        """Bound a maximum: by one of its operands from above, by each of them from below."""
        found = self._known[node.name, place]
        response = self._responses(node, node.op)[0][:, place]
        operands = [self._element(node.inputs[0], int(i)) for i in np.flatnonzero(response)]
        self._bound(node.inputs[0], dict.fromkeys(operands, 1.0), up=up)
        which = [self._variable(0, 1, whole=True) for _ in operands if up]
        for operand, own in zip(operands, which, strict=False):
            room = self._hi[found] - self._lo[operand]
            self._at_most({found: 1.0, operand: -1.0, own: room}, room)
        if up:
            self._at_most(dict.fromkeys(which, -1.0), -1.0)
            return
        for operand in operands:
            self._at_most({operand: 1.0, found: -1.0}, 0.0)

    def _cast(self, node: Node, place: int, *, up: bool) -> None:
        """Bound the cast of a sum: by its rounding, or by an end of the type."""
        found, to = self._known[node.name, place], self._graph.types[node.name].dtype
        terms, constant = self._sum(node, node.op, place)
        self._bound(node.inputs[0], terms, up=up)
        exact = node.op.exact(*self._graph.input_types(node)).dtype
        scale = 2.0 ** (to.fractional - exact.fractional)
        constant, terms = constant * scale, {v: f * scale for v, f in terms.items()}
        ends = [sorted((f * self._lo[v], f * self._hi[v])) for v, f in terms.items()]
        low, high = (constant + sum(e[side] for e in ends) for side in (0, 1))
        below, above = rounding_error(to, exact)
        first, last = float(to.raw_min), float(to.raw_max)
        if to.overflow is not Overflow.SAT and not first <= low - below <= high + above <= last:
            raise UnknownError(node.name)
        sign = 1.0 if up else -1.0
        row = {found: sign, **{v: -sign * f for v, f in terms.items()}}
        room = first - low - above if up else high - below - last
        if room > 0:  # at the end, or on its side of the sum
            clipped = self._variable(0, 1, whole=True)
            row[clipped] = -room
            self._at_most({found: sign, clipped: last - first}, last if up else -first)
        self._at_most(row, constant + above if up else below - constant)

    def _sum(self, node: Node, op: Op, place: int) -> tuple[Terms, float]:
        """Return the terms and the constant of a layer's exact result."""
        if getattr(op, "weight", None) is None:
            raise UnknownError(node.name)
        response, constant = self._responses(node, op)
        own = response[:, place]
        where = np.flatnonzero(own)
        terms = {self._element(node.inputs[0], int(i)): float(own[i]) for i in where}
        return terms, float(constant[place])

    def _response(self, node: Node, op: Op) -> tuple[F64, F64]:
        """Return what each operand element adds to each result element, and the results of 0."""
        (x,) = self._graph.input_types(node)
        single = np.eye(x.size + 1, x.size, dtype=np.int64).reshape(-1, *x.shape)
        results = op.compute(FixedArray(single, x.dtype)).raw.reshape(x.size + 1, -1)
        return (results[:-1] - results[-1]).astype(np.float64), results[-1].astype(np.float64)


def rounding_error(to: FixedType, exact: FixedType) -> tuple[float, float]:
    """Return how far below and above the exact value a cast can come, in steps of its type."""
    if to.fractional >= exact.fractional:
        return 0.0, 0.0
    if to.rounding is Rounding.TRN:
        return 1.0, 0.0
    return (1.0, 1.0) if to.rounding is Rounding.TRN_ZERO else (0.5, 0.5)


def never_positive(graph: Graph, node: Node, op: Op, channel: int) -> bool:
    """Return whether a channel's result is proven to be 0 for every input.

    Args:
        graph: the hardware graph.
        node: a layer of products whose result has no sign.
        op: its operator, or one to be taken in its place.
        channel: of the result.
    """
    tensor = graph.types[node.name]
    if tensor.dtype.signed or getattr(op, "weight", None) is None:
        return False
    exact = op.exact(*graph.input_types(node)).dtype
    _, above = rounding_error(tensor.dtype, exact)
    level = (1.0 - above) * 2.0 ** (exact.fractional - tensor.dtype.fractional)
    try:
        return all(
            Program(graph).cannot_reach(node, op, place, level)
            for place in range(channel, tensor.size, tensor.channels)
        )
    except UnknownError:
        return False
