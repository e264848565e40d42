"""Dilated convolutions of models with an open batch: written with the batch, read as dilated.

The converter then takes a map apart into a batch of maps (``SPACE_TO_BATCH_ND``), convolves each,
and joins the results (``BATCH_TO_SPACE_ND``): a convolution with zeros between the weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hwflow.frontends.tflite.schema import Graph, Operator, Tensor

SHAPING = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")
CONVOLUTIONS = {"CONV_2D": (0, 1, 2, 4, 5), "DEPTHWISE_CONV_2D": (0, 1, 2, 5, 6)}
"""Convolutions, with the numbers of their options: padding, strides and dilations (width first)."""


@dataclass(frozen=True)
class Dilated:
    """Options of a convolution, with other dilations."""

    operator: Operator
    dilations: dict[int, int]

    def number(self, field: int, code: str, default: float = 0) -> float:
        """Return an option by its number in the schema."""
        known = self.dilations.get(field)
        return self.operator.option(field, code, default) if known is None else known

    def present(self) -> list[int]:
        """Return the numbers of the options that the file has."""
        return [] if self.operator.options is None else self.operator.options.present()


def with_dilations(graph: Graph) -> Graph:
    """Return the graph with dilated convolutions in the place of those over batches of parts."""
    tensors, operators = list(graph.tensors), list(graph.operators)
    for first in [o for o in operators if o.kind == "SPACE_TO_BATCH_ND"]:
        chain = _chain(operators, first)
        if chain is not None and not set(graph.outputs) & {o.outputs[0] for o in chain[:-1]}:
            _replace(tensors, operators, chain)
    return Graph(tensors, operators, graph.inputs, graph.outputs)


def _chain(operators: Sequence[Operator], first: Operator) -> list[Operator] | None:
    """Return the operators up to the one that joins the parts, each the only user of the last."""
    chain = [first]
    while chain[-1].kind != "BATCH_TO_SPACE_ND":
        if len(chain) > 5 or len(chain[-1].outputs) != 1:
            return None
        users = [o for o in operators if chain[-1].outputs[0] in o.inputs]
        if len(users) != 1 or users[0].inputs[0] != chain[-1].outputs[0]:
            return None
        if users[0].kind not in (*SHAPING, *CONVOLUTIONS, "BATCH_TO_SPACE_ND"):
            return None
        chain.append(users[0])
    return chain if sum(o.kind in CONVOLUTIONS for o in chain) == 1 else None


def _replace(tensors: list[Tensor], operators: list[Operator], chain: list[Operator]) -> None:
    """Put padding, a dilated convolution and a slice in the place of a chain, if it is one."""
    first, last = chain[0], chain[-1]
    (place,) = (i for i, o in enumerate(chain) if o.kind in CONVOLUTIONS)
    conv = chain[place]
    blocks, pads, merged_blocks, crops = (
        None if tensors[i].data is None else np.asarray(tensors[i].data, np.int64)
        for i in (*first.inputs[1:3], *last.inputs[1:3])
    )
    if blocks is None or pads is None or merged_blocks is None or crops is None:
        return
    dilated = _options(tensors, conv, blocks.ravel())
    x = tensors[first.inputs[0]]
    rank = blocks.size
    if dilated is None or not np.array_equal(blocks, merged_blocks) or len(x.shape) != rank + 2:
        return
    if pads.shape != (rank, 2) or crops.shape != (rank, 2) or min(pads.min(), crops.min()) < 0:
        return
    long = [int(n + p.sum()) for n, p in zip(x.shape[1:-1], pads, strict=True)]
    kernel = tensors[conv.inputs[1]].shape[1:3]
    lost = [(k - 1) * int(d) for k, d in zip(kernel[2 - rank :], blocks.ravel(), strict=True)]
    if rank == 1 and tensors[conv.inputs[0]].shape[1] != 1:
        lost = [(kernel[0] - 1) * int(blocks.flat[0])]
    short = [n - c for n, c in zip(long, lost, strict=True)]
    for i, operator in enumerate(chain[:-1]):
        sizes, index = (long if i < place else short), operator.outputs[0]
        tensors[index] = _lengthened(tensors[index], sizes)
    new = [*chain[1:-1]]
    new[place - 1] = replace(conv, options=dilated)
    begin = _padding(tensors, first, pads)
    end = _cropping(tensors, last, crops, short)
    if begin is None:
        new[0] = replace(new[0], inputs=(first.inputs[0], *new[0].inputs[1:]))
    if end is None:
        new[-1] = replace(new[-1], outputs=last.outputs)
    start = operators.index(first)
    for operator in chain[1:]:
        operators.remove(operator)
    operators[start : start + 1] = [*([begin] if begin else []), *new, *([end] if end else [])]


def _options(tensors: Sequence[Tensor], conv: Operator, blocks: np.ndarray) -> Dilated | None:
    """Return the options of a plain convolution with dilations, or None where it is none."""
    padding, stride_w, stride_h, width, height = CONVOLUTIONS[conv.kind]
    given = [int(conv.option(f, "i", 1)) for f in (stride_w, stride_h, width, height)]
    if int(conv.option(padding, "b")) != 1 or given != [1, 1, 1, 1] or blocks.size not in (1, 2):
        return None
    if blocks.size == 2:
        return Dilated(conv, {height: int(blocks[0]), width: int(blocks[1])})
    along = width if tensors[conv.inputs[0]].shape[1] == 1 else height
    return Dilated(conv, {along: int(blocks[0])})


def _lengthened(tensor: Tensor, sizes: list[int]) -> Tensor:
    """Return a tensor with its spatial axes of other lengths; an axis of 1 beside them stays."""
    inner = list(tensor.shape[1:-1])
    if len(inner) == len(sizes):
        inner = sizes
    elif len(inner) == 2:
        inner = [1, sizes[0]] if inner[0] == 1 else [sizes[0], 1]
    return replace(tensor, shape=(1, *inner, tensor.shape[-1]))


def _constant(tensors: list[Tensor], name: str, values: np.ndarray) -> int:
    tensors.append(Tensor(name, values.shape, "INT32", None, values.astype(np.int32)))
    return len(tensors) - 1


def _padding(tensors: list[Tensor], first: Operator, pads: np.ndarray) -> Operator | None:
    """Return the padding that the first operator makes, if any."""
    if not pads.any():
        return None
    amounts = _constant(tensors, "paddings", np.concatenate([[[0, 0]], pads, [[0, 0]]]))
    return Operator("PAD", (first.inputs[0], amounts), first.outputs, None)


def _cropping(
    tensors: list[Tensor], last: Operator, crops: np.ndarray, short: list[int]
) -> Operator | None:
    """Return the slice that the last operator takes, if it takes one."""
    if not crops.any():
        return None
    begin = np.array([0, *crops[:, 0], 0])
    end = np.array([1, *(np.array(short) - crops[:, 1]), tensors[last.outputs[0]].shape[-1]])
    bounds = [_constant(tensors, n, v) for n, v in (("begin", begin), ("end", end))]
    steps = _constant(tensors, "strides", np.ones(len(begin), np.int64))
    return Operator("STRIDED_SLICE", (last.inputs[0], *bounds, steps), last.outputs, None)
