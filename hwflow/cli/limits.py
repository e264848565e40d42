"""The limits of ``hwflow verify`` as options."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

PANEL = "Limits"


def _limit(help: str) -> typer.models.OptionInfo:  # noqa: A002 - typer's name
    option: typer.models.OptionInfo = typer.Option(help=help, rich_help_panel=PANEL)
    return option


def _resource(name: str) -> typer.models.OptionInfo:
    return _limit(f"{name}: a number, or a share such as 70%; 70%:high takes the upper end.")


MinAccuracy = Annotated[str | None, _limit("Accuracy of the hardware, such as 0.97 or 97%.")]
MaxDrop = Annotated[str | None, _limit("Accuracy lost against the float reference.")]
MinAgreement = Annotated[str | None, _limit("Samples with the class of the float reference.")]
Lossless = Annotated[
    bool,
    typer.Option(
        "--lossless",
        help="The quantised model's own numbers, all of them.",
        rich_help_panel=PANEL,
    ),
]
Exact = Annotated[
    bool,
    typer.Option(
        "--exact", help="Lossless, and no layer that is approximate.", rich_help_panel=PANEL
    ),
]
MinCoverage = Annotated[
    str | None, _limit("Share of ranges, steps, entries and casts that the data reaches.")
]
MaxSaturation = Annotated[str | None, _limit("Share of its values that a layer may clip.")]
MaxLut = Annotated[str | None, _resource("LUT")]
MaxFf = Annotated[str | None, _resource("Flip-flops")]
MaxDsp = Annotated[str | None, _resource("DSP blocks")]
MaxBram = Annotated[str | None, _resource("18 kbit block RAMs")]
MaxUram = Annotated[str | None, _resource("UltraRAMs")]
MaxLatency = Annotated[str | None, _limit("Latency in microseconds.")]
MaxIi = Annotated[str | None, _limit("Cycles between two inferences.")]


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """What a design must keep to, by the names in ``[verify]``."""

    min_accuracy: MinAccuracy = None
    max_drop: MaxDrop = None
    min_agreement: MinAgreement = None
    lossless: Lossless = False
    exact: Exact = False
    min_coverage: MinCoverage = None
    max_saturation: MaxSaturation = None
    max_lut: MaxLut = None
    max_ff: MaxFf = None
    max_dsp: MaxDsp = None
    max_bram: MaxBram = None
    max_uram: MaxUram = None
    max_latency_us: MaxLatency = None
    max_ii: MaxIi = None
