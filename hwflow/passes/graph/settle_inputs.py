"""An input whose type nobody said takes the type of the quantiser behind it.

Where all users of an input cast it to the same type, the cast is made where the data enters: the
port has that type and the casts disappear. Where users differ, or elements do, and all of them
round down or to nearest (half up), the port has a type fine and wide enough that none of them can
tell it from real numbers. Else the type is that which data proposes; without data it is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from hwflow.core.errors import CompileError
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ops.cast import Cast
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.input import Input
from hwflow.ops.shared.casts import port_type_of
from hwflow.passes.lowering.port_types import UNTYPED, DataTypes, unknown_type


def settle_inputs(graph: Graph) -> Graph:
    """Return the graph with the types of its inputs taken from the quantisers behind them."""
    settled: dict[str, tuple[FixedType, Node | None]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Input) or not node.op.assumed:
            continue
        if node.name in graph.output_values:
            continue
        casts = graph.users[node.name]
        types = {u.op.result_t for u in casts if isinstance(u.op, Cast)}
        if casts and all(isinstance(u.op, Cast) for u in casts) and len(types) == 1:
            (dtype,) = types
            inner = [u for u in casts if u.name not in graph.output_values]
            if dtype is not None:
                settled[node.name] = dtype, inner[0] if len(inner) == len(casts) else None
    graph = graph.rebuild(_rewritten(graph, settled)) if settled else graph
    fine = {n.name: t for n in graph.nodes if (t := _fine_enough(graph, n)) is not None}
    return graph.rebuild(_retyped(graph, fine)) if fine else graph


def types_from_data(graph: Graph, data: DataTypes, source: str) -> dict[str, FixedType]:
    """Return the type from data of each input that no quantiser gives one.

    Args:
        graph: settled.
        data: gives the types that data proposes for inputs.
        source: how messages call the model.

    Raises:
        CompileError: HW230, for every input whose type nothing says.
    """
    found: dict[str, FixedType] = {}
    unknown = []
    for port in graph.inputs:
        op = graph.by_name[port.value].op
        if not isinstance(op, Input) or not op.assumed or not graph.users[port.value]:
            continue
        dtype = data().get(port.name)
        if dtype is None:
            unknown.append(unknown_type(port.name, source, UNTYPED))
        else:
            found[port.name] = dtype
    if unknown:
        raise CompileError(unknown)
    return found


def with_types(graph: Graph, types: Mapping[str, FixedType]) -> Graph:
    """Return the graph with these types of its inputs, by input."""
    new = {p.value: types[p.name] for p in graph.inputs if p.name in types}
    return graph.rebuild(_retyped(graph, new)) if new else graph


def _fine_enough(graph: Graph, node: Node) -> FixedType | None:
    """Return the type of a port that no cast behind it can tell from real numbers, or None."""
    users = graph.users[node.name]
    if not isinstance(node.op, Input) or not node.op.assumed or node.name in graph.output_values:
        return None
    types: list[FixedType] = []
    for user in users:
        if isinstance(user.op, FixedQuant):
            types += [t for t in user.op.types if t is not None]
        elif isinstance(user.op, Cast) and user.op.result_t is not None:
            types.append(user.op.result_t)
        else:
            return None
    return port_type_of(types)


def _retyped(graph: Graph, types: dict[str, FixedType]) -> Iterator[Node]:
    for node in graph.nodes:
        if node.name in types:
            assert isinstance(node.op, Input)
            yield replace(node, op=replace(node.op, dtype=types[node.name], assumed=False))
        else:
            yield node


def _rewritten(graph: Graph, settled: dict[str, tuple[FixedType, Node | None]]) -> Iterator[Node]:
    """Yield the nodes with types of ports; casts disappear but where one is an output."""
    dropped: dict[str, str] = {}
    for node in graph.nodes:
        if node.name in settled:
            dtype, cast = settled[node.name]
            source = node.source
            if cast is not None:
                dropped |= {user.name: node.name for user in graph.users[node.name]}
                source = cast.source and replace(cast.source, value=node.name)
            assert isinstance(node.op, Input)
            yield replace(node, op=replace(node.op, dtype=dtype, assumed=False), source=source)
        elif node.name not in dropped:
            yield replace(node, inputs=tuple(dropped.get(i, i) for i in node.inputs))
