"""What the command line prints of explorations of hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hwflow.cli.show.runs import line, print_board, print_costs, print_settings
from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from hwflow.exploration.hardware import HardwareRun
    from hwflow.exploration.hardware_pick import PickedHardware


def print_hardware(run: HardwareRun, *, board: str | None = None, json: bool) -> None:
    """Print the fronts of all boards, or of one."""
    from hwflow.exploration.pictures.hardware import certainty
    from hwflow.exploration.points import on_board
    from hwflow.exploration.saving import PAGE

    result = on_board(run, board).result
    if json:
        print_json({"run": str(run.folder), **result})
        return
    for front in result["fronts"]:
        _print_front(result, front)
    for none in result["nothing_fits"]:
        said = f"no front on {none['board']}: {none['nearest']}"
        console.print(f"[yellow]{escape(said)}[/]", soft_wrap=True)
    if not run.finished:
        line(f"{certainty(result)}; go on: hwflow explore --run {run.folder}")
    if (page := run.folder / PAGE).is_file():
        line(f"look at it: {page}")
    line(f"build one: hwflow pick --run {run.folder} --id ID -o build/NAME")


def _print_front(result: dict[str, Any], front: dict[str, Any]) -> None:
    title = f"{result['model']} on {front['board']}, estimated"
    columns = (
        ">id", "io type", ">clock ns", ">latency ns", ">II", ">share %",
        ">post-synthesis LUT", ">DSP", ">BRAM 18k", "reuse factors",
    )  # fmt: skip
    shown = table(columns, title=title)
    for point in front["points"]:
        shown.add_row(*_row(front, point))
    console.print(shown)
    for text in front["nothing"]:
        line(f"nothing for {text}")
    if result["limits"]:
        line(f"within {', '.join(result['limits'])}")
    proven = (
        "proven: nothing as fast as a point is cheaper" if front["certified"] else "not all proven"
    )
    line(f"{front['board']}: {proven}")


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


def print_hardware_status(run: HardwareRun, *, json: bool) -> None:
    """Print how far an exploration of hardware is."""
    result = run.result
    fronts = {front["board"]: len(front["points"]) for front in result["fronts"]}
    boards = result["request"]["boards"]
    if json:
        told = {"model": result["request"]["model"], "boards": boards, "fronts": fronts}
        counts = {"solved": result["solved"], "cases": result["cases"], "done": run.finished}
        print_json({"run": str(run.folder), **told, **counts})
        return
    line(f"{result['request']['model']} on {', '.join(boards)}, in {run.folder}")
    line(f"hardware: {result['solved']} of {result['cases']} io types and clocks are solved")
    for board, size in fronts.items():
        line(f"front on {board}{'' if run.finished else ', so far'}: {size} points")
    if run.finished:
        line("done")
        return
    line(f"not done; hwflow explore --run {run.folder} goes on if it was ended")


def print_hardware_point(
    run: HardwareRun, front: dict[str, Any], point: dict[str, Any], *, json: bool
) -> None:
    """Print all that is known of a point."""
    if json:
        print_json({"board": front["board"], **point})
        return
    knee = ", the knee" if point["id"] == front["knee"] else ""
    line(f"point {point['id']}{knee}, {run.result['model']} on {front['board']}")
    line(f"{point['io_type']}, {point['clock_period_ns']:g} ns")
    print_costs(point)
    print_board(front, point)
    print_settings(point, "settings")
    sure = "proven" if point["proven"] else "not proven"
    line(f"on the front: nothing as fast is cheaper, {sure}")
    line(f"build it: hwflow pick --run {run.folder} --id {point['id']} -o build/NAME")


def print_hardware_difference(a: dict[str, Any], b: dict[str, Any], *, json: bool) -> None:
    """Print in which settings and costs one point differs from another."""
    from hwflow.cli.show.runs import cost_rows
    from hwflow.exploration.hardware_points import hardware_compared

    found = hardware_compared(a, b)
    if json:
        print_json({"ids": [a["id"], b["id"]], **found})
        return
    shown = table(("", f">{a['id']}", f">{b['id']}", ">difference"))
    for name, pair in found["settings"].items():
        shown.add_row(escape(name), *("" if v is None else escape(str(v)) for v in pair), "")
    for cells in cost_rows(found["cost"]):
        shown.add_row(*cells)
    console.print(shown)
    line("all else is the same; costs are estimated")


def print_hardware_runs(found: dict[str, Any], *, json: bool) -> None:
    """Print how the fronts of two runs compare."""
    if json:
        print_json(found)
        return
    one, two = found["runs"]
    line(f"{one} and {two} differ in: {', '.join(found['different']) or 'nothing'}")
    shown = table(("board", "", ">points", "not reached by the other"))
    for front in found["fronts"]:
        for i, part in enumerate(("only_first", "only_second")):
            ids = ", ".join(map(str, front[part])) or "none"
            cells = (escape(front["board"]), escape(found["runs"][i]), str(front["points"][i]))
            shown.add_row(*cells, ids)
    console.print(shown)
    line(f"reached is a point that another one is as fast as, at no more {found['cost']}")


def print_picked_hardware(found: PickedHardware, *, json: bool) -> None:
    """Print what was built and what was checked."""
    point = found.point
    if json:
        print_json({"folder": str(found.folder), "board": found.front["board"], **point})
        return
    from hwflow.cli.show.verification import print_verification

    print_verification(found.design, found.verification)
    line(f"point {point['id']}: costs exactly as explored; written to {found.folder}")
