"""Options of explorations: what is explored, what for, what is kept to, and how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer

from hwflow.cli.options import IoOption, StrategyOption, clock_periods


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

    def budgets(self) -> dict[str, str]:
        """Return the limits of designs whose bits are fixed."""
        if self.time or self.evals or self.exhaustive:
            raise typer.BadParameter(
                "has no --time, --evals or --exhaustive", param_hint="'--hardware-only'"
            )
        from hwflow.fitting.budgets import parse_options

        return parse_options(self.most or (), self.least or ())

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
