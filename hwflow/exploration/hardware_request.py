"""What an exploration of hardware is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fitting.budgets import parse_budgets
from hwflow.fitting.fit import IO_TYPES
from hwflow.fitting.tradeoff import COSTS, TIMES
from hwflow.frontends.sources import Sources
from hwflow.ops.shared.matvec import STRATEGIES


@dataclass(frozen=True, kw_only=True)
class HardwareRequest:
    """What is explored; plain values.

    Attributes:
        model: path of a model that can be built, or ``FILE.py:FUNCTION``.
        data: path of data that a point is verified on when it is built, or None.
        boards: profiles.
        clocks: clock periods in ns; that of each board unless given.
        io_types: those to choose from.
        strategies: those that layers may have; all unless given.
        time: ``latency_ns`` or ``ii``.
        cost: one of ``COSTS``.
        points: most points for each board, io type and clock.
        budgets: limits that every point keeps to, such as ``{"lut": "60%"}``.
        target: further entries of ``[target]``.
    """

    model: str
    data: str | None = None
    boards: tuple[str, ...]
    clocks: tuple[float, ...] = ()
    io_types: tuple[str, ...] = IO_TYPES
    strategies: tuple[str, ...] = ()
    time: str = "latency_ns"
    cost: str = "share"
    points: int = 8
    budgets: Mapping[str, str] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)

    def check(self) -> None:
        """Refuse what cannot be used.

        Raises:
            CompileError: HW323, HW334; HW530, a limit cannot be read.
        """
        findings = []
        if self.time not in TIMES or self.cost not in COSTS:
            findings.append(
                Diagnostic(
                    code="HW323", title="unknown cost", where="--cost",
                    found=f"{self.time},{self.cost}",
                    supported=f"one of {', '.join(TIMES)} and one of {', '.join(COSTS)}",
                    help="such as --cost latency_ns,share",
                )
            )  # fmt: skip
        for option, given, known in (("--io-type", self.io_types, IO_TYPES),
                                     ("--strategy", self.strategies, STRATEGIES)):  # fmt: skip
            unknown = [name for name in given if name not in known]
            if unknown:
                findings.append(
                    Diagnostic(
                        code="HW334", title="unknown choice of hardware", where=option,
                        found=", ".join(unknown), supported=", ".join(known),
                    )
                )  # fmt: skip
        if findings:
            raise CompileError(findings)
        _ = parse_budgets(self.budgets)

    @property
    def choices(self) -> dict[str, Any]:
        """What cases are solved with beside board, io type and clock."""
        names = ("strategies", "time", "cost", "points", "budgets", "target")
        return {name: getattr(self, name) for name in names}

    def plain(self) -> dict[str, Any]:
        """Return it as plain data, paths in full."""
        paths = {"model": str(Path(self.model).resolve())}
        if self.data is not None:
            paths["data"] = str(Path(self.data).resolve())
        found: dict[str, Any] = json.loads(json.dumps({**asdict(self), **paths}))
        return found

    @classmethod
    def of_plain(cls, given: Mapping[str, Any]) -> HardwareRequest:
        """Return the request that a run keeps."""
        tuples = ("boards", "clocks", "io_types", "strategies")
        return cls(**{**given, **{name: tuple(given[name]) for name in tuples}})

    def digests(self) -> dict[str, str]:
        """Return what tells it from others."""
        return {"model": self.sources.digest(self.model)}

    @cached_property
    def sources(self) -> Sources:
        """Where model and data come from; code runs once."""
        return Sources(self.data or "")
