"""Verbs on written projects: diff, synth, report, calibrate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.options import DataOption, JsonOption, PluginOption, TrustOption
from hwflow.core.durations import parse_duration

_HELP = "Folder that build wrote, or its manifest.json."

StoredOption = Annotated[Path, typer.Argument(help="Folder that build wrote.", show_default=False)]


@app.command(epilog="Example: hwflow diff build/before build/after")
def diff(
    before: Annotated[Path, typer.Argument(help=_HELP, show_default=False)],
    after: Annotated[Path, typer.Argument(help="Another, held against it.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Show what differs between two builds: model, settings, layers, costs, bits, accuracy.

    Exit status: 0 when they are identical, 1 when not, 2 on errors in the input.
    """
    from hwflow.cli.show.diff import print_comparison
    from hwflow.report.manifest.comparison import compare_paths

    found = compare_paths(before, after)
    print_comparison(found, json=json)
    raise typer.Exit(0 if found.identical else 1)


@app.command(epilog="Example: hwflow synth build/net --timeout 2h --json")
def synth(
    project: StoredOption,
    *,
    tool: Annotated[
        str | None, typer.Option(help="vitis or vivado; the one that the project is for.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(help="What it may take: 90s, 15m, 2h.", parser=parse_duration, metavar="TIME"),
    ] = "4h",  # type: ignore[assignment]  # what the parser takes
    logic: Annotated[
        bool, typer.Option("--logic", help="Logic synthesis with Vivado after C synthesis.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="New folder for the run. [PROJECT-vitis or -vivado]"),
    ] = None,
    plugin: PluginOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Synthesize with Vitis HLS or Vivado HLS; show what it reports beside the estimate.

    HWFLOW_VITIS_SETTINGS (HWFLOW_VIVADO_SETTINGS) names settings64.sh of the installation. Without
    a tool the script that one would run is written, and the exit status is 2.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.synthesis import print_synthesis
    from hwflow.project.synthesis.running import Request, synthesize

    request = Request(tool=tool or "", timeout_s=timeout, out=out, logic=logic)
    with terminal.stage_progress(quiet=json) as progress:
        found = synthesize(project, request, plugins=plugin or (), trust=trust, progress=progress)
    print_synthesis(found.design, found.comparison, found.folder, json=json)


@app.command(epilog="Example: hwflow report build/net --synth build/net-vitis --data test.npz")
def report(
    project: StoredOption,
    *,
    synth: Annotated[
        Path, typer.Option("--synth", help="Folder in which HLS or Vivado ran.", show_default=False)
    ],
    data: DataOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Folder for the report. [PROJECT-report]"),
    ] = None,
    plugin: PluginOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Write a report with synthesized figures, from reports of vendor tools, in their own columns.

    With --data the project is verified, too, and the report has both statements.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.synthesis import print_synthesis
    from hwflow.project.synthesis.reporting import report_project

    with terminal.stage_progress(quiet=json) as progress:
        found = report_project(
            project, synth, data=data, out=out, plugins=plugin or (), trust=trust,
            progress=progress,
        )  # fmt: skip
    print_synthesis(found.design, found.comparison, found.folder, json=json)


@app.command(epilog="Example: hwflow calibrate build/net-vitis build/cnn-vitis --profile my.toml")
def calibrate(
    reports: Annotated[
        list[Path],
        typer.Argument(help="Folders in which HLS or Vivado ran.", show_default=False),
    ],
    *,
    project: Annotated[
        list[Path] | None,
        typer.Option("--project", "-p", help="Project that they may be of, if nothing says so."),
    ] = None,
    profile: Annotated[
        Path | None, typer.Option("--profile", help="Write what was learnt (.toml).")
    ] = None,
    plugin: PluginOption = None,
    trust: TrustOption = False,
    json: JsonOption = False,
) -> None:
    """Learn factors for estimates from real reports; show estimated against synthesized.

    Each factor is tested on designs that it was not learnt from. Without --profile nothing is
    written. `hwflow estimate --calibration FILE`, or calibration in [target], applies it.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.calibration import print_calibration
    from hwflow.project.synthesis.calibrating import calibrate as calibrate_trees
    from hwflow.project.synthesis.calibrating import write_profile

    with terminal.stage_progress(quiet=json) as progress:
        found = calibrate_trees(
            reports, project or (), plugins=plugin or (), trust=trust, progress=progress
        )
    if profile is not None:
        write_profile(found, profile)
    print_calibration(found, profile, json=json)
