"""The verb that chooses settings: fit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.groups import with_groups
from hwflow.cli.options import (
    BackendOptions,
    BoardsOption,
    ConfigOption,
    JsonOption,
    Model,
    ReadingOptions,
    TypeDataOption,
    board_names,
    clock_periods,
)


@app.command(
    epilog="Example: hwflow fit model.onnx --board pynq-z2 --target area --clock 5 "
    "--max lut=60% --max latency=1us -o fitted.toml"
)
@with_groups
def fit(
    model: Model,
    *,
    board: BoardsOption = None,
    target: Annotated[
        str, typer.Option(help="What must be best: latency, throughput or area.")
    ] = "latency",
    clock: Annotated[
        str | None, typer.Option(help="Clock period in ns; several with ',' of which one is taken.")
    ] = None,
    most: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            help="A budget: lut, ff, dsp, bram or uram as a number or a share (lut=60%, "
            "lut=60%:high), latency=1us (ns, us, ms, cycles), ii=4; several with ','.",
        ),
    ] = None,
    least: Annotated[
        list[str] | None,
        typer.Option("--min", help="throughput=200k: inferences per second, at least."),
    ] = None,
    config: ConfigOption = None,
    data: TypeDataOption = None,
    generated: BackendOptions,
    reading: ReadingOptions,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Settings file; hwflow.toml, if there is none yet."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Choose the settings of all layers: the proven optimum of the estimate within budgets.

    Strategies, reuse factors, parallelization factors, and the io type where none is given; bits
    do not change. Of several boards, the cheapest that something fits gets the settings file.
    Exit status: 0 when something fits, 1 when nothing does, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.fitting import print_fit
    from hwflow.fitting.budgets import parse_options
    from hwflow.fitting.fit import fit as fit_model
    from hwflow.fitting.settings import check_out, write_settings

    path = out or Path("hwflow.toml")
    if out is None:
        check_out(path)
    with terminal.stage_progress(quiet=json) as progress:
        found = fit_model(
            model, target=target, board=board_names(board), clock_period_ns=clock_periods(clock),
            budgets=parse_options(most or (), least or ()), config=config, data=data,
            progress=progress, io_type=generated.io_type, backend=generated.backend,
            plugins=reading.plugins, weights=reading.weights, trust=reading.trust,
        )  # fmt: skip
    if found.best is not None:
        write_settings(found, path)
    print_fit(found, path, json=json)
    raise typer.Exit(0 if found.best else 1)
