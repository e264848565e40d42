"""Tables in LUTs: every count is that of a netlist that computes the table."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.estimate.lookup import adder_bits
from hwflow.estimate.packing import packed_luts

Truth = tuple[int, ...]


class Netlist:
    """LUT6, each a truth table of at most six wires; ``bit k`` of the index is wire ``k``."""

    def __init__(self) -> None:
        self.luts: dict[tuple[tuple[int, ...], Truth], int] = {}

    def function(self, truth: Truth, wires: tuple[int, ...]) -> tuple[int, bool] | int:
        """Return the wire that carries a function, and whether it is inverted; or a constant."""
        for place, wire in enumerate(wires):
            low, high = cofactors(truth, place)
            if low == high:
                return self.function(low, tuple(w for w in wires if w != wire))
        if not wires:
            return truth[0]
        if len(wires) == 1:
            return wires[0], truth[0] == 1
        inverted = truth[0] == 1
        truth = tuple(t ^ truth[0] for t in truth)
        assert len(wires) <= 6
        number = self.luts.setdefault((wires, truth), 100 + len(self.luts))
        return number, inverted

    def value(self, source: tuple[int, bool] | int, index: int) -> int:
        if isinstance(source, int):
            return source
        wire, inverted = source
        if wire < 100:
            return (index >> wire & 1) ^ inverted
        wires, truth = list(self.luts)[wire - 100]
        at = sum((index >> w & 1) << k for k, w in enumerate(wires))
        return truth[at] ^ inverted


def cofactors(truth: Truth, place: int) -> tuple[Truth, Truth]:
    halves = [tuple(t for i, t in enumerate(truth) if (i >> place & 1) == side) for side in (0, 1)]
    return halves[0], halves[1]


def bits_of(table: list[int]) -> list[Truth]:
    width = max(max(table), -1 - min(table)).bit_length() + 1
    return [tuple(t >> b & 1 for t in table) for b in range(width)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_table_of_six_bits_takes_the_luts_of_a_netlist(
    data: st.DataObject,
) -> None:
    bits = data.draw(st.integers(0, 6))
    table = data.draw(st.lists(st.integers(-9, 9), min_size=1 << bits, max_size=1 << bits))
    netlist = Netlist()
    wires = [netlist.function(t, tuple(range(bits))) for t in bits_of(table)]
    for index, value in enumerate(table):
        found = sum(netlist.value(w, index) << b for b, w in enumerate(wires))
        width = len(wires)
        assert found - (1 << width) * (found >> width - 1) == value
    used = {w for inputs, _ in netlist.luts for w in inputs}
    shared = len(used) <= 5
    expected = (len(netlist.luts) + 1) // 2 if shared else len(netlist.luts)
    assert packed_luts([np.array(table)]) == expected


@settings(max_examples=25, deadline=None)
@given(st.integers(7, 9), st.integers(1, 12), st.integers(0, 10**6))
def test_larger_tables_take_no_more_than_one_lut_a_choice(bits: int, few: int, seed: int) -> None:
    """And no more than their different choices, each once, joined by LUTs that choose of four."""
    rng = np.random.default_rng(seed)
    choices = rng.integers(0, 2, (few, 64))
    picks = rng.integers(0, few, 1 << bits - 6)
    table = choices[picks].ravel()
    ways = 1 << bits - 6
    made = packed_luts([table])
    assert made <= ways + max(0, -(-((ways >> 2) - 1) // 3))
    assert made <= few + -(-(ways - 1) // 3)


@pytest.mark.parametrize(
    ("table", "luts"),
    [
        ([3] * 64, 0),
        ([0, 1] * 32, 0),
        (list(range(64)), 0),
        ([-1 - i for i in range(32)], 0),
        ([i & (i >> 1) & 1 for i in range(64)], 1),
        ([3 * (i & (i >> 1) & 1) for i in range(64)], 1),
        ([(i * i) % 2**6 for i in range(64)], 2),
        ([int(i == 77) for i in range(128)], 2),
    ],
)
def test_what_is_constant_or_a_wire_is_free(table: list[int], luts: int) -> None:
    assert packed_luts([np.array(table)]) == luts


def test_many_tables_are_the_sum_of_each() -> None:
    rng = np.random.default_rng(0)
    tables = [rng.integers(-20, 20, 1 << int(n)) for n in rng.integers(0, 9, 30)]
    assert packed_luts(tables) == sum(packed_luts([t]) for t in tables)


def test_adders_are_as_wide_as_what_both_operands_have() -> None:
    tables = [np.array([0, 7]), np.array([0, 12]), np.array([-8, 0])]
    low, high = (np.array([f(t) for t in tables]) for f in (np.min, np.max))
    grid = np.array([[0, 1, 2], [1, -1, -1]])
    # 0..7 and multiples of 4 to 12: 4 - 2 bits; 0..19 and multiples of 8 to -8: 5 - 3 bits
    assert adder_bits(grid, low, high, tables) == (4, 2)
    assert adder_bits(grid[1:], low, high, tables) == (0, 0)
    assert adder_bits(np.zeros((2, 0), np.int64), low[:0], high[:0], []) == (0, 0)
