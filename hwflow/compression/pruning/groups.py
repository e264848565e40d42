"""What is pruned together: single weights, channels, what one multiplier or adder input serves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hwflow.compression.pruning.channels import Channels, channels_of
from hwflow.compression.rough import Hardware, integers_of
from hwflow.frontends.quantization.layers import layers_of
from hwflow.ir.qonnx.model import QonnxModel

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Pattern = Literal["weight", "channel", "dsp", "adder"]

NOBODY = -1


@dataclass(frozen=True, eq=False)
class Groups:
    """Groups of weights.

    Attributes:
        owners: number of the group of each weight, by the name of the layer's node, shaped as
            ``Layer.matrix``; ``NOBODY`` where there is none. Of a network's channels there are two:
            of what a weight makes, and of what it reads.
        count: groups.
        channels: the channels of the network, where groups are channels, else None.
    """

    owners: tuple[Mapping[str, Ints], ...]
    count: int
    channels: Channels | None = None

    def sums(self, numbers: Mapping[str, Floats]) -> Floats:
        """Return what numbers of weights add up to for each group; two owners have half each.

        Args:
            numbers: shaped as ``Layer.matrix``, by the name of the layer's node.
        """
        total = np.zeros(self.count + 1)
        for name, array in numbers.items():
            sides = [side[name] for side in self.owners]
            owned = sum((side != NOBODY).astype(np.int64) for side in sides)
            share = array / np.maximum(owned, 1)
            for side in sides:
                total += np.bincount((side % (self.count + 1)).ravel(), share.ravel(),
                                     self.count + 1)  # fmt: skip
        return total[: self.count]

    def leaving(self, kept: Mask) -> dict[str, Mask]:
        """Return which weights are those of groups that leave, by the name of the layer's node."""
        gone = np.append(~kept, False)
        names = self.owners[0]
        return {
            name: np.logical_or.reduce([gone[side[name]] for side in self.owners]) for name in names
        }


def groups_of(
    model: QonnxModel, pattern: Pattern, *, made: QonnxModel, hardware: Hardware,
    values: Mapping[str, Floats],
) -> Groups:  # fmt: skip
    """Return the groups of a pattern; weights that are 0 belong to nobody.

    ``dsp``: with a reuse factor of 1, weights with equal integers on one input, which HLS tools
    multiply once; above it as many weights of a layer as a multiplier serves, the least valuable
    ones together, since HLS tools choose which multiplier takes which product (latency strategy,
    ``hwflow.estimate.products.multiplier_limit``). ``adder``: so many neighbours of an output, as
    reach one input of its adder tree in turns.

    Args:
        model: the float network.
        pattern: which.
        made: the same, quantised.
        hardware: strategy and reuse factor.
        values: those of the weights.
    """
    if pattern == "channel":
        return _of_channels(channels_of(model))
    owners, count = {}, 0
    whole = {layer.node.name or "": integers_of(layer) for layer in layers_of(made)}
    for layer in layers_of(model):
        name, matrix = layer.node.name or "", layer.matrix()
        live = matrix != 0
        numbers = _numbers(pattern, whole[name], values[name], hardware.reuse_factor)
        _, dense = np.unique(numbers[live], return_inverse=True)
        own = np.full(matrix.shape, NOBODY)
        own[live] = count + dense.ravel()
        count += int(dense.max(initial=-1)) + 1
        owners[name] = own
    return Groups((owners,), count)


def _numbers(pattern: Pattern, whole: Floats, value: Floats, turns: int) -> Ints:
    """Return a number for each weight of a layer; those with the same one are a group."""
    _, outputs, inputs = whole.shape
    places = np.arange(whole.size).reshape(whole.shape)
    if pattern == "weight" or (pattern == "adder" and turns == 1):
        return places
    if pattern == "adder":
        row, place = places // inputs, places % inputs
        return np.asarray(row * inputs + place // turns, np.int64)
    if turns == 1:
        span = 2 * int(np.abs(whole).max(initial=0)) + 1
        column = places // (inputs * outputs) * inputs + places % inputs
        return np.asarray(column * span + whole.astype(np.int64) + span // 2, np.int64)
    live = np.flatnonzero(whole.ravel())
    order = live[np.argsort(value.ravel()[live], kind="stable")]
    found = places.ravel() + whole.size
    found[order] = np.arange(len(order)) // turns
    return found.reshape(whole.shape)


def _of_channels(found: Channels) -> Groups:
    free = found.free
    table = {channel: i for i, channel in enumerate(free)}
    makes, reads = {}, {}
    for layer in layers_of(found.model):
        name, (groups, outputs, inputs) = layer.node.name or "", layer.matrix().shape
        use = found.uses.get(name)
        own = np.full((groups, outputs, inputs), NOBODY)
        makes[name], reads[name] = own, own.copy()
        if use is None:
            continue
        made = np.array([table.get(int(c), NOBODY) for c in use.makes])
        makes[name] = np.broadcast_to(made.reshape(groups, outputs, 1), own.shape)
        if not use.depthwise:
            read = np.array([table.get(int(c), NOBODY) for c in use.reads])
            reads[name] = np.broadcast_to(np.repeat(read, inputs // len(read)), own.shape)
    return Groups((makes, reads), len(free), found)
