"""Verbs on a run of an exploration: ``hwflow explore VERB --run DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import explore_app
from hwflow.cli.options import (
    BoardOption,
    BoardsOption,
    ClockOption,
    IoOption,
    JsonOption,
    StrategyOption,
    board_names,
)

RunOption = Annotated[Path, typer.Option("--run", "-r", help="Folder of the run.")]


@explore_app.command(epilog="Example: hwflow explore front --run runs/digits --board pynq-z2")
def front(run: RunOption, board: BoardOption = None, json: JsonOption = False) -> None:
    """Show the fronts that were found."""
    from hwflow.cli.show.exploration import print_run
    from hwflow.cli.show.hardware import print_hardware
    from hwflow.exploration.hardware import open_hardware
    from hwflow.exploration.run import open_run

    if (hardware := open_hardware(run)) is not None:
        print_hardware(hardware, board=board, json=json)
        return
    print_run(open_run(run)[1], board=board, json=json)


@explore_app.command(epilog="Example: hwflow explore status --run runs/digits")
def status(run: RunOption, json: JsonOption = False) -> None:
    """Say how far an exploration is; one that runs is not disturbed."""
    from hwflow.cli.show.hardware import print_hardware_status
    from hwflow.cli.show.runs import print_status
    from hwflow.exploration.hardware import open_hardware
    from hwflow.exploration.status import status_of

    if (hardware := open_hardware(run)) is not None:
        print_hardware_status(hardware, json=json)
        return
    print_status(status_of(run), json=json)


@explore_app.command(epilog="Example: hwflow explore show 17 --run runs/digits")
def show(
    number: Annotated[
        int | None, typer.Argument(metavar="ID", help="A point's id; the knee unless given.")
    ] = None,
    *,
    run: RunOption,
    board: BoardOption = None,
    json: JsonOption = False,
) -> None:
    """Show all about a point: bits, accuracies, costs, shares of the board, and why it is there."""
    from hwflow.cli.show.hardware import print_hardware_point
    from hwflow.cli.show.runs import print_point
    from hwflow.exploration.hardware import open_hardware
    from hwflow.exploration.points import front_of_board, point_of
    from hwflow.exploration.run import open_run

    hardware = open_hardware(run)
    found = hardware or open_run(run)[1]
    front = front_of_board(found, board)
    point = point_of(front, front["knee"] if number is None else number)
    if hardware is not None:
        print_hardware_point(hardware, front, point, json=json)
        return
    print_point(found, front, point, json=json)


@explore_app.command(epilog="Example: hwflow explore diff 17 25 --run runs/digits")
def diff(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[A B]", help="Two points; none for whole runs.")
    ] = None,
    *,
    run: RunOption,
    other: Annotated[
        Path | None, typer.Option("--other", help="Another run: B, and the second front, are its.")
    ] = None,
    board: BoardOption = None,
    json: JsonOption = False,
) -> None:
    """Compare two points, or the fronts of two runs."""
    from hwflow.cli.show.hardware import print_hardware_difference, print_hardware_runs
    from hwflow.cli.show.runs import print_difference, print_runs
    from hwflow.exploration.comparison import runs_compared
    from hwflow.exploration.hardware import open_hardware, opened_hardware
    from hwflow.exploration.hardware_points import hardware_runs_compared
    from hwflow.exploration.points import front_of_board, point_of
    from hwflow.exploration.run import open_run

    if len(numbers or ()) not in ((0, 2) if other else (2,)):
        says = "two points" if other is None else "two points, or none for all"
        raise typer.BadParameter(f"takes {says}", param_hint="'A B'")
    hardware = open_hardware(run)
    one = hardware or open_run(run)[1]
    if other is None:
        two = one
    else:
        two = open_run(other)[1] if hardware is None else opened_hardware(other)
    if not numbers:
        if hardware is None:
            print_runs(runs_compared(one, two, board), json=json)
        else:
            print_hardware_runs(hardware_runs_compared(one, two, board), json=json)
        return
    a, b = (point_of(front_of_board(r, board), n) for r, n in zip((one, two), numbers, strict=True))
    (print_difference if hardware is None else print_hardware_difference)(a, b, json=json)


@explore_app.command(epilog="Example: hwflow explore recost --run runs/digits --board arty-a7-100t")
def recost(
    *,
    run: RunOption,
    board: BoardsOption = None,
    io_type: IoOption = None,
    clock: ClockOption = None,
    strategy: StrategyOption = None,
    tool: Annotated[str | None, typer.Option("--tool", help="Version of the HLS tool.")] = None,
    cost: Annotated[str, typer.Option("--cost", help="What counts, as for explore.")] = "",
    json: JsonOption = False,
) -> None:
    """Price what was evaluated for another board, clock, strategy or tool; evaluates nothing.

    The new fronts are kept with the run, under the name of the board and what else is different.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_run
    from hwflow.exploration.recosting import recost as priced

    given = {"io_type": io_type, "clock_period_ns": clock, "strategy": strategy, "tool": tool}
    with terminal.stage_progress(quiet=json) as progress:
        found = priced(
            run, boards=board_names(board), cost=board_names(cost), progress=progress,
            target={name: value for name, value in given.items() if value is not None},
        )  # fmt: skip
    print_run(found, json=json)


@explore_app.command(epilog="Example: hwflow explore sensitivity --run runs/digits")
def sensitivity(run: RunOption, board: BoardOption = None, json: JsonOption = False) -> None:
    """Show what each choice of bits loses alone, and what the next bits gain for their LUTs."""
    from hwflow.cli.show.sensitivity import print_sensitivity
    from hwflow.exploration.points import front_of_board
    from hwflow.exploration.run import open_finished

    found = open_finished(run)[1]
    print_sensitivity(found.result, front_of_board(found, board), json=json)


@explore_app.command(
    epilog="Example: hwflow explore gate --run runs/digits --baseline front.json --tol 0.5pp"
)
def gate(
    *,
    run: RunOption,
    baseline: Annotated[
        Path, typer.Option("--baseline", help="front.json of the run to compare with.")
    ],
    tol: Annotated[
        str, typer.Option("--tol", help="Right answers that may be lost, such as 0.5pp.")
    ] = "0pp",
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    json: JsonOption = False,
) -> None:
    """Check in CI that no front got worse than a baseline's.

    Exit status: 0 when every front reaches as much, and every point of the baseline at no more
    cost; 1 when not; 2 on errors in the input.
    """
    from hwflow.cli.show.runs import print_gate
    from hwflow.exploration.gate import gated, read_tolerance
    from hwflow.project.verification import errors_written

    with errors_written(run, junit=junit, summary=None):
        found = gated(run, baseline, read_tolerance(tol), junit=junit)
    print_gate(found, json=json)
    raise typer.Exit(0 if all(check.passed for check in found) else 1)


@explore_app.command(epilog="Example: hwflow explore export --run runs/digits -o front.html")
def export(
    *,
    run: RunOption,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File; its suffix says the format.")
    ] = None,
    format: Annotated[  # noqa: A002 - the word of the command line
        str | None,
        typer.Option("--format", help="csv, json, html, svg or png, whatever the suffix is."),
    ] = None,
    board: BoardOption = None,
    json: JsonOption = False,
) -> None:
    """Write the fronts for other programs, or pictures of them; to standard output without -o."""
    from hwflow.cli.show.exploration import print_exported
    from hwflow.exploration.export import export_run

    print_exported(export_run(run, out, kind=format, board=board), out, json=json)
