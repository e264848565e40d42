"""Evaluates configurations as a tree of prefixes: what they share is computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.joint import Joint, Known, Value
from hwflow.exploration.outputs import Classifier
from hwflow.exploration.programs import Data, Step, program_of
from hwflow.exploration.space import Numbers
from hwflow.exploration.stages import FEED
from hwflow.exploration.table import Instance, Table
from hwflow.ir.graph import Graph

MOST_BYTES = 2**27
"""Bytes of the sums of one stage that are held at once: more would leave the caches, and memory."""


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


Judge = Callable[[Sequence[Instance], Joint, Known], npt.NDArray[Any]]
"""From instances of the last stage, and what they share, to what is found of each."""


@dataclass(frozen=True, eq=False)
class _Walk:
    """One evaluation.

    Attributes:
        found: gets what is found of each configuration.
        judge: finds it.
        starts: for each stage, where configurations begin that it computes alike, and the end.
        inside: for each stage and each of these, which of the next stage's it begins with.
        instances: for each stage, the instance of each.
    """

    found: npt.NDArray[Any]
    judge: Judge
    starts: list[list[int]]
    inside: list[list[int]]
    instances: list[list[int]]


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
    _joints: dict[tuple[int, ...], list[tuple[int, Joint]]] = field(default_factory=dict)

    def __reduce__(self) -> tuple[type[Tree], tuple[Table, Samples]]:
        """Pickle what is computed, without what makes it fast: that is made again."""
        return Tree, (replace(self.table, compile=_no_compiler), self.samples)

    @cached_property
    def classifier(self) -> Classifier:
        """What turns results into counts."""
        return Classifier(self.samples.labels, self.samples.wanted, self.samples.real)

    @property
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
        self._run(numbers, found, self.classifier.counts)
        return found

    def losses(self, numbers: Numbers) -> npt.NDArray[np.float64]:
        """Return the mean divergence from the float model of configurations, ascending, in nats."""
        found = np.zeros(len(numbers))
        self._run(numbers, found, self.classifier.losses)
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
        self._run(numbers, found, self.classifier.right)
        return np.moveaxis(found, 1, 0)

    def _run(self, numbers: Numbers, found: npt.NDArray[Any], judge: Judge) -> None:
        if not len(numbers):
            return
        paths = self.table.paths(numbers)
        at = [self._starts(known, numbers) for known in self.prefixes]
        walk = _Walk(
            found, judge, [s.tolist() for s in at],
            [np.searchsorted(b, a).tolist() for a, b in pairwise(at)],
            [path[s[:-1]].tolist() for path, s in zip(paths, at, strict=True)],
        )  # fmt: skip
        self._walk(walk, 0, (0, len(at[0]) - 1), {})

    def _starts(self, known: int, numbers: Numbers) -> Numbers:
        """Return where configurations begin whose first variables are alike, and the end."""
        if known == 0:
            return np.array([0, len(numbers)])
        keys = numbers // self.table.space.strides[known - 1]
        changes = np.flatnonzero(keys[1:] != keys[:-1]) + 1
        return np.concatenate([[0], changes, [len(numbers)]])

    def _walk(
        self, walk: _Walk, stage: int, part: tuple[int, int], values: dict[Hashable, Value]
    ) -> None:
        """Evaluate configurations that differ only in what stages from this one on need."""
        at, end = part
        last = self.table.stages[stage].output == 0
        for size, joint in self._joint(tuple(walk.instances[stage][at:end])):
            known = joint.prepared(values)
            if last:
                own = [self.table.instances[i] for i in walk.instances[stage][at : at + size]]
                answers = walk.judge(own, joint, known)
                for answer in answers:
                    walk.found[walk.starts[stage][at] : walk.starts[stage][at + 1]] = answer
                    at += 1
                continue
            for result in joint.results(known):
                inside = walk.inside[stage][at], walk.inside[stage][at + 1]
                self._walk(walk, stage + 1, inside, {**values, f"{FEED}{stage}": result})
                at += 1

    def _joint(self, numbers: tuple[int, ...]) -> list[tuple[int, Joint]]:
        """Return what instances compute together, as many at once as there is room for."""
        if numbers not in self._joints:
            found: list[tuple[int, Joint]] = []
            instances = [self.table.instances[i] for i in numbers]
            last = f"{FEED}{instances[0].stage}"
            size = 4 * self.samples.size * max(i.piece.types[last].size for i in instances)
            most = max(1, MOST_BYTES // max(size, 1))
            for at in range(0, len(instances), most):
                programs = [self._program(i) for i in instances[at : at + most]]
                found.append((len(programs), Joint.of(programs)))
            self._joints[numbers] = found
        return self._joints[numbers]

    def _program(self, instance: Instance) -> tuple[Step, ...]:
        if instance.number not in self._programs:
            self._programs[instance.number] = program_of(instance, self.samples.inputs)
        return self._programs[instance.number]
