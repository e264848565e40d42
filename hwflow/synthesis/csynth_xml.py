"""``csynth.xml`` of Vivado HLS and Vitis HLS, and ``NAME_csynth.xml`` of single modules.

Both tools have the same elements for the whole design. Vitis HLS adds the modules with their
figures (``ModuleInformation``) and which one calls which (``RTLDesignHierarchy``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree.ElementTree import Element

from hwflow.ir.qonnx.model import printable
from hwflow.synthesis.numbers import number
from hwflow.synthesis.records import CSynth, Figures, Module, UnreadableReportError
from hwflow.synthesis.xml_tree import read_xml

LAST_VIVADO_HLS = (2020, 1)
"""Version of the last Vivado HLS; from 2020.2 on the tool is Vitis HLS."""


def read_csynth_xml(content: bytes, file: Path) -> CSynth:
    """Return what a report says.

    Args:
        content: the file.
        file: where it was read.

    Raises:
        UnreadableReportError: it is no such report.
    """
    root = read_xml(content)
    version = _text(root, "ReportVersion/Version")
    top = _text(root, "UserAssignments/TopModelName")
    if root.tag != "profile" or not version or not top:
        raise UnreadableReportError("is no report of C synthesis")
    timing = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"
    return CSynth(
        file=file,
        tool=tool_of(version),
        top=top,
        part=_text(root, "UserAssignments/Part"),
        clock_period_ns=number(_text(root, "UserAssignments/TargetClockPeriod")),
        estimated_clock_ns=number(_text(root, timing)),
        figures=_figures(root),
        modules=tuple(_modules(root, top)),
    )


def tool_of(version: str) -> str:
    """Return the HLS tool that a report's version is of, with the version."""
    year, _, release = version.partition(".")
    known = (int(year), int(release)) if year.isdecimal() and release.isdecimal() else None
    old = known is not None and known <= LAST_VIVADO_HLS
    return f"{'vivado' if old else 'vitis'} {version}"


def _text(node: Element, path: str) -> str:
    return printable((node.findtext(path) or "").strip())


def _figures(node: Element) -> Figures:
    """Return the figures of a design or of a module."""
    area = node.find("AreaEstimates/Resources")
    found = {} if area is None else {child.tag: number(child.text) for child in area}
    cycles = node.find("PerformanceEstimates/SummaryOfOverallLatency")
    latency, interval = None, None
    if cycles is not None:
        latency = number(cycles.findtext("Worst-caseLatency"))
        interval = number(cycles.findtext("Interval-max"))
        if interval is None:
            interval = number(cycles.findtext("PipelineInitiationInterval"))
    if interval is None and latency is not None:
        interval = latency + 1  # not pipelined: it starts again when it has ended
    return Figures(
        lut=found.get("LUT"),
        ff=found.get("FF"),
        dsp=found.get("DSP", found.get("DSP48E")),
        bram_18k=found.get("BRAM_18K"),
        uram=found.get("URAM"),
        latency_cycles=latency,
        ii=interval,
    )


def _modules(root: Element, top: str) -> Iterator[Module]:
    """Yield the modules below the top function, as far as the report has them."""
    parents = _parents(root)
    for node in root.iterfind("ModuleInformation/Module"):
        name = _text(node, "Name")
        if name and name != top:
            above = frozenset(parents[name]) if parents else None
            yield Module(name=name, parents=above, figures=_figures(node))


def _parents(root: Element) -> defaultdict[str, set[str]]:
    """Return the modules that hold each module."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    waiting = list(root.iterfind("RTLDesignHierarchy/TopModule"))
    while waiting:
        node = waiting.pop()
        name = _text(node, "ModuleName")
        for child in node.iterfind("InstancesList/Instance"):
            found[_text(child, "ModuleName")].add(name)
            waiting.append(child)
    return found


def with_modules(report: CSynth, others: tuple[CSynth, ...]) -> CSynth:
    """Return the report of a design with modules from reports of their own."""
    modules = (Module(name=o.top, parents=None, figures=o.figures) for o in others)
    return replace(report, modules=tuple(modules))
