"""Finds the reports in a whole project tree, of whatever age; what is read is bounded."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.files import read_limited
from hwflow.ir.qonnx.model import printable
from hwflow.synthesis.csynth_text import read_csynth_text
from hwflow.synthesis.csynth_xml import read_csynth_xml, with_modules
from hwflow.synthesis.records import CSynth, Logic, Reports, Timing, UnreadableReportError
from hwflow.synthesis.vivado import is_timing, is_utilization, read_timing, read_utilization

MAX_ENTRIES = 200_000
"""Files of a tree that are looked at; a project of a large network has some thousand."""

MAX_REPORTS = 4_000
MAX_BYTES = 32 * 2**20
"""Reports that are read, and how long each may be; those of large networks have a few MB."""

MAX_TOTAL = 2**28
"""Bytes of all reports of a tree together."""

HEAD = 4_096
"""Bytes that tell what a report is about."""

SKIPPED = frozenset({".autopilot", ".git", ".Xil", ".debug"})
"""Folders of intermediate results: their reports are of single passes of the tool."""

_XML, _TEXT = "csynth.xml", "csynth.rpt"


def read_tree(folder: Path) -> Reports:
    """Return the reports in a tree; links are not followed.

    Raises:
        CompileError: HW590, there is none, or the folder cannot be read.
    """
    reading = _Reading()
    by_folder: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in islice(_candidates(folder), MAX_REPORTS):
        if path.name.endswith((_XML, _TEXT)):
            by_folder[path.parent].append(path)
        else:
            reading.vivado(path)
    csynth = [r for paths in by_folder.values() for r in reading.csynth(paths)]
    found = Reports(
        folder=folder,
        csynth=tuple(csynth),
        logic=tuple(reading.with_slack()),
        unreadable=tuple(reading.unreadable),
    )
    if not found.csynth and not found.logic:
        raise CompileError([_nothing(found)])
    return found


def _candidates(folder: Path) -> Iterator[Path]:
    """Yield files that may be reports, in a lasting order."""
    seen = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in SKIPPED)
        for name in sorted(names):
            seen += 1
            if seen > MAX_ENTRIES:
                return
            path = Path(place, name)
            if name.endswith((_XML, ".rpt")) and not path.is_symlink() and path.is_file():
                yield path


class _Reading:
    """Reads files, and keeps why one could not be read."""

    def __init__(self) -> None:
        self.logic: list[Logic] = []
        self.timing: list[Timing] = []
        self.unreadable: list[str] = []
        self._left = MAX_TOTAL

    def vivado(self, path: Path) -> None:
        """Read a report of Vivado; any other file is passed over."""
        try:
            with path.open("rb") as file:
                head = file.read(HEAD).decode("utf-8", "replace")
            if is_utilization(head):
                self.logic.append(read_utilization(self._text(path), path))
            elif is_timing(head):
                self.timing.append(read_timing(self._text(path)))
        except (OSError, ValueError, UnreadableReportError) as error:
            self._note(path, error)

    def csynth(self, paths: Sequence[Path]) -> Iterator[CSynth]:
        """Yield the report of each design that reports in one folder are about."""
        read = {path.name: report for path in paths if (report := self._one(path)) is not None}
        whole = read.pop(_XML, None)
        if whole is not None and whole.modules:
            yield whole
            return
        texts = {r.top: r for name, r in read.items() if name.endswith(_TEXT)}
        others = {r.top: r for name, r in read.items() if name.endswith(_XML)}
        inner = {m.name for report in texts.values() for m in report.modules}
        tops = [whole.top] if whole else [top for top in {**others, **texts} if top not in inner]
        for top in tops:
            report = whole or others.get(top) or texts[top]
            rest = tuple(other for name, other in others.items() if name != top)
            if top in texts and texts[top].modules:
                report = replace(report, modules=texts[top].modules)
            elif len(tops) == 1:
                report = with_modules(report, rest)
            yield report

    def _one(self, path: Path) -> CSynth | None:
        try:
            if path.name.endswith(_XML):
                return read_csynth_xml(self._content(path), path)
            return None if path.name == _TEXT else read_csynth_text(self._text(path), path)
        except (OSError, ValueError, UnreadableReportError) as error:
            self._note(path, error)
            return None

    def _content(self, path: Path) -> bytes:
        """Return a file of what may still be read of the tree."""
        content = read_limited(path, min(MAX_BYTES, self._left))
        self._left -= len(content)
        return content

    def _text(self, path: Path) -> str:
        return self._content(path).decode("utf-8", "replace")

    def _note(self, path: Path, error: Exception) -> None:
        said = getattr(error, "strerror", None) or str(error)
        self.unreadable.append(printable(f"{path.name}: {said}"))

    def with_slack(self) -> Iterator[Logic]:
        """Yield the reports of utilisation, each with the worst slack of the same design."""
        slack = {(t.design, t.state): t.slack_ns for t in self.timing}
        for report in self.logic:
            yield replace(report, slack_ns=slack.get((report.design, report.state)))


def _nothing(found: Reports) -> Diagnostic:
    damaged = f"; not readable: {'; '.join(found.unreadable[:3])}" if found.unreadable else ""
    return Diagnostic(
        code="HW590",
        title="no report of a synthesis",
        where=str(found.folder),
        found=f"no csynth.xml, NAME_csynth.rpt or report_utilization text{damaged}",
        help="give the folder in which Vitis HLS, Vivado HLS or Vivado ran, such as build/net/hls",
    )
