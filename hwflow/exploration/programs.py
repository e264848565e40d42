"""What is run of an instance: kernels in order, under names that alike ones share."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from hwflow.exploration.kernels import (
    Kernel,
    Product,
    kernel_of,
    move_of,
    product_of,
    samples_last,
)
from hwflow.exploration.rounders import cast_of
from hwflow.exploration.table import Instance
from hwflow.fixed.doubles import quantize_values
from hwflow.ir.graph import Node, Port
from hwflow.ir.real.host import host_levels
from hwflow.ops.input import Input
from hwflow.ops.shared.port_data import channels_last

Data = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Step:
    """One kernel.

    Attributes:
        key: names the result; equal keys are equal results, of any instance of a stage.
        operands: keys of what it takes.
        run: the kernel.
    """

    key: Hashable
    operands: tuple[Hashable, ...]
    run: Kernel

    @property
    def product(self) -> Product | None:
        """The kernel, where it is a product that others can share their operand with."""
        return self.run if isinstance(self.run, Product) else None


def program_of(instance: Instance, data: Data) -> tuple[Step, ...]:
    """Return the kernels of an instance; the last gives its result.

    Args:
        instance: a stage with its bits.
        data: real numbers by input of the model, batch first, original axes.
    """
    keys: dict[str, Hashable] = {}
    steps: list[Step] = []
    for node in instance.piece.nodes:
        operands = tuple(keys.get(i, i) for i in node.inputs)
        if isinstance(node.op, Input):
            kernel = _entering(node.op, instance.piece.ports[node.name], data)
            steps.append(Step((instance.number, node.name), (), kernel))
        else:
            steps += _steps(instance, node, operands)
        keys[node.name] = steps[-1].key
    return tuple(steps)


def _entering(op: Input, port: Port, data: Data) -> Kernel:
    """Return what gives the mantissas that an input port holds."""
    real = data[port.name].astype(np.float64)
    levels = real if op.quantizer is None else host_levels(op.quantizer, real)
    raw = quantize_values(channels_last(levels, port), op.dtype)
    values = raw.astype(np.float32 if op.dtype.width <= 24 else np.float64)
    held = samples_last(values)
    return lambda: held


def _steps(instance: Instance, node: Node, operands: tuple[Hashable, ...]) -> list[Step]:
    """Return the kernels of one node, a product and its cast apart."""
    types, op = instance.piece.types, node.op
    inputs = [types[i] for i in node.inputs]
    move = move_of(op, inputs[0])
    if move is not None:
        return [Step((move.key, operands), operands, move)]
    product, last = product_of(op, inputs[0]), (instance.number, node.name)
    if product is None:
        return [Step(last, operands, kernel_of(node, inputs, types[node.name]))]
    content = hashlib.sha256(product.matrix.tobytes() + b"|" + product.bias.tobytes()).digest()
    key = (content, product.matrix.dtype.str, product.geometry, operands)
    if op.result_t is None:
        return [Step(key, operands, product)]
    cast = cast_of(replace(op, result_t=None).exact(*inputs), op.result_t)
    if cast is None:
        return [Step(last, operands, kernel_of(node, inputs, types[node.name]))]
    return [Step(key, operands, product), Step(last, (key,), cast)]
