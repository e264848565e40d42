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
    ClockOption,
    IoOption,
    JsonOption,
    StrategyOption,
    board_names,
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
        str, typer.Option("--cost", help="What counts: share, lut, dsp, latency_ns... with ','.")
    ] = "share"
    samples: Annotated[int, typer.Option("--samples", help="Most samples to search with.")] = 1000
    seed: Annotated[int, typer.Option("--seed", help="Of all that is drawn.")] = 0


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """What the designs are generated for."""

    io_type: IoOption = None
    clock: ClockOption = None
    strategy: StrategyOption = None

    @property
    def settings(self) -> dict[str, Any]:
        """The options that were given, by their names in ``[target]``."""
        found = {
            "io_type": self.io_type, "clock_period_ns": self.clock, "strategy": self.strategy
        }  # fmt: skip
        return {name: value for name, value in found.items() if value is not None}


@explore_app.callback()
@with_groups
def explore(
    model: Annotated[
        Path,
        typer.Argument(help="Model, as quantize takes it.", show_default=False),
    ],
    *,
    data: Annotated[Path, typer.Option("--data", "-d", help=".npz with inputs, labels as y.")],
    board: BoardsOption = "pynq-z2",
    run: RunOption,
    space: SpaceOptions,
    hardware: HardwareOptions,
    how: MethodOptions,
    place: PlaceOptions,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Evaluate all, however long it takes.")
    ] = False,
    evals: Annotated[
        int, typer.Option("--evals", help="Configurations of a heuristic exploration.")
    ] = 1200,
    json: JsonOption = False,
) -> None:
    """Find the precisions that nothing beats: accuracy against what they cost on a board.

    The same command goes on where it was ended, at any moment.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_run, say
    from hwflow.exploration.api import explore as explore_model

    with terminal.stage_progress(quiet=json) as progress:
        found = explore_model(
            model, data, run=run, board=board_names(board), bits=space.bits, fix=space.fix or (),
            group=space.group or (), cost=board_names(space.cost), samples=space.samples,
            seed=space.seed, exhaustive=exhaustive, evaluations=evals,
            progress=progress, say=say(quiet=json), **asdict(how), **hardware.settings,
            **place.settings,
        )  # fmt: skip
    print_run(found, json=json)


@app.command(epilog="Example: hwflow pick --run runs/digits --max share=30% -o build/digits")
def pick(
    *,
    run: RunOption,
    out: Annotated[Path, typer.Option("--out", "-o", help="Output folder.")],
    board: BoardOption = None,
    number: Annotated[
        int | None, typer.Option("--id", help="A point's id; the knee unless given.")
    ] = None,
    most: Annotated[
        list[str] | None, typer.Option("--max", help="The best within share=30%, lut=9000.")
    ] = None,
    cpp: Annotated[bool, typer.Option("--cpp/--no-cpp", help="Compare with compiled C++.")] = True,
    json: JsonOption = False,
) -> None:
    """Build a point of a front, after checking that it is what was found.

    Exit status: 0 when every bit agrees, 2 where anything differs from the exploration.
    """
    from hwflow.core.threads import one_thread

    one_thread()
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import print_picked
    from hwflow.codegen.project import check_folder
    from hwflow.exploration.pick import choice_of
    from hwflow.exploration.pick import pick as pick_point

    check_folder(out)
    with terminal.stage_progress(quiet=json) as progress:
        found = pick_point(
            run, out, choice_of(board, number, most or ()), cpp=cpp, progress=progress
        )
    print_picked(found, json=json)
