"""Results are declared in the narrowest types that hold what they can be.

HLS tools bind operators on declared widths, and know nothing of a value's proven range. A quantiser
that stands behind a layer is that layer's ``result_t``; where the layer cannot reach all of it, the
same numbers come from a smaller type:

- *bits on top* that no value needs. Let ``R`` be the results, within the narrow type ``N``, itself
  within the declared ``D``. Saturation in ``N`` changes a value that ``D`` keeps only where that is
  not in ``R``; and wrapping in ``N`` is wrapping in ``D`` and then in ``N``, which keeps ``R``.
- *saturation* that never happens, since the rounded sum lies within the type, becomes none.
- *bits at the end* that are always 0, since the sum has fewer of them, go, and the rounding with
  them; only where saturation, which may give other bits, never happens.

Where the type of a value says more than its numbers, it stays: at ports, before operators that are
approximate by nature (their tables follow from it) or users' own, and where the user set it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from hwflow.core.config import Config
from hwflow.core.environment import explain
from hwflow.fixed import FixedType, Overflow
from hwflow.fixed.types import MAX_TYPE_WIDTH
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op
from hwflow.ir.tensor import TensorType
from hwflow.ops import is_built_in
from hwflow.ops.lookup import Lookup


def narrow_types(graph: Graph, config: Config) -> tuple[Graph, dict[str, FixedType]]:
    """Return the graph with result types no wider than the results, and what was declared.

    Args:
        graph: every type of its operators is the model's or the user's.
        config: the user's settings; a ``result_t`` in them stays as it is.

    Returns:
        The types that layers had, by name, are of those that have others now.
    """
    ways: dict[str, list[FixedType]] = {}
    for node in graph.nodes:
        own = any("result_t" in config.layers.get(n, {}) for n in (node.name, node.origin))
        if node.op.result_t is not None and is_built_in(type(node.op)) and not own:
            ways[node.name] = _narrower(node.op, node.op.result_t, graph.input_types(node))
    found = _ops(graph, ways)
    while spoilt := _spoilt(graph, found):
        for name in sorted(spoilt):
            explain("narrow_types", f"{name}: {ways[name].pop(0)} shows behind it")
        found = _ops(graph, ways)
    before = {n.name: n.op.result_t for n in graph.nodes if n.name in found}
    was = {name: to for name, to in before.items() if to is not None}
    return (graph.replace_ops(found) if found else graph), was


def as_declared(graph: Graph, declared: Mapping[str, FixedType]) -> Graph:
    """Return the graph with the result types that its layers were declared with.

    Args:
        graph: the graph behind ``narrow_types``.
        declared: types of layers, by name.
    """
    ops = {name: replace(graph.by_name[name].op, result_t=to) for name, to in declared.items()}
    return graph.replace_ops(ops)


def _ops(graph: Graph, ways: Mapping[str, list[FixedType]]) -> dict[str, Op]:
    """Return the layers with the first type that each has left."""
    return {n: replace(graph.by_name[n].op, result_t=left[0]) for n, left in ways.items() if left}


def _narrower(op: Op, to: FixedType, inputs: tuple[TensorType, ...]) -> list[FixedType]:
    """Return types that a layer's result has the same numbers in, narrowest first, without ``to``.

    The narrowest may have fewer fractional bits, which shows in sums behind it; others have not.
    """
    exact = op.exact(*inputs)
    result = exact.cast(to)
    top = FixedType.covering(*result.bounds, to.fractional)
    narrow = replace(to, width=top.width, integer=top.integer, signed=top.signed)
    if not narrow.holds(*result.bounds, to.fractional):  # SAT_SYM has no least value
        narrow = to
    found = [narrow]
    fine = exact.dtype.fractional
    room = exact.dtype.width + max(to.fractional - fine, 0) < MAX_TYPE_WIDTH
    if not (op.approximate or op.rectified) and room:  # else it rounds, or saturates, on its own
        widest = FixedType(MAX_TYPE_WIDTH, MAX_TYPE_WIDTH - to.fractional, True, to.rounding)
        if narrow.holds(*exact.cast(widest).bounds, to.fractional):
            found.insert(0, replace(narrow, overflow=Overflow.WRAP))
            if fine <= to.fractional:
                found.insert(0, FixedType.covering(*exact.bounds, fine))
    return [way for way in found if way != to]


def _spoilt(graph: Graph, found: Mapping[str, Op]) -> set[str]:
    """Return the layers among those with narrower types that change more than types."""
    types: dict[str, TensorType] = {}
    spoilt: set[str] = set()
    for node in graph.nodes:
        old = graph.types[node.name]
        inputs = tuple(types[i] for i in node.inputs)
        try:
            new = found.get(node.name, node.op).infer(*inputs)
        except (ValueError, OverflowError):
            new = None
        types[node.name] = new or old
        port = node.name in graph.output_values and new != old and new and new.dtype != old.dtype
        moved = [i for i in node.inputs if types[i].dtype != graph.types[i].dtype]
        if new is None or port or not _same_values(old, new):
            spoilt |= {*_origins(graph, node.name)}
        elif moved and _reads_types(node.op):
            spoilt |= {origin for name in moved for origin in _origins(graph, name)}
    return spoilt & {*found}


def _same_values(old: TensorType, new: TensorType) -> bool:
    """Return whether a value has its range still, on its own grid or one that is coarser."""
    up = old.dtype.fractional - new.dtype.fractional
    if up < 0:
        return False
    pairs = ((old.lo, new.lo), (old.hi, new.hi))
    return all(np.array_equal(before, after << up) for before, after in pairs)


def _reads_types(op: Op) -> bool:
    """Return whether more than the numbers that an operator gets may decide what it computes.

    A ``Lookup`` has an entry for every value; the type of its entries shows in its result's.
    """
    return not is_built_in(type(op)) or bool(op.approximate and not isinstance(op, Lookup))


def _origins(graph: Graph, name: str) -> Iterator[str]:
    """Yield the layers that a value's type may come from: its own, or those that it passes on."""
    waiting, seen = [name], {name}
    while waiting:
        at = waiting.pop()
        yield at
        node = graph.by_name[at]
        if node.op.result_t is None:
            new = [i for i in node.inputs if i not in seen]
            seen.update(new)
            waiting += new
