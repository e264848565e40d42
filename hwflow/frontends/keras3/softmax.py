"""HGQ's softmax: two tables between their quantisers, a sum and a product."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwflow.frontends.keras.tensor import Tensor
from hwflow.frontends.keras.weights import write_on_grid
from hwflow.frontends.keras.writer import Writer
from hwflow.frontends.keras3.layer import FileLayer
from hwflow.frontends.keras3.quantizers import FixedQuantizer, read_quantizer
from hwflow.frontends.keras3.tables import Points, RealFunction, write_table

EPSILON = np.float32(1e-7)
"""``keras.backend.epsilon()``."""


def last_axis_sum(b: Writer, x: Tensor) -> Tensor:
    """Append the sum along the last axis, which stays with one element: a product with ones."""
    ones = write_on_grid(b, "ones", np.ones((x.shape[-1], 1), np.float32))
    return Tensor(b.node("MatMul", [x.name, ones]), (*x.shape[:-1], 1))


def _sum_over(b: Writer, x: Tensor, axes: list[int]) -> Tensor:
    """Append the sum over some axes, each of which stays with one element."""
    if axes == [len(x.shape)]:
        return last_axis_sum(b, x)
    name = b.node("ReduceSum", [x.name, b.constant("axes", axes, np.int64)], keepdims=1)
    return Tensor(name, tuple(1 if a in axes else d for a, d in enumerate(x.shape, 1)))


def softmax(b: Writer, layer: FileLayer, x: list[Tensor]) -> Tensor:
    """``oq(exp(-iq(max - x))) * oq(1 / (iq(sum) + eps))``, tables between their quantisers."""
    source = b.keras(x[0])
    rank = len(source.shape) + 1
    axes = [int(a) % rank for a in layer.axes]
    if 0 in axes:
        raise b.refusal("softmax over the batch", found=f"axes={axes}")
    scaler = float(layer.settings.get("input_scaler", 1.0))
    stable = bool(layer.stable)
    if stable:
        top = b.node("ReduceMax", [source.name, b.constant("axes", axes, np.int64)], keepdims=1)
        source = replace(source, name=b.node("Sub", [top, source.name]))
        source = _part(b, layer, "exp", "iq", source)
    slope = -scaler if stable else scaler
    points = Points.of(_part_quantizer(b, layer, "exp", "iq") if stable else None)
    exp = RealFunction("Exp", slope)
    after = _part_quantizer(b, layer, "exp", "oq")
    powers = write_table(
        b, source, points=points, real=exp, numbers=layer.arrays.get("exp_table"), after=after
    )
    if powers is None:
        powers = b.unary("Exp", b.unary("Mul", source, slope))
    powers = _part(b, layer, "exp", "oq", powers)
    sums = _part(b, layer, "inv", "iq", _sum_over(b, powers, axes))
    points = Points.of(_part_quantizer(b, layer, "inv", "iq"))
    of, after = (
        RealFunction("Reciprocal", 1.0, float(EPSILON)),
        _part_quantizer(b, layer, "inv", "oq"),
    )
    inverse = write_table(
        b, sums, points=points, real=of, numbers=layer.arrays.get("inv_table"), after=after
    )
    if inverse is None:
        inverse = b.unary("Reciprocal", b.unary("Add", sums, EPSILON))
    inverse = _part(b, layer, "inv", "oq", inverse)
    return replace(powers, name=b.node("Mul", [powers.name, inverse.name]))


def _part_quantizer(b: Writer, layer: FileLayer, table: str, role: str) -> FixedQuantizer | None:
    """Return a quantiser of one of the tables of a softmax."""
    config = layer.settings[f"{table}_{role}_conf"]
    return read_quantizer(b, config, layer.group / f"{table}_table" / role)


def _part(b: Writer, layer: FileLayer, table: str, role: str, x: Tensor) -> Tensor:
    """Append a quantiser of one of the tables of a softmax."""
    one = _part_quantizer(b, layer, table, role)
    return x if one is None else one.write(b, x)
