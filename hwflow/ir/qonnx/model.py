"""The QONNX level of the IR: standard ONNX operators plus ``Quant``, ``BipolarQuant``, ``Trunc``.

A model at this level is an ``onnx_ir.Model`` that passes change in place; ``QonnxModel`` adds what
diagnostics need. Constants that were computed from others carry their exact value and whether a
quantiser stands behind them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir
import onnx_ir as ir

from hwflow.core.errors import Diagnostic
from hwflow.ir.op import Constant

QONNX_DOMAIN = "qonnx.custom_op.general"
"""The one domain that quantisers have at this level."""

QUANTIZERS = frozenset({"Quant", "BipolarQuant", "Trunc", "FloatQuant"})
"""QONNX operators whose result has the shape of their first input."""

_META = "hwflow.constant"
_SCOPES = "pkg.torch.onnx.name_scopes"
_LONGEST_NAME = 80

MAX_AXES = 16
"""Most axes of a tensor: numpy's functions end at 32, and computing may need some more of them."""

_INTERNAL_SCOPES = frozenset(
    {
        "act_quant",
        "weight_quant",
        "bias_quant",
        "input_quant",
        "output_quant",
        "trunc_quant",
        "export_handler",
        "activation_impl",
        "tensor_quant",
        "fused_activation_quant_proxy",
    }
)
"""Names of Brevitas' own submodules of a layer; the layer's name ends before them."""


@dataclass(frozen=True, eq=False)
class QonnxModel:
    """A model at the QONNX level.

    Attributes:
        ir: the graph; passes change it in place.
        name: stem of the file, or the module's class name.
        source: how diagnostics call the model, e.g. ``qmlp.onnx``.
        warnings: what was noticed on the way that does not stop the compilation.
    """

    ir: onnx_ir.Model
    name: str
    source: str
    warnings: tuple[Diagnostic, ...] = ()

    def __repr__(self) -> str:
        """Return ports and size in one line."""
        graph = self.ir.graph
        sides = [", ".join(v.name or "" for v in side) for side in (graph.inputs, graph.outputs)]
        return f"QonnxModel {self.source}: {sides[0]} -> {sides[1]}, {len(graph)} nodes"

    def where(self, node: onnx_ir.Node) -> str:
        """Return where a node stands, for ``Diagnostic.where``: ``fc1: Gemm, in qmlp.onnx``."""
        return f"{origin(node)}: {printable(node.op_type)}, in {self.source}"


def is_quantizer(node: ir.Node) -> bool:
    """Return whether a node is a QONNX quantiser (``FloatQuant`` included)."""
    return node.domain == QONNX_DOMAIN and node.op_type in QUANTIZERS


def operator_name(node: ir.Node) -> str:
    """Return the name by which ``Op.onnx`` claims a node's operator.

    Bare for standard operators and quantisers, ``domain::name`` for those of other domains.
    """
    bare = node.domain in ("", "ai.onnx") or is_quantizer(node)
    return node.op_type if bare else f"{node.domain}::{node.op_type}"


def printable(name: str, longest: int = _LONGEST_NAME) -> str:
    """Return a text from a file in a form that is safe to print on one line.

    Args:
        name: the text.
        longest: characters from which on it is cut.
    """
    text = "".join(c if c.isprintable() else "?" for c in name)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def too_many_axes(axes: int, where: str) -> Diagnostic:
    """Return HW004, about a tensor that numpy has no functions for."""
    return Diagnostic(
        code="HW004",
        title="a tensor has too many axes",
        where=where,
        found=str(axes),
        supported=f"up to {MAX_AXES}",
    )


def origin(node: ir.Node) -> str:
    """Return the name that the author of the model knows a node by, e.g. ``fc1``.

    Looks at, in this order: the scopes that torch's dynamo exporter records, the node's name as
    torch's older exporter writes it (``/fc1/MatMul``), the names of its parameters
    (``fc1.weight``), the node's name, the operator and its result.
    """
    found = (
        _from_scopes(node.metadata_props.get(_SCOPES, ""))
        or _from_path(node.name or "")
        or _from_parameters(node)
        or (node.name or "").strip("/")
    )
    if not found:
        result = node.outputs[0].name if node.outputs else ""
        found = f"{node.op_type}_{result}" if result else node.op_type
    return printable(found)


def _from_scopes(recorded: str) -> str:
    """Return the innermost layer in ``"['', 'fc1', 'linear']"``; the last scope is the operator."""
    try:
        scopes = ast.literal_eval(recorded) if recorded else []
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return ""
    if not isinstance(scopes, list) or not all(isinstance(s, str) for s in scopes):
        return ""
    return _layer([s.rpartition(".")[2] for s in scopes[:-1]], scopes[:-1])


def _from_path(name: str) -> str:
    """Return ``a.b`` for ``/a/b/MatMul``, or nothing where the name is not such a path."""
    if not name.startswith("/"):
        return ""
    parts = name.strip("/").split("/")[:-1]
    # A container writes its full name into its children's: /features/features.0/Conv.
    full: list[str] = []
    for part in parts:
        prefix = full[-1] + "." if full else ""
        full.append(part if not prefix or part.startswith(prefix) else prefix + part)
    return _layer([p.rpartition(".")[2] for p in parts], full)


def _layer(last_parts: list[str], full_names: list[str]) -> str:
    """Return the last full name before the first scope that is internal to a layer."""
    found = ""
    for last, full in zip(last_parts, full_names, strict=True):
        if last in _INTERNAL_SCOPES:
            break
        found = full
    return found


def _from_parameters(node: ir.Node) -> str:
    """Return ``fc1`` where an initializer ``fc1.weight`` or ``fc1.bias`` stands behind an input."""
    for value in node.inputs[1:]:
        while value is not None and (producer := value.producer()) is not None:
            value = producer.inputs[0] if producer.inputs else None
        layer, _, parameter = (value.name or "" if value is not None else "").rpartition(".")
        if layer and parameter in ("weight", "bias", "running_mean"):
            return layer
    return ""


def set_constant(value: ir.Value, constant: Constant) -> None:
    """Record the exact value of an initializer that was computed from other constants."""
    value.meta[_META] = constant


def constant_of(value: ir.Value) -> Constant | None:
    """Return the value of an initializer, or None where the value is not constant."""
    known = value.meta.get(_META)
    if isinstance(known, Constant):
        return known
    if value.const_value is None:
        return None
    return Constant(value.const_value.numpy().astype(np.float64), quantized=False)


def add_constant(model: QonnxModel, name: str, values: npt.ArrayLike) -> ir.Value:
    """Return a new initializer that holds float64 values exactly, under a name not used before."""
    exact = np.asarray(values, np.float64)
    known = model.ir.graph.initializers
    unique = next(n for n in (f"{name}{'_' * i}" for i in range(len(known) + 1)) if n not in known)
    tensor = ir.tensor(exact.astype(np.float32), name=unique)
    value = ir.Value(
        name=unique,
        shape=ir.Shape(exact.shape),
        type=ir.TensorType(tensor.dtype),
        const_value=tensor,
    )
    set_constant(value, Constant(exact, quantized=False))
    model.ir.graph.register_initializer(value)
    return value


def constants(model: QonnxModel) -> Mapping[str, Constant]:
    """Return all initializers by name, as float64 in ONNX order of axes."""
    found = {}
    for name, value in model.ir.graph.initializers.items():
        constant = constant_of(value)
        if constant is not None:
            found[name] = constant
    return found


def attributes(node: ir.Node) -> dict[str, Any]:
    """Return a node's attributes as plain Python values and numpy arrays, strings as ``str``."""
    return {name: _plain(attr) for name, attr in node.attributes.items()}


def _plain(attr: ir.Attr) -> Any:
    """Return the plain value of one attribute."""
    if attr.type == ir.AttributeType.TENSOR:
        array: npt.NDArray[Any] = attr.as_tensor().numpy()
        return array
    if attr.type in (
        ir.AttributeType.INTS,
        ir.AttributeType.FLOATS,
        ir.AttributeType.STRINGS,
    ):
        return tuple(attr.value)
    return attr.value
