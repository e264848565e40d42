"""Evaluates a QONNX model in real arithmetic: what the hardware has to equal, bit for bit.

Every constant stands for the rational number that it is, every operation is exact, and every result
is the float64 nearest to the exact one. Nothing of ``passes`` and ``ops`` computes here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx_ir as ir

from hwflow.ir.qonnx.fixed_quant import is_fixed_quant
from hwflow.ir.qonnx.lookup_dense import is_lookup_dense
from hwflow.ir.qonnx.model import QonnxModel, attributes, is_quantizer
from hwflow.ir.qonnx.steps import is_steps
from hwflow.ir.qonnx.table import is_table
from hwflow.verify.references.exact.constants import known_values
from hwflow.verify.references.exact.decision import rounded
from hwflow.verify.references.exact.elementwise import ELEMENTWISE, batch_norm, softmax
from hwflow.verify.references.exact.interpolated import resize
from hwflow.verify.references.exact.linear import conv, einsum, gemm, mat_mul
from hwflow.verify.references.exact.moves import MOVES, concat, move
from hwflow.verify.references.exact.node import Operands, Step, View
from hwflow.verify.references.exact.norms import sum_of_sizes
from hwflow.verify.references.exact.pooling import (
    arg_extreme,
    average_pool,
    max_pool,
    over_positions,
    reduced,
    top_k,
)
from hwflow.verify.references.exact.quantizers import quantize, quantize_fixed
from hwflow.verify.references.exact.statistics import channels_norm, last_axes_norm
from hwflow.verify.references.exact.steps import steps
from hwflow.verify.references.exact.tables import sums_of_tables, table
from hwflow.verify.references.exact.transposed import conv_transpose
from hwflow.verify.references.exact.values import (
    F64,
    NoExactReferenceError,
    OnGrid,
    Tensor,
    real_input,
)

__all__ = ["ExactReference", "NoExactReferenceError", "OnGrid"]

_CHUNK = 512
"""Samples computed at once: bounds the memory for intermediate values."""

_FLOATS = (ir.DataType.FLOAT, ir.DataType.DOUBLE)


def _cast(view: View) -> Step:
    """Return the evaluation of ``Cast``: every value has to be one of the type's."""
    target = ir.DataType(view.attributes["to"])
    if target in _FLOATS:
        return ELEMENTWISE["Identity"](view)
    if target.numpy().kind not in "iub":
        raise view.refused("to a type that rounds")
    low, high = (0, 1) if target.numpy().kind == "b" else _ends(target)

    def step(operands: Operands, samples: int) -> tuple[Tensor, ...]:
        x = view.tensor(operands, 0)
        values = rounded(x, samples)
        if not np.all((values == np.rint(values)) & (values >= low) & (values <= high)):
            raise view.refused("of values that it changes")
        return (x,)

    return step


def _ends(target: ir.DataType) -> tuple[int, int]:
    info = np.iinfo(target.numpy())
    return int(info.min), int(info.max)


BUILDERS: dict[str, Callable[[View], Step]] = {
    **ELEMENTWISE,
    **dict.fromkeys(MOVES, move),
    **dict.fromkeys(("Resize", "Upsample"), resize),
    **dict.fromkeys(("GroupNormalization", "InstanceNormalization"), channels_norm),
    **dict.fromkeys(("LayerNormalization", "RMSNormalization"), last_axes_norm),
    **dict.fromkeys(("ReduceL1", "ReduceSumSquare"), sum_of_sizes),
    **dict.fromkeys(("GlobalAveragePool", "GlobalMaxPool"), over_positions),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum"), reduced),
    **dict.fromkeys(("ArgMax", "ArgMin"), arg_extreme),
    "AveragePool": average_pool,
    "BatchNormalization": batch_norm,
    "Cast": _cast,
    "Concat": concat,
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Einsum": einsum,
    "Gemm": gemm,
    "MatMul": mat_mul,
    "MaxPool": max_pool,
    "Softmax": softmax,
    "TopK": top_k,
}
"""What builds the evaluation of each standard operator."""


@dataclass(frozen=True, eq=False)
class _Stage:
    """A node with what evaluates it."""

    where: str
    step: Step
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class ExactReference:
    """A QONNX model that is evaluated without rounding anything but what it rounds itself.

    Attributes:
        computed: names of the values that depend on an input.
    """

    def __init__(self, model: QonnxModel) -> None:
        """Prepare a model.

        Args:
            model: a model at the QONNX level, after ``infer_shapes``. It is not changed.

        Raises:
            NoExactReferenceError: it has an operator, or a form of one, without an exact
                evaluation.
        """
        graph = model.ir.graph
        self._constants, nodes = known_values(model)
        self._inputs = {
            value.name or "": tuple(int(d) for d in value.shape.numpy()[1:])
            for value in graph.inputs
            if value.shape is not None and value.name not in graph.initializers
        }
        self._outputs = [value.name or "" for value in graph.outputs]
        self._stages = [self._stage(model, node) for node in nodes]
        self.computed = frozenset(name for stage in self._stages for name in stage.outputs)

    def _stage(self, model: QonnxModel, node: ir.Node) -> _Stage:
        """Return a node's evaluation."""
        inputs = tuple("" if v is None else v.name or "" for v in node.inputs)
        view = View(
            node,
            model.where(node),
            attributes(node),
            tuple(self._constants.get(name) for name in inputs),
            model.ir.opset_imports.get("", 1),
        )
        build = BUILDERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if is_quantizer(node) and node.op_type != "FloatQuant":
            build = quantize
        if is_fixed_quant(node):
            build = quantize_fixed
        if is_table(node):
            build = table
        if is_steps(node):
            build = steps
        if is_lookup_dense(node):
            build = sums_of_tables
        if build is None:
            raise view.refused("has no exact evaluation")
        return _Stage(view.where, build(view), inputs, tuple(v.name or "" for v in node.outputs))

    def run(
        self,
        data: Mapping[str, npt.NDArray[Any]],
        values: Sequence[str] = (),
        given: Mapping[str, OnGrid] | None = None,
    ) -> dict[str, F64]:
        """Return graph outputs and other values for each sample.

        Args:
            data: for each graph input, its samples, batch axis first, ONNX order of axes, finite.
            values: names of ONNX values to return as well.
            given: values that whatever reads them gets in the place of the computed ones, by name;
                what is returned under such a name is still the computed one.

        Returns:
            float64, each the nearest to the exact result, batch axis first, by value name.

        Raises:
            NoExactReferenceError: an operator has no exact evaluation for its operands.
            KeyError: a value that no node computes is asked for.
        """
        wanted = list(dict.fromkeys([*self._outputs, *values]))
        for name in wanted:
            if name not in self.computed | self._constants.keys() | self._inputs.keys():
                raise KeyError(name)
        size = len(data[next(iter(self._inputs))])
        parts: dict[str, list[F64]] = {name: [] for name in wanted}
        for start in range(0, size, _CHUNK):
            chunk = {name: data[name][start : start + _CHUNK] for name in self._inputs}
            part = {name: one.samples(start, start + _CHUNK) for name, one in (given or {}).items()}
            for name, found in self._chunk(chunk, wanted, part).items():
                parts[name].append(found)
        return {name: np.concatenate(part) for name, part in parts.items()}

    def _chunk(
        self,
        data: Mapping[str, npt.NDArray[Any]],
        wanted: Sequence[str],
        given: Mapping[str, OnGrid],
    ) -> dict[str, F64]:
        """Evaluate some samples."""
        samples = len(next(iter(data.values())))
        last = {name: i for i, stage in enumerate(self._stages) for name in stage.inputs}
        held: dict[str, Tensor] = {
            name: real_input(np.asarray(data[name], np.float64).reshape(samples, 1, *shape))
            for name, shape in self._inputs.items()
        }
        found = {name: _spread(held[name], samples) for name in wanted if name in held}
        for i, stage in enumerate(self._stages):
            operands = [held.get(name) for name in stage.inputs]
            try:
                results = stage.step(operands, samples)
            except NoExactReferenceError as error:
                raise NoExactReferenceError(f"{stage.where}: {error}") from error
            for name, result in zip(stage.outputs, results, strict=False):
                held[name] = result
                if name in wanted:
                    found[name] = _spread(result, samples)
                if name in given:
                    held[name] = given[name].shaped(result.shape)
            for name in stage.inputs:
                if last[name] <= i:
                    held.pop(name, None)
        for name in wanted:
            if name not in found:
                found[name] = _repeated(self._constants[name], samples)
        return {name: found[name] for name in wanted}


def _spread(tensor: Tensor, samples: int) -> F64:
    """Return a tensor as float64, without the model's own batch axis of 1."""
    values = rounded(tensor, samples)
    return values[:, 0] if values.ndim > 1 and values.shape[1] == 1 else values


def _repeated(values: npt.NDArray[Any], samples: int) -> F64:
    array = np.asarray(values, np.float64)
    if array.shape[:1] == (samples,):
        return array
    return np.broadcast_to(array, (samples, *array.shape))
