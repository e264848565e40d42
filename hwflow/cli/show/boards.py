"""What the command line prints about boards: their figures, and designs on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.core.board import RESOURCES, Board, list_boards
from hwflow.estimate.logic import logic_of

if TYPE_CHECKING:
    from hwflow.estimate.report import Utilisation
    from hwflow.project.advice.boards import OnBoard
    from hwflow.project.design import Design

UNKNOWN = "unknown"
"""What stands for a figure that nobody is sure of."""

SHARES = ("lut", "ff", "dsp", "bram_18k")
"""Resources that have a column in the table of a design on boards."""

ANSWERS = {"yes": "yes", "borderline": "may", "no": "no", "": "not with these settings"}
"""Whether a board holds a design, in the words of the table."""


def print_boards(names: Sequence[str], *, json: bool) -> None:
    """Print all boards, or some with the source of each figure."""
    from hwflow.project.candidates import load_boards

    chosen = load_boards(names) if names else list_boards()
    if json:
        print_json([{**b.model_dump(), "buildable": b.buildable} for b in chosen])
        return
    if names:
        for board in chosen:
            _print_one(board)
        return
    figures = (f">{column}" for column in (*RESOURCES, "clock ns"))
    columns = ("board", "part", "grade", "logic", *figures, "price USD", ">idle W")
    shown = table(columns, title=f"{len(chosen)} boards")
    for board in chosen:
        counts = (f"{board.resources.count(r):,}" for r in RESOURCES)
        clock = f"{board.clock_period_ns:g}"
        cell, grade = logic_of(board).cell, board.speed_grade or UNKNOWN
        shown.add_row(
            board.name, board.part, grade, cell, *counts, clock, _price(board), _idle(board)
        )
    console.print(shown)


def _price(board: Board) -> str:
    return board.price.usd if board.price else UNKNOWN


def _idle(board: Board) -> str:
    return f"{board.idle_power.watts:g}" if board.idle_power else UNKNOWN


def _whole(board: Board) -> str:
    found = board.board_power
    return f"{found.low:g}-{found.high:g}" if found else UNKNOWN


def _print_one(board: Board) -> None:
    """Print a board with the source of each figure."""
    console.print(escape(f"{board.name}: {board.part}, {board.family}, {board.memory}"))
    for resource in RESOURCES:
        figure = getattr(board.resources, resource)
        console.print(f"  {resource:<10} {figure.count:>10,}  {escape(figure.source)}")
    for name, text, sourced in (
        ("price USD", _price(board), board.price),
        ("idle W", _idle(board), board.idle_power),
        ("board W", _whole(board), board.board_power),
    ):
        console.print(
            f"  {name:<10} {text:>10}  {escape(sourced.source if sourced else '')}".rstrip()
        )
    console.print(f"  speed grade {board.speed_grade or UNKNOWN}, logic of {logic_of(board).cell}s")
    console.print(f"  clock      {board.clock_period_ns:>7g} ns  {escape(board.notes)}".rstrip())


def print_on_boards(design: Design, found: Sequence[OnBoard], *, json: bool) -> None:
    """Print a design on each of several boards, in the order given."""
    if json:
        print_json({"model": design.source, "boards": [each.to_dict() for each in found]})
        return
    figures = (f">{column} %" for column in SHARES)
    columns = ("board", "price USD", "fits", "breaks first", *figures, ">latency ns", ">clock ns")
    title = f"{design.source} on {len(found)} boards, estimated after logic synthesis"
    shown = table((*columns, "basis", "build"), title=title)
    for each in found:
        report = each.report
        shares = {use.resource: use for use in report.utilisation} if report else {}
        shown.add_row(
            each.board.name,
            _price(each.board),
            ANSWERS[each.fits],
            _first(each),
            *(_share(shares.get(resource)) for resource in SHARES),
            f"{report.latency_ns.value:,.0f}" if report else "",
            f"{report.clock_period_ns:g}" if report else "",
            each.tightest.basis if each.tightest else "",
            "yes" if each.board.buildable else "no",
        )
    console.print(shown)
    for why in dict.fromkeys(logic_of(each.board).why for each in found):
        if why:
            console.print(escape(f"extrapolated: {why}; never measured"), soft_wrap=True)


def _share(use: Utilisation | None) -> str:
    if use is None:
        return ""
    return f"{use.percent.value:,.1f}" if use.available else "none there"


def _first(each: OnBoard) -> str:
    """Return what breaks first, and by how much; what comes nearest to it where all holds."""
    use = each.tightest
    if use is None:
        return ""
    need = f"{use.used.value:,.0f} of {use.available:,}"
    if each.excess:
        return f"{use.resource}: {need}, {each.excess:,.0f} too many"
    if use.fits == "borderline":
        return f"{use.resource}: {need}, up to {use.used.high:,.0f}"
    return f"({use.resource}: {need})"
