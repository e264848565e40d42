"""What the command line prints of a calibration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwflow.cli.show.synthesis import print_tables
from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.estimate.stages import COLUMNS

if TYPE_CHECKING:
    from hwflow.project.synthesis.calibrating import Calibration
    from hwflow.synthesis.fitting import Fitted


def print_calibration(found: Calibration, profile: Path | None, *, json: bool) -> None:
    """Print every design, then the factors with their errors on designs that were left out."""
    if json:
        print_json(_content(found, profile))
        return
    for each in found.measured:
        console.print(f"[bold]{escape(each.name)}[/], {each.tool}, {each.family}", soft_wrap=True)
        print_tables(each.comparison)
    figures = (">designs", ">factor", ">error before %", ">error after %")
    shown = table(
        ("tool", "family", "figure", *figures, ""),
        title="factors; the error after is of designs that had no part in the factor",
    )
    for tool, family, figure, fitted in _rows(found):
        after = "" if fitted.error_after is None else f"{fitted.error_after:.1f}"
        shown.add_row(
            tool, family, COLUMNS[figure], str(fitted.designs), f"{fitted.factor:.3f}",
            f"{fitted.error_before:.1f}", after, _remark(fitted),
        )  # fmt: skip
    console.print(shown)
    for text in found.left_out:
        console.print(f"[yellow]left out: {escape(text)}[/]", soft_wrap=True)
    written = f"written   {profile}" if profile else "nothing written: --profile FILE does"
    console.print(escape(written), soft_wrap=True)


def _remark(fitted: Fitted) -> str:
    """Return what is to be known of a factor."""
    if fitted.designs == 1:
        return "of one design: not tested on another"
    return "dropped: it does not help designs that were left out" if fitted.dropped else ""


def _rows(found: Calibration) -> Iterator[tuple[str, str, str, Fitted]]:
    for (tool, family), figures in found.fitted.items():
        for figure in COLUMNS:
            if figure in figures:
                yield tool, family, figure, figures[figure]


def _content(found: Calibration, profile: Path | None) -> dict[str, Any]:
    """Return everything as plain data."""
    from hwflow.report.synthesized import synthesis_data, synthesis_dict

    return {
        "designs": [
            {
                "name": each.design.graph.name,
                "reports": str(each.reports),
                "tool": each.tool,
                "family": each.family,
                **synthesis_dict(synthesis_data(each.comparison)),
            }
            for each in found.measured
        ],
        "factors": [
            {
                "tool": tool, "family": family, "figure": figure, "factor": fitted.factor,
                "designs": fitted.designs, "error_before": fitted.error_before,
                "error_after": fitted.error_after, "dropped": fitted.dropped,
            }
            for tool, family, figure, fitted in _rows(found)
        ],
        "left_out": list(found.left_out),
        "profile": None if profile is None else str(profile),
    }  # fmt: skip
