"""An input whose type nobody said takes the type of the quantiser behind it.

Where all users of an input cast it to the same type, the cast is made where the data enters: the
port has that type and the casts disappear. Where users differ, or elements do, and all of them
round down or to nearest (half up), the port has a type fine and wide enough that none of them can
tell it from real numbers. An input without a quantiser keeps the assumed type; the warnings say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from hwflow.errors import Diagnostic
from hwflow.fixed import FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ops.cast import Cast
from hwflow.ops.fixed_quant import FixedQuant, port_type_of
from hwflow.ops.input import Input


def settle_inputs(graph: Graph) -> Graph:
    """Return the graph with the types of its inputs taken from the quantisers behind them."""
    settled: dict[str, tuple[FixedType, Node]] = {}
    for node in graph.nodes:
        if not isinstance(node.op, Input) or not node.op.assumed:
            continue
        if node.name in graph.output_values:
            continue
        casts = graph.users[node.name]
        types = {u.op.result_t for u in casts if isinstance(u.op, Cast)}
        inside = not any(u.name in graph.output_values for u in casts)
        if casts and all(isinstance(u.op, Cast) for u in casts) and len(types) == 1 and inside:
            (dtype,) = types
            if dtype is not None:
                settled[node.name] = dtype, casts[0]
    graph = graph.rebuild(_rewritten(graph, settled)) if settled else graph
    fine = {n.name: t for n in graph.nodes if (t := _fine_enough(graph, n)) is not None}
    return graph.rebuild(_retyped(graph, fine)) if fine else graph


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


def _rewritten(graph: Graph, settled: dict[str, tuple[FixedType, Node]]) -> Iterator[Node]:
    dropped: dict[str, str] = {}
    for node in graph.nodes:
        if node.name in settled:
            dtype, cast = settled[node.name]
            dropped |= {user.name: node.name for user in graph.users[node.name]}
            assert isinstance(node.op, Input)
            source = cast.source and replace(cast.source, value=node.name)
            yield replace(node, op=replace(node.op, dtype=dtype, assumed=False), source=source)
        elif node.name not in dropped:
            yield replace(node, inputs=tuple(dropped.get(i, i) for i in node.inputs))


def input_warnings(graph: Graph) -> Iterator[Diagnostic]:
    """Yield a warning for each input whose type is assumed."""
    for port in graph.inputs:
        op = graph.by_name[port.value].op
        if isinstance(op, Input) and op.assumed:
            yield Diagnostic(
                code="HW230",
                severity="warning",
                title="input has no quantiser",
                where=f"input {port.name!r}",
                found=f"{op.dtype} was assumed",
                help=f'set [input.{port.name}] type = "fixed<16,6,RND_CONV,SAT>" in hwflow.toml, '
                "or put a quantiser (Brevitas: QuantIdentity) at the model's input",
            )
