"""HW2xx, constructs: every help is applied to what was refused, and the result is built."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from tests.diagnostics.refusal import Body, Refusal, check, network, node, quant, then
from tests.networks import Builder

MAP, SEQUENCE = (1, 3, 4, 4), (1, 4, 3)
PER_CHANNEL = [[0.3, 0.1, 0.2, 0.4]]


def dense(b: Builder, x: str) -> str:
    out = b.node("MatMul", [x, b.weight((4, 3), 4, 0.25)])
    b.nodes[-1].name = "obstacle"
    return out


def product(b: Builder, left: str, x: str) -> str:
    out = b.node("MatMul", [left, b.node("Transpose", [x], perm=(0, 2, 1))])
    b.nodes[-1].name = "obstacle"
    return out


def uneven(b: Builder, x: str) -> str:
    return product(b, b.node("Reshape", [x, b.constant([1, 1, 4, 8], np.int64)]), x)


def even(b: Builder, x: str) -> str:
    return product(b, x, x)


def normalised(b: Builder, x: str) -> str:
    ones = [b.constant(v) for v in (np.ones(3), np.zeros(3), np.zeros(3), np.ones(3))]
    return b.node("BatchNormalization", [x, *ones])


def layer_norm(b: Builder, x: str) -> str:
    return b.node("LayerNormalization", [x, b.constant(np.ones(3))])


def biased(end: Body) -> Body:
    """A dense layer with a bias between steps, and a Relu."""

    def body(b: Builder, x: str) -> str:
        y = b.node("Gemm", [x, b.weight((4, 3), 4, 0.2), b.constant([0.1, 0.2, 0.3])])
        return end(b, y)

    return body


def rounded(mul: float) -> Body:
    """A quantiser written as arithmetic, with a factor behind it."""

    def body(b: Builder, x: str) -> str:
        y = node("Round")(b, b.node("Div", [x, b.constant(0.11)]))
        y = b.node("Clip", [y, b.constant(-8.0), b.constant(7.0)])
        return b.node("Mul", [y, b.constant(mul)])

    return body


def gathered(b: Builder, x: str) -> str:
    out = b.node("Gather", [x, b.node("ArgMax", [x], axis=2, keepdims=0)], axis=1)
    b.nodes[-1].name = "obstacle"
    return out


def two(op: str, first: float, second: float) -> Body:
    """Two branches with scales of their own, compared."""

    def body(b: Builder, x: str) -> str:
        a, c = (b.quant(x, 4, s, signed=True) for s in (first, second))
        out = b.node(op, [a, c])
        b.nodes[-1].name = "obstacle"
        return out

    return body


POOL = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
bounded = node("Clip", np.float32(0), np.float32(6))


def pooled(b: Builder, x: str) -> str:
    return b.node("GlobalAveragePool", [x])


def resize(factor: float, **attributes: str) -> Body:
    def body(b: Builder, x: str) -> str:
        out = b.node("Resize", [x, "", b.constant([1.0, 1.0, factor, factor])], **attributes)
        b.nodes[-1].name = "obstacle"
        return out

    return body


TABLE = {
    "normalisation by a norm": Refusal(
        code="HW201", where="obstacle: LpNormalization", says=("BatchNorm", "LayerNorm"),
        refused=network(then(node("LpNormalization"), quant()), (1, 3, 3)),
        helped=network(then(layer_norm, quant()), (1, 3, 3)),
    ),
    "normalisation over the data": Refusal(
        code="HW201", where="obstacle: LpNormalization", says=("BatchNorm",),
        refused=network(then(node("LpNormalization"), quant()), MAP),
        helped=network(then(normalised, quant()), MAP),
    ),
    "an activation of another kind": Refusal(
        code="HW201", where="obstacle: Det", says=("replace it", "--plugin"),
        refused=network(node("Det"), (1, 3, 3)), helped=network(node("Relu"), (1, 3, 3)),
    ),
    "a rounding that is no quantiser": Refusal(
        code="HW201", where="obstacle: Round", says=("QuantizeLinear", "same constant"),
        refused=network(then(rounded(0.12), dense), scale=None),
        helped=network(then(rounded(0.11), dense), scale=None),
    ),
    "product of activations of different rank": Refusal(
        code="HW210", where="obstacle: MatMul", says=("two activations", "same number of axes"),
        refused=network(uneven, (1, 4, 8), 0.25), helped=network(even, (1, 4, 8), 0.25),
    ),
    "scales per channel into a dense layer": Refusal(
        code="HW213", where="obstacle: MatMul",
        says=("a scale for each channel", "quantiser with one scale"),
        refused=network(then(quant(PER_CHANNEL), dense)),
        helped=network(then(quant(PER_CHANNEL), quant(0.13), dense)),
    ),
    "a bias between steps, and no quantiser": Refusal(
        code="HW213", where="obstacle: Relu", says=("bias", "before this layer"),
        refused=network(biased(node("Relu"))),
        helped=network(biased(then(quant(), node("Relu")))),
    ),
    "a bound between steps before an average": Refusal(
        code="HW213", where="obstacle: Clip", says=("no quantiser behind", "right behind"),
        refused=network(then(bounded, pooled), MAP),
        helped=network(then(bounded, quant(), pooled), MAP),
    ),
    "values of two scales compared": Refusal(
        code="HW213", where="obstacle: Max", says=("0.11 and 0.13", "one and the same scale"),
        refused=network(two("Max", 0.11, 0.13)), helped=network(two("Max", 0.11, 0.11)),
    ),
    "padding between steps": Refusal(
        code="HW213", where="obstacle: Pad", says=("two steps of the scale 0.07", "multiple"),
        refused=network(node("Pad", np.array([0, 1, 0, 1]), np.float32(0.1))),
        helped=network(node("Pad", np.array([0, 1, 0, 1]), np.float32(0.07))),
    ),
    "means over windows of other sizes": Refusal(
        code="HW213", where="obstacle: AveragePool", says=("count_include_pad",),
        refused=network(node("AveragePool", **POOL), MAP),
        helped=network(node("AveragePool", **POOL, count_include_pad=1), MAP),
    ),
    "indices computed at run time": Refusal(
        code="HW217", where="obstacle: Gather", says=("constant indices",),
        refused=network(gathered, SEQUENCE, 0.25),
        helped=network(node("Gather", np.array([0, 2]), axis=1), SEQUENCE, 0.25),
    ),
    "an index outside": Refusal(
        code="HW217", where="obstacle: Gather", says=("4 of 4", "-4 to 3"),
        refused=network(node("Gather", np.array([4]), axis=1), SEQUENCE),
        helped=network(node("Gather", np.array([-4, 3]), axis=1), SEQUENCE),
    ),
    "elements of the batch": Refusal(
        code="HW216", where="obstacle: Gather", says=("axis = 0", "axes from 1 on"),
        refused=network(node("Gather", np.array([0]), axis=0), SEQUENCE),
        helped=network(node("Gather", np.array([0]), axis=1), SEQUENCE),
    ),
    "a conversion to integers": Refusal(
        code="HW234", where="obstacle: Cast", says=("INT32", "as a quantiser"),
        refused=network(node("Cast", to=TensorProto.INT32)),
        helped=network(quant(1.0)),
    ),
    "a conversion to few digits": Refusal(
        code="HW234", where="obstacle: Cast", says=("FLOAT16", "in float32"),
        refused=network(node("Cast", to=TensorProto.FLOAT16), scale=2**-26),
        helped=network(node("Cast", to=TensorProto.FLOAT), scale=2**-26),
    ),
    "a resize that interpolates": Refusal(
        code="HW217", where="obstacle: Resize", says=("linear", "resize by 2"),
        refused=network(resize(3.0, mode="linear"), MAP),
        helped=network(resize(2.0, mode="linear"), MAP),
    ),
    "softmax over several axes": Refusal(
        code="HW222", where="obstacle: Softmax", says=("several axes", "reshape"),
        refused=network(node("Softmax", axis=1), SEQUENCE, 0.25, 11),
        helped=network(then(lambda b, x: b.node("Flatten", [x]), node("Softmax", axis=1)),
                       SEQUENCE, 0.25, 11),
        approximate=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_the_help_leads_to_a_design(name: str) -> None:
    check(TABLE[name])
