"""Hardware graphs of configurations, the passes on the ONNX level left out where nothing is new.

All configurations of a model have the same nodes at the end of these passes. Only constants
differ, and each by the bits of the stage that it is in. So once every choice of these bits went
through the passes, models of further configurations are put together of known constants, and
lowered as any model is. A model that turns out otherwise is compiled from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
import onnx_ir as ir

from hwflow.core.config import Config
from hwflow.core.errors import CompileError
from hwflow.core.workers import Crew, Processes
from hwflow.exploration.space import Space
from hwflow.exploration.stages import Stage
from hwflow.frontends.quantization.bench import Bench
from hwflow.ir.graph import Graph
from hwflow.ir.op import Constant, Target
from hwflow.ir.qonnx.model import QonnxModel, constant_of, set_constant
from hwflow.passes import PIPELINE, Context, run_pipeline
from hwflow.passes.lowering.memory import Memory

FIRST = next(i for i, step in enumerate(PIPELINE) if step.name == "lower")
"""The passes before are those on the ONNX level."""


@dataclass(frozen=True, eq=False)
class Passed:
    """A model behind the passes on the ONNX level.

    Attributes:
        nodes: all of it but the numbers of its constants.
        constants: these, by name.
    """

    nodes: tuple[Any, ...]
    constants: dict[str, Constant]

    @classmethod
    def of(cls, model: QonnxModel) -> Passed:
        """Describe a model."""
        found = {name: constant_of(v) for name, v in model.ir.graph.initializers.items()}
        constants = {name: c for name, c in found.items() if c is not None}
        return cls(tuple(_described(model)), constants)


SHARE = 8
"""Tasks for each worker: configurations that follow each other have much in common."""


@dataclass(frozen=True, eq=False)
class _Task:
    """What a copy of this process does: it takes note of models, then it compiles.

    Attributes:
        news: models that other processes found, and their digits.
        numbers: the configurations to compile.
    """

    news: Sequence[tuple[Passed, Sequence[int]]]
    numbers: Sequence[int]


def _worked(assembly: Assembly, task: _Task) -> list[tuple[Graph, Passed | None]]:
    for passed, digits in task.news:
        assembly._learn(passed, digits)
    return [assembly.compiled(number) for number in task.numbers]


@dataclass(eq=False, kw_only=True)
class Assembly:
    """Gives hardware graphs of configurations.

    Attributes:
        bench: the float model.
        space: the configurations.
        stages: the stages, as fine as the model allows.
        config: settings of the designs.
        target: what is generated for.
        whole: number of models that went through all passes.
    """

    bench: Bench
    space: Space
    stages: Sequence[Stage]
    config: Config
    target: Target
    whole: int = 0
    _model: QonnxModel | None = None
    _nodes: tuple[Any, ...] = ()
    _users: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _known: dict[tuple[str, tuple[int, ...]], Constant] = field(default_factory=dict)
    _alike: bool = True
    _memory: Memory = field(default_factory=Memory)
    _crew: Crew | None = None
    _news: list[tuple[Passed, Sequence[int]]] = field(default_factory=list)

    def graph(self, number: int) -> Graph:
        """Return the hardware graph of a configuration, as ``hwflow build`` makes it."""
        digits = self.space.digits(number)
        model = self._assembled(digits)
        if model is None:
            model = self._passed(number)
            self._keep(model, digits)
        return self._lowered(model)

    def graphs(self, executor: Processes, numbers: Sequence[int]) -> Iterator[Graph]:
        """Yield the hardware graphs of configurations; what any process learns, all do.

        Processes stay until ``rest``: what they found out in one round spares work in the next.
        """
        own = numbers[:1] if self._model is None else []
        others = numbers[len(own) :]
        yield from map(self.graph, own)
        if self._crew is None or self._crew.slots != executor.slots:
            self.rest()
            self._crew = Crew(executor.slots, partial(_worked, self), ahead=SHARE // 2)
        crew = self._crew
        if self._news:
            crew.tell(_Task(self._news, ()))
            self._news = []
        size = 1 if crew.slots == 1 else max(1, len(others) // (SHARE * crew.slots))
        tasks = [_Task((), others[i : i + size]) for i in range(0, len(others), size)]
        found = chain.from_iterable(crew.in_order(tasks))
        for number, (graph, passed) in zip(others, found, strict=True):
            if passed is not None:
                digits = self.space.digits(number)
                self._learn(passed, digits)
                if crew.begun:
                    self._news.append((passed, digits))
            yield graph

    def rest(self) -> None:
        """End the processes."""
        if self._crew is not None:
            self._crew.close()
        self._crew, self._news = None, []

    def compiled(self, number: int) -> tuple[Graph, Passed | None]:
        """Return the hardware graph of a configuration, and its model where that is new."""
        model = self._assembled(self.space.digits(number))
        if model is not None:
            return self._lowered(model), None
        model = self._passed(number)
        passed = Passed.of(model)
        return self._lowered(model), passed

    def _lowered(self, model: QonnxModel) -> Graph:
        memory = self._memory if model is self._model else None
        context = replace(self._context(model), memory=memory)
        graph = run_pipeline(model, context, PIPELINE[FIRST:])
        if context.findings:
            raise CompileError(context.findings)
        return graph

    def _passed(self, number: int) -> QonnxModel:
        """Return the model of a configuration behind the passes on the ONNX level."""
        model = self.bench.quantized(self.space.bits(number))
        for step in PIPELINE[:FIRST]:
            model = step.run(model, self._context(model))
        return model

    def _context(self, model: QonnxModel) -> Context:
        return Context(config=self.config, target=self.target, source=model.source)

    def _assembled(self, digits: Sequence[int]) -> QonnxModel | None:
        """Return the model of a configuration whose constants are all known, or None."""
        if self._model is None or not self._alike:
            return None
        found = {
            name: self._known.get((name, tuple(digits[v] for v in own)))
            for name, own in self._users.items()
        }
        if None in found.values():
            return None
        values = self._model.ir.graph.initializers
        for name, constant in found.items():
            assert constant is not None
            set_constant(values[name], constant)  # which is what the passes below read
        return self._model

    def _keep(self, model: QonnxModel, digits: Sequence[int]) -> None:
        """Keep a model, the first as the one that others are put together from."""
        passed = Passed.of(model)
        if self._model is None and self._alike:
            self._nodes, self._users = passed.nodes, self._readers(model)
            self._model = model
        self._learn(passed, digits)

    def _learn(self, passed: Passed, digits: Sequence[int]) -> None:
        """Keep the constants of a model; nothing more is assembled if it is unlike others."""
        self.whole += 1
        alike = self._nodes == passed.nodes and passed.constants.keys() == self._users.keys()
        for name, own in self._users.items() if alike and self._alike else ():
            constant = passed.constants[name]
            kept = self._known.setdefault((name, tuple(digits[v] for v in own)), constant)
            alike = alike and _equal(kept, constant)
        self._alike = self._alike and alike

    def _readers(self, model: QonnxModel) -> dict[str, tuple[int, ...]]:
        """Return for each constant the variables of the stages that it is used in."""
        every = tuple(range(len(self.space.sizes)))
        left = {v.name for node in model.ir.graph for v in node.outputs}
        named = all(stage.value in left for stage in self.stages)
        found = {}
        for name, value in model.ir.graph.initializers.items():
            ends = _ends(value, set(self._variables)) if named else set()
            own = sorted({v for end in ends for v in self._variables[end]})
            found[name] = tuple(own) if ends else every
        return found

    @cached_property
    def _variables(self) -> dict[str, tuple[int, ...]]:
        """The variables that each stage depends on, by the name of its value."""
        place = {name: i for i, v in enumerate(self.space.variables) for name in v.members}
        return {s.value: tuple(sorted({place[n] for n in s.settings})) for s in self.stages}


def _ends(value: ir.Value, stages: set[str]) -> set[str]:
    """Return the stages whose results are the first behind a value."""
    found: set[str] = set()
    waiting = [value]
    seen: set[int] = set()
    while waiting:
        for node in waiting.pop().consumers():
            for result in node.outputs:
                if result.name in stages:
                    found.add(result.name or "")
                elif id(result) not in seen:
                    seen.add(id(result))
                    waiting.append(result)
    return found


def _described(model: QonnxModel) -> Iterator[Any]:
    """Yield all of a model but the numbers of its constants."""
    graph = model.ir.graph
    yield [(v.name, str(v.shape), str(v.type)) for v in (*graph.inputs, *graph.outputs)]
    for node in graph:
        ends = [[v and v.name for v in side] for side in (node.inputs, node.outputs)]
        shapes = [(str(v.shape), str(v.type)) for v in node.outputs]
        given = sorted((name, str(a)) for name, a in node.attributes.items())
        props = sorted(node.metadata_props.items())
        yield [node.domain, node.op_type, node.name, ends, shapes, given, props]
    for name, value in sorted(graph.initializers.items()):
        yield [name, str(value.shape), str(value.type)]


def _equal(a: Constant, b: Constant) -> bool:
    return a.quantized == b.quantized and np.array_equal(a.values, b.values)
