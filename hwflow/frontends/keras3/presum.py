"""How the tables of HGQ's table layers are laid out: which input each reads, and what it adds to.

A layer makes one number for each element of its presum shape, the axes of the input and those that
only the weights have, and adds up along axes that the output has not (``hgq/layers/table``, 0.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hwflow.fixed import RawArray
from hwflow.frontends.keras.writer import Writer


@dataclass(frozen=True, eq=False, kw_only=True)
class Presum:
    """The tables of one layer.

    Attributes:
        shape: axes of the numbers that are added, without the batch.
        weights: axes of it that the weights have, in their order.
        source: element of the flattened input that each table reads.
        target: element of the flattened output that it is added to.
        out_shape: axes of the output, without the batch.
        letters: names of the axes of the presum shape in an equation; empty without one.
        positions: leading axes along which weights are the same, the one or two behind them being
            inputs and outputs; 0 where the layer has another form.
    """

    shape: tuple[int, ...]
    weights: tuple[int, ...]
    source: RawArray
    target: RawArray
    out_shape: tuple[int, ...]
    positions: int
    letters: str = ""

    @property
    def terms(self) -> int:
        """How many tables each output is the sum of."""
        return prod(self.shape) // prod(self.out_shape)

    def at_one_position(self) -> Presum:
        """Return the tables of one position, as a layer on the last axis."""
        one = dense_presum((1,) * self.positions + self.shape[-2:-1], self.shape[-1])
        return replace(one, letters=self.letters)


def dense_presum(inputs: tuple[int, ...], outputs: int) -> Presum:
    """Return the tables of ``QDenseT``, which works on the last axis.

    Args:
        inputs: shape of the input, without the batch.
        outputs: length of the result's last axis.
    """
    shape, result = (*inputs, outputs), (*inputs[:-1], outputs)
    source = np.arange(prod(inputs)).reshape(*inputs, 1)
    target = np.arange(prod(result)).reshape(*inputs[:-1], 1, outputs)
    rank = len(shape)
    return Presum(
        shape=shape, weights=(rank - 2, rank - 1), source=np.broadcast_to(source, shape),
        target=np.broadcast_to(target, shape), out_shape=result, positions=rank - 2,
    )  # fmt: skip


def einsum_presum(
    b: Writer, equation: str, inputs: tuple[int, ...], kernel: tuple[int, ...]
) -> Presum:
    """Return the tables of ``QEinsumDenseT``.

    Args:
        b: for messages.
        equation: as Keras' EinsumDense has it.
        inputs: shape of the input, without the batch.
        kernel: lengths of the axes of the weights.

    Raises:
        RefusedError: HW374, the batch is not the first axis, or the equation is of another form.
    """
    x, w, y = _letters(equation.replace(" ", ""), len(inputs) + 1)
    rest = "".join(c for c in w if c not in x)
    letters = x[1:] + rest
    sizes = dict(zip(w, kernel, strict=False)) | dict(zip(x[1:], inputs, strict=False))
    fits = x[:1] == y[:1] and x[:1] not in w
    fits &= len(x) == len(inputs) + 1 and len(w) == len(kernel)
    fits &= {*y[1:]} <= {*letters} and {*rest} <= {*y} and len({*letters}) == len(letters)
    if not fits:
        raise b.refusal(
            "tables of an equation of another form", code="HW374", found=f"equation={equation!r}",
            supported="'bx,xy->by' and the like: the batch first, no axis of the weights alone "
            "that is summed",
        )  # fmt: skip
    shape, result = (tuple(sizes[c] for c in s) for s in (letters, y[1:]))
    source = np.arange(prod(inputs)).reshape(*inputs, *(1,) * len(rest))
    order = [y.index(c) - 1 for c in letters if c in y]
    target = np.arange(prod(result)).reshape(result).transpose(order)
    target = target.reshape(tuple(sizes[c] if c in y else 1 for c in letters))
    last = len(rest) == 1 and w == letters[-2:] and y[1:] == letters[:-2] + letters[-1:]
    return Presum(
        shape=shape, weights=tuple(letters.index(c) for c in w),
        source=np.broadcast_to(source, shape), target=np.broadcast_to(target, shape),
        out_shape=result, positions=len(shape) - 2 if last else 0,
        letters=letters,
    )  # fmt: skip


def _letters(equation: str, rank: int) -> tuple[str, str, str]:
    """Return the letters of input, weights and output, those of an ellipsis spelt out."""
    left, _, y = equation.partition("->")
    x, _, w = left.partition(",")
    unused = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in equation]
    dots = "".join(unused[: max(rank - len(x.replace(".", "")), 0)])
    return x.replace("...", dots), w, y.replace("...", dots)
