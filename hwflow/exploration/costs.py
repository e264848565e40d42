"""What every configuration costs, from the estimator's figures for single stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from hwflow.core.board import RESOURCES, Board
from hwflow.estimate.capacity import as_reported, beyond_device
from hwflow.estimate.graph import BOARD_COLUMN, node_cost, one_shot
from hwflow.estimate.liveness import Mask, read_channels
from hwflow.estimate.logic import logic_of
from hwflow.estimate.power import AT_NS, WATTS, idle_power
from hwflow.estimate.total import step_of
from hwflow.exploration.space import Numbers
from hwflow.exploration.stages import FEED
from hwflow.exploration.table import Instance, Table, distinct
from hwflow.ir.cost import Cost, Estimate
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target

F64 = npt.NDArray[np.float64]

SUMS = (
    "lut", "ff", "dsp", "bram_18k", "lut_synth", "ff_synth", "dsp_synth", "bram_18k_synth",
)  # fmt: skip
"""Figures that add over layers."""

ENERGY = "energy_uj"

FIGURES = (*SUMS, "ii", "latency_cycles", "latency_ns", ENERGY, "share")
"""What a configuration costs; ``share`` is the fullest resource of the board, 1 for all of it.
Energies of one inference alone are there for boards whose idle power is known."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StageCost:
    """What one stage costs.

    Attributes:
        sums: the figures of ``SUMS``.
        low: lower ends of their intervals.
        high: upper ends.
        ii: largest initiation interval, cycles.
        paths: longest path from what each feed gives to the result, cycles; from nowhere at last.
        slowest: largest time that overlaps with other layers', cycles (io_stream).
    """

    sums: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    ii: float
    paths: tuple[float, ...]
    slowest: float


@dataclass(kw_only=True, eq=False)
class Costs:
    """Figures of configurations, each stage estimated once.

    Attributes:
        table: the stages.
        target: backend, io type, part and clock.
        board: what shares are of.
    """

    table: Table
    target: Target
    board: Board
    _known: dict[tuple[int, int], StageCost] = field(default_factory=dict)
    _masks: list[Mask] = field(default_factory=list)
    _mask_numbers: dict[bytes, int] = field(default_factory=dict)
    _reads: dict[tuple[int, int], tuple[int, ...]] = field(default_factory=dict)

    def kinds(self, numbers: Numbers) -> list[tuple[list[StageCost], Numbers]]:
        """Return the kinds of cost of each stage, and which kind each configuration has."""
        return self._keys(numbers, self.table.paths(numbers))

    def weights(self) -> dict[str, float]:
        """Return the share of the board that one of each figure is."""
        logic, found = logic_of(self.board), {}
        for resource in RESOURCES:
            available = self.board.resources.count(resource)
            if available and BOARD_COLUMN[resource] in SUMS:
                ratio = logic.converted(resource, Estimate(1.0, 1.0, 1.0)).value
                found[BOARD_COLUMN[resource]] = ratio / available
        return found

    def figures(self, numbers: Numbers) -> dict[str, F64]:
        """Return the best figures of configurations, by the names of ``FIGURES``."""
        paths = self.table.paths(numbers)
        keys = self._keys(numbers, paths)
        sums = np.zeros((len(numbers), len(SUMS)))
        ii, slowest = np.ones(len(numbers)), np.zeros(len(numbers))
        done: list[F64] = []
        for stage, (kinds, inverse) in enumerate(keys):
            sums += np.array([k.sums for k in kinds])[inverse]
            ii = np.maximum(ii, np.array([k.ii for k in kinds])[inverse])
            slowest = np.maximum(slowest, np.array([k.slowest for k in kinds])[inverse])
            steps = np.array([k.paths for k in kinds])[inverse]
            feeds = [done[f] for f in self.table.stages[stage].feeds]
            arrive = [*feeds, np.zeros(len(numbers))]
            done.append(np.max([a + steps[:, i] for i, a in enumerate(arrive)], axis=0))
        cycles = np.max(done, axis=0) + slowest
        found = {**self.of_sums(sums), "ii": ii, "latency_cycles": cycles}
        found["latency_ns"] = cycles * self.target.clock_period_ns
        return found | self._energies(found)

    def sums(self, numbers: Numbers) -> F64:
        """Return the sums over the layers of configurations, (configurations, SUMS)."""
        parts = [np.array([k.sums for k in kinds])[of] for kinds, of in self.kinds(numbers)]
        return np.asarray(np.sum(parts, axis=0))

    def of_sums(self, sums: F64) -> dict[str, F64]:
        """Return what follows from the sums over layers: none of it falls when one of them grows.

        Args:
            sums: those of ``SUMS``, (configurations, SUMS).
        """
        found = {name: sums[:, i] for i, name in enumerate(SUMS)}
        found["lut_synth"] = found["lut_synth"] + self._missing(found)
        found["share"] = self.shares(found)
        return found | self._reported(found)

    def _missing(self, found: Mapping[str, F64]) -> F64:
        """Return the LUTs of what stands for blocks that the part does not have."""
        kinds, inverse = np.unique(found["dsp_synth"], return_inverse=True)
        used = [Estimate(d, d, d) for d in kinds.tolist()]
        return np.array([beyond_device(u, self.target.part).value for u in used])[inverse]

    def _reported(self, found: Mapping[str, F64]) -> dict[str, F64]:
        """Return the figures that logic synthesis reports no higher than the device has."""
        whole = Estimate(np.inf, np.inf, np.inf)
        most = as_reported(Cost(dsp_synth=whole, bram_18k_synth=whole), self.target.part)
        return {
            name: np.minimum(found[name], getattr(most, name).value)
            for name in ("dsp_synth", "bram_18k_synth")
        }

    def shares(self, found: Mapping[str, F64]) -> F64:
        """Return the share of the fullest resource, by figures before what a device has at most."""
        logic = logic_of(self.board)
        shares = [np.zeros(len(found["lut"]))]
        for resource in RESOURCES:
            used = found.get(BOARD_COLUMN[resource])
            if used is None:
                continue
            ratio = logic.converted(resource, Estimate(1.0, 1.0, 1.0)).value
            available = self.board.resources.count(resource)
            shares.append(used * ratio / available if available else np.where(used > 0, np.inf, 0))
        return np.asarray(np.max(shares, axis=0))

    def _energies(self, found: Mapping[str, F64]) -> dict[str, F64]:
        """Return the energies of one inference, as ``power_of`` has them."""
        idle = idle_power(self.board)
        if idle is None:
            return {}
        at_clock = AT_NS / self.target.clock_period_ns
        dynamic = sum((found[n] * w for n, w in WATTS.items()), np.zeros(len(found["lut"])))
        return {ENERGY: (idle.value + dynamic * at_clock) * found["latency_ns"] * 1e-3}

    def _keys(
        self, numbers: Numbers, paths: Sequence[Numbers]
    ) -> list[tuple[list[StageCost], Numbers]]:
        """Return the kinds of cost of each stage, and which kind each configuration has."""
        stages = self.table.stages
        readers: list[list[tuple[int, int]]] = [[] for _ in stages]
        for i, stage in enumerate(stages):
            for at, feed in enumerate(stage.feeds):
                readers[feed].append((i, at))
        masks: list[Numbers] = [np.zeros(0, np.int64)] * len(stages)
        reads: list[list[Numbers]] = [[] for _ in stages]
        found: list[tuple[list[StageCost], Numbers]] = [([], numbers)] * len(stages)
        for i in reversed(range(len(stages))):
            masks[i] = self._read(i, paths[i], [reads[r][at] for r, at in readers[i]])
            first, inverse = distinct([paths[i], masks[i]], len(numbers))
            pairs = [(int(paths[i][at]), int(masks[i][at])) for at in first]
            kinds = [self.cost(p, int(numbers[at])) for p, at in zip(pairs, first, strict=True)]
            taken = np.array([self.taken(*p) for p in pairs], np.int64).reshape(len(pairs), -1)
            reads[i] = [taken[inverse, at] for at in range(taken.shape[1])]
            found[i] = kinds, inverse
        return found

    def _read(self, stage: int, path: Numbers, reads: Sequence[Numbers]) -> Numbers:
        """Return the number of the channels that are read of a stage's result."""
        output = self.table.stages[stage].output >= 0
        columns = [path, *([] if output else reads)]
        first, inverse = distinct(columns, len(path))
        chosen = []
        for at in first:
            last = self.table.instances[int(path[at])]
            mask = np.zeros(last.piece.types[f"{FEED}{stage}"].channels, bool)
            for read in () if output else reads:
                mask |= self._masks[int(read[at])]
            chosen.append(self._mask(~np.zeros_like(mask) if output else mask))
        return np.array(chosen, np.int64)[inverse]

    def _mask(self, mask: Mask) -> int:
        key = bytes([*mask.tobytes()]) + b"%d" % len(mask)
        if key not in self._mask_numbers:
            self._mask_numbers[key] = len(self._masks)
            self._masks.append(mask)
        return self._mask_numbers[key]

    def taken(self, instance: int, mask: int) -> tuple[int, ...]:
        """Return the channels that a stage reads of each of its feeds."""
        key = (instance, mask)
        if key not in self._reads:
            found = self.table.instances[instance]
            feeds = self.table.stages[found.stage].feeds
            used = _used(found, self._masks[mask], [f"{FEED}{f}" for f in feeds])
            self._reads[key] = tuple(self._mask(m) for m in used)
        return self._reads[key]

    def joined(self, masks: Sequence[int]) -> int:
        """Return the number of the channels that any of several masks has."""
        if len(masks) == 1:
            return masks[0]
        return self._mask(np.any([self._masks[mask] for mask in masks], axis=0))

    def read_of(self, instance: int, masks: Sequence[int]) -> int:
        """Return the number of the channels that are read of an instance's result.

        Args:
            instance: its number.
            masks: numbers of what its readers read; outputs of the network are read whole.
        """
        found = self.table.instances[instance]
        channels = found.piece.types[f"{FEED}{found.stage}"].channels
        if self.table.stages[found.stage].output >= 0:
            return self._mask(np.ones(channels, bool))
        return self.joined(masks) if masks else self._mask(np.zeros(channels, bool))

    def cost(self, key: tuple[int, int], number: int) -> StageCost:
        """Return what an instance costs, by its number and that of the channels that are read.

        Args:
            key: both numbers.
            number: a configuration that has them.
        """
        if key not in self._known:
            path = self.table.path(number)
            graph = self.table.composed(path)
            instance = self.table.instances[key[0]]
            feeds = [f"{FEED}{f}" for f in self.table.stages[instance.stage].feeds]
            self._known[key] = _stage_cost(graph, instance, feeds, self.target)
        return self._known[key]


def _used(instance: Instance, result: Mask, feeds: Sequence[str]) -> list[Mask]:
    """Return the channels of each feed that a stage reads, as ``used_channels`` finds them."""
    types = instance.piece.types
    used: dict[str, Mask] = {name: np.zeros(types[name].channels, bool) for name in types}
    used[f"{FEED}{instance.stage}"] = result
    for node in reversed(instance.piece.nodes):
        read = read_channels(node.op, lambda node=node: used[node.name])  # type: ignore[misc]
        for operand in node.inputs:
            used[operand] = used[operand] | (True if read is None else read)
    return [used[feed] for feed in feeds]


def _stage_cost(
    graph: Graph, instance: Instance, feeds: Sequence[str], target: Target
) -> StageCost:
    """Return the cost of a stage's nodes in the graph of a whole configuration."""
    waits = one_shot(graph)
    costs: list[Cost] = []
    slowest = 0.0
    paths = {name: [-np.inf] * i + [0.0] + [-np.inf] * (len(feeds) - i)
             for i, name in enumerate(feeds)}  # fmt: skip
    nowhere = [-np.inf] * len(feeds) + [0.0]
    for node in instance.piece.nodes:
        cost = node_cost(graph, node, target)
        step, interval = step_of(cost, target, waits.get(node.name))
        slowest = max(slowest, interval)
        before = [paths[i] for i in node.inputs] or [nowhere]
        paths[node.name] = [max(ends) + step for ends in zip(*before, strict=True)]
        costs.append(cost)
    last = f"{FEED}{instance.stage}"
    total = [sum((getattr(c, figure) for c in costs), Estimate.exact(0)) for figure in SUMS]
    return StageCost(
        sums=tuple(t.value for t in total),
        low=tuple(t.low for t in total),
        high=tuple(t.high for t in total),
        ii=max((c.ii.value for c in costs), default=1.0),
        paths=tuple(paths.get(last, nowhere)),
        slowest=slowest,
    )
