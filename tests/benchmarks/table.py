"""The table that the benchmarks end in: what was measured, against what, and what was aimed at."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

COLUMNS = ("network", "measured", "", "against", "", "ratio", "target", "met")


@dataclass(frozen=True)
class Row:
    """A measurement beside another of the same run.

    Attributes:
        network: that was measured.
        measured: what was measured.
        value: the result.
        unit: of both results.
        against: what it is held against; empty for nothing.
        base: the other result; 0 for none.
        least: the ratio of the two that is aimed at, at least.
        most: the ratio that is aimed at, at most.
        below: the ratio that is aimed at, less than.
    """

    network: str
    measured: str
    value: float
    unit: str
    against: str = ""
    base: float = 0.0
    least: float | None = None
    most: float | None = None
    below: float | None = None

    @property
    def ratio(self) -> float | None:
        """The result in parts of what it is held against."""
        return self.value / self.base if self.base else None

    @property
    def target(self) -> str:
        """What is aimed at, as text; empty for nothing."""
        named = ((">=", self.least), ("<=", self.most), ("<", self.below))
        return " ".join(f"{sign} {limit:g}" for sign, limit in named if limit is not None)

    @property
    def met(self) -> bool | None:
        """Whether the ratio, or the value where there is none, is as aimed at; None for no aim."""
        if not self.target:
            return None
        found = self.value if self.ratio is None else self.ratio
        return (
            (self.least is None or found >= self.least)
            and (self.most is None or found <= self.most)
            and (self.below is None or found < self.below)
        )

    def cells(self) -> tuple[str, ...]:
        """Return the row as text."""
        met = {None: "", True: "yes", False: "NO"}[self.met]
        base = figure(self.base, self.unit) if self.against else ""
        ratio = "" if self.ratio is None else plain(self.ratio)
        value = figure(self.value, self.unit)
        return (self.network, self.measured, value, self.against, base, ratio, self.target, met)


def figure(value: float, unit: str) -> str:
    """Return a number with its unit."""
    return f"{plain(value)} {unit}".rstrip()


def plain(value: float) -> str:
    """Return a number with three digits that count, or all before the point; 1 in place of 1.00."""
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def text(rows: Sequence[Row]) -> str:
    """Return the table; a network is named once."""
    cells = [row.cells() for row in rows]
    lines: list[tuple[str, ...]] = [COLUMNS]
    for i, line in enumerate(cells):
        again = i > 0 and rows[i].network == rows[i - 1].network
        lines.append(("" if again else line[0], *line[1:]))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    right = {2, 4, 5}
    aligned = [
        "  ".join(
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    return "\n".join([aligned[0], "-" * len(aligned[0]), *aligned[1:]])


def machine() -> dict[str, Any]:
    """Return what the measurements ran on."""
    compiler = os.environ.get("CXX", "g++")
    version = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=True)
    return {
        "cpu": cpu_name(),
        "cores": len(os.sched_getaffinity(0)),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "onnxruntime": onnxruntime.__version__,
        "compiler": version.stdout.splitlines()[0],
    }


def cpu_name() -> str:
    """Return the name of the processor and its widest vector instructions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    found = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)
    }
    flags = found.get("flags", "").split()
    vectors = [f for f in ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8") if f in flags]
    return " ".join([found.get("model name", platform.machine()), *vectors])


def as_json(rows: Sequence[Row], builds: Mapping[str, Mapping[str, float]]) -> str:
    """Return machine, rows with ratios, targets and whether they are met, and stages of builds."""
    listed = [
        {**asdict(row), "ratio": row.ratio, "target": row.target, "met": row.met} for row in rows
    ]
    return json.dumps({"machine": machine(), "rows": listed, "builds": builds}, indent=1)
