"""What reports of vendor tools say, as plain records; a figure is None where it is not given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path


class UnreadableReportError(Exception):
    """Why a file is not a report that can be read, in a few words."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Resources and timing of a design or a part of it.

    Attributes:
        lut: look-up tables.
        ff: flip-flops.
        dsp: DSP blocks.
        bram_18k: 18 kbit block RAMs; a 36 kbit block counts as two.
        uram: UltraRAMs.
        latency_cycles: clock cycles of the slowest case, from first input to last output.
        ii: cycles between two inferences, the slowest case.
    """

    lut: float | None = None
    ff: float | None = None
    dsp: float | None = None
    bram_18k: float | None = None
    uram: float | None = None
    latency_cycles: float | None = None
    ii: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """Return the figures as plain data."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


AREAS = ("lut", "ff", "dsp", "bram_18k", "uram")
"""Figures that add up over parts of a design."""


@dataclass(frozen=True, kw_only=True)
class Module:
    """A function of the C++ that became a module of its own; its figures include what it calls.

    Attributes:
        name: name of the module.
        parents: modules that hold it; None where the report does not say.
        figures: its figures.
    """

    name: str
    parents: frozenset[str] | None
    figures: Figures


@dataclass(frozen=True, kw_only=True)
class CSynth:
    """The report of C synthesis.

    Attributes:
        file: where it was read.
        tool: HLS tool with its version, ``"vitis 2024.2"``.
        top: the top function.
        part: the device.
        clock_period_ns: requested clock period; None where it is not given.
        estimated_clock_ns: the clock period that the tool expects to reach.
        figures: those of the whole design.
        modules: the modules below the top function.
    """

    file: Path
    tool: str
    top: str
    part: str
    clock_period_ns: float | None
    estimated_clock_ns: float | None
    figures: Figures
    modules: tuple[Module, ...]


@dataclass(frozen=True, kw_only=True)
class Logic:
    """The report of what Vivado made of a design.

    Attributes:
        file: where it was read.
        tool: ``"vivado 2024.2"``.
        design: name of the top module.
        device: the device as the report calls it.
        state: ``"synthesized"`` or ``"implemented"``, which stands for placed, too.
        figures: resources.
        slack_ns: worst setup slack; None where no report of timing was found.
    """

    file: Path
    tool: str
    design: str
    device: str
    state: str
    figures: Figures
    slack_ns: float | None = None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """The report of the timing of a design.

    Attributes:
        design: name of the top module.
        state: as for ``Logic``.
        slack_ns: worst setup slack.
    """

    design: str
    state: str
    slack_ns: float


@dataclass(frozen=True, kw_only=True)
class Reports:
    """Everything that was found in a tree.

    Attributes:
        folder: the tree.
        csynth: reports of C synthesis.
        logic: reports of Vivado.
        unreadable: files that look like reports and cannot be read, with the reason.
    """

    folder: Path
    csynth: tuple[CSynth, ...]
    logic: tuple[Logic, ...]
    unreadable: tuple[str, ...]
