"""What an exploration is asked for, checked, and what tells it from another one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from hwflow.core.board import Board, load_board
from hwflow.core.config import Config, read_settings, with_arguments
from hwflow.core.digests import digest
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.estimate.power import idle_power
from hwflow.exploration.budgets import Limit, read_limits
from hwflow.exploration.costs import ENERGY, FIGURES
from hwflow.exploration.space import Wish, read_wish
from hwflow.fitting.budgets import parse_budgets
from hwflow.frontends.quantization.settings import Settings, make_settings
from hwflow.frontends.sources import Sources
from hwflow.ir.op import Target

ARITHMETIC = "1"
"""Changes whenever a configuration may get other weights or other results than before."""

GOALS = {
    "latency_ns": "latency", "ii": "throughput", "share": "share", "lut_synth": "lut",
    "ff_synth": "ff", "dsp": "dsp", "bram_18k_synth": "bram_18k",
}  # fmt: skip
"""Costs that settings of hardware can be fitted for, with what the solver of a fit calls them."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is explored, and how; plain values.

    Attributes:
        model: path of the float model, or ``FILE.py:FUNCTION``.
        data: the same for the data.
        boards: profiles to price for.
        bits: options of all weights and activations, such as ``w=2:8 a=2:8``.
        fix: options of single layers, such as ``fc1:w=8``.
        group: regular expressions; layers that match one have the same bits.
        method: how to quantise, by the names that ``quantize`` takes.
        target: entries of ``[target]``, such as ``io_type`` and ``strategy``.
        cost: figures that count against a configuration.
        samples: most samples to search with.
        seed: seed of what is drawn.
        most: limits that no point exceeds, such as ``lut=70%``.
        least: limits that no point falls below, such as ``acc=95%``.
        fit: budgets that the settings of layers are chosen within, beside what a board has; None
            where they are not chosen.
    """

    model: str
    data: str
    boards: tuple[str, ...]
    bits: str = "w=2:8 a=2:8"
    fix: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    method: Mapping[str, Any] = field(default_factory=dict)
    target: Mapping[str, Any] = field(default_factory=dict)
    cost: tuple[str, ...] = ("share",)
    samples: int = 1000
    seed: int = 0
    most: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    fit: Mapping[str, str] | None = None

    def check(self) -> None:
        """Refuse what cannot be used.

        Raises:
            CompileError: HW310 to HW311, HW320, HW323, HW530, HW5xx of boards and settings.
        """
        findings: list[Diagnostic] = []
        unknown = [name for name in self.cost if name not in FIGURES]
        if unknown or not self.cost:
            findings.append(
                Diagnostic(
                    code="HW323", title="unknown cost", where="--cost",
                    found=", ".join(unknown) or "nothing", supported=", ".join(FIGURES),
                )
            )  # fmt: skip
        elif self.fit is not None and (len(self.cost) > 1 or self.cost[0] not in GOALS):
            findings.append(
                Diagnostic(
                    code="HW323", title="cost that settings are not fitted for", where="--cost",
                    found=", ".join(self.cost), supported=f"one of {', '.join(GOALS)}",
                    help="such as --cost share, or leave out --fit",
                )
            )  # fmt: skip
        if self.fit is not None and self.most:
            findings.append(
                Diagnostic(
                    code="HW343", title="limits beside the budgets of a fit", where="most",
                    found=", ".join(self.most), help="give them as budgets, in fit",
                )
            )  # fmt: skip
        if findings:
            raise CompileError(findings)
        _ = self.wish, self.settings, parse_budgets(self.fit or {})
        boards = [self.target_of(name)[0] for name in self.boards]
        unknown = [board.name for board in boards if idle_power(board) is None]
        counted = {*self.cost, *(limit.figure for limit in self.limits)}
        if ENERGY in counted and unknown:
            raise CompileError([_no_energy(unknown)])

    @cached_property
    def sources(self) -> Sources:
        """Where model and data come from; code runs once."""
        return Sources(self.data)

    @property
    def limits(self) -> list[Limit]:
        """The limits.

        Raises:
            CompileError: HW343, one cannot be read.
        """
        return read_limits(self.most, self.least)

    @property
    def wish(self) -> Wish:
        """The options of the space."""
        return read_wish(self.bits, self.fix, self.group)

    @property
    def settings(self) -> Settings:
        """How to quantise."""
        options = self.wish.bits
        widest = {kind: max(found) for kind, found in options.items()}
        given = {"scale": "float", "method": "mse", **self.method}
        return make_settings(widest, **given)

    def config(self, board: str) -> Config:
        """Return the settings of the designs for a board."""
        found = with_arguments(read_settings({}), {**self.target, "board": board})
        if found.findings:
            raise CompileError(found.findings)
        return found

    def target_of(self, name: str) -> tuple[Board, Target]:
        """Return a board and what is generated for it."""
        config, board = self.config(name), load_board(name)
        clock = config.target.clock_period_ns or board.clock_period_ns
        given = config.target
        return board, Target(given.backend, given.io_type, board.part, clock, given.tool or "")

    def to_json(self) -> str:
        """Return all of it as text."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Return the request that a run keeps."""
        given = json.loads(text)
        for name in ("boards", "fix", "group", "cost", "most", "least"):
            given[name] = tuple(given.get(name, ()))
        return cls(**given)

    def keys(self) -> dict[str, str]:
        """Return digests of all that evaluations depend on; prices are not among it.

        Raises:
            CompileError: HW004 or HW400, model or data cannot be read; HW367, code gives none.
        """
        return {
            "model": self.sources.digest(self.model),
            "data": self.sources.digest(self.data),
            "arithmetic": ARITHMETIC,
            "space": digest((self.bits, self.fix, self.group, sorted(self.method.items()))),
            "samples": f"{self.samples}, seed {self.seed}",
        }


def _no_energy(boards: Sequence[str]) -> Diagnostic:
    others = [cost for cost in FIGURES if cost != ENERGY]
    return Diagnostic(
        code="HW323", title="energy on a board whose idle power is not known", where="--cost",
        found=f"{ENERGY} on {', '.join(boards)}", supported=", ".join(others),
        help="take another cost, or a board whose idle power is known, such as pynq-z2",
    )  # fmt: skip


def chosen_samples(count: int, most: int, seed: int) -> Sequence[int]:
    """Return which samples to search with, ascending."""
    if count <= most:
        return list(range(count))
    drawn = np.random.default_rng(seed).choice(count, most, replace=False)
    return [int(i) for i in np.sort(drawn)]
