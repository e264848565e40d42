"""A skeleton as a torch module: learned weights, biases and formats, and every other node as is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
import torch

from hwflow.compression.exporting import Learned
from hwflow.compression.granularity import Granularity
from hwflow.compression.skeleton import Skeleton
from hwflow.compression.training.operators import closure_of
from hwflow.compression.training.quantizers import LearnedActivation, LearnedConstant
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.ir.qonnx.model import attributes
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
        place: where among the skeleton's sites it is, or -1.
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


class Network(torch.nn.Module):
    """A network in training.

    Attributes:
        skeleton: what it was made from.
        steps: its nodes in order.
        layers: those with weights.
        activations: learned formats, in the order of the skeleton's sites.
        constants: learned matrices and biases.
        inputs: names of the graph's inputs.
        outputs: names of its outputs.
    """

    def __init__(self, skeleton: Skeleton, granularity: Granularity) -> None:
        """Lay out a network.

        Args:
            skeleton: the float network with its sites.
            granularity: what shares a number of bits.

        Raises:
            CompileError: HW350, operators that cannot be trained.
        """
        super().__init__()
        self.skeleton = skeleton
        shared = granularity.activations == "layer"
        self.activations = torch.nn.ModuleList(
            LearnedActivation(site, shared=shared) for site in skeleton.sites
        )
        self.constants = torch.nn.ModuleList()
        self._learned: dict[str, int] = {}
        self._now: dict[str, tuple[Tensor, Tensor]] = {}
        found = list(layers_of(skeleton.model))
        for layer in found:
            self._learn(layer, granularity)
        self._fixed = {
            name: torch.from_numpy(np.array(value.const_value.numpy()))
            for name, value in skeleton.model.ir.graph.initializers.items()
            if value.const_value is not None and name not in self._learned
        }
        self.inputs = {v.name or "" for v in skeleton.model.ir.graph.inputs}
        self.outputs = [v.name or "" for v in skeleton.model.ir.graph.outputs]
        self.steps = self._lay_out()
        by_node = {step.node: step for step in self.steps}
        self.layers = [_weighted(layer, by_node[layer.node.name or ""]) for layer in found]

    def forward(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return the outputs for a batch, by name."""
        self.refresh()
        values = {**self._fixed, **feeds}
        values |= {name: numbers for name, (numbers, _) in self._now.items()}
        for step in self.steps:
            operands = [values[name] if name else None for name in step.operands]
            values[step.result] = step.run(*operands)
        return {name: values[name] for name in self.outputs}

    def bits(self) -> Values:
        """Return the bits of every activation that a layer multiplies, of one sample each.

        What only moves values moves their bits, too.
        """
        found: Values = {}
        for step in self.steps:
            if step.place >= 0:
                site = self.skeleton.sites[step.place]
                bits = self.activations[step.place].bits()
                found[step.result] = bits.expand(site.shape).unsqueeze(0)
            elif step.moves and all(n in found or n in self._fixed or not n for n in step.operands):
                operands = [found.get(n, self._fixed.get(n)) for n in step.operands]
                found[step.result] = step.run(*operands)
        return found

    def numbers(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a learned matrix or bias by the name of its value, and its bits.

        They are those of the last ``refresh``.
        """
        return self._now[name]

    def refresh(self) -> None:
        """Round the present weights and biases; ``forward`` begins with it."""
        self._now = {name: self.constants[i]() for name, i in self._learned.items()}

    @torch.no_grad()
    def learned(self) -> Learned:
        """Return the present state as plain numbers."""
        self.refresh()
        weights, whole, fraction = {}, {}, {}
        for layer in self.layers:
            bias = _plain(self.numbers(layer.bias)[0]) if layer.bias else None
            weights[layer.step.node] = (_plain(self.numbers(layer.matrix)[0]), bias)
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            left, right = activation.formats
            whole[site.node], fraction[site.node] = _plain(left), _plain(right)
        return Learned(weights, whole, fraction)

    @torch.no_grad()
    def restore(self, learned: Learned) -> None:
        """Return to a state that ``learned`` gave; numbers on their grids stay as they are."""
        for layer in self.layers:
            matrix, bias = learned.weights[layer.step.node]
            for name, numbers in ((layer.matrix, matrix), (layer.bias, bias)):
                if numbers is not None:
                    self.constants[self._learned[name]].settle(torch.from_numpy(numbers).float())
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            formats = (learned.whole[site.node], learned.fraction[site.node])
            activation.settle(*(torch.from_numpy(bits).float() for bits in formats))

    def parameters_named(self, kind: str) -> list[Tensor]:
        """Return the parameters that are numbers of bits (``fraction``), or values (``value``)."""
        return [p for name, p in self.named_parameters() if name.endswith(f".{kind}")]

    def _learn(self, layer: Layer, granularity: Granularity) -> None:
        outputs = 0 if layer.outputs_first else -1
        for value, is_matrix in ((layer.weight, True), (layer.bias_value, False)):
            if value is None:
                continue
            numbers = torch.tensor(array_of(value), dtype=torch.float32)
            shape = tuple(numbers.shape)
            bits = granularity.shape(shape, outputs % len(shape)) if is_matrix else shape
            self._learned[value.name or ""] = len(self.constants)
            self.constants.append(LearnedConstant(numbers, bits, pruned=is_matrix))

    def _lay_out(self) -> list[Step]:
        """Return the steps.

        Raises:
            CompileError: HW350.
        """
        places = {site.node: i for i, site in enumerate(self.skeleton.sites)}
        steps, findings = [], []
        for node in self.skeleton.model.ir.graph:
            place = places.get(node.name or "", -1)
            names = [v.name or "" if v is not None else "" for v in node.inputs]
            try:
                run = self.activations[place] if place >= 0 else self._closure(node, names)
            except RefusedError as refusal:
                findings.append(_untrainable(self.skeleton, node, str(refusal)))
                continue
            operands = tuple(names[:1] if place >= 0 else names)
            result, moves = node.outputs[0].name or "", facts_of(node).selects
            steps.append(
                Step(
                    node=node.name or "", run=run, operands=operands, result=result, place=place,
                    moves=moves,
                )
            )  # fmt: skip
        if findings:
            raise CompileError(findings)
        return steps

    def _closure(self, node: ir.Node, names: list[str]) -> Run:
        known = {i: self._fixed[n].numpy() for i, n in enumerate(names) if n in self._fixed}
        computed = {i for i, n in enumerate(names) if n} - known.keys()
        return closure_of(node.op_type, Call(attributes(node), known, computed, len(node.outputs)))


def _plain(numbers: Tensor) -> Any:
    return numbers.detach().numpy().astype(np.float64)


def _weighted(layer: Layer, step: Step) -> Weighted:
    bias = layer.bias_value
    outputs = 0 if layer.outputs_first else -1
    return Weighted(step, layer.weight.name or "", (bias.name or "") if bias else "", outputs)


def _untrainable(skeleton: Skeleton, node: ir.Node, what: str) -> Diagnostic:
    return Diagnostic(
        code="HW350",
        title="a node cannot be trained",
        where=skeleton.model.where(node),
        found=what,
        help="quantise this model without training: hwflow quantize, hwflow explore",
    )


def chunks(feeds: Mapping[str, Tensor], size: int) -> Iterator[dict[str, Tensor]]:
    """Yield samples by input, so many at a time."""
    samples = len(next(iter(feeds.values())))
    for start in range(0, samples, size):
        yield {name: array[start : start + size] for name, array in feeds.items()}
