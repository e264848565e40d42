"""HGQ's table layers: every number that a sub-network gives for a quantised input, in a table.

``QDenseT``, ``QConvT1D``, ``QConvT2D`` and ``QEinsumDenseT`` quantise each input for each of its
uses, give it to a small network of its own, quantise the result and add up. A live model evaluates
its networks itself, in float32. Of a file they are evaluated in float64: where a number is so close
to a step of the quantiser behind it that float32 may fall on either side, HW286 says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from hwflow.fixed import FixedType, Overflow, RawArray, Rounding
from hwflow.frontends.keras.activations import activate
from hwflow.frontends.keras.convolutions import Window, check_layout
from hwflow.frontends.keras.tensor import FloatArray, Tensor
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.layer import FileLayer
from hwflow.frontends.keras3.presum import Presum, dense_presum, einsum_presum
from hwflow.frontends.keras3.quantizers import FixedQuantizer, read_quantizer
from hwflow.frontends.keras3.sub_networks import numbers_of, parts_of, unsure
from hwflow.ir.qonnx.fixed_quant import DOMAIN, Formats
from hwflow.ir.qonnx.lookup_dense import OP

MOST = 1 << 12
"""Most points of a table: what hardware reads at 12 bits."""


def table_dense(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``QDenseT``."""
    presum = dense_presum(x[0].shape, int(layer.n_out))
    return activate(b, _sums(b, layer, b.keras(x[0]), presum), layer.activation)


def table_einsum(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``QEinsumDenseT``."""
    (*kernel, _) = parts_of(layer)[-1]["kernel"].shape
    presum = einsum_presum(b, str(layer.equation), x[0].shape, tuple(kernel))
    return activate(b, _sums(b, layer, b.keras(x[0]), presum), layer.activation)


def table_convolution(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """Append ``QConvT1D`` or ``QConvT2D``: a ``QDenseT`` of every window."""
    check_layout(b, layer)
    window = Window.of(layer, len(x[0].shape) - 1, "kernel_size")
    patches = _patches(b, b.keras(x[0]), window)
    presum = dense_presum(patches.shape, int(layer.filters))
    return activate(b, _sums(b, layer, patches, presum), layer.activation)


def _patches(b: Writer, x: Tensor, window: Window) -> Tensor:
    """Append the windows of a map, the channels of their places one behind the other."""
    (*sizes, channels), rank = x.shape, len(x.shape) - 1
    count, pads = window.result(tuple(sizes)), window.pads(tuple(sizes))
    name = x.name
    if any(pads):
        ends = [0, *pads[:rank], 0, 0, *pads[rank:], 0]
        name = b.node("Pad", [name, b.constant("pads", ends, np.int64)])
    axes = b.constant("axes", np.arange(1, rank + 1), np.int64)
    steps = b.constant("steps", window.strides, np.int64)
    parts = []
    for place in np.ndindex(*window.size):
        start = [p * d for p, d in zip(place, window.dilations, strict=True)]
        stop = [s + (n - 1) * t + 1 for s, n, t in zip(start, count, window.strides, strict=True)]
        ends_of = [b.constant("ends", v, np.int64) for v in (start, stop)]
        parts.append(b.node("Slice", [name, *ends_of, axes, steps]))
    joined = b.node("Concat", parts, axis=rank + 1) if len(parts) > 1 else parts[0]
    return Tensor(joined, (*count, channels * len(parts)))


def _sums(b: Writer, layer: FileLayer, x: Tensor, presum: Presum) -> Tensor:
    """Append the tables of a layer and their sums."""
    before, after = (_quantizer(b, layer, role) for role in ("iq", "toq"))
    if before is None or before.scaler is not None or before.affine is not None:
        raise b.refusal(
            "tables of inputs that are not quantised", code="HW374",
            found="no quantiser of fixed point at the input (iq)",
            supported="enable_iq=True with a quantiser of type kif or kbi",
            help="train with an input quantiser: enable_iq=True",
        )  # fmt: skip
    before = _spread(b, before, presum.shape)
    after = None if after is None else _spread(b, after, presum.shape)
    positions, outputs = presum.positions, presum.shape[-1]
    if positions and all(_same_along(positions, q) for q in (before, after) if q is not None):
        presum = presum.at_one_position()
        before, after = (None if q is None else _first(positions, q) for q in (before, after))
        assert before is not None
        found = _written(b, x, Tables.of(b, layer, presum, before, after))
        return Tensor(found, (*x.shape[:-1], outputs))
    flat = b.reshaped(x, (prod(x.shape),))
    found = _written(b, flat, Tables.of(b, layer, presum, before, after))
    return b.reshaped(Tensor(found, (prod(presum.out_shape),)), presum.out_shape)


def _first(positions: int, quantizer: FixedQuantizer) -> FixedQuantizer:
    """Return a quantiser of the first position alone."""
    index = (slice(0, 1),) * positions
    k, i, f = quantizer.k[index], quantizer.i[index], quantizer.f[index]
    return replace(quantizer, k=k, i=i, f=f)


def _same_along(positions: int, quantizer: FixedQuantizer) -> bool:
    one = _first(positions, quantizer)
    pairs = ((one.k, quantizer.k), (one.i, quantizer.i), (one.f, quantizer.f))
    return all(np.array_equal(np.broadcast_to(a, b.shape), b) for a, b in pairs)


def _quantizer(b: Writer, layer: FileLayer, role: str) -> FixedQuantizer | None:
    config = layer.settings.get(f"{role}_conf")
    if config is None or (role == "iq" and not layer.settings.get("enable_iq")):
        return None
    return read_quantizer(b, config, layer.group / role)


def _spread(b: Writer, quantizer: FixedQuantizer, shape: tuple[int, ...]) -> FixedQuantizer:
    """Return a quantiser with its bits for every table."""
    found = []
    for bits in (quantizer.k, quantizer.i, quantizer.f):
        own = bits[0] if bits.ndim == len(shape) + 1 and bits.shape[0] == 1 else bits
        try:
            found.append(np.broadcast_to(own, shape))
        except ValueError as error:
            raise b.refusal(
                "formats that do not belong to the axes of the value", code="HW285",
                found=f"{bits.shape} for tables of {shape}",
            ) from error  # fmt: skip
    return replace(quantizer, k=found[0], i=found[1], f=found[2])


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables on their grids.

    Attributes:
        presum: how they are laid out.
        quantizer: what quantises their inputs, with the bits of each table.
        index: number of the format of each table.
        types: formats; None for no bits.
        values: the numbers of each table, flattened in the order of the presum shape.
    """

    presum: Presum
    quantizer: FixedQuantizer
    index: RawArray
    types: tuple[FixedType | None, ...]
    values: list[FloatArray]

    @classmethod
    def of(
        cls, b: Writer, layer: FileLayer, presum: Presum, before: FixedQuantizer,
        after: FixedQuantizer | None,
    ) -> Tables:  # fmt: skip
        """Evaluate the networks of a layer at every point of their inputs."""
        try:
            kif = (before.k, before.i, before.f)
            formats = Formats.of(kif, Rounding(before.rounding), Overflow(before.overflow))
        except ValueError as error:
            raise b.refusal(
                "a fixed-point format that cannot be", code="HW285", found=str(error),
                supported="whole numbers of bits, 62 in all at most",
            ) from error  # fmt: skip
        counts = np.array([_points(t)[2] for t in formats.types])
        if counts.max() > MOST:
            raise b.refusal(
                "tables with too many points", code="HW374", found=f"{counts.max():,} points",
                supported=f"{MOST:,}: inputs of 12 bits",
                help="train with fewer bits at the input of this layer",
            )  # fmt: skip
        grids = np.zeros((int(counts.max()), len(counts)), np.float32)
        for i, t in enumerate(formats.types):
            first, step, count = _points(t)
            grids[:, i] = first + step * np.minimum(np.arange(len(grids)), count - 1)
        numbers = numbers_of(b, layer, grids[:, formats.index], presum)
        if after is not None:
            if "sub_tables" not in layer.arrays:
                b.warnings.extend(unsure(b, layer, numbers, after))
            numbers = after.values(numbers)
        flat = numbers.reshape(len(grids), -1)
        sizes = counts[formats.index].ravel().tolist()
        values = [flat[:count, e] for e, count in enumerate(sizes)]
        return cls(presum, before, formats.index, formats.types, values)


def _points(t: FixedType | None) -> tuple[float, float, int]:
    """Return the first point of a format, the step, and how many there are."""
    if t is None:
        return 0.0, 1.0, 1
    return t.raw_min * t.step, t.step, t.raw_max - t.raw_min + 1


def _written(b: Writer, x: Tensor, tables: Tables) -> str:
    """Append the quantisers of the inputs and the tables, and return the name of the sums."""
    presum, index = tables.presum, tables.index.ravel()
    source = presum.source.ravel()
    pairs, channel = np.unique(np.stack([source, index]), axis=1, return_inverse=True)
    channel = channel.reshape(-1)
    name = x.name
    if not np.array_equal(pairs[0], np.arange(x.shape[-1])):
        chosen = b.constant("inputs", pairs[0], np.int64)
        name = b.node("Gather", [name, chosen], axis=len(x.shape))
    _, first_use = np.unique(channel, return_index=True)
    old = tables.quantizer
    parts = [p.ravel()[first_use] for p in (old.k, old.i, old.f)]
    split = Tensor(name, (*x.shape[:-1], len(first_use)))
    read = replace(old, k=parts[0], i=parts[1], f=parts[2]).write(b, split)
    order = np.argsort(presum.target.ravel(), kind="stable")
    shape = (prod(presum.out_shape), presum.terms)
    sizes = np.array([len(v) for v in tables.values])[order]
    grids = np.array([_points(tables.types[i]) for i in pairs[1].tolist()]).T
    operands = [b.constant(n, v) for n, v in zip(("first", "step", "count"), grids, strict=True)]
    operands += [
        b.constant(n, v, np.int64)
        for n, v in (
            ("source", channel[order].reshape(*shape, 1)),
            ("stride", np.ones((*shape, 1))),
            ("start", (np.cumsum(sizes) - sizes).reshape(shape)),
        )
    ]
    values = np.concatenate([tables.values[e] for e in order.tolist()])
    return b.node(OP, [read.name, *operands, b.constant("tables", values)], domain=DOMAIN)
