"""Verbs that explore: ``explore`` and ``pick``; those on a run are in ``runs``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from hwflow.cli.app import app, explore_app
from hwflow.cli.exploration_options import (
    EffortOptions,
    HardwareOptions,
    MaxOption,
    MinOption,
    SpaceOptions,
)
from hwflow.cli.groups import with_groups
from hwflow.cli.models import MethodOptions
from hwflow.cli.options import (
    BoardOption,
    BoardsOption,
    JsonOption,
    board_names,
    clock_periods,
)
from hwflow.cli.places import PlaceOptions
from hwflow.cli.runs import RunOption

RESUMED = {
    "run", "most", "least", "time", "evals", "exhaustive", "workers", "scheduler", "json",
}  # fmt: skip
"""Options of a run that goes on; others are as they were."""


@explore_app.callback()
@with_groups
def explore(
    context: typer.Context,
    model: Annotated[
        Path | None,
        typer.Argument(help="Model, as quantize takes it; without one, --run goes on."),
    ] = None,
    *,
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help=".npz or FILE.py:FUNCTION, labels as y.")
    ] = None,
    board: BoardsOption = "pynq-z2",
    run: RunOption,
    space: SpaceOptions,
    hardware: HardwareOptions,
    how: MethodOptions,
    place: PlaceOptions,
    effort: EffortOptions,
    json: JsonOption = False,
) -> None:
    """Find the precisions that nothing beats: accuracy against what they cost on a board.

    With --hardware-only, the settings that nothing beats: time against cost, bits as they are. What
    was ended, at any moment, goes on with the same command, or with --run alone.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    if model is None:
        _resume(context, run, effort=effort, place=place, json=json)
        return
    budgets = hardware.budgets(effort.most)
    if hardware.hardware_only:
        _explore_hardware(
            model, data=data, boards=board_names(board), run=run, cost=space.cost,
            hardware=hardware, budgets=effort.budgets(), json=json,
        )  # fmt: skip
        return
    if data is None:
        raise typer.BadParameter("needed unless --hardware-only", param_hint="'--data'")
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_run, say
    from hwflow.exploration.api import explore as explore_model

    settings = effort.settings if budgets is None else {**effort.settings, "most": ()}
    with terminal.stage_progress(quiet=json) as progress:
        found = explore_model(
            model, data, run=run, board=board_names(board), bits=space.bits, fix=space.fix or (),
            group=space.group or (), samples=space.samples, fit=budgets,
            cost=board_names(space.cost or ("share" if budgets is None else "latency_ns")),
            seed=space.seed, progress=progress, say=say(quiet=json), **asdict(how),
            **hardware.settings, **place.settings, **settings,
        )  # fmt: skip
    print_run(found, json=json)


def _resume(
    context: typer.Context, run: Path, *, effort: EffortOptions, place: PlaceOptions, json: bool
) -> None:
    """Go on with a run, with the model, the data and the options that it was begun with."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "")
        if given is not None and given.name == "COMMANDLINE" and option.name not in RESUMED:
            raise typer.BadParameter(
                "needs MODEL; a run that goes on has its own", param_hint=f"'{option.opts[0]}'"
            )
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_run, say
    from hwflow.cli.show.hardware import print_hardware
    from hwflow.exploration.resuming import resume, resume_hardware

    with terminal.stage_progress(quiet=json) as progress:
        hardware = resume_hardware(run, effort.budgets, progress)
    if hardware is not None:
        print_hardware(hardware, json=json)
        return
    with terminal.stage_progress(quiet=json) as progress:
        found = resume(
            run, progress=progress, say=say(quiet=json), **place.settings, **effort.settings
        )
    print_run(found, json=json)


def _explore_hardware(
    model: Path, *, data: Path | None, boards: list[str], run: Path, cost: str | None,
    hardware: HardwareOptions, budgets: dict[str, str], json: bool,
) -> None:  # fmt: skip
    """Explore reuse factors, strategies, io types and clocks, and print what was found."""
    from hwflow.cli import terminal
    from hwflow.cli.show.hardware import print_hardware
    from hwflow.exploration.hardware import explore_hardware
    from hwflow.exploration.hardware_request import HardwareRequest

    named = board_names(cost or "latency_ns,share")
    if len(named) != 2:
        raise typer.BadParameter(
            "a time and what it costs, such as latency_ns,share", param_hint="'--cost'"
        )
    lists: dict[str, Any] = {
        "clocks": tuple(clock_periods(hardware.clock)),
        "io_types": tuple(board_names(hardware.io_type)),
        "strategies": tuple(board_names(hardware.strategy)),
    }
    request = HardwareRequest(
        model=str(model), data=None if data is None else str(data), boards=tuple(boards),
        time=named[0], cost=named[1], budgets=budgets,
        **{name: value for name, value in lists.items() if value},
    )  # fmt: skip
    with terminal.stage_progress(quiet=json) as progress:
        found = explore_hardware(request, run, progress)
    print_hardware(found, json=json)


@app.command(epilog="Example: hwflow pick --run runs/digits --max share=30% -o build/digits")
def pick(
    *,
    run: RunOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    board: BoardOption = None,
    number: Annotated[
        int | None, typer.Option("--id", help="A point's id; the knee unless given.")
    ] = None,
    knee: Annotated[
        bool, typer.Option("--knee", help="The knee, of the points within --max and --min.")
    ] = False,
    best: Annotated[
        str | None, typer.Option("--best", help="Most acc or agree, or least of a cost.")
    ] = None,
    most: MaxOption = None,
    least: MinOption = None,
    cpp: Annotated[bool, typer.Option("--cpp/--no-cpp", help="Compare with compiled C++.")] = True,
    json: JsonOption = False,
) -> None:
    """Build a point of a front, after checking that it is what was found.

    Without --id, --knee and --best it is the best within --max and --min, or the knee.

    Exit status: 0 when every bit agrees, 2 where anything differs from the exploration.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_picked
    from hwflow.cli.show.hardware import print_picked_hardware
    from hwflow.codegen.project import check_folder
    from hwflow.exploration.hardware import open_hardware
    from hwflow.exploration.hardware_pick import pick_hardware
    from hwflow.exploration.pick import choice_of
    from hwflow.exploration.pick import pick as pick_point

    if sum((number is not None, knee, best is not None)) > 1:
        raise typer.BadParameter("one of --id, --knee and --best", param_hint="'--id'")
    choice = choice_of(board, number, most or (), least or (), best=best, knee=knee)
    check_folder(out)
    hardware = open_hardware(run)
    with terminal.stage_progress(quiet=json) as progress:
        if hardware is not None:
            built = pick_hardware(hardware, out, choice, cpp=cpp, progress=progress)
        else:
            found = pick_point(run, out, choice, cpp=cpp, progress=progress)
    if hardware is not None:
        print_picked_hardware(built, json=json)
    else:
        print_picked(found, json=json)
