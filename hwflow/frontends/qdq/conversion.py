"""QDQ and QCDQ models: ``QuantizeLinear`` and ``DequantizeLinear`` become ``Quant``, exactly.

Every tensor of integers is held as the real numbers that it stands for, with scale and zero point
on the side: ``QuantizeLinear`` is then a ``Quant`` (``forms`` says which, and proves it), the
``DequantizeLinear`` behind it is nothing, and ``Clip`` between both is a narrower range. Integers
that enter or leave the model become the real numbers where they enter, and integers where they
leave.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError
from hwflow.frontends.qdq.constants import fold_parameters
from hwflow.frontends.qdq.forms import QuantStep, steps_of
from hwflow.frontends.qdq.integers import (
    Stored,
    dims,
    entry_of,
    moves,
    narrowed,
    only_clip,
    range_of,
    stored_in,
)
from hwflow.frontends.qdq.parameters import (
    INTEGERS,
    LINEAR,
    WIDEST_ACTIVATION,
    Affine,
    LinearError,
    integer_type,
    not_held,
    read_affine,
    wrong_type,
)
from hwflow.frontends.qdq.writer import WIDE, Writer
from hwflow.ir.qonnx.model import QonnxModel
from hwflow.ops import facts_of, names_where
from hwflow.passes.model.infer_shapes import infer_shapes


def expand_qdq(model: QonnxModel) -> None:
    """Replace all ``QuantizeLinear`` and ``DequantizeLinear`` of a model, in place.

    Args:
        model: nodes in topological order, quantising operators in the standard domain.

    Raises:
        CompileError: HW272 to HW279, everything that cannot be represented exactly.
    """
    if not any(node.op_type in LINEAR and not node.domain for node in model.ir.graph):
        return
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model.ir)
    fold_parameters(model)
    walk = _Walk(model)
    findings = []
    for node in list(model.ir.graph):
        try:
            walk.visit(node)
        except LinearError as problem:
            findings.append(problem.diagnostic(model.where(node)))
    if findings:
        raise CompileError(findings)
    walk.finish()
    common.RemoveUnusedNodesPass()(model.ir)


class _Walk:
    """What is known while the nodes are visited in order.

    Attributes:
        held: for each tensor of integers the line to the real numbers that now stand for it.
    """

    def __init__(self, model: QonnxModel) -> None:
        self.model = model
        self.held: dict[ir.Value, Affine] = {}
        self._write = Writer(model)
        self._shapes = _shapes(model)
        self._stored: dict[ir.Value, Stored] = {}
        self._entered: dict[ir.Value, ir.DataType] = {}
        self._refused: set[ir.Value] = set()

    def visit(self, node: ir.Node) -> None:
        """Replace a node, or note what its integers stand for.

        Raises:
            LinearError: it cannot be represented.
        """
        try:
            self._visit(node)
        except LinearError:
            self._refused.update(node.outputs)
            raise

    def _visit(self, node: ir.Node) -> None:
        if node.op_type in LINEAR and node.domain == "" and not (node.inputs and node.outputs):
            raise LinearError("HW274", "operand is missing", node.op_type)
        if any(v in self._refused for v in node.inputs):
            self._refused.update(node.outputs)  # said before
        elif node.domain == "" and node.op_type == "QuantizeLinear":
            self._quantize(node)
        elif node.domain == "" and node.op_type == "DequantizeLinear":
            self._dequantize(node)
        elif any(v in self.held for v in node.inputs) and node.outputs:
            self._pass_on(node)
        elif node.domain == "" and node.op_type == "Clip" and node.inputs and node.outputs:
            stored = self._stored_in(node.inputs[0])
            if stored is not None:
                self._stored[node.outputs[0]] = stored.clipped(*narrowed(node, *stored.range))

    def finish(self) -> None:
        """Give integers where integers leave the model."""
        graph = self.model.ir.graph
        for index, value in enumerate(graph.outputs):
            node = value.producer()
            if value not in self.held or node is None:
                continue
            name, value.name = value.name, f"{value.name}_real"
            end = ir.node("Identity", [value])
            graph.insert_after(node, end)
            levels = self._write.levels(end, value, self.held[value])
            graph.outputs[index] = end.outputs[0]
            self._write.identity(end, levels)
            end.outputs[0].name = name

    def _affine(self, node: ir.Node) -> Affine:
        """Return the parameters of a node, with the tensor's shape where one axis has scales."""
        tensor, scale = node.inputs[0], node.inputs[1] if len(node.inputs) > 1 else None
        shape = None
        known = None if scale is None or scale.const_value is None else scale.const_value.size
        if tensor is not None and known != 1:
            shape = self._shape(tensor)
        return read_affine(node, None if shape is None else len(shape), shape)

    def _shape(self, value: ir.Value) -> tuple[int, ...] | None:
        """Return the shape of a tensor of the model as it came."""
        if value.const_value is not None:
            return tuple(int(d) for d in value.const_value.shape.numpy())
        return self._shapes.get(value.name or "")

    def _quantize(self, node: ir.Node) -> None:
        x, result = node.inputs[0], node.outputs[0]
        affine = self._affine(node)
        if x is None or affine.dtype is None:
            raise LinearError("HW274", "operand is missing", node.op_type)
        if INTEGERS[affine.dtype][0] > WIDEST_ACTIVATION:
            raise wrong_type(affine.dtype.name)
        if self._is_integer(x):
            raise LinearError(
                "HW277", "operator on integers", f"QuantizeLinear of {x.name!r}", "real numbers"
            )
        low, high = range_of(affine.dtype)
        clip = only_clip(result)
        if clip is not None:
            low, high = narrowed(clip, low, high)
            self._write.identity(clip, result)
        entry, first = entry_of(node, affine)
        at_port = first.producer() is None and first.const_value is None
        steps = steps_of(affine, low, high, rounds_first=at_port or self._is_old)
        real = self._write.steps(entry, first, steps)
        if entry is node:
            self._write.identity(node, real)
        else:
            entry.replace_input_with(0, real)
            self._write.identity(node, x)
        self.held[result] = affine

    def _is_integer(self, value: ir.Value) -> bool:
        """Return whether a tensor is known to be one of integers."""
        source = self._source(value)
        if source is None:
            return value in self.held
        dtype = source.dtype if source.const_value is None else source.const_value.dtype
        return source in self._entered or dtype not in (None, ir.DataType.FLOAT)

    @property
    def _is_old(self) -> bool:
        """Whether ``Clip`` has no operands for its bounds yet (before opset 11)."""
        return self.model.ir.graph.opset_imports.get("", 11) < 11

    def _dequantize(self, node: ir.Node) -> None:
        integers = node.inputs[0]
        affine = self._affine(node)
        if integers is None:
            raise LinearError("HW274", "operand is missing", node.op_type)
        held = self.held.get(integers)
        if held is not None:
            integer_type(affine, held.dtype)
            assert held.dtype is not None
            real = integers
            if not affine.same(held):
                levels = self._write.levels(node, integers, held)
                real = self._write.real(node, levels, affine, held.dtype)
        elif (known := self._stored_in(integers)) is not None:
            integer_type(affine, known.dtype)
            real = self._write.weights(node, known, affine)
        else:
            real = self._from_integers(node, integers, affine)
        self._write.identity(node, real)

    def _stored_in(self, value: ir.Value | None) -> Stored | None:
        """Return the integers of a constant, or of a ``Clip`` of one."""
        if value is None or value in self._stored or value.const_value is None:
            return None if value is None else self._stored.get(value)
        return stored_in(value.const_value)

    def _from_integers(self, node: ir.Node, integers: ir.Value, affine: Affine) -> ir.Value:
        """Return the real numbers for integers that enter the model, or are computed constants."""
        source = self._source(integers)
        if source is None:
            raise LinearError(
                "HW277",
                "integers that no QuantizeLinear gives",
                f"{integers.name!r}",
                "integers of a QuantizeLinear, a constant or a graph input",
                "export in QDQ format, with real numbers between the layers",
            )
        if source.const_value is not None:
            dtype = integer_type(affine, source.const_value.dtype)
            stored = stored_in(source.const_value)
            if stored is not None and stored.reach >= WIDE:
                raise not_held(f"integers of {dtype.name} that are moved before they are used")
            cast = {"to": int(ir.DataType.FLOAT)}
            levels = self._write.insert(node, "Cast", [integers], attributes=cast)
            return self._write.real(node, levels, affine, dtype)
        dtype = integer_type(affine, self._entered.get(source, source.dtype))
        if source not in self._entered:
            self._enter(source, dtype)
        entered = node.inputs[0]  # of the quantiser at the port, where nothing is in between
        assert entered is not None
        return self._write.real(node, entered, affine, dtype)

    def _source(self, value: ir.Value) -> ir.Value | None:
        """Return the graph input, or the constant, whose elements a value has."""
        seen: ir.Value | None = value
        while seen is not None and (producer := seen.producer()) is not None:
            if seen in self.held:
                return None
            if producer.op_type == "Quant" and producer.inputs[0] in self._entered:
                return producer.inputs[0]
            facts = facts_of(producer)
            if not facts.selects or facts.one_scale or not producer.inputs:
                return None
            seen = producer.inputs[0]
        return seen

    def _enter(self, port: ir.Value, dtype: ir.DataType) -> None:
        """Let integers enter as real numbers that only have whole values."""
        bits, signed = INTEGERS[dtype]
        first = next(n for n in self.model.ir.graph if port in n.inputs)
        users = list(port.uses())
        one, zero = np.ones((), np.float32), np.zeros((), np.int64)
        step = QuantStep(scale=one, zero=zero, bits=bits, signed=signed)
        whole = self._write.steps(first, port, [step])
        for user in users:
            user.node.replace_input_with(user.idx, whole)
        port.type = ir.TensorType(ir.DataType.FLOAT)
        self._entered[port] = dtype

    def _pass_on(self, node: ir.Node) -> None:
        """Note what the result of an operator on integers stands for."""
        operands = [v for v in node.inputs if v is not None]
        lines = [self.held[v] for v in operands if v in self.held]
        first = lines[0]
        if node.op_type == "Clip" and operands[0] in self.held and first.dtype is not None:
            low, high = narrowed(node, *range_of(first.dtype))
            steps = steps_of(first, low, high, on_grid=True)
            self._write.identity(node, self._write.steps(node, operands[0], steps))
        elif not moves(node, [v in self.held for v in operands], lines):
            movers = ", ".join(names_where(lambda facts: facts.selects))
            raise LinearError(
                "HW277",
                "operator on integers",
                f"{node.op_type} of what a QuantizeLinear gives",
                f"DequantizeLinear, Clip, {movers} with one scale",
                "export in QDQ format, with real numbers between the layers",
            )
        self.held.update(dict.fromkeys(node.outputs, first))


def _shapes(model: QonnxModel) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all values by name, where one scale per channel needs them.

    None is known where the shapes cannot be inferred, which later passes say in their own words.
    """
    scales = [n.inputs[1] for n in model.ir.graph if n.op_type in LINEAR and len(n.inputs) > 1]
    if all(v is None or v.const_value is None or v.const_value.size == 1 for v in scales):
        return {}
    copy = QonnxModel(model.ir.clone(), model.name, model.source)
    try:
        inferred = infer_shapes(copy).ir.graph
    except CompileError:
        return {}
    known = [*inferred.inputs, *(v for n in inferred for v in n.outputs)]
    return {v.name or "": dims(v) for v in known}
