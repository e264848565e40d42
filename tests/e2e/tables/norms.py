"""Constructs: normalisations by a sample's own statistics."""

import numpy as np

from tests.e2e.construct import APPROXIMATE, Body, Construct, one
from tests.e2e.construct import then_quant as quantised
from tests.networks import Builder

SEQUENCE = (1, 3, 4)
MAP = (1, 4, 3, 3)
FACTORS, OFFSETS = np.float32([0.5, 1.25, 1, 0.75]), np.float32([0.5, -0.25, 0, 1])
REAL = (5, 0.1, True)


def then_quant(body: Body) -> Body:
    return quantised(body, 9, 1 / 64)


def written(*, centred: bool = True, square: str = "Pow", quotient: str = "Div") -> Body:
    """Return a normalisation over the last axis as exporters write it."""

    def body(b: Builder, x: str) -> str:
        axes = b.constant([-1], np.int64)
        gap = b.node("Sub", [x, b.node("ReduceMean", [x, axes])]) if centred else x
        power = [gap, b.constant(2.0)] if square == "Pow" else [gap, gap]
        spread = b.node("ReduceMean", [b.node(square, power), axes])
        root = b.node("Sqrt", [b.node("Add", [spread, b.constant(1e-5)])])
        if quotient != "Div":
            return b.node("Mul", [gap, b.node(quotient, [root])])
        return b.node("Div", [gap, root])

    return body


def affine(norm: Body) -> Body:
    def body(b: Builder, x: str) -> str:
        y = b.node("Mul", [norm(b, x), b.constant(FACTORS)])
        return b.node("Add", [y, b.constant(OFFSETS)])

    return body


def mean_too(b: Builder, x: str) -> str:
    y, mean = b.name("v"), b.name("v")
    b.node("LayerNormalization", [x, b.constant(FACTORS)])
    b.nodes[-1].output[:] = [y, mean]
    return b.node("Add", [y, mean])


def n(name: str, body: Body, outcome: str = APPROXIMATE, **more: object) -> Construct:
    fields = {"shape": SEQUENCE, "outcome": outcome, **more}
    return Construct(name=name, body=body, **fields)  # type: ignore[arg-type]


LAYER = one("LayerNormalization", FACTORS, OFFSETS, axis=-1)
RMS = one("RMSNormalization", FACTORS, axis=-1)

TABLE = (
    n("LayerNormalization", one("LayerNormalization", np.ones(4))),
    n("LayerNormalization, factors and offsets, quantiser behind", then_quant(LAYER)),
    n("LayerNormalization, scale not a power of two", then_quant(LAYER), quant=REAL),
    n("LayerNormalization of a vector", then_quant(LAYER), shape=(1, 4)),
    n(
        "LayerNormalization over two axes",
        then_quant(one("LayerNormalization", np.full((3, 4), 0.75), axis=1)),
    ),
    n(
        "LayerNormalization of an image, all axes",
        then_quant(one("LayerNormalization", np.ones((4, 3, 3)), axis=1)),
        shape=MAP,
    ),
    n("LayerNormalization whose mean is read", mean_too, "HW210"),
    n("RMSNormalization", one("RMSNormalization", np.ones(4)), opset=23),
    n("RMSNormalization, factors, quantiser behind", then_quant(RMS), opset=23),
    n("RMSNormalization, scale not a power of two", then_quant(RMS), opset=23, quant=REAL),
    n("Mean, square, root and quotient", then_quant(affine(written()))),
    n("Mean, product, root and reciprocal", written(square="Mul", quotient="Reciprocal")),
    n("Mean square, root and quotient", then_quant(affine(written(centred=False)))),
    n(
        "InstanceNormalization",
        then_quant(one("InstanceNormalization", FACTORS, OFFSETS)),
        shape=MAP,
    ),
    n(
        "GroupNormalization",
        then_quant(one("GroupNormalization", FACTORS, OFFSETS, num_groups=2)),
        shape=MAP,
        opset=21,
    ),
)
