"""What several verbs share: their options, and compiling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from hwflow.project.design import Design

Model = Annotated[
    Path,
    typer.Argument(
        help="QONNX (.onnx), Keras (.h5, .keras, .json, SavedModel) or TFLite model.",
        show_default=False,
    ),
]
ModelOrProject = Annotated[
    Path, typer.Argument(help="Model, or project that build wrote.", show_default=False)
]
WeightsOption = Annotated[
    Path | None, typer.Option("--weights", "-w", help="Weights (.h5) of a Keras .json.")
]
TrustOption = Annotated[
    bool,
    typer.Option("--trust", help="Run code of the given files: Keras', settings', a project's."),
]
BoardOption = Annotated[
    str | None, typer.Option("--board", "-b", help="Board profile: a name, or a .toml file.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", "-d", help=".npz with the inputs (by name, or x) and labels (y)."),
]
TypeDataOption = Annotated[
    Path | None,
    typer.Option("--data", "-d", help="Data (.npz, .npy) for the types of inputs without one."),
]
StreamOption = Annotated[
    Path | None,
    typer.Option("--data", "-d", help=".npz, .npy, or a folder of them, of any size."),
]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help="Settings (hwflow.toml).")
]
IoOption = Annotated[str | None, typer.Option("--io-type", help="io_parallel or io_stream.")]
BackendOption = Annotated[str | None, typer.Option("--backend", help="Vitis or Vivado.")]
ClockOption = Annotated[float | None, typer.Option("--clock", help="Clock period in ns.")]
StrategyOption = Annotated[
    str | None, typer.Option("--strategy", help="latency, resource or distributed_arithmetic.")
]
ReuseOption = Annotated[
    str | None,
    typer.Option("--reuse-factor", help='Of every layer: a number, or a bound such as "<=8".'),
]
PluginOption = Annotated[
    list[Path] | None,
    typer.Option("--plugin", help="Python file or package with operators; its code runs."),
]
FloatOption = Annotated[
    Path | None,
    typer.Option("--float-model", help="Model before quantisation, or its outputs (.npz)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def target_of(
    board: str | None,
    io_type: str | None,
    backend: str | None,
    clock: float | None,
    strategy: str | None,
    reuse_factor: str | None,
) -> dict[str, Any]:
    """Return the options that override ``[target]``, by the names that ``compile`` takes."""
    number = reuse_factor is not None and reuse_factor.isascii() and reuse_factor.isdigit()
    return {
        "board": board,
        "io_type": io_type,
        "backend": backend,
        "clock_period_ns": clock,
        "strategy": strategy,
        "reuse_factor": int(reuse_factor[:9]) if number and reuse_factor else reuse_factor,
    }


def compile_design(
    model: Path,
    config: Path | None,
    plugins: list[Path] | None,
    weights: Path | None,
    trust: bool,
    data: Path | None,
    **target: Any,
) -> Design:
    """Compile with the options that every verb on a design has."""
    from hwflow.project.compiler import compile as compile_model

    return compile_model(
        model, config=config, plugins=plugins or (), weights=weights, trust=trust, data=data,
        **target,
    )  # fmt: skip
