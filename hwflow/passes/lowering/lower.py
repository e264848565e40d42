"""Lowers the QONNX model to the hardware graph: each node becomes a chain of exact operators.

1. Every value keeps its range exactly: nothing is rounded here but what the model itself rounds.
2. Spatial values are laid out channels last; a transpose is inserted where a node needs ONNX order.
3. Every node that cannot be computed exactly is reported; the walk goes on to find the others.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from functools import partial

import onnx_ir

from hwflow.core.config import Config
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.ir.graph import Graph, Port
from hwflow.ir.grid import UNIT
from hwflow.ir.names import Namer, graph_name
from hwflow.ir.op import Layout, RefusedError
from hwflow.ir.qonnx.model import QonnxModel, constants, operator_name
from hwflow.ir.real.nodes import Source
from hwflow.ops import by_onnx
from hwflow.ops.cast import Cast
from hwflow.ops.input import Input
from hwflow.passes.lowering.deferred import Deferred
from hwflow.passes.lowering.emission import emit_all
from hwflow.passes.lowering.memory import Memory
from hwflow.passes.lowering.number_casts import check_integers, lower_cast
from hwflow.passes.lowering.port_types import (
    STAND_IN,
    UNKNOWN_TYPE,
    UNREAD,
    UNTYPED,
    DataTypes,
    first_type,
    is_quantized_port,
    known_type,
    no_data,
    unknown_type,
)
from hwflow.passes.lowering.refusals import (
    ALTERNATIVES,
    WRITTEN,
    constant_outputs,
    no_name,
    not_quantized,
    too_wide,
    unsupported,
)
from hwflow.passes.lowering.roundings import only_rounded
from hwflow.passes.lowering.scales import lower_scaled
from hwflow.passes.lowering.view import (
    channels_last,
    identity,
    require_batch_alone,
    shape_of,
)
from hwflow.passes.lowering.walk import Made, Walk
from hwflow.passes.model.tails import KEPT

UNQUANTIZED = "HW211"
"""Code of the finding about weights that nobody quantised; `hwflow quantize` does ports, too."""


def lower(
    model: QonnxModel, config: Config, data: DataTypes = no_data, memory: Memory | None = None
) -> Graph:
    """Return the hardware graph of a model whose shapes are known and constants folded.

    Args:
        model: the model.
        config: the user's settings.
        data: gives the types that data proposes for inputs.
        memory: what the nodes of this very model became before.

    Raises:
        CompileError: carries a finding for every node that cannot be computed exactly, and for
            every input whose type nothing says.
    """
    walk = Walk(model=model, constants=dict(constants(model)), namer=Namer())
    inputs = _add_inputs(walk, config, data)
    refused = _lower_all(walk, memory)
    outputs = _outputs(walk, {p.value for p in inputs})
    if walk.findings:
        raise CompileError(_causes(walk, refused))
    inputs = [replace(p, grid=walk.port_grids.get(p.value, UNIT)) for p in inputs]
    name = graph_name(model.name, [p.value for p in inputs])
    return Graph.build(name, walk.nodes, inputs, outputs)


def _causes(walk: Walk, refused: Sequence[onnx_ir.Node]) -> list[Diagnostic]:
    """Return the findings without those about inputs that others are the cause of.

    Args:
        walk: with every finding.
        refused: the nodes that cannot be computed.
    """
    roundings = {n for n in refused if ALTERNATIVES.get(operator_name(n)) == WRITTEN}
    ports = [
        unknown_type(v.name or "x", walk.model.source, UNREAD)
        for v in _data_inputs(walk.model)
        if only_rounded(v, roundings)
    ]
    every = any(d.code == UNQUANTIZED for d in walk.findings)  # then ports are the least of it
    return [d for d in walk.findings if d not in ports and not (every and d.code == UNKNOWN_TYPE)]


def _add_inputs(walk: Walk, config: Config, data: DataTypes) -> list[Port]:
    ports = []
    for value in _data_inputs(walk.model):
        name = value.name or "x"
        shape = shape_of(value)
        axes = channels_last(len(shape)) if _wants_channels_last(value) else identity(len(shape))
        known = known_type(value, config)
        dtype = known or first_type(value, data)
        if dtype is None:
            found = UNTYPED if is_quantized_port(value) else UNREAD
            walk.findings.append(unknown_type(name, walk.model.source, found))
        op = Input(
            shape=tuple(shape[a] for a in axes), dtype=dtype or STAND_IN, assumed=known is None
        )
        unfit = list(op.check_shape(f"input {name!r}, in {walk.model.source}"))
        if unfit:  # all that follows would repeat it
            raise CompileError([*walk.findings, *unfit])
        hardware = walk.add(op, (), name, name)
        walk.values[name] = hardware, axes
        ports.append(Port(hardware, name, axes))
        walk.nodes[-1] = replace(walk.nodes[-1], source=ports[-1])
    return ports


def _data_inputs(model: QonnxModel) -> list[onnx_ir.Value]:
    """Return the graph's inputs without those that only name an initializer."""
    return [v for v in model.ir.graph.inputs if v.name not in model.ir.graph.initializers]


def _lower_all(walk: Walk, memory: Memory | None) -> list[onnx_ir.Node]:
    """Add the operators of every node, or a finding; return the nodes that are refused."""
    refused: list[onnx_ir.Node] = []
    if memory is not None:
        memory.enter(walk)
    for node in walk.model.ir.graph:
        if memory is None:
            _lower_and_record(walk, node, refused)
        else:
            memory.lowered(walk, node, partial(_lower_and_record, walk, node, refused))
    return refused


def _lower_and_record(walk: Walk, node: onnx_ir.Node, refused: list[onnx_ir.Node]) -> None:
    """Add the operators of a node and take note of its results, or add a finding."""
    try:
        made = _lower_node(walk, node)
    except (RefusedError, OverflowError) as problem:
        finding = too_wide(problem) if isinstance(problem, OverflowError) else problem.diagnostic
        walk.findings.append(replace(finding, where=walk.model.where(node)))
        made = _stand_ins(walk, node)
        refused.append(node)
    for result in made:
        walk.record(result)


def _lower_node(walk: Walk, node: onnx_ir.Node) -> Sequence[Made]:
    """Add the operators of a node, and return what its results became.

    Raises:
        RefusedError: it cannot be computed exactly.
        OverflowError: its results are too wide.
    """
    cls = by_onnx().get(operator_name(node))
    if operator_name(node) in KEPT:
        return [lower_cast(walk, node)]
    check_integers(node)
    if cls is None:
        raise RefusedError(unsupported(node))
    require_batch_alone(walk, node)
    made = lower_scaled(walk, node, cls)
    return emit_all(walk, node, cls) if made is None else made


def _stand_ins(walk: Walk, node: onnx_ir.Node) -> list[Made]:
    """Return some values for the results of a refused node, so that later ones are examined."""
    made = []
    for result in node.outputs:
        shape = shape_of(result)
        op = Input(shape=shape[1:] or (1,), dtype=STAND_IN, assumed=True)
        name = walk.add(op, (), "refused", "")
        made.append(Made(result, name, identity(len(shape)), own=False))
    return made


def _outputs(walk: Walk, inputs: Set[str]) -> list[Port]:
    ports: list[Port] = []
    constant: list[onnx_ir.Value] = []
    for value in walk.model.ir.graph.outputs:
        held = walk.values.get(value.name or "")
        if held is None:
            constant.append(value)
            continue
        if value.is_graph_input() or value.name in {p.name for p in ports}:
            walk.findings.append(no_name(walk, value))
            continue
        grid = walk.grid(value.name or "")
        if grid is None or len(walk.deferred.get(value.name or "", _PLAIN).sources) > 1:
            walk.findings.append(not_quantized(walk, value))
            continue
        port = Port(held[0], value.name or "", held[1], grid)
        if held[0] in inputs | {p.value for p in ports}:  # each port out needs a layer of its own
            port = replace(port, value=walk.add(Cast(), held[:1], port.name, port.name))
        ports.append(port)
        if port.value != held[0] or not grid.plain:
            walk.replace_node(port.value, source=port)
    if constant:
        walk.findings.append(constant_outputs(walk, constant))
    return ports


_PLAIN = Deferred(("",), Source())


def _wants_channels_last(value: onnx_ir.Value) -> bool:
    """Return whether a graph input reaches a spatial operator through elementwise ones only."""
    claims = by_onnx()
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        for node in current.consumers():
            cls = claims.get(operator_name(node))
            layout = Layout.ELEMENTWISE if operator_name(node) == "Cast" else cls and cls.layout
            if layout is None or node in seen:
                continue
            seen.add(node)
            if layout is Layout.CHANNELS_LAST:
                return True
            if layout is Layout.ELEMENTWISE:
                pending.extend(node.outputs)
    return False
