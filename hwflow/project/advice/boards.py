"""The boards that hold a design, and what breaks first on those that do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwflow.core.board import Board
from hwflow.estimate.report import EstimateReport, Utilisation, interval_dict
from hwflow.project.advice.trial import Settled
from hwflow.project.compiled import Compiled

ORDER = ("yes", "borderline", "no", "")
"""Answers, best first; the empty one is of boards on which the settings are not legal."""


@dataclass(frozen=True)
class OnBoard:
    """A design on a board.

    Attributes:
        board: the board.
        report: the estimate for its part, and for its clock unless the settings say one; None where
            the settings are not legal there.
    """

    board: Board
    report: EstimateReport | None

    @property
    def fits(self) -> str:
        """Whether the board holds the design, one of ``ORDER``."""
        return self.report.fits if self.report else ""

    @property
    def tightest(self) -> Utilisation | None:
        """The resource that breaks first: with the worst answer, and the largest share."""
        uses = self.report.utilisation if self.report else ()
        return max(uses, key=lambda use: (ORDER.index(use.fits), use.percent.value), default=None)

    @property
    def excess(self) -> float:
        """How many blocks of the tightest resource are missing, by the best value."""
        use = self.tightest
        return max(0.0, use.used.value - use.available) if use else 0.0

    @property
    def rank(self) -> tuple[float, ...]:
        """What comes first: what holds it, cheapest and then smallest; else the nearest miss."""
        use = self.tightest
        group = ORDER.index(self.fits)
        share = use.percent.value if use else 0.0
        if self.fits == "no":
            return (group, share)
        return (group, self.board.price_rank, self.board.resources.count("lut"), share)

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data, for JSON; what is not known is None."""
        board, report, use = self.board, self.report, self.tightest
        return {
            "board": board.name,
            "part": board.part,
            "buildable": board.buildable,
            "price_usd": board.price.usd if board.price else None,
            "idle_power_w": board.idle_power.watts if board.idle_power else None,
            "fits": self.fits,
            "tightest": use.resource if use else None,
            "excess": round(self.excess, 3),
            "utilisation": [u.to_dict() for u in report.utilisation] if report else [],
            "clock_period_ns": report.clock_period_ns if report else None,
            "latency_ns": interval_dict(report.latency_ns) if report else None,
        }


def on_boards(
    design: Compiled,
    boards: Sequence[Board],
    progress: Callable[[str, float], None] = lambda stage, done: None,
) -> tuple[OnBoard, ...]:
    """Return a design on each of several boards, as compiling it for them would estimate it.

    Args:
        design: compiled for any board.
        boards: what to estimate it on.
        progress: called with the stage and the share of it that is done.
    """
    return tuple(_on_each(design, boards, progress))


def _on_each(
    design: Compiled, boards: Sequence[Board], progress: Callable[[str, float], None]
) -> Iterator[OnBoard]:
    settled = Settled(design.origin.unsettled, design.config, design.target, design.board)
    for done, board in enumerate(boards):
        progress("estimate on boards", done / len(boards))
        clock = design.config.target.clock_period_ns or board.clock_period_ns
        target = replace(design.target, part=board.part, clock_period_ns=clock)
        yield OnBoard(board, settled.on(target, board).whole({}))
    progress("estimate on boards", 1.0)
