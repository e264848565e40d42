"""What the nodes of a model became before, with the same constants and operands.

Explorations lower one model with other constants many times. What a node becomes depends on its
own constants, on those that tell how the chains at its ends go on, and on what its operands became.
Where these are the very same objects again, so is what is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import onnx_ir

from hwflow.ir.graph import Node, Port
from hwflow.ir.grid import Grid
from hwflow.ir.real.expression import contents
from hwflow.ir.tensor import TensorType
from hwflow.ops.input import Input
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.walk import Axes, Walk
from hwflow.passes.model.tails import ahead

T = TypeVar("T")

MOST = 2**14
"""Nodes that are known at most; then all are forgotten."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Step:
    """What lowering a node changed of a walk.

    Attributes:
        seen: the objects that it depends on, kept so that no others take their identity.
        added: new nodes, in order.
        changed: nodes that were there and are others now, by name.
        sources: what nodes equal of the model, by name, where nothing else of them changed.
        types: types that were changed or added.
        values: hardware values of the results.
        deferred: functions that were changed or added.
        gone: functions that are none any more.
        grids: what integers at ports mean, where that was changed.
        names: names that were handed out.
    """

    seen: tuple[object, ...]
    added: tuple[Node, ...]
    changed: dict[str, Node]
    sources: dict[str, Port | None]
    types: dict[str, TensorType]
    values: dict[str, tuple[str, Axes]]
    deferred: dict[str, Deferred]
    gone: tuple[str, ...]
    grids: dict[str, Grid]
    names: frozenset[str]

    def replay(self, walk: Walk) -> None:
        """Change a walk likewise."""
        if self.changed or self.sources:
            walk.nodes[:] = [self._now(node) for node in walk.nodes]
        walk.nodes += self.added
        walk.types.update(self.types)
        walk.values.update(self.values)
        walk.deferred.update(self.deferred)
        for name in self.gone:
            del walk.deferred[name]
        walk.port_grids.update(self.grids)
        walk.namer.take(self.names)

    def _now(self, node: Node) -> Node:
        if node.name in self.sources:
            return replace(node, source=self.sources[node.name])
        return self.changed.get(node.name, node)


@dataclass(eq=False)
class Memory:
    """What the nodes of one model became; its nodes stay, its constants may be set anew."""

    _reads: dict[onnx_ir.Node, tuple[str, ...]] = field(default_factory=dict)
    _steps: dict[Hashable, _Step] = field(default_factory=dict)
    _known: dict[Hashable, object] = field(default_factory=dict)

    def enter(self, walk: Walk) -> None:
        """Exchange the inputs of a walk for equal ones that are known."""
        for i, node in enumerate(walk.nodes):
            op, source = node.op, node.source
            assert isinstance(op, Input)
            assert source is not None
            key = (node.name, source.axes, op.shape, op.dtype, op.assumed)
            walk.nodes[i] = self._one(key, node)
            walk.types[node.name] = self._one(
                _of_type(walk.types[node.name]), walk.types[node.name]
            )

    def lowered(self, walk: Walk, node: onnx_ir.Node, lower: Callable[[], None]) -> None:
        """Do with a walk what a node asks, by what is known where it was met before.

        Args:
            walk: what is known of the nodes before.
            node: the node.
            lower: changes the walk where it was not met.
        """
        if node not in self._reads:
            self._reads[node] = tuple(dict.fromkeys(_constants(node)))
        seen: list[object] = [walk.constants.get(name) for name in self._reads[node]]
        said = [said for value in walk.activations(node) for said in _operand(walk, value, seen)]
        key = (id(node), walk.namer.used, *said, *map(id, seen))
        step = self._steps.get(key)
        if step is not None:
            step.replay(walk)
            return
        before = _Before.of(walk)
        lower()
        if len(walk.findings) > before.findings:
            return
        for name, kind in _new(before.types, walk.types).items():
            walk.types[name] = self._one(_of_type(kind), kind)
        for name, function in _new(before.deferred, walk.deferred).items():
            walk.deferred[name] = self._one(_of_function(function), function)
        if len(self._steps) >= MOST:
            self._steps.clear()
        self._steps[key] = before.changes(walk, tuple(seen))

    def _one(self, key: Hashable, found: T) -> T:
        """Return the first object of some content."""
        return cast(T, self._known.setdefault(key, found))


def _operand(walk: Walk, value: onnx_ir.Value, seen: list[object]) -> Iterator[Hashable]:
    """Yield what an operand of a node is, and add the objects that tell the rest."""
    name = value.name or ""
    deferred, (held, axes) = walk.deferred.get(name), walk.values[name]
    yield axes
    seen += [deferred, walk.port_grids.get(held)]
    for source in (held, *(deferred.sources if deferred is not None else ())):
        node = next(n for n in reversed(walk.nodes) if n.name == source)
        seen.append(walk.types[source])
        if isinstance(node.op, Input):
            seen.append(node)
        yield source, None if node.source is None else node.source.name


def _of_type(kind: TensorType) -> Hashable:
    return kind.shape, kind.dtype, kind.lo.tobytes(), kind.hi.tobytes()


def _of_function(deferred: Deferred) -> Hashable:
    arrays = [(a.shape, *a.ravel().tolist()) for a in (*deferred.weights, *deferred.exact)]
    return deferred.sources, contents(deferred.tree), len(deferred.weights), *arrays


@dataclass(frozen=True, eq=False, kw_only=True)
class _Before:
    """A walk before a node: what there was, by identity."""

    nodes: tuple[Node, ...]
    types: dict[str, TensorType]
    values: dict[str, tuple[str, Axes]]
    deferred: dict[str, Deferred]
    grids: dict[str, Grid]
    names: frozenset[str]
    findings: int

    @classmethod
    def of(cls, walk: Walk) -> _Before:
        """Take note of a walk."""
        return cls(
            nodes=(*walk.nodes,), types=dict(walk.types), values=dict(walk.values),
            deferred=dict(walk.deferred), grids=dict(walk.port_grids), names=walk.namer.used,
            findings=len(walk.findings),
        )  # fmt: skip

    def changes(self, walk: Walk, seen: tuple[object, ...]) -> _Step:
        """Return what is different now."""
        size = len(self.nodes)
        others = [(a, b) for a, b in zip(self.nodes, walk.nodes, strict=False) if a is not b]
        return _Step(
            seen=seen,
            added=tuple(walk.nodes[size:]),
            changed={b.name: b for a, b in others if b.op is not a.op},
            sources={b.name: b.source for a, b in others if b.op is a.op},
            types=_new(self.types, walk.types),
            values=_new(self.values, walk.values),
            deferred=_new(self.deferred, walk.deferred),
            gone=tuple(name for name in self.deferred if name not in walk.deferred),
            grids=_new(self.grids, walk.port_grids),
            names=walk.namer.used - self.names,
        )


def _new(before: Mapping[str, T], after: Mapping[str, T]) -> dict[str, T]:
    return {name: found for name, found in after.items() if before.get(name) is not found}


def _constants(node: onnx_ir.Node) -> Iterator[str]:
    """Yield the constants that may tell what a node becomes: its own, and those of its readers.

    Beside them those of what reads the same values, since a port is quantised for all readers.
    """
    readers = [r for v in node.inputs if v is not None for r in v.consumers()]
    behind = [r for v in node.outputs for r in ahead(v)]
    for reader in (node, *readers, *behind):
        yield from (v.name or "" for v in reader.inputs if v is not None)
