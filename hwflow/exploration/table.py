"""What each stage is for every choice of the bits that it depends on, compiled once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

import numpy as np

from hwflow.exploration.space import Numbers, Space
from hwflow.exploration.stages import FEED, Piece, Stage, kept, pieces_of
from hwflow.ir.graph import Graph, Port
from hwflow.ir.tensor import TensorType

STEP = 2654435761
"""Times the golden ratio, 2^32: multiples of it are spread evenly over any range (Knuth, The Art
of Computer Programming 3, 6.4)."""

Compile = Callable[[int], Graph]
"""Gives the hardware graph of a configuration."""

CompileAll = Callable[[Sequence[int]], Iterable[Graph]]
"""Gives the hardware graphs of several configurations, in order."""


@dataclass(frozen=True, eq=False)
class Instance:
    """A stage for some choice of bits and some types of what it takes.

    Attributes:
        number: among all instances of all stages.
        stage: number of the stage.
        piece: its hardware.
        result: number of the type of its result.
        port: the port of the network that it gives, if it does.
    """

    number: int
    stage: int
    piece: Piece
    result: int
    port: Port | None


class StageLostError(Exception):
    """A table was taken apart anew; what was made of its instances is void."""


@dataclass(kw_only=True, eq=False)
class Table:
    """All instances, found as they are asked for.

    Attributes:
        space: the configurations.
        stages: the stages.
        compile: gives the graph of a configuration.
        instances: all instances.
        compiled: number of configurations that were compiled.
    """

    space: Space
    stages: Sequence[Stage]
    compile: Compile
    instances: list[Instance] = field(default_factory=list)
    compiled: int = 0
    _types: dict[tuple[object, ...], int] = field(default_factory=dict)
    _known: dict[tuple[int, ...], Instance] = field(default_factory=dict)

    @cached_property
    def variables(self) -> list[tuple[int, ...]]:
        """The variables that each stage depends on."""
        place = {name: i for i, v in enumerate(self.space.variables) for name in v.members}
        return [tuple(sorted({place[s] for s in stage.settings})) for stage in self.stages]

    def instance(
        self, stage: int, options: Sequence[int], feeds: Sequence[int], number: int
    ) -> Instance:
        """Return a stage as it is in a configuration.

        Args:
            stage: its number.
            options: option of each variable that it depends on.
            feeds: numbers of the types of what it takes.
            number: a configuration that has these.
        """
        key = (stage, *options, *feeds)
        if key not in self._known:
            self.learn(number)
        return self._known[key]

    def cover(self, compile_all: CompileAll, progress: Callable[[float], None]) -> None:
        """Compile configurations that have every choice of bits of every stage between them."""
        chosen = [self.space.number(digits) for digits in self.covering()]
        for i, (number, graph) in enumerate(zip(chosen, compile_all(chosen), strict=True)):
            self.take(number, graph)
            progress((i + 1) / len(chosen))

    def covering(self) -> list[list[int]]:
        """Return few configurations that have every choice of each stage's variables."""
        sizes = [[self.space.sizes[v] for v in own] for own in self.variables]
        return covering(sizes, self.variables, len(self.space.sizes))

    def learn(self, number: int) -> None:
        """Compile a configuration and keep all its stages.

        Raises:
            StageLostError: the hardware does not hold what a stage gives.
        """
        self.take(number, self.compile(number))

    def take(self, number: int, graph: Graph) -> None:
        """Keep all stages of a configuration that was compiled.

        Raises:
            StageLostError: the hardware does not hold what a stage gives.
        """
        self.compiled += 1
        left = kept(self.stages, graph)
        if len(left) < len(self.stages):
            self.stages = left
            self.instances.clear()
            self._known.clear()
            self.__dict__.pop("variables", None)
            raise StageLostError
        digits = self.space.digits(number)
        types: list[int] = []
        for i, piece in enumerate(pieces_of(graph, self.stages)):
            options = [digits[v] for v in self.variables[i]]
            feeds = [types[f] for f in self.stages[i].feeds]
            key = (i, *options, *feeds)
            if key not in self._known:
                self._known[key] = self._made(i, piece, graph)
            types.append(self._known[key].result)

    def _made(self, stage: int, piece: Piece, graph: Graph) -> Instance:
        last = f"{FEED}{stage}"
        output = self.stages[stage].output
        made = Instance(
            len(self.instances), stage, piece, self._type(piece.types[last]),
            graph.outputs[output] if output >= 0 else None,
        )  # fmt: skip
        self.instances.append(made)
        return made

    def _type(self, found: TensorType) -> int:
        key = (found.shape, found.dtype, found.lo.tobytes(), found.hi.tobytes())
        return self._types.setdefault(key, len(self._types))

    def path(self, number: int) -> list[Instance]:
        """Return all stages of a configuration."""
        digits = self.space.digits(number)
        found: list[Instance] = []
        for i, stage in enumerate(self.stages):
            options = [digits[v] for v in self.variables[i]]
            feeds = [found[f].result for f in stage.feeds]
            found.append(self.instance(i, options, feeds, number))
        return found

    def paths(self, numbers: Numbers, compile_all: CompileAll | None = None) -> list[Numbers]:
        """Return the instances of many configurations: for each stage an array of numbers.

        Args:
            numbers: the configurations.
            compile_all: gives the graphs of several, in order.
        """
        found: list[Numbers] = []
        results = np.empty(0, np.int64)
        for i, stage in enumerate(self.stages):
            columns = [self.space.options(numbers, v) for v in self.variables[i]]
            columns += [results[found[f]] for f in stage.feeds]
            first, inverse = distinct(columns, len(numbers))
            width = len(self.variables[i])
            keys = [(i, *(int(c[at]) for c in columns)) for at in first]
            missing = self._missing(keys, numbers, inverse)
            graphs = compile_all(missing) if compile_all else map(self.compile, missing)
            for number, graph in zip(missing, graphs, strict=True):
                self.take(number, graph)
            chosen = [
                self.instance(i, key[1 : width + 1], key[width + 1 :], int(numbers[at])).number
                for key, at in zip(keys, first, strict=True)
            ]
            found.append(np.array(chosen, np.int64)[inverse])
            results = np.array([instance.result for instance in self.instances], np.int64)
        return found

    def _missing(
        self, keys: Sequence[tuple[int, ...]], numbers: Numbers, kind: Numbers
    ) -> list[int]:
        """Return configurations that have what is missing of one stage, and different others.

        Args:
            keys: the kinds that are needed.
            numbers: configurations.
            kind: number of the kind of each.
        """
        missing = [k for k, key in enumerate(keys) if key not in self._known]
        if not missing:
            return []
        order = np.argsort(kind, kind="stable")
        ends = np.searchsorted(kind[order], np.arange(len(keys) + 1))
        parts = [order[ends[k] : ends[k + 1]] for k in missing]
        return [int(numbers[part[0]]) for part in parts]

    def composed(self, path: Sequence[Instance]) -> Graph:
        """Return the graph of a configuration, put together of its stages."""
        nodes = [node for instance in path for node in instance.piece.nodes]
        types = {k: v for instance in path for k, v in instance.piece.types.items()}
        ports = [replace(i.port, value=f"{FEED}{i.stage}") for i in path if i.port is not None]
        return Graph("explored", tuple(nodes), (), tuple(ports), types)


def distinct(columns: Sequence[Numbers], size: int) -> tuple[Numbers, Numbers]:
    """Return where each different row stands first, and the number of each row's kind."""
    if not columns:
        return np.zeros(1, np.int64), np.zeros(size, np.int64)
    key, total = np.zeros(size, np.int64), 1
    for column in columns:
        least = int(column.min()) if size else 0
        width = int(column.max()) - least + 1 if size else 1
        if total * width > 2**62:
            _, key = np.unique(key, return_inverse=True)
            total = int(key.max(initial=0)) + 1
        key = key * width + (column - least)
        total *= width
    if total > 4 * size + 1024:
        _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
        return first.astype(np.int64), inverse.astype(np.int64)
    first = np.full(total, -1, np.int64)
    first[key[::-1]] = np.arange(size)[::-1]
    met = first >= 0
    return first[met], (np.cumsum(met) - 1)[key]


def covering(
    sizes: Sequence[Sequence[int]], variables: Sequence[Sequence[int]], count: int
) -> list[list[int]]:
    """Return few choices of all variables that have every choice of each stage's among them.

    Args:
        sizes: number of options of each variable of each stage.
        variables: numbers of these variables.
        count: number of variables in all.
    """
    left = [dict.fromkeys(product(*map(range, own))) for own in sizes]
    found = []
    while any(left):
        digits: list[int | None] = [None] * count
        for own, missing in sorted(zip(variables, left, strict=True), key=lambda p: -len(p[1])):
            for choice in missing:
                if all(digits[v] in (None, c) for v, c in zip(own, choice, strict=True)):
                    for v, c in zip(own, choice, strict=True):
                        digits[v] = c
                    break
        whole = [d or 0 for d in digits]
        for own, missing in zip(variables, left, strict=True):
            missing.pop(tuple(whole[v] for v in own), None)
        found.append(whole)
    return found


def probes(space: Space) -> list[int]:
    """Return configurations that show what hardware there can be: ends, and alternating bits."""
    sizes = space.sizes
    low, high = [0] * len(sizes), [s - 1 for s in sizes]
    mixed = [(high if i % 2 else low)[i] for i in range(len(sizes))]
    return sorted({space.number(d) for d in (low, high, mixed)})


def lasting(stages: Sequence[Stage], graphs: Sequence[Graph]) -> list[Stage]:
    """Return the stages whose results all graphs hold."""
    found = list(stages)
    for graph in graphs:
        found = kept(found, graph)
    return found
