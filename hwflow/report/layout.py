"""Places the layers of a network in ranks and lanes, and cuts long networks into columns.

A rank is a row: one more than the deepest operand's. A lane is a column of boxes. The graph is
first taken apart into chains, along the longest way to an output; a chain keeps its lane, so the
trunk of a network runs straight down and its branches and skip connections beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

COLUMNS = 4
"""Most columns that a network is cut into: four fit beside each other on a page."""

COLUMN_RANKS = 4
"""Fewest ranks in a column: shorter ones would tear a small network apart."""


@dataclass(frozen=True)
class Spot:
    """Where a layer stands: its rank within the column, and its lane."""

    rank: int
    lane: int


@dataclass(frozen=True)
class Edge:
    """A value on its way to a layer.

    Attributes:
        source: the layer that gives it.
        target: the layer that takes it.
        lane: the lane in which it passes the ranks in between; None between adjacent ranks.
    """

    source: str
    target: str
    lane: int | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """A part of the network that is drawn in one piece.

    Attributes:
        spots: place of each layer, by name.
        edges: within this column.
        ranks: number of rows.
        lanes: number of lanes that hold boxes.
        thin_lanes: number of lanes beside them that only edges pass.
        comes_from: layer of the column before that feeds this one's first rank, or empty.
        goes_to: layer of the next column, or empty.
    """

    spots: Mapping[str, Spot]
    edges: tuple[Edge, ...]
    ranks: int
    lanes: int
    thin_lanes: int
    comes_from: str = ""
    goes_to: str = ""


def lay_out(nodes: Sequence[tuple[str, Sequence[str]]]) -> tuple[Column, ...]:
    """Return the columns of a network.

    Args:
        nodes: names and operands, in topological order.
    """
    pairs = [(i, name) for name, inputs in nodes for i in dict.fromkeys(inputs)]
    ranks: dict[str, int] = {}
    for name, inputs in nodes:
        ranks[name] = 1 + max((ranks[i] for i in inputs), default=-1)
    cuts = _cuts(pairs, ranks)
    columns = []
    for start, end in zip([0, *cuts], [*cuts, max(ranks.values(), default=0) + 1], strict=True):
        inside = {name: rank - start for name, rank in ranks.items() if start <= rank < end}
        within = [(a, b) for a, b in pairs if a in inside and b in inside]
        before = next((a for a, b in pairs if b in inside and a not in inside), "")
        after = next((b for a, b in pairs if a in inside and b not in inside), "")
        columns.append(_column(inside, within, end - start, before, after))
    return tuple(columns)


def _cuts(pairs: Sequence[tuple[str, str]], ranks: Mapping[str, int]) -> list[int]:
    """Return the ranks before which to cut: only where a single edge crosses."""
    total = max(ranks.values(), default=0) + 1
    crossing = [0] * (total + 1)
    for a, b in pairs:
        for rank in range(ranks[a] + 1, ranks[b] + 1):
            crossing[rank] += 1
    size = max(COLUMN_RANKS, -(-total // COLUMNS))
    cuts: list[int] = []
    at = 0
    while total - at > size:
        legal = [r for r in range(at + 2, total) if crossing[r] == 1 and total - r >= 2]
        if not legal:
            break
        at = min(legal, key=lambda rank: (abs(rank - at - size), rank))
        cuts.append(at)
    return cuts


def _column(
    ranks: Mapping[str, int],
    pairs: Sequence[tuple[str, str]],
    count: int,
    comes_from: str,
    goes_to: str,
) -> Column:
    following = _chains(ranks, pairs)
    lanes: list[list[tuple[int, int]]] = []
    spots: dict[str, Spot] = {}
    for head in (name for name in ranks if name not in following.values()):
        chain = [head]
        while chain[-1] in following:
            chain.append(following[chain[-1]])
        lane = _claim(lanes, ranks[head], ranks[chain[-1]])
        spots |= {name: Spot(ranks[name], lane) for name in chain}
    thin: list[list[tuple[int, int]]] = []
    edges = []
    for a, b in pairs:
        if ranks[b] == ranks[a] + 1:
            edges.append(Edge(a, b, None))
        elif following.get(a) == b:
            edges.append(Edge(a, b, spots[a].lane))
        else:
            edges.append(Edge(a, b, len(lanes) + _claim(thin, ranks[a] + 1, ranks[b] - 1)))
    return Column(
        spots=spots,
        edges=tuple(edges),
        ranks=count,
        lanes=len(lanes),
        thin_lanes=len(thin),
        comes_from=comes_from,
        goes_to=goes_to,
    )


def _chains(ranks: Mapping[str, int], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return, for each layer that has one, the layer that continues its chain.

    Of its users a layer prefers the one with the longest way to the end; of those that want to be
    continued by the same layer, the one with the longest way behind it wins.
    """
    users: dict[str, list[str]] = {name: [] for name in ranks}
    for a, b in pairs:
        users[a].append(b)
    height: dict[str, int] = {}
    for name in sorted(ranks, key=lambda n: -ranks[n]):
        height[name] = 1 + max((height[u] for u in users[name]), default=0)
    following: dict[str, str] = {}
    taken: set[str] = set()
    for name in sorted(ranks, key=lambda n: -ranks[n]):
        free = [u for u in users[name] if u not in taken]
        if free:
            following[name] = max(free, key=lambda u: (height[u], -ranks[u]))
            taken.add(following[name])
    return following


def _claim(lanes: list[list[tuple[int, int]]], start: int, end: int) -> int:
    """Return the first lane that is free from rank ``start`` to ``end``, and take it."""
    for number, spans in enumerate(lanes):
        if all(end < first or last < start for first, last in spans):
            spans.append((start, end))
            return number
    lanes.append([(start, end)])
    return len(lanes) - 1
