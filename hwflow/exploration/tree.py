"""Evaluates configurations as a tree of prefixes: what they share is computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.kernels import Mantissas
from hwflow.exploration.outputs import Classifier
from hwflow.exploration.programs import Data, Step, program_of
from hwflow.exploration.space import Numbers
from hwflow.exploration.stages import FEED
from hwflow.exploration.table import Instance, Table
from hwflow.ir.graph import Graph

MOST_BYTES = 2**27
"""Bytes of results of one stage that are held at once: more would leave the caches, and memory."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What configurations are evaluated on.

    Attributes:
        inputs: real numbers by input of the model, batch first.
        labels: class of each sample, or None.
        wanted: class that the float model gives each sample.
        real: what the float model gives.
    """

    inputs: Data
    labels: npt.NDArray[Any] | None
    wanted: npt.NDArray[Any]
    real: npt.NDArray[Any]

    @property
    def size(self) -> int:
        """Number of samples."""
        return len(self.wanted)


def _no_compiler(number: int) -> Graph:
    raise RuntimeError(f"configuration {number} has stages that were not compiled before")


@dataclass(frozen=True, eq=False)
class _Walk:
    """One evaluation.

    Attributes:
        numbers: the configurations, ascending.
        found: gets what is found of each.
        judge: from instances of the last stage and what they give to what is found.
    """

    numbers: Numbers
    found: npt.NDArray[Any]
    judge: Callable[[Sequence[Instance], Sequence[Mantissas]], npt.NDArray[Any]]


@dataclass(eq=False)
class Tree:
    """Counts right answers of configurations on samples.

    Attributes:
        table: the stages.
        samples: what to run.
    """

    table: Table
    samples: Samples
    _programs: dict[int, tuple[Step, ...]] = field(default_factory=dict)
    _joined: dict[tuple[Hashable, ...], Mantissas] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Tree], tuple[Table, Samples]]:
        """Pickle what is computed, without what makes it fast: that is made again."""
        return Tree, (replace(self.table, compile=_no_compiler), self.samples)

    @cached_property
    def classifier(self) -> Classifier:
        """What turns results into counts."""
        return Classifier(self.samples.labels, self.samples.wanted, self.samples.real)

    @cached_property
    def prefixes(self) -> list[int]:
        """How many variables, from the first, are known when each stage is computed."""
        found, most = [], 0
        for own in self.table.variables:
            most = max([most, *(v + 1 for v in own)])
            found.append(most)
        return found

    def counts(self, numbers: Numbers) -> npt.NDArray[np.int32]:
        """Return the right answers of configurations.

        Args:
            numbers: the configurations, ascending.

        Returns:
            Shape (configurations, 2): samples with the right label (or -1 without labels), and
            with the class that the float model gives.
        """
        found = np.full((len(numbers), 2), -1, np.int32)
        self._walk(_Walk(numbers, found, self.classifier.counts), 0, slice(0, len(numbers)), (), {})
        return found

    def losses(self, numbers: Numbers) -> npt.NDArray[np.float64]:
        """Return the mean divergence from the float model of configurations, ascending, in nats."""
        found = np.zeros(len(numbers))
        self._walk(_Walk(numbers, found, self.classifier.losses), 0, slice(0, len(numbers)), (), {})
        return found

    def right(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Return which samples configurations get right.

        Args:
            numbers: the configurations, ascending.

        Returns:
            Shape (2, configurations, samples): by the labels (all False without labels), and by
            the classes that the float model gives.
        """
        found = np.zeros((len(numbers), 2, self.samples.size), bool)
        self._walk(_Walk(numbers, found, self.classifier.right), 0, slice(0, len(numbers)), (), {})
        return np.moveaxis(found, 1, 0)

    def _walk(
        self,
        walk: _Walk,
        stage: int,
        part: slice,
        path: tuple[Instance, ...],
        values: dict[Hashable, Mantissas],
    ) -> None:
        """Evaluate configurations that differ only in what stages from this one on need."""
        starts = self._children(stage, walk.numbers[part]) + part.start
        if len(starts) < 2:
            return
        children = [self._instance(stage, path, int(walk.numbers[at])) for at in starts[:-1]]
        for group in self._groups(children):
            own = [children[i] for i in group]
            results = self._results(own, values)
            parts = [slice(int(starts[i]), int(starts[i + 1])) for i in group]
            if self.table.stages[stage].output == 0:
                for inside, answer in zip(parts, walk.judge(own, results), strict=True):
                    walk.found[inside] = answer
                continue
            for inside, child, result in zip(parts, own, results, strict=True):
                inner = {**values, f"{FEED}{stage}": result}
                self._walk(walk, stage + 1, inside, (*path, child), inner)

    def _children(self, stage: int, numbers: Numbers) -> Numbers:
        """Return where the configurations begin that a stage computes alike, and the end."""
        known = self.prefixes[stage]
        if known == 0:
            return np.unique([0, len(numbers)])
        keys = numbers // self.table.space.strides[known - 1]
        changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        return np.unique(np.concatenate([[0], changes, [len(numbers)]]))

    def _instance(self, stage: int, path: Sequence[Instance], number: int) -> Instance:
        space, own = self.table.space, self.table.variables[stage]
        options = [number // space.strides[v] % space.sizes[v] for v in own]
        feeds = [path[f].result for f in self.table.stages[stage].feeds]
        return self.table.instance(stage, options, feeds, number)

    def _groups(self, children: Sequence[Instance]) -> list[range]:
        """Return which children are computed together."""
        last = f"{FEED}{children[0].stage}"
        size = 8 * self.samples.size * max(c.piece.types[last].size for c in children)
        most = max(1, MOST_BYTES // max(size, 1))
        return [range(i, min(i + most, len(children))) for i in range(0, len(children), most)]

    def _results(
        self, children: Sequence[Instance], values: dict[Hashable, Mantissas]
    ) -> list[Mantissas]:
        """Return what children compute; products of one operand are one product."""
        known: dict[Hashable, Mantissas] = dict(values)
        programs = [self._program(child) for child in children]
        for program in programs:
            for step in program:
                if step.product is not None or not all(o in known for o in step.operands):
                    break
                if step.key not in known:
                    known[step.key] = step.run(*(known[o] for o in step.operands))
        self._multiply(programs, known)
        found = []
        for program in programs:
            for step in program:
                if step.key not in known:
                    known[step.key] = step.run(*(known[o] for o in step.operands))
            found.append(known[program[-1].key])
        return found

    def _multiply(
        self, programs: Sequence[tuple[Step, ...]], known: dict[Hashable, Mantissas]
    ) -> None:
        """Compute the products whose operands are known, those of one operand together."""
        groups: dict[Hashable, dict[Hashable, Step]] = {}
        for program in programs:
            for step in program:
                product = step.product
                if product is not None and step.operands[0] in known and step.key not in known:
                    kind = (step.operands, product.geometry, product.matrix.dtype.str)
                    groups.setdefault(kind, {})[step.key] = step
                    break
        for steps in groups.values():
            self._multiply_all(list(steps.values()), known)

    def _multiply_all(self, steps: Sequence[Step], known: dict[Hashable, Mantissas]) -> None:
        products = [step.product for step in steps]
        first = products[0]
        assert first is not None
        key = tuple(step.key for step in steps)
        if key not in self._joined:
            self._joined[key] = np.concatenate([p.matrix for p in products if p], axis=1)
        matrix = self._joined[key]
        x = known[steps[0].operands[0]]
        sums = first.gather(x).astype(matrix.dtype, copy=False) @ matrix
        at = 0
        for step, product in zip(steps, products, strict=True):
            assert product is not None
            width = product.matrix.shape[1]
            known[step.key] = product.finished(sums[:, at : at + width], x)
            at += width

    def _program(self, instance: Instance) -> tuple[Step, ...]:
        if instance.number not in self._programs:
            self._programs[instance.number] = program_of(instance, self.samples.inputs)
        return self._programs[instance.number]
