"""The cost of a network in training, with gradients for its bits."""

from __future__ import annotations

from typing import Any

import torch

from hwflow.compression.training.graph import Weighted
from hwflow.compression.training.network import Network
from hwflow.compression.training.quantizers import MOST
from hwflow.estimate import fabric
from hwflow.estimate.lookup import TABLES
from hwflow.estimate.products import csd_digits

Tensor = Any

LUT_PER_CLAMP_BIT = 1.5
"""Two comparisons and a choice for each bit that saturates, as in ``ops/fixed_quant.py``."""


def ebops(network: Network) -> Tensor:
    """Return the effective bit operations of a network.

    The bits of a weight times those of what it is multiplied with, summed over all products of one
    sample, and the bits of all biases (Sun et al., HGQ, 2024, section 4.3). Signs do not count.
    Weights are those of the last refresh.
    """
    bits = network.bits()
    total = torch.zeros(())
    for layer in network.layers:
        matrix = network.numbers(layer.matrix)[1]
        total = total + layer.step.run(bits[layer.step.operands[0]], matrix).sum()
        if layer.bias:
            total = total + network.numbers(layer.bias)[1].sum()
    return total + _tables(network)


def lut(network: Network, *, parallel: bool) -> Tensor:
    """Return the LUTs of a network's products by the relation of hwflow's estimate.

    ``fabric.lut_unrolled`` says what products by constants take: adders as wide as the sum, and
    inside each constant one for every signed digit after the first. Their number is that of the
    present weights; a weight that loses a bit is taken to lose as large a part of its adders.
    Widths of activations are those that are declared, the greatest of all channels.

    Args:
        network: what is trained.
        parallel: convolutions have hardware for each position (io_parallel), else for one.
    """
    bits = network.bits()
    total = torch.zeros(())
    for layer in network.layers:
        total = total + _layer_lut(network, layer, bits[layer.step.operands[0]], parallel=parallel)
    for step in network.steps:
        if step.place >= 0 and step.operands[0] not in network.inputs:
            total = total + _quantizer_lut(bits[step.result], parallel=parallel)
    return total + _tables(network) / TABLES.synth_lut


def _tables(network: Network) -> Tensor:
    """Return what layers of tables take, as of the last step or refresh."""
    return sum((table.module.cost() for table in network.tables.values()), torch.zeros(()))


def _quantizer_lut(bits: Tensor, *, parallel: bool) -> Tensor:
    """Return the LUTs that round and saturate activations, of those that have any bits."""
    copies = 1.0 if parallel else 1.0 / max(bits[0, 0].numel(), 1)
    alive = bits / bits.detach().clamp(min=1.0)
    rounding = fabric.LUT_PER_ADDER_BIT * bits
    return copies * (rounding + LUT_PER_CLAMP_BIT * (bits + 4.0) * alive).sum()


def _layer_lut(network: Network, layer: Weighted, operand: Tensor, *, parallel: bool) -> Tensor:
    """Return the LUTs of one layer; what it does to its numbers is done to counts of adders."""
    numbers, bits = network.numbers(layer.matrix)
    declared = operand.max()
    with torch.no_grad():
        raw = (numbers.detach().double() * 2.0**MOST).long().numpy()
        adders = (torch.from_numpy(csd_digits(raw)).float() - 1).clamp(min=0.0)
        live = (operand > 0).float()
        terms = layer.step.run(live, (numbers != 0).float())
        width = declared + bits.max() + torch.log2(terms.max().clamp(min=1.0))
        copies = 1.0 if parallel else 1.0 / max(terms[0, 0].numel(), 1)
    part = bits / bits.detach().clamp(min=1.0)
    sums = layer.step.run(live, part).sum() * width
    inside = layer.step.run(live, adders * part * (declared + bits)).sum()
    return copies * fabric.LUT_PER_ADDER_BIT * (sums + fabric.SHIFT_ADD_WEIGHT * inside)
