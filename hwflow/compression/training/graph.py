"""The nodes of a model as functions on tensors; what is learned of its constants is left open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from hwflow.compression.heads import logits_of
from hwflow.compression.training.operators import closure_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.layers import Layer, layers_of
from hwflow.ir.qonnx.model import QonnxModel, attributes
from hwflow.ops import facts_of
from hwflow.simulate.torch.call import Call, RefusedError, Run

Tensor = Any
Values = dict[str, Tensor]


@dataclass(frozen=True, eq=False, kw_only=True)
class Step:
    """One node.

    Attributes:
        node: its name.
        run: its function.
        operands: names of its inputs, empty where one is left out.
        result: name of its output.
        place: where among the sites of learned formats it is, or -1.
        moves: results are operands, so that bits pass through it.
    """

    node: str
    run: Run
    operands: tuple[str, ...]
    result: str
    place: int
    moves: bool


@dataclass(frozen=True, eq=False)
class Weighted:
    """A layer with weights.

    Attributes:
        step: its function.
        matrix: name of the value that is its matrix.
        bias: name of the value that is its bias, or empty.
        outputs: axis of the matrix along which outputs lie.
    """

    step: Step
    matrix: str
    bias: str
    outputs: int


class NodesModule(torch.nn.Module):
    """A graph as a torch module, but for the constants that a subclass learns.

    Attributes:
        steps: its nodes in order.
        layers: those with weights.
        inputs: names of the graph's inputs.
        outputs: names of its outputs.
        heads: what stands for each output in a loss, by output.
    """

    def __init__(self, model: QonnxModel) -> None:
        """Take note of inputs, outputs, and the constants that layers do not learn.

        Args:
            model: shapes known.
        """
        super().__init__()
        learned = {name for layer in layers_of(model) for name in names_of(layer) if name}
        self._fixed = {
            name: torch.from_numpy(np.array(value.const_value.numpy()))
            for name, value in model.ir.graph.initializers.items()
            if value.const_value is not None and name not in learned
        }
        self.inputs = {v.name or "" for v in model.ir.graph.inputs}
        self.outputs = [v.name or "" for v in model.ir.graph.outputs]
        self.heads = logits_of(model)
        self.steps: list[Step] = []
        self.layers: list[Weighted] = []

    def values(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return all values for a batch, by name."""
        raise NotImplementedError

    def scores(self, values: Mapping[str, Tensor]) -> Values:
        """Return what stands for the outputs in a loss, by output."""
        return {name: values[source] for name, source in self.heads.items()}

    def logits(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return the same for a batch."""
        return self.scores(self.values(feeds))

    def evaluate(self, given: Mapping[str, Tensor]) -> Values:
        """Return all values by name.

        Args:
            given: inputs, and the constants that are learned.
        """
        values = {**self._fixed, **given}
        for step in self.steps:
            operands = [values[name] if name else None for name in step.operands]
            values[step.result] = step.run(*operands)
        return values

    def lay_out(self, model: QonnxModel, sites: Mapping[str, tuple[int, Run]]) -> None:
        """Make the steps.

        Args:
            model: that the module was made for.
            sites: number (or -1) and function of the first operand of nodes that a subclass knows,
                by name.

        Raises:
            CompileError: HW350, operators that cannot be trained.
        """
        steps, findings = [], []
        for node in model.ir.graph:
            place, run = sites.get(node.name or "", (-1, None))
            names = [v.name or "" if v is not None else "" for v in node.inputs]
            try:
                operands = tuple(names if run is None else names[:1])
                run = run or self._closure(node, names)
            except RefusedError as refusal:
                findings.append(_untrainable(model, node, str(refusal)))
                continue
            result, moves = node.outputs[0].name or "", facts_of(node).selects
            steps.append(
                Step(
                    node=node.name or "", run=run, operands=operands, result=result, place=place,
                    moves=moves,
                )
            )  # fmt: skip
        if findings:
            raise CompileError(findings)
        self.steps = steps
        by_node = {step.node: step for step in steps}
        self.layers = [
            _weighted(layer, by_node[layer.node.name or ""]) for layer in layers_of(model)
        ]

    def _closure(self, node: ir.Node, names: list[str]) -> Run:
        known = {i: self._fixed[n].numpy() for i, n in enumerate(names) if n in self._fixed}
        computed: Collection[int] = {i for i, n in enumerate(names) if n} - known.keys()
        return closure_of(node.op_type, Call(attributes(node), known, computed, len(node.outputs)))


def names_of(layer: Layer) -> tuple[str, str]:
    """Return the names of the values that are a layer's matrix and bias; empty for no bias."""
    bias = layer.bias_value
    return layer.weight.name or "", (bias.name or "") if bias is not None else ""


def chunks(feeds: Mapping[str, Tensor], size: int) -> Iterator[dict[str, Tensor]]:
    """Yield samples by input, so many at a time."""
    samples = len(next(iter(feeds.values())))
    for start in range(0, samples, size):
        yield {name: array[start : start + size] for name, array in feeds.items()}


def _weighted(layer: Layer, step: Step) -> Weighted:
    return Weighted(step, *names_of(layer), 0 if layer.outputs_first else -1)


def _untrainable(model: QonnxModel, node: ir.Node, what: str) -> Diagnostic:
    return Diagnostic(
        code="HW350",
        title="a node cannot be trained",
        where=model.where(node),
        found=what,
        help="quantise this model without training: hwflow quantize, hwflow explore",
    )
