"""The quantisers that a model was trained with: which there are, their bits, fewer of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.quantization.layers import array_of, layers_of, new_constant
from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.model import QonnxModel, is_quantizer, origin
from hwflow.ops import facts_of

_NO_NAME = re.compile(r"(Fixed)?Quant(_\d+)?")
"""Names that exporters give quantisers, not authors."""


def quantizes(node: ir.Node) -> bool:
    """Return whether a node is a quantiser of any kind."""
    return is_quantizer(node) or is_fixed_quant(node)


def is_trained(model: QonnxModel) -> bool:
    """Return whether a model is quantised already."""
    return any(quantizes(node) for node in model.ir.graph)


@dataclass(frozen=True, eq=False)
class Trained:
    """A quantiser of activations.

    Attributes:
        node: ``Quant`` or ``FixedQuant``.
        name: what its author knows it by.
        bits: its integers' width; of several formats the widest.
        names: names that it may be called by.
    """

    node: ir.Node
    name: str
    bits: int
    names: frozenset[str]

    def narrow(self, model: QonnxModel, bits: int) -> None:
        """Give it fewer bits over the same range: the least significant ones are rounded away."""
        drop = self.bits - bits
        if drop <= 0:
            return
        if is_fixed_quant(self.node):
            self._narrow_formats(model, bits)
            return
        scale, zero = (array_of(v) for v in self.node.inputs[1:3] if v is not None)
        self._set(model, {1: np.ldexp(scale, drop), 2: np.rint(np.ldexp(zero, -drop)), 3: bits})
        self.node.attributes["rounding_mode"] = ir.AttrString("rounding_mode", "ROUND")
        self.node.attributes["narrow"] = ir.AttrInt64("narrow", 0)

    def _narrow_formats(self, model: QonnxModel, bits: int) -> None:
        """Take fractional bits off the formats that are wider; what is rounded up saturates."""
        k, i, f = np.broadcast_arrays(*(array_of(v) for v in self.node.inputs[1:] if v is not None))
        self._set(model, {3: f - np.maximum(k + i + f - bits, 0)})
        self.node.attributes["rounding_mode"] = ir.AttrString("rounding_mode", "RND")
        self.node.attributes["overflow_mode"] = ir.AttrString("overflow_mode", "SAT")

    def _set(self, model: QonnxModel, inputs: dict[int, npt.ArrayLike]) -> None:
        for index, values in inputs.items():
            old = self.node.inputs[index]
            name = f"{self.node.name}_{old.name if old is not None else index}"
            self.node.replace_input_with(index, new_constant(model, name, np.asarray(values)))


def activations_of(model: QonnxModel) -> list[Trained]:
    """Return the quantisers of activations that can have fewer bits, in order."""
    found: dict[str, tuple[ir.Node, int]] = {}
    for node in model.ir.graph:
        bits = _bits(node) if quantizes(node) and not is_fixed(node.inputs[0]) else None
        if bits is not None:
            name = _name(node)
            name = name if name not in found else node.outputs[0].name or name
            found[name] = node, bits
    others = {name: _other_names(node) - found.keys() for name, (node, _) in found.items()}
    counted = Counter(n for names in others.values() for n in names)
    return [
        Trained(node, name, bits, frozenset({name, *(n for n in others[name] if counted[n] == 1)}))
        for name, (node, bits) in found.items()
    ]


def _other_names(node: ir.Node) -> set[str]:
    source = node.inputs[0]
    producer = None if source is None else source.producer()
    names = {node.outputs[0].name, node.name, None if producer is None else origin(producer)}
    return {name for name in names if name}


def _bits(node: ir.Node) -> int | None:
    """Return the width of a quantiser of integers, or None where it cannot be another one."""
    parameters = [v for v in node.inputs[1:] if v is not None and v.const_value is not None]
    if len(parameters) != len(node.inputs) - 1:
        return None
    if is_fixed_quant(node):
        k, i, f = np.broadcast_arrays(*(array_of(v) for v in parameters))
        return int((k + i + f).max(initial=0.0))
    if node.op_type != "Quant" or parameters[2].const_value.size != 1:  # type: ignore[union-attr]
        return None
    return int(array_of(parameters[2]).ravel()[0])


def _name(node: ir.Node) -> str:
    found, source = origin(node), node.inputs[0]
    producer = None if source is None else source.producer()
    return origin(producer) if _NO_NAME.fullmatch(found) and producer is not None else found


def is_fixed(value: ir.Value | None) -> bool:
    """Return whether a value is computed from constants alone."""
    while value is not None and value.const_value is None:
        producer = value.producer()
        if producer is None:
            return False
        value = producer.inputs[0] if producer.inputs else None
    return True


def weights_of(model: QonnxModel) -> dict[str, int]:
    """Return the bits of the weights of each layer that can have fewer, in order."""
    found = {}
    for layer in layers_of(model):
        producer = layer.node.inputs[1].producer() if layer.node.inputs[1] is not None else None
        bits = None if producer is None else _bits(producer)
        if bits is not None:
            found[layer.name] = bits
    return found


def tied(quantizers: Sequence[Trained]) -> list[list[Trained]]:
    """Return the quantisers in groups that share a scale: operands of sums and concatenations."""
    groups = {id(q.node): [q] for q in quantizers}
    own = {id(q.node): q for q in quantizers}
    nodes = dict.fromkeys(user for q in quantizers for user in _joins(q.node.outputs[0]))
    for node in nodes:
        sources = [own[id(n)] for n in _sources(node) if id(n) in own]
        facts = facts_of(node)
        for other in sources[1:]:
            if facts.one_scale or (facts.aligned and _alike(sources[0].node, other.node)):
                joined = groups[id(sources[0].node)]
                if groups[id(other.node)] is not joined:
                    joined.extend(groups[id(other.node)])
                    for member in joined:
                        groups[id(member.node)] = joined
    return list({id(g): g for g in groups.values()}.values())


def _joins(value: ir.Value) -> Iterator[ir.Node]:
    """Yield the sums and concatenations that take a value, moved or not."""
    for use in value.uses():
        facts = facts_of(use.node)
        if facts.one_scale or facts.aligned:
            yield use.node
        if facts.selects:
            yield from _joins(use.node.outputs[0])


def _sources(node: ir.Node) -> list[ir.Node]:
    """Return the quantisers whose values a node takes, moved or not."""
    found: list[ir.Node] = []
    for value in node.inputs:
        producer = None if value is None else value.producer()
        if producer is None:
            continue
        if quantizes(producer):
            found.append(producer)
        elif facts_of(producer).selects:
            found += _sources(producer)
    return found


def _alike(a: ir.Node, b: ir.Node) -> bool:
    """Return whether two quantisers have the same scales."""
    if is_fixed_quant(a) or is_fixed_quant(b):
        return False
    first, second = (array_of(n.inputs[1]) for n in (a, b) if n.inputs[1] is not None)
    return bool(np.array_equal(first, second))
