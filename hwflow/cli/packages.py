"""Verbs on IP blocks: package, weights, hil."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hwflow.cli.app import app
from hwflow.cli.options import JsonOption, PluginOption


class BusOption(StrEnum):
    """How frames come and go."""

    axis = "axis"
    axi_lite = "axi-lite"
    memory = "memory"


class WidthOption(StrEnum):
    """Bits of a word of the bus."""

    auto = "auto"
    bits_32 = "32"
    bits_64 = "64"
    bits_128 = "128"


class EdgeOption(StrEnum):
    """What the lanes hold."""

    raw = "raw"
    float32 = "float32"


class KindOption(StrEnum):
    """What the block is exported as."""

    ip = "ip"
    vitis_kernel = "vitis-kernel"


@app.command(epilog="Example: hwflow package build/net -o ip/net --interface axis")
def package(
    project: Annotated[Path, typer.Argument(help="Folder that build wrote.", show_default=False)],
    *,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder of the block; else PROJECT-ip.")
    ] = None,
    interface: Annotated[
        BusOption, typer.Option(help="AXI4-Stream, AXI4-Lite alone, or AXI4 masters.")
    ] = BusOption.axis,
    data_width: Annotated[WidthOption, typer.Option(help="Bits of a word.")] = WidthOption.auto,
    edge: Annotated[
        EdgeOption, typer.Option(help="Integers, or real numbers that the block rounds and scales.")
    ] = EdgeOption.raw,
    argmax: Annotated[
        bool, typer.Option("--argmax", help="Give the class, not scores: the first greatest one.")
    ] = False,
    target: Annotated[
        KindOption, typer.Option(help="For Vivado's catalogue, or for v++ (Alveo).")
    ] = KindOption.ip,
    reloadable: Annotated[
        str,
        typer.Option(
            metavar="LAYER,...|all", help="Layers whose weights can be written while it runs."
        ),
    ] = "",
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """Make an IP block of a project: bus, description, test bench; proven before it is written.

    Exit status: 0 when the block's benches pass, 1 when one fails, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.package import print_package
    from hwflow.package.packaging import block_folder, package_project
    from hwflow.package.wishes import Wishes

    width = None if data_width is WidthOption.auto else int(data_width)
    kernel = target is KindOption.vitis_kernel
    wishes = Wishes(
        interface=interface.value,
        data_width=width,
        edge=edge.value,
        argmax=argmax,
        kernel=kernel,
        reloadable=tuple(name for part in reloadable.split(",") if (name := part.strip())),
    )
    with terminal.stage_progress(quiet=json) as progress:
        place = out or block_folder(project)
        found = package_project(project, place, wishes, plugin or (), progress=progress)
    print_package(found, json=json)
    raise typer.Exit(0 if found.outcome.passed else 1)


@app.command(epilog="Example: hwflow weights ip/net build/retrained -o weights.bin")
def weights(
    block: Annotated[
        Path, typer.Argument(help="Folder that package --reloadable wrote.", show_default=False)
    ],
    project: Annotated[
        Path,
        typer.Argument(
            help="Folder that build wrote: the network with other weights.", show_default=False
        ),
    ],
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="The weight image.")],
    plugin: PluginOption = None,
    json: JsonOption = False,
) -> None:
    """Make an image of other weights for a block in hardware, without synthesis.

    The block's C++ loads it and computes the build's vectors before it is written. Exit status: 0
    when every bit agrees, 1 when not, 2 on errors in the input, or where the build does not fit.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.package import print_weights
    from hwflow.package.reload.weights import weight_image

    with terminal.stage_progress(quiet=json) as progress:
        found = weight_image(block, project, out, plugin or (), progress=progress)
    print_weights(found, json=json)
    raise typer.Exit(0 if found.outcome.passed else 1)


@app.command(epilog="Example: hwflow hil ip/net --board tcp://192.168.2.99:7000 --junit board.xml")
def hil(
    block: Annotated[Path, typer.Argument(help="Folder that package wrote.", show_default=False)],
    *,
    board: Annotated[
        str, typer.Option(help="Where it is: tcp://HOST:PORT, or serial://DEVICE?BAUD.")
    ],
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds that an answer may take.")
    ] = 10.0,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML.")] = None,
    json: JsonOption = False,
) -> None:
    """Send a block's test vectors to a board and compare every bit with the golden outputs.

    The board runs `python3 -m hwflow_ip.server` of the block's drivers. Exit status: 0 when all
    bits agree, 1 when not, or when the line failed, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.hil import print_board_run
    from hwflow.package.hil.run import run_on_board

    with terminal.stage_progress(quiet=json) as progress:
        found = run_on_board(block, board, timeout=timeout, junit=junit, progress=progress)
    print_board_run(found, json=json)
    raise typer.Exit(0 if found.passed else 1)
