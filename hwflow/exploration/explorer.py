"""A model made ready: its space, its stages on each board, and its samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.core.board import Board
from hwflow.core.config import Config
from hwflow.core.distance import classes_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.workers import Processes
from hwflow.exploration.assembly import Assembly
from hwflow.exploration.costs import F64, Costs
from hwflow.exploration.request import Request, chosen_samples
from hwflow.exploration.space import Numbers, Space, space_of
from hwflow.exploration.stages import Stage, settings_order, stages_of
from hwflow.exploration.table import StageLostError, Table
from hwflow.exploration.tree import Samples, Tree
from hwflow.frontends.quantization.bench import Bench
from hwflow.frontends.quantization.benches import open_bench
from hwflow.frontends.quantization.runs import values_of
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.passes import Context, run_pipeline

Progress = Callable[[str, float], None]

ALONE = Processes(1)
"""This process, and no other."""


@dataclass(eq=False)
class Priced:
    """A space on one board.

    Attributes:
        name: the board as the user named it.
        board: its profile.
        target: what is generated for it.
        table: the stages.
        assembly: what compiles them.
    """

    name: str
    board: Board
    target: Target
    table: Table
    assembly: Assembly

    @cached_property
    def costs(self) -> Costs:
        """What configurations cost."""
        return Costs(table=self.table, target=self.target, board=self.board)

    def figures(self, numbers: Numbers) -> dict[str, F64]:
        """Return the figures of configurations."""
        while True:
            try:
                return self.costs.figures(numbers)
            except StageLostError:
                self.__dict__.pop("costs", None)

    def learn(self, numbers: Numbers, executor: Processes) -> None:
        """Compile all that configurations are made of."""
        while True:
            try:
                self.table.paths(numbers, partial(self.assembly.graphs, executor))
            except StageLostError:
                self.__dict__.pop("costs", None)
                continue
            return

    def cover(self, progress: Callable[[float], None], executor: Processes = ALONE) -> None:
        """Compile what the stages are in all choices of bits."""
        while True:
            try:
                self.table.cover(partial(self.assembly.graphs, executor), progress)
            except StageLostError:
                continue
            return


@dataclass(eq=False)
class Explorer:
    """A model with its data and its boards.

    Attributes:
        request: what is asked.
        bench: the model.
        stages: its stages, as fine as the model allows.
        space: all configurations.
    """

    request: Request
    bench: Bench
    stages: list[Stage]
    space: Space

    @classmethod
    def of(cls, request: Request) -> Explorer:
        """Read a model and its data.

        Raises:
            CompileError: as ``quantize``; HW321, a layer that is not there.
        """
        model, data = map(request.sources.given, (request.model, request.data))
        bench = open_bench(model, data, request.settings)
        stages = stages_of(bench.quantized({}), bench)
        space = space_of(bench, request.wish, settings_order(stages))
        return cls(request, bench, stages, space)

    @cached_property
    def boards(self) -> list[Priced]:
        """The space on each board; boards with one part and clock share their stages."""
        made: dict[Target, tuple[Table, Assembly]] = {}
        found = []
        for name in self.request.boards:
            board, target = self.request.target_of(name)
            if target not in made:
                made[target] = self._made(name, target)
            found.append(Priced(name, board, target, *made[target]))
        return found

    def _made(self, name: str, target: Target) -> tuple[Table, Assembly]:
        assembly = Assembly(
            bench=self.bench, space=self.space, stages=self.stages,
            config=self.request.config(name), target=target,
        )  # fmt: skip
        table = Table(space=self.space, stages=self.stages, compile=assembly.graph)
        return table, assembly

    @contextmanager
    def resting(self) -> Iterator[None]:
        """End the processes that compile, at the end of a block."""
        try:
            yield
        finally:
            for priced in self.boards:
                priced.assembly.rest()

    def graph(self, number: int, config: Config, target: Target) -> Graph:
        """Return the hardware graph of a configuration, as ``hwflow build`` makes it."""
        model = self.bench.quantized(self.space.bits(number))
        context = Context(config=config, target=target, source=model.source)
        graph = run_pipeline(model, context)
        if context.findings:
            raise CompileError(context.findings)
        return graph

    @cached_property
    def search(self) -> Samples:
        """The samples that configurations are chosen on: of those that scales were chosen on."""
        samples = self.bench.samples
        size = len(next(iter(samples.calibration.values())))
        kept = chosen_samples(size, self.request.samples, self.request.seed)
        labels = samples.calibration_labels
        return self._samples(
            {name: array[kept] for name, array in samples.calibration.items()},
            None if labels is None else labels[kept],
        )

    @cached_property
    def held_out(self) -> Samples:
        """The samples that nothing was chosen on."""
        samples = self.bench.samples
        return self._samples(samples.held_out, samples.labels)

    def _samples(self, inputs: dict[str, npt.NDArray[Any]], labels: Any) -> Samples:
        name = self.bench.reference.ir.graph.outputs[0].name or ""
        parts = [p[name] for p in values_of(self.bench.reference, inputs, [name])]
        real = np.concatenate(parts)
        wanted = classes_of(real)
        if wanted is None:
            raise CompileError([_no_classes(name, self.bench.reference.source)])
        return Samples(inputs, None if labels is None else np.asarray(labels).ravel(), wanted, real)

    def tree(self, samples: Samples) -> Tree:
        """Return what evaluates configurations on samples."""
        return Tree(self.boards[0].table, samples)


def _no_classes(name: str, source: str) -> Diagnostic:
    return Diagnostic(
        code="HW325", title="model without classes", where=f"output {name!r}, in {source}",
        found="an output of one real number", supported="outputs with one value for each class",
        help="explore a classifier; quantise others with bits of your choice: hwflow quantize",
    )  # fmt: skip
