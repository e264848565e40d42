"""Writes the ONNX graph of a Keras model: nodes with layer names, constants, transposes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from hwflow.core.errors import Diagnostic
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.ir.op import RefusedError
from hwflow.ir.qonnx.fixed_quant import DOMAIN as FIXED_DOMAIN
from hwflow.ir.qonnx.fixed_quant import OP as FIXED_QUANT
from hwflow.ir.qonnx.fixed_quant import function as fixed_quant_function
from hwflow.ir.qonnx.lookup_dense import OP as LOOKUP_DENSE
from hwflow.ir.qonnx.lookup_dense import function as lookup_dense_function
from hwflow.ir.qonnx.model import QONNX_DOMAIN, printable
from hwflow.ir.qonnx.table import OP as TABLE
from hwflow.ir.qonnx.table import function as table_function

OPSET = 20
"""Version of the operators that are written; ``HardSwish`` needs 14, ``Mish`` 18, ``Gelu`` 20."""

INTEGERS = {
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
}
"""Element types of inputs that say which numbers can occur."""


@dataclass(eq=False)
class Writer:
    """Collects the nodes and constants of one model.

    Attributes:
        source: how diagnostics call the model.
        layer: path of the layer that is being written, for node names and diagnostics.
        kind: its class name.
        warnings: what was noticed on the way.
    """

    source: str
    layer: str = ""
    kind: str = ""
    warnings: list[Diagnostic] = field(init=False, default_factory=list)
    nodes: list[onnx.NodeProto] = field(init=False, default_factory=list)
    tensors: dict[str, onnx.TensorProto] = field(init=False, default_factory=dict)
    inputs: list[onnx.ValueInfoProto] = field(init=False, default_factory=list)
    _names: set[str] = field(init=False, default_factory=set)
    _turned: dict[tuple[str, bool], Tensor] = field(init=False, default_factory=dict)

    def refusal(
        self,
        title: str,
        code: str = "HW281",
        found: str = "",
        supported: str = "",
        help: str = "",  # noqa: A002
    ) -> RefusedError:
        """Return the refusal of the current layer, to be raised."""
        where = f"{printable(self.layer)}: {self.kind}, in {self.source}"
        finding = Diagnostic(
            code=code,
            title=title,
            where=where,
            found=printable(found),
            supported=supported,
            help=help,
        )
        return RefusedError(finding)

    def unique(self, name: str) -> str:
        """Return a name for a value that no other has."""
        base = printable(name)
        found, number = base, 1
        while found in self._names:
            number += 1
            found = f"{base}_{number}"
        self._names.add(found)
        return found

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> Tensor:
        """Add an input of the model and return it as real numbers.

        Args:
            name: its name in Keras.
            shape: without the batch.
            dtype: type of its elements, as Keras calls it.
        """
        name = self.unique(name)
        kind = INTEGERS.get(dtype, TensorProto.FLOAT)
        self.inputs.append(helper.make_tensor_value_info(name, kind, [1, *shape]))
        if kind == TensorProto.FLOAT:
            return Tensor(name, shape)
        self.layer = name
        return Tensor(self.node("Cast", [name], to=TensorProto.FLOAT), shape)

    def constant(self, label: str, values: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """Return the name of an initializer of the current layer."""
        array = np.asarray(values, dtype)
        name = self.unique(f"{self.layer}.{label}")
        self.tensors[name] = numpy_helper.from_array(array, name)
        return name

    def node(self, op: str, inputs: list[str], *, domain: str = "", **attributes: Any) -> str:
        """Append a node of the current layer and return the name of its result."""
        result = self.unique(f"{self.layer}.{op}")
        # The name is a path, as torch writes it: `origin` finds the layer in it.
        scope = self.layer.replace("/", "_").replace(".", "/")
        name = f"/{scope}/{result.rpartition('.')[2]}"
        self.nodes.append(
            helper.make_node(op, inputs, [result], name=name, domain=domain, **attributes)
        )
        return result

    def unary(self, op: str, x: Tensor, *constants: npt.ArrayLike, **attributes: Any) -> Tensor:
        """Append an elementwise node: the value, then constants laid out like it."""
        operands = [self.constant(op.lower(), x.per_channel(c)) for c in constants]
        return replace(x, name=self.node(op, [x.name, *operands], **attributes))

    def clip(self, x: Tensor, low: float | None, high: float | None) -> Tensor:
        """Append a clip, open where a bound is None."""
        bounds = ["" if v is None else self.constant("bound", v) for v in (low, high)]
        return replace(x, name=self.node("Clip", [x.name, *bounds]))

    def is_input(self, x: Tensor) -> bool:
        """Return whether a tensor is an input of the model itself."""
        return any(x.name == port.name for port in self.inputs)

    def quant(
        self,
        x: Tensor,
        scale: npt.ArrayLike,
        bits: int,
        *,
        signed: bool,
        narrow: bool = False,
        rounding: str = "ROUND",
    ) -> Tensor:
        """Append a ``Quant`` of a value, whose scale broadcasts against Keras' last axes."""
        name = self._quant(
            x.name,
            scale=x.per_channel(scale),
            bits=bits,
            signed=signed,
            narrow=narrow,
            rounding=rounding,
        )
        return replace(x, name=name)

    def fixed_quant(
        self, x: Tensor, kif: Sequence[npt.ArrayLike], rounding: str, overflow: str
    ) -> Tensor:
        """Append a ``FixedQuant`` whose formats broadcast against Keras' last axes."""
        operands = [self.constant(n, x.per_channel(v)) for n, v in zip("kif", kif, strict=True)]
        name = self.node(
            FIXED_QUANT,
            [x.name, *operands],
            domain=FIXED_DOMAIN,
            rounding_mode=rounding,
            overflow_mode=overflow,
        )
        return replace(x, name=name)

    def quantized_constant(
        self, label: str, values: FloatArray, scale: FloatArray, bits: int, *, signed: bool
    ) -> str:
        """Return the name of a constant with a ``Quant`` behind it that changes none of it."""
        return self._quant(self.constant(label, values), scale=scale, bits=bits, signed=signed)

    def bipolar(self, name: str, scale: npt.ArrayLike) -> str:
        """Append a ``BipolarQuant`` and return the name of its result."""
        return self.node("BipolarQuant", [name, self.constant("scale", scale)], domain=QONNX_DOMAIN)

    def _quant(
        self,
        name: str,
        *,
        scale: FloatArray,
        bits: int,
        signed: bool,
        narrow: bool = False,
        rounding: str = "ROUND",
    ) -> str:
        operands = [
            name,
            self.constant("scale", scale),
            self.constant("zero_point", 0.0),
            self.constant("bits", float(bits)),
        ]
        return self.node(
            "Quant",
            operands,
            domain=QONNX_DOMAIN,
            signed=int(signed),
            narrow=int(narrow),
            rounding_mode=rounding,
        )

    def spatial(self, x: Tensor) -> Tensor:
        """Return a value with its channels first, as ONNX's spatial operators want it."""
        return self._turn(x, channels_first=True)

    def keras(self, x: Tensor) -> Tensor:
        """Return a value with its axes as Keras has them."""
        return self._turn(x, channels_first=False)

    def reshaped(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """Return a value in another shape, with its elements in Keras' order."""
        if x.shape == shape:
            return self.keras(x)
        sizes = self.constant("shape", [1, *shape], np.int64)
        return Tensor(self.node("Reshape", [self.keras(x).name, sizes]), shape)

    def _turn(self, x: Tensor, *, channels_first: bool) -> Tensor:
        rank = len(x.shape) + 1
        if x.channels_first == channels_first or rank < 3:
            return x
        key = (x.name, channels_first)
        if key not in self._turned:
            last = rank - 1
            perm = [0, last, *range(1, last)] if channels_first else [0, *range(2, rank), 1]
            name = self.node("Transpose", [x.name], perm=perm)
            self._turned[key] = Tensor(name, x.shape, channels_first)
        return self._turned[key]

    def model(self, name: str, outputs: list[str]) -> onnx.ModelProto:
        """Return the model.

        Args:
            name: name of the graph.
            outputs: names of values.
        """
        graph = helper.make_graph(
            self.nodes,
            printable(name) or "model",
            self.inputs,
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in outputs],
            list(self.tensors.values()),
        )
        imports = {"": OPSET, QONNX_DOMAIN: 2}
        functions = []
        if any(n.domain == FIXED_DOMAIN for n in self.nodes):
            imports[FIXED_DOMAIN] = 1
            known = {
                FIXED_QUANT: fixed_quant_function, LOOKUP_DENSE: lookup_dense_function,
                TABLE: table_function,
            }  # fmt: skip
            used = {n.op_type for n in self.nodes if n.domain == FIXED_DOMAIN}
            functions += [make() for name, make in known.items() if name in used]
        opsets = [helper.make_opsetid(*item) for item in imports.items()]
        return helper.make_model(graph, opset_imports=opsets, functions=functions, ir_version=9)

    def rename(self, old: str, new: str) -> str:
        """Give a value that a node computes another name, and return the name it then has."""
        if old == new:
            return old
        new = self.unique(new)
        for node in self.nodes:
            for names in (node.input, node.output):
                for position, name in enumerate(names):
                    if name == old:
                        names[position] = new
        return new
