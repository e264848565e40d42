"""What several verbs share: their options, and compiling."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
BoardsOption = Annotated[
    str | None,
    typer.Option("--board", "-b", help="Board profile: a name, or a .toml file; several with ','."),
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
CalibrationOption = Annotated[
    Path | None, typer.Option("--calibration", help="Profile (.toml) that calibrate wrote.")
]
FloatOption = Annotated[
    Path | None,
    typer.Option("--float-model", help="Model before quantisation, or its outputs (.npz)."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@dataclass(frozen=True, kw_only=True)
class BackendOptions:
    """What the code is generated for."""

    io_type: IoOption = None
    backend: BackendOption = None


@dataclass(frozen=True, kw_only=True)
class TargetOptions(BackendOptions):
    """What overrides ``[target]`` in the settings, beside the board."""

    clock: ClockOption = None
    strategy: StrategyOption = None
    reuse_factor: ReuseOption = None

    @property
    def settings(self) -> dict[str, Any]:
        """The options by the names that ``compile`` takes."""
        reuse = self.reuse_factor
        number = reuse is not None and reuse.isascii() and reuse.isdigit()
        return {
            "io_type": self.io_type,
            "backend": self.backend,
            "clock_period_ns": self.clock,
            "strategy": self.strategy,
            "reuse_factor": int(reuse[:9]) if number and reuse else reuse,
        }


@dataclass(frozen=True, kw_only=True)
class ReadingOptions:
    """How a model is read."""

    plugin: PluginOption = None
    weights: WeightsOption = None
    trust: TrustOption = False

    @property
    def plugins(self) -> Sequence[Path]:
        """Files and packages with operators."""
        return self.plugin or ()


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """Where settings, the board and the types of inputs come from."""

    board: BoardOption = None
    data: TypeDataOption = None
    config: ConfigOption = None


@dataclass(frozen=True, kw_only=True)
class DesignOptions(ReadingOptions, TargetOptions, SettingsOptions):
    """Everything that a design is compiled with."""

    def compile(self, model: Path) -> Design:
        """Compile a model."""
        return compile_design(
            model,
            reading=self,
            config=self.config,
            data=self.data,
            board=self.board,
            **self.settings,
        )


@dataclass(frozen=True, kw_only=True)
class BoardsOptions(DesignOptions):
    """Everything that a design for one or several boards is compiled with."""

    board: BoardsOption = None
    calibration: CalibrationOption = None

    @property
    def settings(self) -> dict[str, Any]:
        """The options by the names that ``compile`` takes."""
        path = self.calibration
        return {**super().settings, "calibration": None if path is None else str(path)}


def board_names(given: str | None) -> list[str]:
    """Return the boards that an option names, with commas between them."""
    return [name.strip() for name in (given or "").split(",") if name.strip()]


def clock_periods(given: str | None) -> list[float]:
    """Return the clock periods that an option names, with commas between them.

    Raises:
        typer.BadParameter: one is not a number from 0.1 to 1000.
    """
    try:
        periods = [float(part) for part in (given or "").split(",") if part.strip()]
    except ValueError:
        periods = [0.0]
    if all(0.1 <= period <= 1000 for period in periods):
        return periods
    raise typer.BadParameter("nanoseconds from 0.1 to 1000", param_hint="'--clock'")


def compile_design(
    model: Path,
    *,
    reading: ReadingOptions,
    config: Path | None,
    data: Path | None,
    **target: Any,
) -> Design:
    """Compile with the options that every verb on a design has."""
    from hwflow.project.compiler import compile as compile_model

    return compile_model(
        model,
        config=config,
        plugins=reading.plugins,
        weights=reading.weights,
        trust=reading.trust,
        data=data,
        **target,
    )
