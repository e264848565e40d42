"""``NAME_csynth.rpt`` of Vivado HLS and Vitis HLS: the text that people read.

It has the whole design, and one row for each module that the top function calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hwflow.ir.qonnx.model import printable
from hwflow.synthesis.csynth_xml import tool_of
from hwflow.synthesis.numbers import number
from hwflow.synthesis.records import CSynth, Figures, Module, UnreadableReportError

_TITLE = re.compile(r"^== (?:Vivado|Vitis) HLS Report for '([^']{1,400})'", re.MULTILINE)
_FACT = r"^\* {}:\s+(\S+)"

Row = list[str]


def read_csynth_text(text: str, file: Path) -> CSynth:
    """Return what a report says.

    Args:
        text: the file.
        file: where it was read.

    Raises:
        UnreadableReportError: it is no such report.
    """
    title = _TITLE.search(text)
    version = re.search(_FACT.format("Version"), text, re.MULTILINE)
    if title is None or version is None:
        raise UnreadableReportError("is no report of C synthesis")
    top = printable(title[1])
    device = re.search(_FACT.format("Target device"), text, re.MULTILINE)
    performance, _, utilisation = text.partition("== Utilization Estimates")
    timing = _first_numbers(_rows(performance.partition("+ Timing")[2]))
    clock = [cell for cell in timing[1:] if number(cell) is not None]
    summary, _, detail = performance.partition("+ Latency")[2].partition("+ Detail")
    return CSynth(
        file=file,
        tool=tool_of(printable(version[1])),
        top=top,
        part=printable(device[1]) if device else "",
        clock_period_ns=number(clock[0]) if clock else None,
        estimated_clock_ns=number(clock[1]) if len(clock) > 1 else None,
        figures=Figures(**_cycles(_first_numbers(_rows(summary))), **_total(utilisation)),
        modules=tuple(_modules(detail, utilisation, top)),
    )


def _rows(text: str) -> Iterator[Row]:
    """Yield the rows of tables, each as its cells."""
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("|") and stripped.endswith("|"):
            yield [cell.strip() for cell in stripped[1:-1].split("|")]


def _first_numbers(rows: Iterator[Row]) -> Row:
    """Return the first row with two numbers or more: those before it are headings."""
    return next((row for row in rows if sum(number(c) is not None for c in row) > 1), [])


def _cycles(cells: Sequence[str]) -> dict[str, float | None]:
    """Return latency and II of a row: latency, time in newer versions, interval, kind of pipeline.

    The interval is the last pair of numbers.
    """
    if len(cells) < 5:
        return {}
    return {"latency_cycles": number(cells[1]), "ii": number(cells[-2])}


def _total(utilisation: str) -> dict[str, float | None]:
    head: Row = []
    for row in _rows(utilisation):
        if "LUT" in row and "FF" in row:
            head = row
        elif row[0] == "Total" and head:
            return _areas(dict(zip(head, row, strict=False)))
    return {}


def _areas(cells: Mapping[str, str]) -> dict[str, float | None]:
    dsp = cells.get("DSP48E", cells.get("DSP"))
    return {
        "lut": number(cells.get("LUT")),
        "ff": number(cells.get("FF")),
        "dsp": number(dsp),
        "bram_18k": number(cells.get("BRAM_18K")),
        "uram": number(cells.get("URAM")),
    }


def _modules(latencies: str, utilisation: str, top: str) -> Iterator[Module]:
    """Yield the modules that the top function calls."""
    cycles = {row[1]: _cycles(row[2:]) for row in _rows(latencies) if len(row) > 6}
    head: Row = []
    for row in _rows(utilisation.partition("* Instance")[2]):
        if "Module" in row:
            head = row
        elif row[0] == "Total" or not head or len(row) != len(head):
            return
        else:
            cells = dict(zip(head, row, strict=True))
            name = cells["Module"]
            figures = Figures(**_areas(cells), **cycles.get(name, {}))
            yield Module(name=printable(name), parents=frozenset({top}), figures=figures)
