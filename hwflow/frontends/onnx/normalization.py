"""Brings every QONNX dialect to one form: one domain, one name per quantiser, a batch of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import onnx_ir as ir
from onnx_ir.passes import common

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.onnx.arithmetic import recognize_written
from hwflow.frontends.onnx.batch import settle_batch
from hwflow.frontends.onnx.checks import QONNX_DOMAINS, STANDARD_DOMAINS
from hwflow.frontends.qdq.conversion import expand_qdq
from hwflow.frontends.qdq.parameters import CONTRIB_DOMAIN, LINEAR
from hwflow.ir.qonnx.model import QONNX_DOMAIN, QUANTIZERS, QonnxModel, operator_name, printable
from hwflow.ops import by_onnx

_RENAMED = {"IntQuant": "Quant"}
"""Two names of one operator (qonnx: ``Quant = IntQuant``)."""


def normalize(model: QonnxModel) -> QonnxModel:
    """Bring a model to the one form that passes work on.

    1. Initializers that are listed as graph inputs (old IR versions) are inputs no more.
    2. Functions of the model are expanded, except those that an operator claims; those that
       describe a quantiser are dropped, since the quantiser is known here.
    3. Quantisers of all dialects get the domain ``qonnx.custom_op.general`` and their one name.
    4. Nodes are put in topological order.
    5. Recorded shapes and types of results are dropped: they may be stale, and are inferred later.
    6. The first axis of every graph input is the batch; where it is open, or no node depends on it,
       it becomes 1.
    7. Quantisers written as arithmetic become ``Quant`` (see ``written``).
    8. ``QuantizeLinear`` and ``DequantizeLinear`` become ``Quant`` (see ``qdq``).

    Raises:
        CompileError: HW014, an axis other than the batch is open; HW018, a node depends on
            the batch;
            HW019, a function cannot be expanded; HW272 to HW279, a QDQ model is not exact.
    """
    graph = model.ir.graph
    common.RemoveInitializersFromInputsPass()(model.ir)
    _expand_functions(model)
    for node in (*graph, *(n for f in model.ir.functions.values() for n in f)):
        _rename(node)
        for value in node.outputs:
            value.shape, value.type = None, None
    version = next((v for d, v in graph.opset_imports.items() if d in STANDARD_DOMAINS), 0)
    claimed = {n.domain for n in graph if "::" in operator_name(n)}
    others = {d: graph.opset_imports.get(d, 1) for d in sorted(claimed)}
    graph.opset_imports.clear()
    # Trunc's two versions are told apart by their number of inputs, which no import can contradict.
    graph.opset_imports.update({**others, "": version, QONNX_DOMAIN: 2})
    for function in model.ir.functions.values():
        function.opset_imports[QONNX_DOMAIN] = 2
    graph.sort()
    findings = [f for value in graph.inputs for f in _fix_shape(value, model.source)]
    if findings:
        raise CompileError(findings)
    note = settle_batch(model)
    recognize_written(model)
    expand_qdq(model)
    return model if note is None else replace(model, warnings=(*model.warnings, note))


def _expand_functions(model: QonnxModel) -> None:
    """Replace calls of the model's own functions by their bodies."""
    functions = model.ir.functions
    for key in [k for k in functions if _is_quantizer(k[0], k[1])]:
        del functions[key]
    if not functions:
        return
    claims = by_onnx()
    try:
        common.InlinePass(lambda f: f"{f.domain}::{f.name}" not in claims)(model.ir)
    except Exception as error:  # a stranger's functions may fail anywhere in the pass
        title = "a function of the model cannot be expanded"
        found = printable(str(error.__cause__ or error))
        where = f"in {model.source}"
        raise CompileError(
            [Diagnostic(code="HW019", title=title, where=where, found=found)]
        ) from error


def _is_quantizer(domain: str, op_type: str) -> bool:
    """Return whether a name means a QONNX quantiser; some files leave the domain empty."""
    known = _RENAMED.get(op_type, op_type) in QUANTIZERS
    return known and domain in QONNX_DOMAINS | STANDARD_DOMAINS


def _rename(node: ir.Node) -> None:
    """Give an operator its one domain and name."""
    if _is_quantizer(node.domain, node.op_type):
        node.op_type = _RENAMED.get(node.op_type, node.op_type)
        node.domain = QONNX_DOMAIN
    elif node.domain in QONNX_DOMAINS:
        node.domain = QONNX_DOMAIN
    elif node.domain in STANDARD_DOMAINS or (
        node.domain == CONTRIB_DOMAIN and node.op_type in LINEAR
    ):
        node.domain = ""


def _fix_shape(value: ir.Value, source: str) -> Iterator[Diagnostic]:
    """Make the open batch axis of a graph input 1; yield what else is open."""
    name = printable(value.name or "")
    where = f"graph input {name!r}, in {source}"
    if value.shape is None or len(value.shape) == 0:
        yield Diagnostic(
            code="HW014",
            title="the shape of an input is not known",
            where=where,
            found="no shape" if value.shape is None else "a scalar",
            supported="a fixed shape with the batch as first axis",
            help="export with an example input, without dynamic_axes",
        )
        return
    dims = [d if isinstance(d, int) and d > 0 else None for d in value.shape]
    shown = [str(d) for d in value.shape]
    opened = [i for i, d in enumerate(dims) if i > 0 and d is None]
    if opened:
        yield Diagnostic(
            code="HW014",
            title="an axis of an input has no fixed size",
            where=where,
            found=f"shape [{', '.join(map(printable, shown))}], axis {opened[0]}",
            supported="only the first axis, the batch, may be open",
            help="export without dynamic_axes (torch) or dynamic_shapes for this axis",
        )
        return
    value.shape = ir.Shape([dims[0] or 1, *(d for d in dims[1:] if d is not None)])
