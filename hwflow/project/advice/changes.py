"""Changes of the settings that may make a design smaller, tried one by one on the estimator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from hwflow.core.board import Board, list_boards
from hwflow.core.errors import CompileError
from hwflow.estimate.graph import board_utilisation
from hwflow.ir.graph import Node
from hwflow.project.advice.trial import (
    VERDICTS,
    Settings,
    Settled,
    Trial,
    strategies,
    with_strategy,
)

LAYERS = 3
"""Layers, largest first, with strategies and without, that are changed by themselves."""

MOST_FACTORS = 12
"""Reuse factors that are tried with a strategy."""

BOARDS = 3
"""Boards, smallest first, that the design is estimated on."""

QUICKER = 2.0
"""How many times as quick something that may fit must be, to be named beside what fits."""

HELPS = 0.95
"""Share of what is used now below which a change is worth the words."""


@dataclass(frozen=True)
class Change:
    """A change and what the estimator says with it.

    Attributes:
        settings: the entries that differ, in the form of ``hwflow.toml``.
        trial: the totals.
    """

    settings: Settings
    trial: Trial

    @property
    def cycles(self) -> float:
        """Latency of the whole design, in cycles."""
        return self.trial.total.latency_cycles.value

    @property
    def rank(self) -> tuple[float, ...]:
        """What comes first: what fits, quickest first; then what may; else what comes nearest."""
        group = VERDICTS.index(self.trial.verdict)
        first = self.trial.worst if self.trial.verdict == VERDICTS[-1] else self.cycles
        return (group, first, float("target" in self.settings), self.trial.worst)

    def __str__(self) -> str:
        """Return the settings as one would write them."""
        return "; ".join(
            f"{', '.join(f'{k} = {_toml(v)}' for k, v in values.items())} in [{_section(name)}]"
            for name, values in self.settings.items()
        )


def _section(name: str) -> str:
    return name if name == "target" else f"layer.{name}"


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)


def best_changes(settled: Settled, resource: str, largest: Sequence[str]) -> list[Change]:
    """Return the change that helps most against a resource that does not fit, or none.

    With it, one that may fit, where that is much quicker than the quickest that does.

    Args:
        settled: the design.
        resource: that is short.
        largest: layers by what they take of it, largest first.
    """
    now = settled.quick({})
    assert now is not None
    bound = HELPS * now.percent(resource)
    tried = [*_of_layers(settled, largest), *_of_all(settled, {}), *_streamed(settled)]
    helping = [c for c in tried if c.trial.percent(resource) < bound and c.trial.worst < now.worst]
    found: list[Change] = []
    for verdict in VERDICTS:
        group = sorted((c for c in helping if c.trial.verdict == verdict), key=lambda c: c.rank)
        sure = (confirmed(settled, change.settings) for change in group[:MOST_FACTORS])
        best = next((c for c in sure if c and c.trial.percent(resource) < bound), None)
        if best and (
            not found or (verdict != VERDICTS[-1] and best.cycles * QUICKER < found[0].cycles)
        ):
            found.append(best)
    return found


def confirmed(settled: Settled, settings: Settings) -> Change | None:
    """Return a change with what compiling with it would estimate; None where it is refused."""
    entries = dict(settings.get("target", {}))
    io_type = entries.pop("io_type", settled.target.io_type)
    moved = settled
    if io_type != settled.target.io_type:
        moved = settled.on(replace(settled.target, io_type=io_type), settled.board)
    found = moved.whole({**settings, "target": entries})
    return None if found is None else Change(settings, Trial(found.total, found.utilisation))


def _of_layers(settled: Settled, largest: Sequence[str]) -> Iterator[Change]:
    """Yield changes of single layers."""
    kinds: list[tuple[list[Node], Sequence[str | None]]] = [
        (settled.choosers, strategies()), (settled.sharers, (None,)),
    ]  # fmt: skip
    for nodes, ways in kinds:
        named = {node.name: node for node in nodes}
        for node in [named[name] for name in largest if name in named][:LAYERS]:
            for strategy, factor in ((s, f) for s in ways for f in _factors(settled, node, s)):
                trial = settled.quick({node.name: (strategy, factor)})
                if trial is not None:
                    asked: dict[str, Any] = {} if strategy is None else {"strategy": strategy}
                    values = _new(settled, node, {**asked, "reuse_factor": factor})
                    yield Change({node.name: values}, trial)


def _factors(settled: Settled, node: Node, strategy: str | None) -> list[int]:
    """Return some of a layer's reuse factors: all, or those nearest to powers of two."""
    op = with_strategy(node.op, strategy)
    legal = op.reuse_factors(settled.target, *settled.graph.input_types(node))
    if len(legal) <= MOST_FACTORS:
        return list(legal)
    powers = (2**n for n in range(MOST_FACTORS))
    return sorted({max(v for v in legal if v <= power) for power in powers})


def _of_all(settled: Settled, target: dict[str, Any]) -> Iterator[Change]:
    """Yield changes of ``[target]``, beside others of it."""
    own = {name for name, values in settled.config.layers.items() if "reuse_factor" in values}
    takers = [n for n in settled.choosers if n.name not in own and n.origin not in own]
    for strategy in strategies() if takers else ():
        for power in range(1, MOST_FACTORS) if strategy != "distributed_arithmetic" else (0,):
            asked = f"<={2**power}" if power else 1
            trial = settled.quick({node.name: (strategy, asked) for node in takers})
            if trial is not None:
                values = _new(settled, None, {"strategy": strategy, "reuse_factor": asked})
                yield Change({"target": {**target, **values}}, trial)


def _new(settled: Settled, node: Node | None, values: dict[str, Any]) -> dict[str, Any]:
    """Return those of the settings that are not in effect already, of a layer or of all."""
    known: dict[str, Any] = settled.config.target.model_dump()
    for name in () if node is None else (node.origin, node.name):
        known |= settled.config.layers.get(name, {})
    return {key: value for key, value in values.items() if known.get(key) != value}


def _streamed(settled: Settled) -> Iterator[Change]:
    """Yield changes to streams, alone and with strategies."""
    if settled.target.streams:
        return
    moved = settled.on(replace(settled.target, io_type="io_stream"), settled.board)
    settings: dict[str, Any] = {"io_type": "io_stream"}
    try:
        found = moved.whole({})
    except CompileError:
        return
    if found is not None:
        yield Change({"target": settings}, Trial(found.total, found.utilisation))
        yield from _of_all(moved, settings)


def board_that_fits(settled: Settled, now: Trial) -> tuple[Board, Trial] | None:
    """Return the smallest board that holds the design as it is, with the totals on it."""
    boards = [b for b in list_boards() if b.buildable and b.name != settled.board.name]
    tried = 0
    for board in sorted(boards, key=lambda b: b.resources.count("lut")):
        if any(use.fits != "yes" for use in board_utilisation(now.total, board)):
            continue
        if (tried := tried + 1) > BOARDS:
            break
        clock = settled.config.target.clock_period_ns or board.clock_period_ns
        target = replace(settled.target, part=board.part, clock_period_ns=clock)
        found = settled.on(target, board).whole({})
        if found is not None and found.fits == "yes":
            return board, Trial(found.total, found.utilisation)
    return None
