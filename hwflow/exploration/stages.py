"""A network taken apart: stages between quantised values, which know of each other only by those.

What a stage computes depends on the bits of its own layers, of its result and of the values that
it takes, and on the types of those. So what was compiled for one configuration serves all others
that are alike in these.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import onnx_ir as ir

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.bench import Bench
from hwflow.frontends.quantization.layers import layers_of
from hwflow.frontends.quantization.trained import quantizes
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ir.tensor import TensorType


@dataclass(frozen=True)
class Stage:
    """What is computed between quantised values.

    Attributes:
        value: name of its result in the QONNX model.
        feeds: numbers of the stages whose results it takes.
        settings: bits that it depends on: of its weights, its result and what it takes.
        result: the bits of its result alone, or those of what it was selected from.
        output: it is the output of this number, or -1.
    """

    value: str
    feeds: tuple[int, ...]
    settings: tuple[str, ...]
    result: tuple[str, ...]
    output: int = -1


@dataclass(frozen=True, eq=False)
class Piece:
    """The hardware of one stage.

    Attributes:
        nodes: in order, the last gives the result; operands are nodes before it or ``FEED`` and the
            number of a stage.
        types: types of the results of the nodes, and of what they take, by these names.
        ports: the input ports among the nodes, by these names.
    """

    nodes: tuple[Node, ...]
    types: Mapping[str, TensorType]
    ports: Mapping[str, Port]


FEED = "stage"
"""What the name of a stage's result begins with."""


def stages_of(model: QonnxModel, bench: Bench) -> list[Stage]:
    """Return the stages of a quantised model, as fine as the model allows.

    Args:
        model: what the bench gave for any bits.
        bench: where it comes from.
    """
    activation, known = bench.settings_of_values(), set(bench.layers())
    layers = {la.node.name: f"{la.name}.w" for la in layers_of(model) if la.name in known}
    found: list[Stage] = []
    numbers: dict[str, int] = {}
    outputs = [value.name or "" for value in model.ir.graph.outputs]
    for value in _cut_values(model):
        name = value.name or ""
        own = activation.get(name) or activation.get(_quantized(value))
        feeds, weights = _before(value, numbers, layers)
        carried = [s for f in feeds for s in found[f].result]
        result = (own,) if own else tuple(dict.fromkeys(carried)) if not weights else ()
        settings = tuple(dict.fromkeys([*carried, *weights, *([own] if own else [])]))
        numbers[name] = len(found)
        at = outputs.index(name) if name in outputs else -1
        found.append(Stage(name, tuple(feeds), settings, result, at))
    return found


def _quantized(value: ir.Value) -> str:
    """Return the name of what a quantiser quantises, or nothing."""
    producer = value.producer()
    source = producer.inputs[0] if producer is not None and quantizes(producer) else None
    return "" if source is None else source.name or ""


def _cut_values(model: QonnxModel) -> Iterator[ir.Value]:
    """Yield quantised activations, values with several readers, and outputs, in order."""
    outputs = set(map(id, model.ir.graph.outputs))
    fixed: set[ir.Value | None] = {None}
    for node in model.ir.graph:
        if all(v in fixed or (v is not None and v.const_value is not None) for v in node.inputs):
            fixed.update(node.outputs)
            continue
        for value in node.outputs:
            several = len({u.node for u in value.uses()}) > 1
            if quantizes(node) or several or id(value) in outputs:
                yield value


def _before(
    value: ir.Value, numbers: Mapping[str, int], layers: Mapping[str | None, str]
) -> tuple[list[int], list[str]]:
    """Return the stages that a value is computed from, and the layers on the way."""
    feeds, weights = set(), []
    producer = value.producer()
    waiting = [producer] if producer is not None else []
    seen: set[int] = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.name in layers:
            weights.append(layers[node.name])
        for operand in node.inputs:
            if operand is None or operand.const_value is not None:
                continue
            if operand.name in numbers:
                feeds.add(numbers[operand.name or ""])
            elif (before := operand.producer()) is not None:
                waiting.append(before)
    return sorted(feeds), list(reversed(weights))


def kept(stages: Sequence[Stage], graph: Graph) -> list[Stage]:
    """Return the stages with those merged into their readers that the hardware does not hold."""
    held = {node.source.name for node in graph.nodes if node.source is not None}
    return without(stages, [s.value for s in stages if s.output < 0 and s.value not in held])


def without(stages: Sequence[Stage], values: Sequence[str]) -> list[Stage]:
    """Return the stages with some merged into those that take their results."""
    found: list[Stage] = []
    number: dict[int, int] = {}
    merged: dict[int, tuple[tuple[int, ...], tuple[str, ...]]] = {}
    for i, stage in enumerate(stages):
        feeds: list[int] = []
        settings: list[str] = []
        for feed in stage.feeds:
            if feed in merged:
                feeds += merged[feed][0]
                settings += merged[feed][1]
            else:
                feeds.append(number[feed])
        whole = tuple(dict.fromkeys([*settings, *stage.settings]))
        taken = tuple(sorted(set(feeds)))
        if stage.value in values:
            merged[i] = taken, whole
            continue
        number[i] = len(found)
        found.append(replace(stage, feeds=taken, settings=whole))
    return found


def pieces_of(graph: Graph, stages: Sequence[Stage]) -> list[Piece]:
    """Return the hardware of each stage.

    Raises:
        CompileError: HW322, a value between two quantisers has several readers.
    """
    ends = _ends(graph, stages)
    names = {node: f"{FEED}{i}" for i, node in enumerate(ends)}
    owner: dict[str, int] = {}
    found = []
    for i, end in enumerate(ends):
        inside = _inside(graph, end, {*ends} - {end})
        for node in inside:
            if owner.setdefault(node.name, i) != i:
                raise CompileError([_several(node)])
        used = {node.name for node in inside} | {v for node in inside for v in node.inputs}
        types = {_new_name(name, names, i): graph.types[name] for name in used | {end}}
        ports = {_new_name(p.value, names, i): p for p in graph.inputs if p.value in used}
        found.append(Piece(tuple(_renamed(node, names, i) for node in inside), types, ports))
    return found


def _ends(graph: Graph, stages: Sequence[Stage]) -> list[str]:
    """Return the node that holds the result of each stage."""
    held = {node.source.name: node.name for node in graph.nodes if node.source is not None}
    return [
        graph.outputs[stage.output].value if stage.output >= 0 else held[stage.value]
        for stage in stages
    ]


def _inside(graph: Graph, end: str, others: set[str]) -> list[Node]:
    """Return the nodes that compute a value from those of other stages, in order."""
    wanted, waiting = set(), [end]
    while waiting:
        name = waiting.pop()
        if name in wanted or name in others:
            continue
        wanted.add(name)
        waiting.extend(graph.by_name[name].inputs)
    return [node for node in graph.nodes if node.name in wanted]


def _renamed(node: Node, names: Mapping[str, str], stage: int) -> Node:
    inputs = tuple(_new_name(i, names, stage) for i in node.inputs)
    return replace(node, name=_new_name(node.name, names, stage), inputs=inputs)


def _new_name(name: str, names: Mapping[str, str], stage: int) -> str:
    return names.get(name, f"{FEED}{stage}_{name}")


def _several(node: Node) -> Diagnostic:
    return Diagnostic(
        code="HW322", title="network that cannot be taken apart at its quantisers",
        where=f"{node.origin or node.name}: {node.op.kind}",
        found="a value that several stages read and that no tensor of the model is",
        help="quantise the value with the bits that you want (hwflow quantize), one at a time",
    )  # fmt: skip


def settings_order(stages: Sequence[Stage]) -> list[str]:
    """Return all settings in the order in which the stages need them."""
    return list(dict.fromkeys(s for stage in stages for s in stage.settings))
