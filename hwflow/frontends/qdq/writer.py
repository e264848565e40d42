"""Writes the nodes that take the place of ``QuantizeLinear`` and ``DequantizeLinear``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.frontends.qdq.forms import ClipStep, QuantStep, Step, steps_of
from hwflow.frontends.qdq.integers import Stored
from hwflow.frontends.qdq.parameters import F32, INTEGERS, Affine, Whole, not_held
from hwflow.ir.qonnx.model import QONNX_DOMAIN, QonnxModel, add_constant
from hwflow.ir.qonnx.nodes import quantizer_of

WIDE = 2**22
"""Level of a constant from which on it is held in two parts: float32 has 24 bits."""

PART_BITS = 16
"""Bits of the lower part."""


class Writer:
    """Adds and changes nodes of one model."""

    def __init__(self, model: QonnxModel) -> None:
        """Write to a model, which is changed in place."""
        self._model = model
        graph = model.ir.graph
        self._taken = {node.name for node in graph} | {v.name for v in graph.inputs}
        self._taken |= {v.name for v in graph.initializers.values()}
        self._taken |= {v.name for node in graph for v in node.outputs}

    def _unique(self, name: str) -> str:
        """Return a name that no node or value has yet."""
        found, count = name, 1
        while found in self._taken:
            count += 1
            found = f"{name}_{count}"
        self._taken.add(found)
        return found

    def constant(self, values: npt.ArrayLike, name: str) -> ir.Value:
        """Return a new initializer of float32 numbers."""
        return add_constant(self._model, self._unique(name), values)

    def insert(
        self,
        before: ir.Node,
        op_type: str,
        inputs: Sequence[ir.Value],
        domain: str = "",
        attributes: Mapping[str, Any] | None = None,
    ) -> ir.Value:
        """Add a node before another one and return its result."""
        name = self._unique(f"{_stem(before)}_{op_type}")
        node = ir.node(
            op_type, list(inputs), attributes=dict(attributes or {}), domain=domain, name=name
        )
        node.outputs[0].name = name
        self._model.ir.graph.insert_before(before, node)
        return node.outputs[0]

    def identity(self, node: ir.Node, value: ir.Value) -> None:
        """Turn a node into an ``Identity`` of a value."""
        node.op_type, node.domain, node.overload = "Identity", "", ""
        node.attributes.clear()
        node.resize_inputs(1)
        node.resize_outputs(1)
        node.replace_input_with(0, value)

    def steps(self, before: ir.Node, x: ir.Value, steps: Sequence[Step]) -> ir.Value:
        """Add what quantises a value, before a node, and return the result."""
        stem = _stem(before)
        for step in steps:
            if isinstance(step, ClipStep):
                bounds = [self.constant(b, f"{stem}_bound") for b in (step.low, step.high)]
                x = self.insert(before, "Clip", [x, *bounds])
            else:
                x = self._quant(before, x, step)
        return x

    def _quant(self, before: ir.Node, x: ir.Value, step: QuantStep) -> ir.Value:
        stem = _stem(before)
        operands = [
            self.constant(step.scale, f"{stem}_scale"),
            self.constant(step.zero, f"{stem}_zero_point"),
            self.constant(step.bits, f"{stem}_bits"),
        ]
        attributes = {
            "signed": int(step.signed),
            "narrow": int(step.narrow),
            "rounding_mode": step.rounding,
        }
        return self.insert(before, "Quant", [x, *operands], QONNX_DOMAIN, attributes)

    def levels(self, before: ir.Node, real: ir.Value, affine: Affine) -> ir.Value:
        """Return the integers, zero point included, of a value that is a multiple of the scale."""
        stem = _stem(before)
        divided = self.insert(before, "Div", [real, self.constant(affine.scale, f"{stem}_scale")])
        if not np.any(affine.zero):
            return divided
        zero = self.constant(affine.zero, f"{stem}_zero_point")
        return self.insert(before, "Add", [divided, zero])

    def real(
        self, before: ir.Node, integers: ir.Value, affine: Affine, dtype: ir.DataType
    ) -> ir.Value:
        """Return the value that integers, zero point included, stand for."""
        stem, x = _stem(before), integers
        if np.any(affine.zero):
            x = self.insert(before, "Sub", [x, self.constant(affine.zero, f"{stem}_zero_point")])
        x = self.insert(before, "Mul", [x, self.constant(affine.scale, f"{stem}_scale")])
        bits, signed = INTEGERS[dtype]
        return self._quant(
            before, x, QuantStep(scale=affine.scale, zero=affine.zero, bits=bits, signed=signed)
        )

    def weights(self, before: ir.Node, stored: Stored, affine: Affine) -> ir.Value:
        """Return the value of constant integers.

        A ``Quant`` of numbers that are float32's nearest to the exact ones gives the exact ones
        back. Levels too wide for float32 become the sum of two such constants.

        Raises:
            LinearError: HW279, float64 does not hold the exact values.
        """
        whole = stored.levels - affine.zero
        if np.abs(whole).max(initial=0) < WIDE:
            steps = steps_of(affine, *stored.range, on_grid=True)
            return self._part(before, whole, steps)
        _check_products(whole, affine.scale)
        low = (whole + 2 ** (PART_BITS - 1)) % 2**PART_BITS - 2 ** (PART_BITS - 1)
        zero = np.zeros((), np.int64)
        coarse = (affine.scale.astype(np.float64) * 2**PART_BITS).astype(np.float32)
        parts = [
            self._part(
                before,
                (whole - low) >> PART_BITS,
                [QuantStep(scale=coarse, zero=zero, bits=18, signed=True)],
            ),
            self._part(
                before, low, [QuantStep(scale=affine.scale, zero=zero, bits=PART_BITS, signed=True)]
            ),
        ]
        return self.insert(before, "Add", parts)

    def _part(self, before: ir.Node, whole: Whole, steps: Sequence[Step]) -> ir.Value:
        """Return quantised constants of these levels, zero point taken off."""
        last = steps[-1]
        assert isinstance(last, QuantStep)
        with np.errstate(over="ignore"):
            near = (whole * last.scale.astype(np.float64)).astype(np.float32)
        _check_levels(near, whole, last)
        return self.steps(before, self.constant(near, f"{_stem(before)}_values"), steps)


def _check_levels(near: F32, whole: Whole, step: QuantStep) -> None:
    """Make sure that a quantiser finds the levels of numbers in float32 again."""
    parameters = [np.asarray(v, np.float64) for v in (step.scale, step.zero, step.bits)]
    attributes = {"signed": int(step.signed), "narrow": int(step.narrow)}
    found = quantizer_of("Quant", parameters, attributes).levels(near.astype(np.float64))
    if not np.isfinite(near).all() or not np.array_equal(found - step.zero, whole):
        raise not_held(f"scales up to {float(step.scale.max()):g}")


def _check_products(whole: Whole, scale: F32) -> None:
    """Make sure that float64 holds the products of wide levels and their scales."""
    scales = np.broadcast_to(scale, whole.shape)
    for k, s in zip(whole.ravel().tolist(), scales.ravel().tolist(), strict=True):
        if abs(k) >= 2**29 and Fraction(k * s) != k * Fraction(s):
            raise not_held(f"{k} times {s!r}")


def _stem(node: ir.Node) -> str:
    """Return the name of a node without the operator's, as quantising tools append it."""
    name = node.name or (node.outputs[0].name if node.outputs else "") or "qdq"
    for suffix in ("_QuantizeLinear", "_DequantizeLinear"):
        name = name.removesuffix(suffix)
    return name
