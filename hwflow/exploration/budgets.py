"""Limits that configurations must keep to: read, resolved for a board, and held against figures."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.board import RESOURCES as BOARD_RESOURCES
from hwflow.core.board import Board
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.estimate.graph import BOARD_COLUMN
from hwflow.estimate.logic import logic_of
from hwflow.exploration.costs import ENERGY, FIGURES, SUMS
from hwflow.ir.cost import Estimate
from hwflow.ir.qonnx.model import printable

F64 = npt.NDArray[np.float64]

RESOURCES = {
    "lut": BOARD_COLUMN["lut"], "ff": BOARD_COLUMN["ff"], "dsp": BOARD_COLUMN["dsp"],
    "bram": BOARD_COLUMN["bram_18k"], "bram_18k": BOARD_COLUMN["bram_18k"],
}  # fmt: skip
"""Which figure stands against which resource of a board, as for ``hwflow verify``."""

TIMES = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
ENERGIES = {"nJ": 1e-3, "uJ": 1.0, "mJ": 1e3, "J": 1e6}
"""Units of latencies and energies, in ns and uJ."""

UNITS = {"latency": ("latency_ns", TIMES), "energy": (ENERGY, ENERGIES)}
"""Limits that need a unit."""

UNIT = {"latency": "ns", "energy": "uJ"}
"""Units in which they are told."""

MOST = tuple(dict.fromkeys((*RESOURCES, *UNITS, *FIGURES)))
"""What can have an upper limit."""

LEAST = {"acc": "accuracy", "agree": "agreement"}
"""What can have a lower limit, and its name in ``front.json``."""

NUMBER = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-zA-Z%]*)")


@dataclass(frozen=True)
class Limit:
    """A limit as it was given.

    Attributes:
        name: what the user calls it.
        figure: what is held against it, one of ``FIGURES`` or of the values of ``LEAST``.
        number: the limit in the unit of the figure, or a share of 1.
        of_board: it is a share of what the board has.
        least: it is a lower limit.
    """

    name: str
    figure: str
    number: float
    of_board: bool = False
    least: bool = False

    def bound(self, available: Mapping[str, float]) -> float:
        """Return the limit in the unit of the figure.

        Args:
            available: what a board has, by figure.
        """
        return self.number * available.get(self.figure, 0.0) if self.of_board else self.number


def read_limits(most: Sequence[str], least: Sequence[str] = ()) -> list[Limit]:
    """Read limits: ``lut=70% dsp=80% latency=1us``, and ``acc=95% agree=0.98``.

    Raises:
        CompileError: HW343, for each that cannot be read.
    """
    findings: list[Diagnostic] = []
    found: list[Limit] = []
    for option, texts, read in (("--max", most, _most), ("--min", least, _least)):
        for part in (part for text in texts for part in re.split(r"[\s,]+", text.strip()) if part):
            name, _, value = part.partition("=")
            match = NUMBER.fullmatch(value.strip())
            limit = read(name, float(match[1]), match[2]) if match else None
            if limit is None:
                findings.append(_unreadable(option, part, name))
            else:
                found.append(limit)
    if findings:
        raise CompileError(findings)
    return found


def _most(name: str, number: float, unit: str) -> Limit | None:
    if name in UNITS:
        figure, units = UNITS[name]
        return Limit(name, figure, number * units[unit]) if unit in units else None
    figure = RESOURCES.get(name, name)
    if figure not in FIGURES or unit not in ("", "%"):
        return None
    if not unit:
        return Limit(name, figure, number)
    if figure == "share":
        return Limit(name, figure, number / 100)
    of_board = figure in {*RESOURCES.values(), "dsp_synth", "bram_18k"}
    return Limit(name, figure, number / 100, of_board=True) if of_board else None


def _least(name: str, number: float, unit: str) -> Limit | None:
    share = number / 100 if unit == "%" else number
    if name not in LEAST or unit not in ("", "%") or share > 1:
        return None
    return Limit(name, LEAST[name], share, least=True)


def _unreadable(option: str, part: str, name: str) -> Diagnostic:
    known = MOST if option == "--max" else tuple(LEAST)
    usual = {
        "latency": "give a unit: latency=500ns, latency=1.5us",
        "energy": "give a unit: energy=20uJ, energy=1mJ",
        "acc": "give a share: acc=95% or acc=0.95", "agree": "give a share: agree=98%",
    }  # fmt: skip
    plain = f"give a number, such as {name}=100" + ("%" if name in (*RESOURCES, "share") else "")
    return Diagnostic(
        code="HW343", title="limit that cannot be read", where=option, found=printable(part),
        supported=", ".join(known),
        help=(usual.get(name, plain) if name in known else did_you_mean(name, known)),
    )  # fmt: skip


def available_of(board: Board) -> dict[str, float]:
    """Return how many of each resource a board has, by figure and in the units of the estimates."""
    logic = logic_of(board)
    return {
        figure: board.resources.count(resource)
        / logic.converted(resource, Estimate(1.0, 1.0, 1.0)).value
        for resource in BOARD_RESOURCES
        for figure in sorted({BOARD_COLUMN[resource], resource} & set(SUMS))
    }


def value_of(limit: Limit, point: Mapping[str, Any]) -> float:
    """Return what a point of a front has of what is limited."""
    if limit.least:
        return float(point.get("search", {}).get(limit.figure, 0.0))
    if limit.figure == "share":
        return float(point["share"])
    return float(point["cost"].get(limit.figure, [np.inf])[0])


def keeps(limit: Limit, value: float, available: Mapping[str, float]) -> bool:
    """Return whether a value keeps to a limit."""
    bound = limit.bound(available)
    return value >= bound - 1e-12 if limit.least else value <= bound * (1 + 1e-9)


def eased(limit: Limit, value: float, available: Mapping[str, float]) -> str:
    """Return a limit that a value keeps to, as it is given."""
    if limit.least:
        return f"--min {limit.name}={floor(1000 * value + 1e-9) / 10:g}%"
    if limit.of_board or limit.figure == "share":
        share = value / max(available[limit.figure], 1e-9) if limit.of_board else value
        return f"--max {limit.name}={ceil(1000 * share - 1e-9) / 10:g}%"
    unit = UNIT.get(limit.name, "")
    return f"--max {limit.name}={ceil(1000 * value - 1e-6) / 1000:.12g}{unit}"


def reason(limit: Limit, value: float, available: Mapping[str, float]) -> str:
    """Return why a value does not keep to a limit, such as ``dsp 3,214 > 220``."""
    bound = limit.bound(available)
    if limit.least or limit.figure == "share":
        sign = "<" if limit.least else ">"
        return f"{limit.name} {100 * value:.1f} % {sign} {100 * bound:.1f} %"
    share = f" ({100 * limit.number:g} %)" if limit.of_board else ""
    unit = f" {UNIT[limit.name]}" if limit.name in UNIT else ""
    return f"{limit.name} {_figure(value)}{unit} > {_figure(bound)}{unit}{share}"


def _figure(value: float) -> str:
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"


@dataclass(frozen=True, eq=False)
class Budget:
    """Limits on one board.

    Attributes:
        limits: the limits.
        available: what the board has, by figure.
    """

    limits: Sequence[Limit]
    available: Mapping[str, float]

    def excess(self, figures: Mapping[str, F64], shares: Mapping[str, F64]) -> F64:
        """Return how far configurations are beyond each limit, (limits, configurations).

        Args:
            figures: costs, by the names of ``FIGURES``.
            shares: right answers as shares, by ``accuracy`` and ``agreement``.

        Returns:
            0 within a limit; else what is too much, relative to an upper limit, or what is missing.
        """
        size = len(next(iter(figures.values())))
        found = np.zeros((len(self.limits), size))
        for row, limit in zip(found, self.limits, strict=True):
            bound = limit.bound(self.available)
            if limit.least:
                row[:] = np.maximum(bound - 1e-12 - shares[limit.figure], 0.0)
            else:
                over = figures[limit.figure] - bound * (1 + 1e-9)
                row[:] = np.maximum(over, 0.0) / max(bound, 1e-9)
        return found


def after_those_within(
    excess: F64, quality: npt.NDArray[np.int64], costs: F64, worst: tuple[int, F64]
) -> tuple[npt.NDArray[np.int64], F64]:
    """Return qualities and costs with which what is beyond a limit is worse than all else.

    Among what is beyond, less is better (K. Deb, Comput. Methods Appl. Mech. Eng. 186, 2000). What
    is beyond by as much as a limit itself is as bad as can be: searches predict from these values.

    Args:
        excess: how far configurations are beyond each limit, (limits, configurations).
        quality: right answers, (configurations,).
        costs: costs, (configurations, costs).
        worst: greatest quality, and costs that none within exceeds.
    """
    total = np.minimum(excess.sum(axis=0), 1.0)
    beyond = excess.sum(axis=0) > 0
    most, highest = worst
    return (
        np.where(beyond, -1 - np.floor(total * most).astype(np.int64), quality),
        np.where(beyond[:, None], highest * (1.0 + total[:, None]), costs),
    )


SECONDS = {"": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}


def read_seconds(text: str) -> float:
    """Return a time such as ``60s``, ``5min`` or ``1h``; a number alone is of seconds.

    Raises:
        CompileError: HW343, it is none.
    """
    match = NUMBER.fullmatch(text.strip())
    seconds = float(match[1]) * SECONDS.get(match[2], 0.0) if match else 0.0
    if not seconds:
        raise CompileError([_no_time(text)])
    return seconds


def _no_time(text: str) -> Diagnostic:
    return Diagnostic(
        code="HW343", title="time that cannot be read", where="--time", found=printable(text),
        supported="more than 0, in s, min or h", help="give a time such as 60s, 5min or 1h",
    )  # fmt: skip
