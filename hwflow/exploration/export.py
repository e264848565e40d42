"""Fronts in other formats: a writer for each, found by the suffix of the file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.core.files import write_file
from hwflow.exploration.hardware import open_hardware
from hwflow.exploration.pictures import hardware
from hwflow.exploration.pictures.drawing import to_png, to_svg
from hwflow.exploration.pictures.page import to_html
from hwflow.exploration.points import on_board
from hwflow.exploration.run import Run, open_run

Plain = Mapping[str, Any]


def as_json(run: Run) -> bytes:
    """Return all that was found, as ``front.json`` has it."""
    return (json.dumps(run.result, indent=1) + "\n").encode()


def as_csv(run: Run) -> bytes:
    """Return one row for each point of each front, RFC 4180 with a heading."""
    rows = [row_of(front, point) for front in run.result["fronts"] for point in front["points"]]
    return _csv(rows)


def hardware_csv(run: Run) -> bytes:
    """Return one row for each point of an exploration of hardware, as ``as_csv``."""
    rows = []
    for front in run.result["fronts"]:
        for point in front["points"]:
            row = {"board": front["board"], "knee": point["id"] == front["knee"]}
            row |= {k: point[k] for k in ("id", "io_type", "clock_period_ns", "share", "fits")}
            for name, ends in point["cost"].items():
                row |= {name: ends[0]} | _columns(name, ends[1:])
            rows.append(row | _settings(point))
    return _csv(rows)


def _csv(rows: Sequence[Plain]) -> bytes:
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows({n: _harmless(v) for n, v in row.items()} for row in rows)
    return text.getvalue().encode()


def row_of(front: Plain, point: Plain) -> dict[str, Any]:
    """Return a point as one row: bits as ``bits_NAME``, intervals as ``NAME_low``, ``NAME_high``.

    Costs are in the units of ``hwflow estimate``, shares are of 1.
    """
    row: dict[str, Any] = {"board": front["board"], "id": point["id"]}
    row["knee"] = point["id"] == front["knee"]
    row |= {f"bits_{name}": bits for name, bits in point["bits"].items()}
    for part in ("search", "held_out"):
        for name, value in point[part].items():
            row |= _columns(f"{part}_{name}".removesuffix("_interval"), value)
    for name, ends in point["cost"].items():
        row |= {name: ends[0]} | _columns(name, ends[1:])
    rest = {"not_told_from": point["like"], **{n: point[n] for n in ("stable", "beats")}}
    row |= {"share": point["share"], "fits": point["fits"], **rest}
    return row | _settings(point)


def _settings(point: Plain) -> dict[str, Any]:
    """Return the settings of layers as ``LAYER.NAME``, where they were chosen."""
    return {
        f"{layer}.{name}": value
        for layer, settings in point.get("layers", {}).items()
        for name, value in settings.items()
    }


def _columns(name: str, value: Any) -> dict[str, Any]:
    """Return a value by its name, or the ends of an interval by two."""
    if isinstance(value, list):
        return {f"{name}_low": value[0], f"{name}_high": value[1]}
    return {name: value}


def _harmless(value: Any) -> Any:
    """Return a text as one that no spreadsheet takes for a formula; names come from strangers."""
    formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if formula else "" if value is None else value


def as_html(run: Run) -> bytes:
    """Return the page of a run, with commands that name its folder as the user does."""
    return to_html(run.result, str(run.folder)).encode()


def as_svg(run: Run) -> bytes:
    """Return the picture of a run as SVG."""
    return to_svg(run.result)


def as_png(run: Run) -> bytes:
    """Return the picture of a run as PNG."""
    return to_png(run.result)


def _hardware_html(run: Run) -> bytes:
    return hardware.to_html(run.result, str(run.folder)).encode()


WRITERS: dict[str, Callable[[Run], bytes]] = {
    "csv": as_csv, "json": as_json, "html": as_html, "svg": as_svg, "png": as_png
}  # fmt: skip
"""What writes each format, by the suffix of its files."""


HARDWARE_WRITERS: dict[str, Callable[[Run], bytes]] = {
    "csv": hardware_csv, "json": as_json, "html": _hardware_html,
    "svg": lambda run: hardware.to_svg(run.result),
    "png": lambda run: hardware.to_png(run.result),
}  # fmt: skip
"""The same for explorations of hardware."""


def export_run(
    folder: Path, out: Path | None, *, kind: str | None = None, board: str | None = None
) -> bytes:
    """Write the fronts of a run to a file.

    Args:
        folder: folder of the run.
        out: the file, or None for none.
        kind: one of ``WRITERS``; by the suffix of the file unless given.
        board: the front of this board only.

    Returns:
        What was written.

    Raises:
        CompileError: HW326, no exploration; HW331, no such board; HW340, a format that is not
            known; HW552, the file cannot be written.
    """
    given = kind or (out.suffix.removeprefix(".").lower() if out is not None else "csv")
    if given not in WRITERS:
        raise CompileError([_unknown(given, out, list(WRITERS))])
    other = open_hardware(folder)
    run = other or open_run(folder)[1]
    writers = WRITERS if other is None else HARDWARE_WRITERS
    content = writers[given](on_board(run, board))
    if out is not None:
        write_file(out, content)
    return content


def _unknown(kind: str, out: Path | None, known: list[str]) -> Diagnostic:
    return Diagnostic(
        code="HW340", title="format that fronts are not written in",
        where=str(out) if out is not None else "--format", found=kind or "a name without a suffix",
        supported=", ".join(known),
        help=did_you_mean(kind, known) or "give the format: --format csv",
    )  # fmt: skip
