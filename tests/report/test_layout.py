"""Networks of any shape are placed without two things in one place."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from hwflow.report.layout import COLUMN_RANKS, COLUMNS, lay_out

Nodes = list[tuple[str, list[str]]]


@st.composite
def networks(draw: st.DrawFn) -> Nodes:
    nodes: Nodes = [("n0", [])]
    for i in range(1, draw(st.integers(1, 40))):
        near = st.integers(max(0, i - draw(st.integers(1, 6))), i - 1)
        inputs = draw(st.lists(near, min_size=0, max_size=3))
        nodes.append((f"n{i}", [f"n{k}" for k in inputs]))
    return nodes


def occupied(nodes: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Assert that in each column no place is taken twice and every edge goes down."""
    columns = lay_out(nodes)
    placed = [name for column in columns for name in column.spots]
    assert sorted(placed) == sorted(name for name, _ in nodes)
    drawn = {(e.source, e.target) for column in columns for e in column.edges}
    continued = {(c.comes_from, d) for c in columns if c.comes_from for d in c.spots}
    for name, inputs in nodes:
        for source in inputs:
            assert (source, name) in drawn | continued
    for column in columns:
        taken = [(s.rank, s.lane) for s in column.spots.values()]
        ways = {}
        for edge in column.edges:
            start, end = column.spots[edge.source].rank, column.spots[edge.target].rank
            assert start < end
            assert (edge.lane is None) == (end == start + 1)
            if edge.lane is not None:
                ways[edge] = [(rank, edge.lane) for rank in range(start + 1, end)]
        taken += [place for places in ways.values() for place in places]
        assert len(taken) == len(set(taken))
        assert all(0 <= r < column.ranks for r, _ in taken)
        assert all(0 <= lane < column.lanes + column.thin_lanes for _, lane in taken)


@given(networks())
def test_no_place_is_taken_twice(nodes: Nodes) -> None:
    occupied(nodes)


def chain(length: int) -> Nodes:
    return [(f"n{i}", [f"n{i - 1}"] if i else []) for i in range(length)]


def test_a_chain_is_one_lane_cut_into_columns() -> None:
    columns = lay_out(chain(50))
    assert [c.lanes for c in columns] == [1] * COLUMNS
    assert max(c.ranks for c in columns) == 13
    assert [c.goes_to for c in columns[:-1]] == [next(iter(c.spots)) for c in columns[1:]]


def test_a_small_network_stays_whole() -> None:
    assert len(lay_out(chain(COLUMN_RANKS))) == 1


def test_a_skip_connection_runs_beside_the_trunk() -> None:
    nodes = [("x", []), ("a", ["x"]), ("b", ["a"]), ("sum", ["x", "b"])]
    (column,) = lay_out(nodes)
    assert {name: spot.lane for name, spot in column.spots.items()} == dict.fromkeys("xab", 0) | {
        "sum": 0
    }
    assert [(e.source, e.target, e.lane) for e in column.edges if e.lane is not None] == [
        ("x", "sum", 1)
    ]


def test_a_residual_block_is_never_cut() -> None:
    nodes = chain(9)
    nodes[7] = ("n7", ["n6", "n2"])
    for column in lay_out(nodes):
        inside = {"n2", "n7"} & set(column.spots)
        assert len(inside) in (0, 2)


def test_an_empty_graph_has_an_empty_column() -> None:
    assert [len(c.spots) for c in lay_out([])] == [0]
