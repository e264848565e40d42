"""What ``ip.json`` says of weights that are written while the block runs.

A *weight image* holds all of them, array behind array, each from a new word of 32 bits. The order
of elements is that of the C++; ``docs/package.md`` explains the steps of a load.
"""

from __future__ import annotations

import zlib
from typing import Literal

from hwflow.report.manifest.fields import Count, Line, Sha256, Strict

WORD_BYTES = 4
"""Bytes of a word of an image, and of the control window."""


class WeightArray(Strict):
    """The weights or biases of a layer.

    Attributes:
        layer: name of the layer.
        role: what they are of the layer.
        variable: name of the array in C++.
        type: fixed-point type of an element.
        width: bits of it.
        signed: whether it has a sign.
        fractional_bits: bits behind the binary point.
        elements: how many.
        lane_bits: bits that an element takes in the image.
        first_word: where it begins in the image.
        words: words that it takes.
        storage: what holds it in the block.
    """

    layer: Line
    role: Literal["weight", "bias"]
    variable: Line
    type: Line
    width: Count
    signed: bool
    fractional_bits: int
    elements: Count
    lane_bits: Literal[8, 16, 32, 64]
    first_word: Count
    words: Count
    storage: Literal["registers", "block_ram"]


class StructureLayer(Strict):
    """A layer without the values of its weights.

    Attributes:
        name: its name.
        kind: what it computes.
        inputs: the layers that it reads.
        shape: shape of its result, channels last.
        type: fixed-point type of its result.
        settings: what else decides about it: rounding, strides, strategy, reuse factor, ...
    """

    name: Line
    kind: Line
    inputs: tuple[Line, ...]
    shape: tuple[Count, ...]
    type: Line
    settings: dict[Line, Line]


class Extra(Strict):
    """What writable weights take beside the figures of the network.

    Attributes:
        basis: where the numbers come from.
        register_bits: flip-flops that hold weights.
        multipliers: multipliers of two variable operands in the place of constant ones.
        lut: look-up tables of these multipliers, where none of them is a DSP block.
        bram_18k: block RAMs of the window that images come by.
    """

    basis: Literal["estimated"]
    register_bits: Count
    multipliers: Count
    lut: Count
    bram_18k: Count


class Reload(Strict):
    """Weights that are written while the block runs.

    Attributes:
        window_address: first word of the window in which the words of an image are written.
        window_words: words that it holds.
        image_words: words of an image.
        digest: digest of the weights that the block begins with.
        arrays: what is written, in the order of the image.
        structure: the layers that a model for the block must have.
        structure_sha256: digest over them.
        extra: what it costs.
    """

    window_address: Count
    window_words: Count
    image_words: Count
    digest: Count
    arrays: tuple[WeightArray, ...]
    structure: tuple[StructureLayer, ...]
    structure_sha256: Sha256
    extra: Extra

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers whose weights are written."""
        return tuple(dict.fromkeys(array.layer for array in self.arrays))


def digest_of(words: bytes) -> int:
    """Return what the register ``weights`` holds: CRC-32 of an image's words, never 0."""
    return zlib.crc32(words) or 1
