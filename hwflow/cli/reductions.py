"""Verbs that make float networks smaller: ``compress prune``, ``compress lowrank``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from hwflow.cli.app import compress_app
from hwflow.cli.compressions import DataOrCode, ModelOrCode, TrainingOptions, given
from hwflow.cli.groups import with_groups
from hwflow.cli.options import JsonOption
from hwflow.cli.runs import RunOption


@dataclass(frozen=True, kw_only=True)
class HardwareOptions:
    """What float networks are quantised and estimated as."""

    bits: Annotated[str, typer.Option("--bits", help="Bits that networks are estimated with.")] = (
        "w=8,a=8"
    )
    board: Annotated[str, typer.Option("--board", "-b", help="Board to estimate for.")] = "pynq-z2"
    io_type: Annotated[str, typer.Option("--io-type", help="io_parallel or io_stream.")] = (
        "io_parallel"
    )
    strategy: Annotated[
        str, typer.Option("--strategy", help="latency, resource or distributed_arithmetic.")
    ] = "latency"
    reuse_factor: Annotated[
        int, typer.Option("--reuse-factor", help="Products of each multiplier, in every layer.")
    ] = 1


@compress_app.command(
    epilog="Example: hwflow compress prune float.onnx --data train.npz --target lut=20000 "
    "--run runs/pruned"
)
@with_groups
def prune(
    model: ModelOrCode = None,
    *,
    data: DataOrCode = None,
    target: Annotated[
        str,
        typer.Option("--target", help="lut=3000, dsp=20, ebops=8000, sparsity=0.7 or fits=BOARD."),
    ],
    run: RunOption,
    method: Annotated[
        str, typer.Option("--method", help="How weights are valued: l1, gradient or movement.")
    ] = "l1",
    pattern: Annotated[
        str, typer.Option("--pattern", help="What leaves together: weight, channel, dsp or adder.")
    ] = "weight",
    steps: Annotated[int, typer.Option("--steps", help="Times that something leaves.")] = 5,
    training: TrainingOptions,
    hardware: HardwareOptions,
    json: JsonOption = False,
) -> None:
    """Leave out weights that are not worth their hardware; writes a smaller float model.

    Exit status: 0 when the goal is met, 1 when not, 2 on errors in the input.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import say
    from hwflow.cli.show.reduction import print_reduced
    from hwflow.compression.handover.reductions import story_of_pruned
    from hwflow.compression.reductions import prune as pruned
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = pruned(
            model, data, goal=target, run=run, method=method, pattern=pattern, steps=steps,
            progress=progress, say=say(quiet=json), **given(training), **given(hardware),
        )  # fmt: skip
        progress("compare", 0.0)
        story = story_of_pruned(found)
        progress("compare", 1.0)
    print_reduced(found, story, json=json)
    raise typer.Exit(0 if found.reached else 1)


@compress_app.command(
    epilog="Example: hwflow compress lowrank float.onnx --data train.npz --energy 0.9 "
    "--run runs/lowrank"
)
@with_groups
def lowrank(
    model: ModelOrCode = None,
    *,
    data: DataOrCode = None,
    run: RunOption,
    method: Annotated[
        str, typer.Option("--method", help="svd or qr for matrices, tucker2 for kernels.")
    ] = "",
    layer: Annotated[
        list[str] | None, typer.Option("--layer", help="Layer to factor; may be repeated.")
    ] = None,
    rank: Annotated[int, typer.Option("--rank", help="Rank of all layers.")] = 0,
    energy: Annotated[
        float, typer.Option("--energy", help="Part of squared singular values that is kept.")
    ] = 0.0,
    target: Annotated[
        str, typer.Option("--target", help="lut=3000, dsp=20, ebops=8000 or fits=BOARD.")
    ] = "",
    training: TrainingOptions,
    hardware: HardwareOptions,
    json: JsonOption = False,
) -> None:
    """Factor layers where the estimate says that it pays; writes a float model.

    Exit status: 0 when a layer was factored and the goal is met, 1 when not, 2 on errors.
    """
    from hwflow.cli import terminal
    from hwflow.cli.show.exploration import say
    from hwflow.cli.show.reduction import print_reduced
    from hwflow.compression.handover.reductions import story_of_factored
    from hwflow.compression.reductions import lowrank as factored
    from hwflow.core.threads import one_thread

    one_thread()
    with terminal.stage_progress(quiet=json) as progress:
        found = factored(
            model, data, run=run, method=method, layers=layer or (), rank=rank, energy=energy,
            goal=target, progress=progress, say=say(quiet=json), **given(training),
            **given(hardware),
        )  # fmt: skip
        progress("compare", 0.0)
        story = story_of_factored(found)
        progress("compare", 1.0)
    print_reduced(found, story, json=json)
    raise typer.Exit(0 if found.reached else 1)
