"""A skeleton as a torch module: learned weights, biases and formats, and every other node as is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from hwflow.compression.exporting import Learned
from hwflow.compression.granularity import Granularity
from hwflow.compression.skeleton import Skeleton
from hwflow.compression.training.graph import NodesModule, Step, Tensor, Values, names_of
from hwflow.compression.training.quantizers import LearnedActivation, LearnedConstant, whole_of
from hwflow.compression.training.tables import FIRST_READ, READ_BITS, Grid, TableSums
from hwflow.frontends.quantization.layers import Layer, array_of, layers_of
from hwflow.frontends.quantization.settings import Settings
from hwflow.simulate.torch.call import Run


@dataclass(frozen=True, eq=False)
class Tabled:
    """A layer of tables.

    Attributes:
        step: its function.
        bias: name of the value that is its bias, or empty.
        module: its tables.
        added: the layer itself adds its bias.
    """

    step: Step
    bias: str
    module: TableSums
    added: bool


class Network(NodesModule):
    """A network in training.

    Attributes:
        skeleton: what it was made from.
        steps: its nodes in order.
        layers: those with weights.
        activations: learned formats, in the order of the skeleton's sites.
        constants: learned matrices and biases.
        inputs: names of the graph's inputs.
        outputs: names of its outputs.
        tables: layers of tables.
    """

    def __init__(
        self, skeleton: Skeleton, granularity: Granularity, tables: Collection[str] = ()
    ) -> None:
        """Lay out a network.

        Args:
            skeleton: the float network with its sites.
            granularity: what shares a number of bits.
            tables: nodes of dense layers that become tables, by name.

        Raises:
            CompileError: HW350, operators that cannot be trained.
        """
        super().__init__(skeleton.model)
        self.skeleton = skeleton
        shared = granularity.activations == "layer"
        self.activations = torch.nn.ModuleList(
            LearnedActivation(site, shared=shared) for site in skeleton.sites
        )
        self.constants = torch.nn.ModuleList()
        self.lookups = torch.nn.ModuleList()
        self._learned: dict[str, int] = {}
        self._now: dict[str, tuple[Tensor, Tensor]] = {}
        self.tables: dict[str, Tabled] = {}
        for layer in layers_of(skeleton.model):
            self._learn(layer, granularity, tabled=layer.node.name in tables)
        pairs = zip(skeleton.sites, self.activations, strict=True)
        known: dict[str, tuple[int, Run]]
        known = {site.node: (i, run) for i, (site, run) in enumerate(pairs)}
        self.lay_out(
            skeleton.model, known | {name: (-1, partial(self._look_up, name)) for name in tables}
        )
        self._tabulate(tables)

    def forward(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return the outputs for a batch, by name."""
        values = self.values(feeds)
        return {name: values[name] for name in self.outputs}

    def values(self, feeds: Mapping[str, Tensor]) -> Values:
        """Return all values for a batch, by name."""
        self._round()
        numbers = {name: numbers for name, (numbers, _) in self._now.items()}
        return self.evaluate({**feeds, **numbers})

    def bits(self) -> Values:
        """Return the bits of every activation that a layer multiplies, of one sample each.

        What only moves values moves their bits, too.
        """
        return self._moved([activation.bits() for activation in self.activations])

    def _moved(self, of_sites: Sequence[Tensor]) -> Values:
        """Return what is known of activations for every value that they are moved to."""
        found: Values = {}
        for step in self.steps:
            if step.place >= 0:
                site = self.skeleton.sites[step.place]
                found[step.result] = of_sites[step.place].expand(site.shape).unsqueeze(0)
            elif step.moves and all(n in found or n in self._fixed or not n for n in step.operands):
                operands = [found.get(n, self._fixed.get(n)) for n in step.operands]
                found[step.result] = step.run(*operands)
        return found

    def numbers(self, name: str) -> tuple[Tensor, Tensor]:
        """Return a learned matrix or bias by the name of its value, and its bits.

        They are those of the last ``refresh``.
        """
        return self._now[name]

    @torch.no_grad()
    def mean_bits(self) -> tuple[float, float]:
        """Return mean bits of weights and of activations without signs, as of the last refresh."""
        bits = [self.numbers(layer.matrix)[1] for layer in self.layers]
        weights = sum(float(b.sum()) for b in bits) / max(sum(b.numel() for b in bits), 1)
        kinds = [
            a.bits().expand(site.shape)
            for a, site in zip(self.activations, self.skeleton.sites, strict=True)
        ]
        activations = sum(float(b.sum()) for b in kinds) / max(sum(b.numel() for b in kinds), 1)
        return weights, activations

    def refresh(self) -> None:
        """Round the present weights, biases and tables."""
        self._round()
        for table in self.tables.values():
            table.module.refresh(self._grid(table))

    def _round(self) -> None:
        """Round the present weights and biases."""
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
        sums = {name: table.module.sums() for name, table in self.tables.items()}
        for name, table in self.tables.items():
            bias = _plain(self.numbers(table.bias)[0]) if table.bias else None
            weights[name] = (np.zeros(0), bias)
        return Learned(weights, whole, fraction, sums)

    @torch.no_grad()
    def restore(self, learned: Learned) -> None:
        """Return to a state that ``learned`` gave; numbers on their grids stay as they are."""
        pairs = []
        for layer in self.layers:
            found = learned.weights[layer.step.node]
            pairs += list(zip((layer.matrix, layer.bias), found, strict=True))
        for name, table in self.tables.items():
            table.module.settle(learned.sums[name])
            pairs.append((table.bias, learned.weights[name][1]))
        for name, numbers in pairs:
            if numbers is not None:
                self.constants[self._learned[name]].settle(torch.from_numpy(numbers).float())
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            formats = (learned.whole[site.node], learned.fraction[site.node])
            activation.settle(*(torch.from_numpy(bits).float() for bits in formats))
        self.refresh()

    @torch.no_grad()
    def begin(self, bits: Mapping[str, int]) -> None:
        """Begin with given bits of weights and activations, signs counted.

        Args:
            bits: whole numbers, by the names that ``quantize`` takes: ``fc1.w``, ``fc1.a``.
        """
        asked = Settings(overrides=bits)
        for layer in layers_of(self.skeleton.model):
            constant = self.constants[self._learned[names_of(layer)[0]]]
            whole = whole_of(constant.value.abs().max())
            constant.fraction.fill_(asked.weight(frozenset({layer.name})) - 1 - float(whole))
        for site, activation in zip(self.skeleton.sites, self.activations, strict=True):
            whole = whole_of(activation.greatest.max())
            given = asked.activation(site.names) - int(site.signed)
            activation.fraction.fill_(given - float(whole))

    def parameters_named(self, kind: str) -> list[Tensor]:
        """Return the parameters that are numbers of bits (``fraction``), or values (``value``)."""
        return [p for name, p in self.named_parameters() if name.endswith(f".{kind}")]

    def _tabulate(self, names: Collection[str]) -> None:
        """Put tables in the place of dense layers."""
        low = [-a.greatest * float(a.signed) for a in self.activations]
        least, most = self._moved(low), self._moved([a.greatest for a in self.activations])
        layers = {layer.node.name or "": layer for layer in layers_of(self.skeleton.model)}
        for weighted in [w for w in self.layers if w.step.node in names]:
            operand = weighted.step.operands[0]
            for place in self._sources(operand):
                self.activations[place].limit(FIRST_READ, READ_BITS)
            layer = layers[weighted.step.node]
            matrix = torch.tensor(array_of(layer.weight), dtype=torch.float32)
            fraction = self._moved([a.fraction.detach() for a in self.activations])[operand]
            matrix = matrix.t() if layer.outputs_first else matrix
            module = TableSums(matrix, least[operand][0], most[operand][0], fraction[0])
            self.lookups.append(module)
            added = len(layer.node.inputs) > 2
            table = Tabled(weighted.step, weighted.bias, module, added=added)
            self.tables[weighted.step.node] = table
        self.layers = [w for w in self.layers if w.step.node not in names]

    def _sources(self, value: str) -> Iterator[int]:
        """Yield the sites that a value is made of."""
        by_result = {step.result: step for step in self.steps}
        step = by_result.get(value)
        if step is not None and step.place >= 0:
            yield step.place
        elif step is not None:
            for operand in step.operands:
                yield from self._sources(operand)

    def _grid(self, table: Tabled) -> Grid:
        """Return what the inputs of a layer of tables can be at present."""
        formats = [a.formats for a in self.activations]
        signs = [torch.full_like(left, float(a.signed)) for (left, _), a in
                 zip(formats, self.activations, strict=True)]  # fmt: skip
        parts = ([left for left, _ in formats], [right for _, right in formats], signs)
        return Grid.of(*(self._moved(part)[table.step.operands[0]][0] for part in parts))

    def _look_up(self, name: str, x: Tensor) -> Tensor:
        """Return the sums of tables, which follow the formats of this very step."""
        table = self.tables[name]
        table.module.refresh(self._grid(table))
        y = table.module(x)
        return y + self.numbers(table.bias)[0] if table.added else y

    def _learn(self, layer: Layer, granularity: Granularity, *, tabled: bool) -> None:
        outputs = 0 if layer.outputs_first else -1
        for value, is_matrix in ((layer.weight, True), (layer.bias_value, False)):
            if value is None or (is_matrix and tabled):
                continue
            numbers = torch.tensor(array_of(value), dtype=torch.float32)
            shape = tuple(numbers.shape)
            bits = granularity.shape(shape, outputs % len(shape)) if is_matrix else shape
            self._learned[value.name or ""] = len(self.constants)
            self.constants.append(LearnedConstant(numbers, bits, pruned=is_matrix))


def _plain(numbers: Tensor) -> Any:
    return numbers.detach().numpy().astype(np.float64)
