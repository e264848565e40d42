"""Where integer hardware needs quantisers, and which of them must agree on a scale."""

from __future__ import annotations

from dataclasses import dataclass, field

import onnx_ir as ir

from hwflow.ir.qonnx.model import QonnxModel, operator_name, origin
from hwflow.ops import facts_of
from hwflow.ops.pad import Pad
from hwflow.passes.model.rewrites.normalization import parts_of
from hwflow.passes.model.tails import is_elementwise, is_line


@dataclass(eq=False)
class Place:
    """A value that is quantised.

    Attributes:
        value: what is quantised.
        uses: the operands, as node and position, that take the quantised value.
        names: names that a user may call it by: those of the nodes that compute it.
        outward: it is an output of the model, which becomes the quantised value.
    """

    value: ir.Value
    uses: list[tuple[ir.Node, int]] = field(default_factory=list)
    names: frozenset[str] = frozenset()
    outward: bool = False


@dataclass(frozen=True, eq=False)
class Tie:
    """Places whose scales depend on each other.

    Attributes:
        groups: places of one scale; those of different groups differ by powers of two.
    """

    groups: tuple[tuple[Place, ...], ...]


@dataclass(eq=False)
class _Search:
    """What is known of a graph while its nodes are visited."""

    places: dict[str, Place] = field(default_factory=dict)
    same: list[list[Place]] = field(default_factory=list)
    aligned: list[list[Place]] = field(default_factory=list)


def find_places(model: QonnxModel, *, outputs: bool = False) -> tuple[list[Place], list[Tie]]:
    """Return the places for quantisers in a float model, in order, and how their scales are tied.

    They stand before the operands of layers with weights, of averages, of sums, products and
    concatenations of several values, and of what works with tables (softmax); before pools,
    reshapes and other moves. Everything between two of them is one function of integers.

    Args:
        model: the float model.
        outputs: quantise outputs that are curves of integers, such as a relu, too.
    """
    search = _Search()
    inside = _normalisations(search, model)
    for node in model.ir.graph:
        if node in inside:
            continue
        operands = [i for i, v in enumerate(node.inputs) if v is not None and is_dynamic(v)]
        several = len({_source(node, i) for i in operands}) > 1
        if not operands or not (several or _needs_integers(node)):
            continue
        found = [_demand(search, node, i) for i in operands]
        if several and facts_of(node).one_scale:
            search.same.append(found)
        elif several and facts_of(node).aligned:
            search.aligned.append(found)
    for output in model.ir.graph.outputs if outputs else ():
        _demand_output(search, output)
    order = {n: i for i, n in enumerate(model.ir.graph)}
    places = sorted(search.places.values(), key=lambda p: order.get(p.value.producer(), -1))  # type: ignore[arg-type]
    return places, _ties(places, search)


def _normalisations(search: _Search, model: QonnxModel) -> set[ir.Node]:
    """Quantise what is normalised by several nodes, and return these: they become one layer."""
    inside: set[ir.Node] = set()
    for last in model.ir.graph:
        found = parts_of(last) if last.op_type in ("Div", "Mul") else None
        if found is None:
            continue
        value, nodes = found
        inside.update(nodes)
        for node in nodes:
            for index, operand in enumerate(node.inputs):
                if operand is value:
                    _demand(search, node, index)
    return inside


def is_dynamic(value: ir.Value) -> bool:
    """Return whether a value depends on an input of the graph."""
    return value.const_value is None


def _needs_integers(node: ir.Node) -> bool:
    return facts_of(node).takes_integers


def _moves(node: ir.Node) -> bool:
    """Return whether results are values of the one operand, or zero: quantisers go before it."""
    facts = facts_of(node)
    return (facts.selects and not facts.one_scale) or issubclass(facts, Pad)


def _keeps_grid(node: ir.Node) -> bool:
    """Return whether results are values of several operands, which are quantised already."""
    facts = facts_of(node)
    return facts.selects and facts.one_scale


def _operand(node: ir.Node) -> ir.Value | None:
    """Return the only operand of a node that is not constant, or None."""
    found = {v for v in node.inputs if v is not None and is_dynamic(v)}
    return found.pop() if len(found) == 1 else None


def _source(node: ir.Node, index: int) -> ir.Value | None:
    """Return what an operand is a function of, element by element."""
    value = node.inputs[index]
    while value is not None and (producer := value.producer()) is not None:
        before = _operand(producer)
        if before is None and not _is_diamond(producer):
            return value
        if _needs_integers(producer) or _moves(producer):
            return value
        value = before if before is not None else _source(producer, 0)
    return value


def _is_diamond(node: ir.Node) -> bool:
    """Return whether all operands are functions of one value, such as in ``x * sigmoid(x)``."""
    operands = [i for i, v in enumerate(node.inputs) if v is not None and is_dynamic(v)]
    return node.op_type != "Concat" and len({_source(node, i) for i in operands}) == 1


def _demand(search: _Search, node: ir.Node, index: int) -> Place:
    """Quantise an operand, before what only moves it, and return the place."""
    value = node.inputs[index]
    assert value is not None
    producer = value.producer()
    while producer is not None and _moves(producer):
        node, index = producer, 0
        value = producer.inputs[0]
        assert value is not None
        producer = value.producer()
    if producer is not None and _keeps_grid(producer) and not _is_diamond(producer):
        return _demand(search, producer, 0)
    place = search.places.setdefault(value.name or "", Place(value, names=_names(value)))
    if (node, index) not in place.uses:
        place.uses.append((node, index))
    return place


def _demand_output(search: _Search, output: ir.Value) -> None:
    """Quantise an output that is a curve of integers, before what only moves it."""
    value, use = output, None
    while (node := value.producer()) is not None and (_moves(node) or _ranks(node)):
        use, before = (node, 0), node.inputs[0]
        assert before is not None
        value = before
    if not _is_curve(value):
        return
    place = search.places.setdefault(value.name or "", Place(value, names=_names(value)))
    if use is None:
        place.outward = True
    elif use not in place.uses:
        place.uses.append(use)


def _ranks(node: ir.Node) -> bool:
    """Return whether nothing counts but the order of values, or such a result is converted."""
    return facts_of(node).ranks or operator_name(node) == "Cast"


def _is_curve(value: ir.Value) -> bool:
    """Return whether a value is a function of what is before it that is no line."""
    node = value.producer()
    while node is not None and is_elementwise(node):
        if not is_line(node):
            return True
        before = _operand(node)
        if before is None:  # of one value twice, such as x * sigmoid(x)
            return True
        node = before.producer()
    return False


def _names(value: ir.Value) -> frozenset[str]:
    """Return the names of the nodes of the group that a value is the result of."""
    found, here = set(), value
    while (producer := here.producer()) is not None:
        found.add(origin(producer))
        before = _operand(producer)
        if before is None or _needs_integers(producer):
            return frozenset(found)
        here = before
    return frozenset({*found, here.name or ""})


def _ties(places: list[Place], search: _Search) -> list[Tie]:
    """Return the places with what they share a scale with, each place in one tie."""
    same = _components(places, search.same)
    group = {id(p): tuple(g) for g in same for p in g}
    heads = [[group[id(p)][0] for p in sum_] for sum_ in search.aligned]
    together = _components([g[0] for g in same], heads)
    return [Tie(tuple(group[id(p)] for p in tie)) for tie in together]


def _components(places: list[Place], edges: list[list[Place]]) -> list[list[Place]]:
    """Return the connected components of a graph of places, in order."""
    parent = {id(p): id(p) for p in places}

    def root(key: int) -> int:
        while parent[key] != key:
            key = parent[key]
        return key

    for first, *others in edges:
        for other in others:
            parent[root(id(other))] = root(id(first))
    found: dict[int, list[Place]] = {}
    for place in places:
        found.setdefault(root(id(place)), []).append(place)
    return list(found.values())
