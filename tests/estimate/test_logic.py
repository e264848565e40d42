"""Estimates in the blocks of other devices than AMD's."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from hwflow.core.board import LogicKind, list_boards, load_board
from hwflow.estimate.graph import BOARD_COLUMN, board_utilisation
from hwflow.estimate.logic import ALM, KINDS, LUT4, logic_of
from hwflow.ir.cost import Cost, Estimate

COST = Cost(
    lut_synth=Estimate(1000, 800, 1500), ff_synth=Estimate(2000, 1500, 4000),
    dsp=Estimate(12, 10, 20), bram_18k=Estimate(5, 4, 8),
)  # fmt: skip


def test_every_kind_of_profiles_is_known() -> None:
    assert set(KINDS) == set(get_args(LogicKind))
    assert {b.logic_kind for b in list_boards()} == set(KINDS)


# logic cells of DS180: 4-input equivalents of the same LUTs, by the maker
@pytest.mark.parametrize(("luts", "cells"), [(63_400, 101_440), (203_800, 326_080)])
def test_a_lut_is_as_many_logic_cells_as_the_data_sheet_counts(luts: int, cells: int) -> None:
    assert cells / luts == pytest.approx(LUT4.value)


# thousands of logic elements and ALMs: Cyclone V, Arria 10 and Stratix 10 device overviews
@pytest.mark.parametrize(
    ("elements", "alms"), [(110_000, 41_509), (1_150_000, 427_200), (2_753_000, 933_120)]
)
def test_an_alm_is_as_many_logic_elements_as_the_data_sheets_count(
    elements: int, alms: int
) -> None:
    assert ALM.value == pytest.approx(LUT4.value * alms / elements, rel=0.12)


def test_any_choice_of_four_takes_two_luts_of_four_inputs() -> None:
    """The 6 of the upper end: 4 cofactors, and 2 LUTs that choose of them."""
    for d0, d1, d2, d3, s0, s1 in product((0, 1), repeat=6):
        first = s0 if s1 else (d1 if s0 else d0)
        second = (d3 if first else d2) if s1 else first
        assert second == (d0, d1, d2, d3)[2 * s1 + s0]
    assert LUT4.high == 4 + 2


@pytest.mark.parametrize("name", ["PYNQ-Z2", "ULX3S-85F", "iCEBreaker", "DE10-Nano", "VCK190"])
def test_shares_are_in_the_blocks_of_the_board(name: str) -> None:
    board = load_board(name)
    logic = logic_of(board)
    for use in board_utilisation(COST, board):
        used = getattr(COST, BOARD_COLUMN[use.resource], Estimate.exact(0))
        ratio = logic.ratios.get(use.resource, Estimate(1, 1, 1))
        assert use.used.low == used.low * ratio.low
        assert use.used.value == used.value * ratio.value
        assert use.used.high == used.high * ratio.high
        assert use.basis == (used.basis if board.vendor == "amd" else "extrapolated")
        assert use.percent.value == pytest.approx(100 * use.used.value / use.available)


def test_figures_for_amd_do_not_change() -> None:
    board = load_board("PYNQ-Z2")
    uses = {use.resource: use.used for use in board_utilisation(COST, board)}
    assert uses["lut"] == COST.lut_synth
    assert uses["dsp"] == COST.dsp


def test_intervals_are_wider_where_figures_are_extrapolated() -> None:
    amd, other = load_board("PYNQ-Z2"), load_board("ULX3S-85F")
    narrow, wide = (
        next(u.used for u in board_utilisation(COST, b) if u.resource == "lut")
        for b in (amd, other)
    )
    assert wide.high / wide.low > narrow.high / narrow.low
    same = replace(COST, lut_synth=Estimate(0, 0, 0))
    assert next(board_utilisation(same, other)).used == Estimate(0, 0, 0)
