"""What the command line prints of explorations."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from hwflow.cli.terminal import console, errors, print_json, table
from hwflow.cli.terminal.text import escape

if TYPE_CHECKING:
    from pathlib import Path

    from hwflow.exploration.pick import Picked
    from hwflow.exploration.run import Run

Plain = Mapping[str, Any]

MOST_LEFT_OUT = 5
"""Points beyond limits that are named."""


def say(*, quiet: bool) -> Callable[[str], None]:
    """Return what prints the plan."""
    return lambda line: None if quiet else errors.print(escape(f"plan: {line}"), soft_wrap=True)


def print_run(run: Run, *, board: str | None = None, json: bool) -> None:
    """Print the fronts of all boards, or of one."""
    from hwflow.exploration.points import on_board
    from hwflow.exploration.saving import PAGE

    result = on_board(run, board).result
    if json:
        print_json({"run": str(run.folder), **result})
        return
    from hwflow.cli.show.plot import plot
    from hwflow.exploration.pictures.figures import certainty

    plain = console.options.ascii_only
    for front in result["fronts"]:
        _print_front(result, front)
        for line in plot(result, front, width=console.width, ascii_only=plain):
            console.print(line, soft_wrap=True)
    for none in result["nothing_fits"]:
        said = f"no front on {none['board']}: {none['nearest']}; {none['help']}"
        console.print(f"[yellow]{escape(said)}[/]", soft_wrap=True)
    console.print(escape(certainty(result)), soft_wrap=True)
    if not run.finished:
        console.print(escape(f"go on: hwflow explore --run {run.folder}"), soft_wrap=True)
    if (page := run.folder / PAGE).is_file():
        console.print(escape(f"choose on a page: {page}"), soft_wrap=True)
    console.print(
        escape(f"build one: hwflow pick --run {run.folder} --id ID -o build/NAME"), soft_wrap=True
    )


def _print_front(result: Plain, front: Plain) -> None:
    from hwflow.exploration.pictures.figures import chosen_bits, kind_of

    title = f"{result['model']} on {front['board']}, {front['clock_period_ns']:g} ns, estimated"
    title += ", with fitted settings" if "fitted" in front else ""
    kind = kind_of(result)
    shown = table(
        (
            ">id", "bits", f">{kind} %, searched", ">held out", ">95 % interval", ">share %",
            ">post-synthesis LUT", ">DSP", ">BRAM 18k", ">ns", ">stays %", "not told from",
        ),
        title=title,
    )  # fmt: skip
    for point in front["points"]:
        held, cost = point["held_out"], point["cost"]
        low, high = held[f"{kind}_interval"]
        mark = " knee" if point["id"] == front["knee"] else ""
        shown.add_row(
            f"{point['id']}{mark}", escape(chosen_bits(result, point)),
            f"{100 * point['search'][kind]:.1f}", f"{100 * held[kind]:.1f}",
            f"{100 * low:.1f}-{100 * high:.1f}", f"{100 * point['share']:.1f}",
            _interval(cost["lut_synth"]), _interval(cost["dsp"]), f"{cost['bram_18k'][0]:.0f}",
            f"{cost['latency_ns'][0]:.0f}", _percent(point["stable"]),
            "" if point["like"] is None else str(point["like"]),
        )  # fmt: skip
    console.print(shown)
    names = ", ".join(v["name"] for v in result["variables"] if len(v["options"]) > 1)
    console.print(escape(f"bits of {names}"), soft_wrap=True)
    if "fitted" in front:
        console.print(escape(_fitted(front)), soft_wrap=True)
    if front["stability"] is not None:
        drawn = front["stability"]
        said = f"stays: on the front in this share of {drawn['draws']:,} draws of {drawn['drawn']}"
        console.print(escape(said), soft_wrap=True)
    _print_limits(front)


def _print_limits(front: Plain) -> None:
    """Print what points keep to, and which would be on the front without that."""
    if not front["limits"]:
        return
    console.print(escape(f"within {', '.join(front['limits'])}"), soft_wrap=True)
    for point in front["left_out"][:MOST_LEFT_OUT]:
        why = ", ".join(point["reasons"])
        said = f"left out: point {point['id']}, {100 * point['search']:.1f} % searched: {why}"
        console.print(escape(said), soft_wrap=True)
    if (more := len(front["left_out"]) - MOST_LEFT_OUT) > 0:
        console.print(f"left out: {more} more", soft_wrap=True)


def _fitted(front: Plain) -> str:
    """Return what settings were chosen for, and of how many configurations."""
    fit = front["fitted"]
    limits = [f"{name}={limit}" for name, limit in fit["budgets"].items()]
    budgets = " and ".join([*([", ".join(limits)] if limits else []), "what the board has"])
    sure = "proven" if fit["proven"] else "not all proven"
    return (
        f"fitted: settings of least {fit['goal']} within {budgets}; of "
        f"{fit['candidates']:,} configurations that were tried {fit['kept']:,} fit, {sure}"
    )


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.0f}"


def _interval(ends: list[float]) -> str:
    return f"{ends[0]:,.0f} ({ends[1]:,.0f}-{ends[2]:,.0f})"


def print_picked(found: Picked, *, json: bool) -> None:
    """Print what was built and what was checked."""
    point = found.point
    if json:
        print_json({"folder": str(found.folder), "board": found.front["board"], **point})
        return
    from hwflow.cli.show.verification import print_verification

    print_verification(found.design, found.verification)
    held = point["held_out"]
    kind = "accuracy" if "accuracy" in held else "agreement"
    console.print(
        escape(
            f"point {point['id']}: {kind} {100 * held[kind]:.1f} % held out, answers and costs "
            f"exactly as explored; written to {found.folder}"
        ),
        soft_wrap=True,
    )


def print_exported(content: bytes, out: Path | None, *, json: bool) -> None:
    """Print what was written, or that it was."""
    if json:
        place = _in_json(content) if out is None else {"file": str(out)}
        print_json({**place, "bytes": len(content)})
    elif out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        console.print(escape(f"written to {out}"), soft_wrap=True)


def _in_json(content: bytes) -> dict[str, str]:
    """Return a text as it is, and what is none, such as PNG, in base 64 (RFC 4648)."""
    try:
        return {"text": content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}
