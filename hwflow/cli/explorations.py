"""Verbs that explore: ``explore`` and ``pick``; those on a run are in ``runs``."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from hwflow.cli.app import app, explore_app
from hwflow.cli.groups import with_groups
from hwflow.cli.models import MethodOptions
from hwflow.cli.options import (
    BoardOption,
    BoardsOption,
    IoOption,
    JsonOption,
    StrategyOption,
    board_names,
    clock_periods,
)
from hwflow.cli.places import PlaceOptions
from hwflow.cli.runs import RunOption


@dataclass(frozen=True, kw_only=True)
class SpaceOptions:
    """What is explored."""

    bits: Annotated[
        str, typer.Option("--bits", help="Options of weights and activations: ranges, lists.")
    ] = "w=2:8 a=2:8"
    fix: Annotated[
        list[str] | None, typer.Option("--fix", help="Options of one layer, such as fc1:w=8.")
    ] = None
    group: Annotated[
        list[str] | None, typer.Option("--group", help="Layers of this pattern have equal bits.")
    ] = None
    cost: Annotated[
        str | None,
        typer.Option("--cost", help="What counts: share, lut, dsp, latency_ns... with ','."),
    ] = None
    samples: Annotated[int, typer.Option("--samples", help="Most samples to search with.")] = 1000
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """What the designs are generated for."""

    hardware_only: Annotated[
        bool, typer.Option("--hardware-only", help="Keep all bits; choose reuse factors and such.")
    ] = False
    io_type: IoOption = None
    clock: Annotated[
        str | None, typer.Option(help="Clock period in ns; several with --hardware-only.")
    ] = None
    strategy: StrategyOption = None
    fit: Annotated[
        bool, typer.Option("--fit", help="Choose reuse factors and strategies of points, too.")
    ] = False

    def budgets(self, most: list[str] | None) -> dict[str, str] | None:
        """Return what --max says as budgets of a fit, or None where there is none."""
        if self.fit and self.hardware_only:
            raise typer.BadParameter("not with --hardware-only", param_hint="'--fit'")
        from hwflow.fitting.budgets import parse_options

        return parse_options(most or (), ()) if self.fit else None

    @property
    def settings(self) -> dict[str, Any]:
        """The options that were given, by their names in ``[target]``."""
        found: dict[str, Any] = {"io_type": self.io_type, "strategy": self.strategy}
        if len(clocks := clock_periods(self.clock)) > 1:
            raise typer.BadParameter("one clock, or --hardware-only", param_hint="'--clock'")
        found["clock_period_ns"] = clocks[0] if clocks else None
        return {name: value for name, value in found.items() if value is not None}


MaxOption = Annotated[
    list[str] | None,
    typer.Option("--max", help="Limits of the board or of figures: 'lut=70% dsp=80 latency=1us'."),
]
MinOption = Annotated[
    list[str] | None, typer.Option("--min", help="Right answers, searched: acc=95% or agree=98%.")
]


@dataclass(frozen=True, kw_only=True)
class EffortOptions:
    """What is kept to, and how much is evaluated."""

    most: MaxOption = None
    least: MinOption = None
    time: Annotated[
        str | None,
        typer.Option("--time", help="All if it takes no longer, else the best of it: 60s, 5min."),
    ] = None
    evals: Annotated[
        int | None,
        typer.Option(
            "--evals", min=1, help="Configurations of a heuristic exploration; 1200 without --time."
        ),
    ] = None
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Evaluate all, however long it takes.")
    ] = False

    @property
    def settings(self) -> dict[str, Any]:
        """Return the options by the names that ``explore`` takes."""
        from hwflow.exploration.budgets import read_seconds

        if self.exhaustive and (self.time or self.evals):
            raise typer.BadParameter("evaluates all, without a limit", param_hint="'--exhaustive'")
        return {
            "most": self.most or (), "least": self.least or (), "exhaustive": self.exhaustive,
            "evaluations": self.evals,
            "time_s": None if self.time is None else read_seconds(self.time),
        }  # fmt: skip


@explore_app.callback()
@with_groups
def explore(
    model: Annotated[
        Path,
        typer.Argument(help="Model, as quantize takes it.", show_default=False),
    ],
    *,
    data: Annotated[
        Path | None, typer.Option("--data", "-d", help=".npz with inputs, labels as y.")
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

    With --hardware-only, the settings that nothing beats: time against cost, bits as they are. The
    same command goes on where it was ended, at any moment.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    budgets = hardware.budgets(effort.most)
    if hardware.hardware_only:
        if effort != EffortOptions():
            raise typer.BadParameter(
                "has neither limits nor a time", param_hint="'--hardware-only'"
            )
        _explore_hardware(
            model, data=data, boards=board_names(board), run=run, cost=space.cost,
            hardware=hardware, json=json,
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


def _explore_hardware(
    model: Path, *, data: Path | None, boards: list[str], run: Path, cost: str | None,
    hardware: HardwareOptions, json: bool,
) -> None:  # fmt: skip
    """Explore reuse factors, strategies, io types and clocks, and print what was found."""
    from hwflow.cli import terminal
    from hwflow.cli.show.hardware import print_hardware
    from hwflow.exploration.hardware import HardwareRequest, explore_hardware

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
        time=named[0], cost=named[1], **{name: value for name, value in lists.items() if value},
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
    from hwflow.exploration.hardware_pick import open_hardware, pick_hardware
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
