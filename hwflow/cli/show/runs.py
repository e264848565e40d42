"""What the command line prints of runs of explorations and of single points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, print_json, table
from hwflow.cli.terminal.text import escape
from hwflow.exploration.points import compared, cost_of, kind_of, neighbours, up_to

if TYPE_CHECKING:
    from hwflow.exploration.run import Run
    from hwflow.exploration.status import Status
    from hwflow.verify.checks import Check

Plain = Mapping[str, Any]

UNITS = {
    "latency_ns": "ns", "latency_cycles": "cycles", "ii": "cycles", "energy_uj": "uJ",
    "share": "of 1",
}  # fmt: skip
"""Units of costs; others are counts."""


def line(text: str) -> None:
    """Print a line that is not folded."""
    console.print(escape(text), soft_wrap=True)


def print_status(found: Status, *, json: bool) -> None:
    """Print how far an exploration is."""
    if json:
        print_json(found.to_dict())
        return
    line(f"{found.model} on {', '.join(found.boards)}, in {found.run}")
    if found.configurations is None or found.planned is None:
        line(f"not begun: hwflow explore --run {found.run} begins")
        return
    share = 100.0 * found.evaluated / max(found.planned, 1)
    of = "all of them" if found.method == "exhaustive" else f"of {found.configurations:,}"
    line(
        f"{found.method}: {found.evaluated:,} of {found.planned:,} configurations ({share:.0f} %), "
        f"{of}"
    )
    if found.certified_part is not None:
        count = f"{found.certified_part['configurations']:,}"
        line(f"certified part: the cheapest {count}, up to {up_to(found.certified_part)}")
    if found.per_second is not None:
        line(f"{found.per_second:,.0f} a second since {found.began}")
    for board, size in found.fronts.items():
        line(f"front on {board}{'' if found.done else ', so far'}: {size} points")
    if found.done:
        line(f"done, {found.finished}")
        return
    left = "" if found.left_s is None else f", about {found.left_s:,.0f} s left"
    line(f"not done{left}; last written {found.last or 'never'}")
    line(f"hwflow explore --run {found.run} goes on if it was ended")


def print_point(run: Run, front: Plain, point: Plain, *, json: bool) -> None:
    """Print all that is known of a point."""
    near = neighbours(front, point)
    if json:
        print_json({"board": front["board"], **point, "neighbours": near})
        return
    knee = ", the knee" if point["id"] == front["knee"] else ""
    line(f"point {point['id']}{knee}, {run.result['model']} on {front['board']}")
    _print_bits(run.result, point)
    _print_accuracy(point)
    print_costs(point)
    print_board(front, point)
    print_settings(point, "fitted settings")
    line(standing(front, point))
    for other in near:
        line(_beside(other, kind_of(point), front["cost"][0]))
    line(f"build it: hwflow pick --run {run.folder} --id {point['id']} -o build/NAME")


def _print_bits(result: Plain, point: Plain) -> None:
    shown = table(("choice", ">bits", "of", "layers and activations"))
    for variable in result["variables"]:
        options = ", ".join(map(str, variable["options"]))
        shown.add_row(
            escape(variable["name"]), str(point["bits"][variable["name"]]), options,
            escape(", ".join(variable["of"])),
        )  # fmt: skip
    console.print(shown)


def _print_accuracy(point: Plain) -> None:
    shown = table(("", ">samples", ">accuracy %", ">agreement %", ">95 % interval"))
    for part, name in (("search", "searched"), ("held_out", "held out")):
        found = point[part]
        low, high = found.get(f"{kind_of(point)}_interval", (None, None))
        accuracy = f"{100 * found['accuracy']:.1f}" if "accuracy" in found else "no labels"
        ends = "" if low is None else f"{100 * low:.1f}-{100 * high:.1f}"
        shown.add_row(
            name, f"{found['samples']:,}", accuracy, f"{100 * found['agreement']:.1f}", ends
        )
    console.print(shown)


def print_costs(point: Plain) -> None:
    """Print the costs of a point with intervals."""
    shown = table(("cost, estimated", ">figure", ">low", ">high", "unit"))
    for name in point["cost"]:
        shown.add_row(name, *map(_figure, cost_of(point, name)), UNITS.get(name, ""))
    console.print(shown)


def print_settings(point: Plain, title: str) -> None:
    """Print the settings that were chosen, where they were."""
    if "layers" not in point:
        return
    shown = table(("layer", title))
    for name, settings in point["layers"].items():
        said = ", ".join(f"{key} {value}" for key, value in settings.items())
        shown.add_row(escape(name), escape(said))
    console.print(shown)


def print_board(front: Plain, point: Plain) -> None:
    """Print what a point takes of its board."""
    shown = table((f"share of {escape(front['board'])}", ">used", ">of", ">%", ">interval", "fits"))
    for resource, use in point["board"].items():
        share = use["share"]
        percent, ends = ("", "") if share is None else (
            f"{100 * share[0]:.1f}", f"{100 * share[1]:.1f}-{100 * share[2]:.1f}"
        )  # fmt: skip
        shown.add_row(
            resource, f"{use['used'][0]:,.0f}", f"{use['available']:,}", percent, ends, use["fits"]
        )
    console.print(shown)


def standing(front: Plain, point: Plain) -> str:
    """Return why a point is on the front, and how surely."""
    stable, drawn = point["stable"], front["stability"]
    sure = "" if drawn is None else (
        f"; it stays on it in {100 * stable:.0f} % of {drawn['draws']:,} draws of {drawn['drawn']}"
    )  # fmt: skip
    like = "" if point["like"] is None else (
        f"; on the held-out samples it is not told from point {point['like']}, which costs less"
    )  # fmt: skip
    what = "fitted" if "fitted" in front else "evaluated"
    return (
        f"on the front: nothing that was {what} beats it, and it beats {point['beats']:,} "
        f"configurations{sure}{like}"
    )


def _beside(other: Plain, kind: str, cost: str) -> str:
    """Return how the next point of a front compares."""
    bits = ", ".join(f"{n} {a} -> {b}" for n, (a, b) in other["bits"].items())
    before, after = other["cost"].get(cost, (1.0, 1.0))
    change = f"{100 * (after / before - 1):+.1f} % {cost}" if before else f"{after:g} {cost}"
    return (
        f"next: point {other['id']}, {kind} {100 * other['search']:+.1f} points searched, "
        f"{100 * other['held_out']:+.1f} held out, {change}; bits of {bits}"
    )


def _figure(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 100 else f"{value:,.0f}"


def print_difference(a: Plain, b: Plain, *, json: bool) -> None:
    """Print what one point has more or less than another."""
    found = compared(a, b)
    if json:
        print_json({"ids": [a["id"], b["id"]], **found})
        return
    shown = table(("", f">{a['id']}", f">{b['id']}", ">difference"))
    for name, (before, after) in found["bits"].items():
        shown.add_row(f"bits of {escape(name)}", str(before), str(after), _change(before, after))
    kind = kind_of(a)
    for part, title in (("search", "searched"), ("held_out", "held out")):
        if kind in b[part]:
            ends = [100 * p[part][kind] for p in (a, b)]
            difference = f"{ends[1] - ends[0]:+.1f} points"
            shown.add_row(f"{kind} %, {title}", *(f"{e:.1f}" for e in ends), difference)
    for cells in cost_rows(found["cost"]):
        shown.add_row(*cells)
    console.print(shown)
    line("all else is the same; costs are estimated")


def cost_rows(costs: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, ...]]:
    """Yield the cells of costs that differ: name, both figures, and the change."""
    for name, (before, after) in costs.items():
        yield name, _figure(before), _figure(after), _change(before, after, percent=True)


def _change(before: Any, after: Any, *, percent: bool = False) -> str:
    if before is None or after is None:
        return "in one only"
    if percent and before:
        return f"{100 * (after / before - 1):+.1f} %"
    return f"{after - before:+g}"


def print_runs(found: Plain, *, json: bool) -> None:
    """Print how the fronts of two runs compare."""
    if json:
        print_json(found)
        return
    one, two = found["runs"]
    different = ", ".join(found["different"]) or "nothing"
    line(f"{one} and {two} differ in: {different}")
    columns = ("board", "", ">points", ">mean reach %", "not reached by the other")
    shown = table(columns)
    for front in found["fronts"]:
        for i, part in enumerate(("only_first", "only_second")):
            ids = ", ".join(map(str, front[part])) or "none"
            shown.add_row(
                escape(front["board"]), escape(found["runs"][i]), str(front["points"][i]),
                f"{100 * front['reach'][i]:.2f}", ids,
            )  # fmt: skip
    console.print(shown)
    front = found["fronts"][0]
    line(
        f"reach: mean of the best held-out {front['quality']} over all budgets of {front['cost']}; "
        "reached is a point that another one equals at no more cost"
    )


def print_gate(checks: Sequence[Check], *, json: bool) -> None:
    """Print every check of a gate."""
    if json:
        passed = all(check.passed for check in checks)
        print_json({"passed": passed, "checks": [check.to_dict() for check in checks]})
        return
    from hwflow.cli.show.verification import print_check_table

    print_check_table(checks)
