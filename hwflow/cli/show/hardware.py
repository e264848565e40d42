"""What the command line prints of explorations of hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.exploration.hardware import HardwareRun
    from hwflow.exploration.hardware_pick import PickedHardware


def print_hardware(run: HardwareRun, *, board: str | None = None, json: bool) -> None:
    """Print the fronts of all boards, or of one."""
    from hwflow.exploration.points import on_board

    result = on_board(run, board).result
    if json:
        print_json({"run": str(run.folder), **result})
        return
    for front in result["fronts"]:
        title = f"{result['model']} on {front['board']}, estimated"
        columns = (
            ">id", "io type", ">clock ns", ">latency ns", ">II", ">share %",
            ">post-synthesis LUT", ">DSP", ">BRAM 18k", "reuse factors",
        )  # fmt: skip
        shown = table(columns, title=title)
        for point in front["points"]:
            shown.add_row(*_row(front, point))
        console.print(shown)
        for line in front["nothing"]:
            console.print(escape(f"nothing for {line}"), soft_wrap=True)
        proven = (
            "proven: nothing as fast as a point is cheaper"
            if front["certified"]
            else "not all proven"
        )
        console.print(escape(f"{front['board']}: {proven}"), soft_wrap=True)
    console.print(
        escape(f"build one: hwflow pick --run {run.folder} --id ID -o build/NAME"), soft_wrap=True
    )


def _row(front: dict[str, Any], point: dict[str, Any]) -> list[str]:
    cost = point["cost"]
    reuse = [str(layer.get("reuse_factor", 1)) for layer in point["layers"].values()]
    mark = " knee" if point["id"] == front["knee"] else ""
    return [
        f"{point['id']}{mark}", point["io_type"], f"{point['clock_period_ns']:g}",
        f"{cost['latency_ns'][0]:,.0f}", f"{cost['ii'][0]:,.0f}", f"{100 * point['share']:.1f}",
        f"{cost['lut_synth'][0]:,.0f}", f"{cost['dsp'][0]:,.0f}", f"{cost['bram_18k'][0]:,.0f}",
        " ".join(reuse),
    ]  # fmt: skip


def print_picked_hardware(found: PickedHardware, *, json: bool) -> None:
    """Print what was built and what was checked."""
    point = found.point
    if json:
        print_json({"folder": str(found.folder), "board": found.front["board"], **point})
        return
    from hwflow.cli.show.verification import print_verification

    print_verification(found.design, found.verification)
    console.print(
        escape(f"point {point['id']}: costs exactly as explored; written to {found.folder}"),
        soft_wrap=True,
    )
