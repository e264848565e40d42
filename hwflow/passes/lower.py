"""From the QONNX model to the hardware graph: each ONNX node becomes a chain of exact operators.

1. Every value keeps its range exactly: nothing is rounded here but what the model itself rounds.
2. Spatial values are laid out channels last; a transpose is inserted where a node needs ONNX order.
3. Every node that cannot be computed exactly is reported; the walk goes on to find the others.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace

import onnx_ir

from hwflow.config import Config
from hwflow.errors import CompileError, Diagnostic, did_you_mean
from hwflow.fixed import FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph, Node, Port
from hwflow.ir.names import Namer, graph_name
from hwflow.ir.op import Constant, Layout, OnnxNode, Op, RefusedError
from hwflow.ir.qonnx import QonnxModel, attributes, constants, is_quantizer, origin
from hwflow.ir.tensor import TensorType
from hwflow.ops import by_onnx
from hwflow.ops.input import Input
from hwflow.ops.transpose import Transpose

DEFAULT_INPUT = FixedType(16, 6, True, Rounding.RND_CONV, Overflow.SAT)
"""Type of an input that no quantiser follows, hls4ml's default width; a warning says so."""

INTEGER_INPUTS = {
    onnx_ir.DataType.UINT8: FixedType(8, 8, False),
    onnx_ir.DataType.INT8: FixedType(8, 8, True),
    onnx_ir.DataType.UINT16: FixedType(16, 16, False),
    onnx_ir.DataType.INT16: FixedType(16, 16, True),
    onnx_ir.DataType.BOOL: FixedType(1, 1, False),
}

Axes = tuple[int, ...]


@dataclass(eq=False)
class _Walk:
    """What is known while the ONNX nodes are visited in order."""

    model: QonnxModel
    constants: dict[str, Constant]
    namer: Namer
    nodes: list[Node] = field(default_factory=list)
    types: dict[str, TensorType] = field(default_factory=dict)
    values: dict[str, tuple[str, Axes]] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def add(self, op: Op, inputs: tuple[str, ...], name: str, origin: str) -> str:
        """Append a node and return its name."""
        node = Node(self.namer.unique(name, port=isinstance(op, Input)), op, inputs, origin)
        self.types[node.name] = op.infer(*(self.types[i] for i in inputs))
        self.nodes.append(node)
        return node.name


def lower(model: QonnxModel, config: Config) -> Graph:
    """Return the hardware graph of a model whose shapes are known and constants folded.

    Raises:
        CompileError: carries a finding for every node that cannot be computed exactly.
    """
    walk = _Walk(model, dict(constants(model)), Namer())
    inputs = _add_inputs(walk, config)
    for node in model.ir.graph:
        _lower_node(walk, node)
    outputs = _outputs(walk, {p.value for p in inputs})
    if walk.findings:
        raise CompileError(walk.findings)
    name = graph_name(model.name, [p.value for p in inputs])
    return Graph.build(name, walk.nodes, inputs, outputs)


def _add_inputs(walk: _Walk, config: Config) -> list[Port]:
    ports = []
    names = [v.name or "" for v in _data_inputs(walk.model)]
    for unknown in sorted(set(config.inputs) - set(names)):
        walk.findings.append(
            Diagnostic(
                code="HW101",
                title="settings for an input that the model does not have",
                where=f"[input.{unknown}] in {config.source}",
                supported=", ".join(names),
                help=did_you_mean(unknown, names),
            )
        )
    for value in _data_inputs(walk.model):
        name = value.name or "x"
        shape = _shape(value)
        axes = _channels_last(len(shape)) if _wants_channels_last(value) else _identity(len(shape))
        dtype = config.inputs.get(name) or INTEGER_INPUTS.get(value.dtype or onnx_ir.DataType.FLOAT)
        op = Input(
            shape=tuple(shape[a] for a in axes),
            dtype=dtype or DEFAULT_INPUT,
            assumed=dtype is None,
        )
        walk.findings.extend(op.check_shape(f"input {name!r}, in {walk.model.source}"))
        hardware = walk.add(op, (), name, name)
        walk.values[name] = hardware, axes
        ports.append(Port(hardware, name, axes))
        walk.nodes[-1] = replace(walk.nodes[-1], source=ports[-1])
    return ports


def _data_inputs(model: QonnxModel) -> list[onnx_ir.Value]:
    """Return the graph's inputs without those that only name an initializer."""
    return [v for v in model.ir.graph.inputs if v.name not in model.ir.graph.initializers]


def _lower_node(walk: _Walk, node: onnx_ir.Node) -> None:
    known = node.domain in ("", "ai.onnx") or is_quantizer(node)
    cls = by_onnx().get(node.op_type) if known else None
    try:
        if cls is None:
            raise RefusedError(_unsupported(node))
        _lower_supported(walk, node, cls)
    except (RefusedError, OverflowError) as problem:
        finding = problem.diagnostic if isinstance(problem, RefusedError) else _too_wide(problem)
        walk.findings.append(replace(finding, where=walk.model.where(node)))
        _stand_in(walk, node)


def _lower_supported(walk: _Walk, node: onnx_ir.Node, cls: type[Op]) -> None:
    axes = _operand_axes(walk, node, cls.layout)
    operands: list[TensorType | Constant | None] = []
    inputs: list[str] = []
    for value in node.inputs:
        if value is None or not value.name:
            operands.append(None)
        elif value.name in walk.constants:
            operands.append(walk.constants[value.name])
        else:
            inputs.append(_laid_out(walk, value, axes))
            operands.append(walk.types[inputs[-1]])
    result = node.outputs[0]
    shape = _shape(result)
    opset = walk.model.ir.opset_imports.get(node.domain, 1)
    view = OnnxNode(node.op_type, attributes(node), tuple(operands), axes, shape, opset)
    if len([o for o in node.outputs if o.uses() or o.is_graph_output()]) > 1:
        raise view.refuse(
            "node with several results",
            found=f"{len(node.outputs)} results",
            supported="nodes of which one result is used",
        )
    if not inputs:
        raise view.refuse(
            "node whose operands are all constant was not folded",
            code="HW218",
            help="replace it by its value when the model is exported",
        )
    name = origin(node)
    chain = cls.from_onnx(view)
    if cls.layout is Layout.VIEW:
        _rename_axes(walk, result, inputs[0], axes, chain)
        return
    for op in chain[:-1]:
        inputs = [walk.add(op, tuple(inputs), f"{name}_{op.kind.lower()}", name)]
    for op in chain[-1:]:
        inputs = [walk.add(op, tuple(inputs), walk.namer.label(name, op.kind), name)]
    _publish(walk, result, inputs[0], cls.layout, axes, shape)


def _rename_axes(
    walk: _Walk, result: onnx_ir.Value, name: str, axes: Axes, chain: Sequence[Op]
) -> None:
    """Record that a value is another one with its axes in another order; no hardware is needed."""
    (transpose,) = chain
    assert isinstance(transpose, Transpose)
    turned = tuple(transpose.perm.index(a - 1) + 1 for a in axes)
    walk.values[result.name or ""] = name, turned


def _publish(
    walk: _Walk, result: onnx_ir.Value, last: str, layout: Layout, axes: Axes, shape: Axes
) -> None:
    """Record which hardware value holds an ONNX value, and that their shapes agree."""
    rank = len(shape)
    match layout:
        case Layout.CHANNELS_LAST:
            axes = _channels_last(rank)
        case Layout.ONNX:
            axes = _identity(rank)
    wanted = tuple(shape[a] for a in axes)
    found = walk.types[last].shape
    if found != wanted:
        raise AssertionError(f"{result.name}: hardware shape {found}, but the model says {wanted}")
    name = result.name or ""
    walk.values[name] = last, axes
    index = next(i for i in range(len(walk.nodes) - 1, -1, -1) if walk.nodes[i].name == last)
    walk.nodes[index] = replace(walk.nodes[index], source=Port(last, name, axes))


def _operand_axes(walk: _Walk, node: onnx_ir.Node, layout: Layout) -> Axes:
    """Return the order of axes that the node's activations are brought into."""
    found = [walk.values[v.name][1] for v in node.inputs if v is not None and v.name in walk.values]
    rank = max((len(a) for a in found), default=0) + 1
    if layout is Layout.CHANNELS_LAST:
        return _channels_last(rank)
    if layout is Layout.VIEW:
        return found[0] if found else ()
    if layout is Layout.ONNX or len({len(a) for a in found}) > 1:
        return _identity(rank)
    return max(found, key=found.count, default=_identity(rank))


def _laid_out(walk: _Walk, value: onnx_ir.Value, axes: Axes) -> str:
    """Return the name of the value with its axes in an order, transposed if need be."""
    name, current = walk.values[value.name or ""]
    if len(current) != len(axes):
        axes = _identity(len(current) + 1)
    if current == axes:
        return name
    perm = tuple(current.index(a) for a in axes)
    label = walk.namer.label(name, "Transpose")
    return walk.add(Transpose(perm=perm), (name,), label, "")


def _stand_in(walk: _Walk, node: onnx_ir.Node) -> None:
    """Give the results of a refused node some value, so that the nodes after it can be examined."""
    for result in node.outputs:
        shape = _shape(result)
        op = Input(shape=shape[1:] or (1,), dtype=DEFAULT_INPUT, assumed=True)
        name = walk.add(op, (), "refused", "")
        walk.values[result.name or ""] = name, _identity(max(len(shape), 2))


def _outputs(walk: _Walk, inputs: Set[str]) -> list[Port]:
    ports: list[Port] = []
    for value in walk.model.ir.graph.outputs:
        held = walk.values.get(value.name or "")
        taken = {p.value for p in ports} | set(inputs)
        if held is None or held[0] in taken:
            walk.findings.append(
                Diagnostic(
                    code="HW219",
                    title="output that no operator computes",
                    where=f"output {value.name!r}, in {walk.model.source}",
                    found="a constant, an input, or a value that another output already carries",
                    help="remove this output from the model",
                )
            )
            continue
        ports.append(Port(held[0], value.name or "", held[1]))
    return ports


def _unsupported(node: onnx_ir.Node) -> Diagnostic:
    known = sorted(by_onnx())
    domain = f", domain {node.domain!r}" if node.domain not in ("", "ai.onnx") else ""
    return Diagnostic(
        code="HW201",
        title="operator not supported",
        found=f"ONNX operator {node.op_type}{domain}",
        supported=f"{len(known)} operators, listed by `hwflow ops`",
        help=ALTERNATIVES.get(node.op_type)
        or did_you_mean(node.op_type, known)
        or "replace it in the model, or add an operator (docs/adding-an-operator.md)",
    )


ALTERNATIVES = {
    "Gelu": "retrain with Relu, or with Sigmoid or Tanh (tables)",
    "Erf": "retrain with Relu instead of Gelu",
    "HardSwish": "retrain with Relu or HardSigmoid",
    "Elu": "retrain with Relu or LeakyRelu",
    "LayerNormalization": "retrain with BatchNorm",
    "LSTM": "unroll the network into Linear layers; recurrent layers are not supported",
    "GRU": "unroll the network into Linear layers; recurrent layers are not supported",
    "RNN": "unroll the network into Linear layers; recurrent layers are not supported",
    "ConvTranspose": "retrain with Upsample and Conv, or run the decoder elsewhere",
    "QuantizeLinear": "export with export_qonnx instead of export_onnx_qcdq",
    "DequantizeLinear": "export with export_qonnx instead of export_onnx_qcdq",
    "FloatQuant": "retrain with an integer quantiser (Brevitas: Int8ActPerTensorFixedPoint)",
    "Dropout": "export the model in evaluation mode (model.eval())",
    "Cast": "leave the conversion out: values are fixed point throughout, or use a quantiser",
    "Resize": "upsample outside of the network, or retrain without Upsample",
    "Split": "write slices (x[:, :n]) instead of split or chunk",
    "Mean": "add the operands in pairs and multiply with a constant",
}
"""What to use instead of operators that people often meet."""


def _too_wide(problem: OverflowError) -> Diagnostic:
    return Diagnostic(
        code="HW301",
        title="result too wide to be computed exactly",
        found=str(problem),
        supported="sums and products of at most 62 bits",
        help="quantise the activation before this layer, its weights or its bias",
    )


def _shape(value: onnx_ir.Value) -> tuple[int, ...]:
    """Return a static shape, batch axis included; ``infer_shapes`` has made sure it is one."""
    return tuple(int(d) for d in value.shape.numpy()) if value.shape is not None else ()


def _identity(rank: int) -> Axes:
    return tuple(range(1, rank))


def _channels_last(rank: int) -> Axes:
    return (*range(2, rank), 1) if rank > 2 else _identity(rank)


def _wants_channels_last(value: onnx_ir.Value) -> bool:
    """Return whether a graph input reaches a spatial operator through elementwise ones only."""
    claims = by_onnx()
    pending, seen = [value], set()
    while pending:
        current = pending.pop()
        for node in current.consumers():
            cls = claims.get(node.op_type)
            if cls is None or node in seen:
                continue
            seen.add(node)
            if cls.layout is Layout.CHANNELS_LAST:
                return True
            if cls.layout is Layout.ELEMENTWISE:
                pending.extend(node.outputs)
    return False
