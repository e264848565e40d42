"""Reports of Vivado: ``report_utilization`` and ``report_timing_summary``."""

from __future__ import annotations

import re
from pathlib import Path

from hwflow.ir.qonnx.model import printable
from hwflow.synthesis.numbers import number
from hwflow.synthesis.records import Figures, Logic, Timing, UnreadableReportError

_VERSION = re.compile(r"^\| Tool Version\s*: Vivado v\.(\d{4}\.\d)", re.MULTILINE)
_ROW = re.compile(r"^\|\s*([A-Za-z][^|]*?)\s*\|\s*([^|]*?)\s*\|", re.MULTILINE)
_SLACK = re.compile(
    r"^\s*WNS\(ns\)\s+TNS\(ns\)[^\n]*\n[\s\-]*\n\s*(-?\d+(?:\.\d+)?)\s", re.MULTILINE
)

LUTS = ("Slice LUTs", "CLB LUTs")
REGISTERS = ("Slice Registers", "CLB Registers", "Registers")
"""What look-up tables and flip-flops are called, by family: 7 series, UltraScale, Versal."""

DSPS = ("DSPs", "DSP Slices")


def is_utilization(head: str) -> bool:
    """Return whether the beginning of a file is that of a report of utilisation."""
    return bool(_VERSION.search(head)) and "report_utilization" in head


def is_timing(head: str) -> bool:
    """Return whether the beginning of a file is that of a report of timing."""
    return bool(_VERSION.search(head)) and "report_timing_summary" in head


def read_utilization(text: str, file: Path) -> Logic:
    """Return what a report of utilisation says.

    Args:
        text: the file.
        file: where it was read.

    Raises:
        UnreadableReportError: it has no table of look-up tables (a hierarchical one has not).
    """
    version = _VERSION.search(text)
    rows: dict[str, float | None] = {}
    for name, used in _ROW.findall(text):
        rows.setdefault(name.rstrip("*"), number(used))
    luts = _first(rows, LUTS)
    if version is None or luts is None:
        raise UnreadableReportError("has no table of look-up tables; a hierarchical report?")
    tiles = rows.get("Block RAM Tile")
    return Logic(
        file=file,
        tool=f"vivado {version[1]}",
        design=_fact(text, "Design"),
        device=_fact(text, "Device"),
        state=_state(text),
        figures=Figures(
            lut=luts,
            ff=_first(rows, REGISTERS),
            dsp=_first(rows, DSPS),
            bram_18k=None if tiles is None else 2 * tiles,
            uram=rows.get("URAM"),
        ),
    )


def read_timing(text: str) -> Timing:
    """Return what a report of timing says.

    Raises:
        UnreadableReportError: it has no worst slack, as without a clock.
    """
    slack = _SLACK.search(text)
    if slack is None:
        raise UnreadableReportError("has no worst slack; a design without a clock?")
    return Timing(design=_fact(text, "Design"), state=_state(text), slack_ns=float(slack[1]))


def _first(rows: dict[str, float | None], names: tuple[str, ...]) -> float | None:
    return next((rows[name] for name in names if rows.get(name) is not None), None)


def _fact(text: str, name: str) -> str:
    """Return a line of the head of a report."""
    found = re.search(rf"^\| {name}\s*: (.*?)\s*$", text, re.MULTILINE)
    return printable(found[1]) if found else ""


def _state(text: str) -> str:
    """Return how far the design had come; reports of old versions do not say."""
    state = _fact(text, "Design State").lower()
    return "synthesized" if state in ("", "synthesized") else "implemented"
