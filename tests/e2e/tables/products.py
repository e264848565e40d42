"""Constructs: matrix products and batch normalisation."""

from typing import Any

import numpy as np

from tests.e2e.construct import APPROXIMATE, Body, Construct, then_quant
from tests.networks import Builder


def gemm(shape: tuple[int, int] = (4, 6), bias: Any = 6, **attributes: Any) -> Body:
    def body(b: Builder, x: str) -> str:
        operands = [x, b.weight(shape, 4, 0.25)]
        if isinstance(bias, int):
            operands += [b.bias(bias)] if bias else []
        else:
            operands.append(b.quant(b.constant(bias), 6, 1 / 32, signed=True))
        return b.node("Gemm", operands, **attributes)

    return body


def matmul(shape: tuple[int, ...] = (4, 6)) -> Body:
    return lambda b, x: b.node("MatMul", [x, b.weight(shape, 4, 0.25)])


def added_bias(b: Builder, x: str) -> str:
    return b.node("Add", [b.bias(6), matmul()(b, x)])


def two_activations(b: Builder, x: str) -> str:
    return b.node("MatMul", [x, b.node("Transpose", [x], perm=(0, 2, 1))])


def left(b: Builder, x: str) -> str:
    return b.node("MatMul", [b.weight((1, 5, 3), 4, 0.25), x])


def einsum(equation: str, weight: tuple[int, ...] | None = None) -> Body:
    def body(b: Builder, x: str) -> str:
        return b.node("Einsum", [x, b.weight(weight, 4, 0.25) if weight else x], equation=equation)

    return body


def float_weights(b: Builder, x: str) -> str:
    return b.node("MatMul", [x, b.constant(b.rng.normal(size=(4, 6)))])


def coarse_float_weights(b: Builder, x: str) -> str:
    return b.node("MatMul", [x, b.constant(b.rng.integers(-4, 5, (4, 6)) / 4)])


def float_bias(b: Builder, x: str) -> str:
    y = b.node("Gemm", [x, b.weight((4, 6), 4, 0.25), b.constant(b.rng.normal(size=6))])
    return b.quant(y, 6, 1 / 8, signed=True)


def float_bias_alone(b: Builder, x: str) -> str:
    return b.node("Gemm", [x, b.weight((4, 6), 4, 0.25), b.constant(b.rng.normal(size=6))])


def norm(*, gamma: Any, beta: Any, mean: Any, var: Any, epsilon: float = 0.0) -> Body:
    def body(b: Builder, x: str) -> str:
        constants = [b.constant(v) for v in (gamma, beta, mean, var)]
        return b.node("BatchNormalization", [x, *constants], epsilon=epsilon)

    return body


POW2 = norm(gamma=[1.0, 2, 0.5, -1], beta=[0.5, 0, 1, -1], mean=[0.25, 0, 0, 1], var=[1.0, 4, 1, 1])
REAL = norm(
    gamma=[1.1, 0.3, 0.7, -0.9], beta=[0.5, 0.2, 1, -1], mean=[0.25, 0, 0.1, 1],
    var=[1.3, 0.4, 1, 2.2], epsilon=1e-5,
)  # fmt: skip


def dense_then_norm(b: Builder, x: str) -> str:
    return then_quant(POW2, scale=1 / 4)(
        b, b.node("Gemm", [x, b.weight((4, 4), 4, 0.25), b.bias(4)])
    )


def quantised_bias_then_norm(b: Builder, x: str) -> str:
    y = b.node("MatMul", [x, b.weight((4, 4), 4, 0.25)])
    rough = b.constant([0.26, -0.49, 0.74, 0.11])
    y = b.node("Add", [y, b.quant(rough, 4, 1 / 8, signed=True)])
    return b.quant(POW2(b, y), 6, 1 / 8, signed=True)


def multi_head(b: Builder, x: str) -> str:
    scores = b.node("MatMul", [x, b.node("Transpose", [x], perm=(0, 2, 1))])
    return b.node("MatMul", [b.node("Softmax", [scores], axis=-1), x])


def div_float(b: Builder, x: str) -> str:
    return b.quant(b.node("Div", [x, b.constant(np.float32(3.0))]), 6, 1 / 8, signed=True)


def sub_div(b: Builder, x: str) -> str:
    y = b.node(
        "Div", [b.node("Sub", [x, b.constant([0.5, 0.25, 1, 0])]), b.constant([2.0, 4, 1, 0.5])]
    )
    return b.quant(y, 6, 1 / 8, signed=True)


TABLE = (
    Construct(name="Gemm", body=gemm()),
    Construct(name="Gemm without C", body=gemm(bias=0), note="qonnx: IndexError"),
    Construct(name="Gemm, transB", body=gemm((6, 4), transB=1)),
    Construct(name="Gemm, transA", body=gemm((4, 6), transA=1), outcome="HW018", shape=(4, 1)),
    Construct(name="Gemm, alpha and beta powers of two", body=gemm(alpha=0.5, beta=2.0)),
    Construct(name="Gemm, alpha not a power of two", body=gemm(alpha=0.3)),
    Construct(name="Gemm, C a scalar", body=gemm(bias=np.float32(0.5))),
    Construct(name="Gemm, C of shape (1, N)", body=gemm(bias=np.arange(6).reshape(1, 6) / 8)),
    Construct(name="MatMul with a constant on the right", body=matmul()),
    Construct(name="MatMul, Add with the constant first", body=added_bias),
    Construct(
        name="MatMul on rank 3", body=matmul(), shape=(1, 3, 4), note="hls4ml: wrong output size"
    ),
    Construct(name="MatMul on rank 4", body=matmul(), shape=(1, 2, 3, 4)),
    Construct(
        name="MatMul, one batch of weights (1, K, N)",
        body=matmul((1, 4, 6)),
        shape=(1, 3, 4),
    ),
    Construct(
        name="MatMul, weights that differ per batch (S, K, N)",
        body=matmul((3, 4, 6)),
        shape=(1, 3, 2, 4),
    ),
    Construct(
        name="MatMul of two activations",
        body=two_activations,
        shape=(1, 3, 4),
        note="hls4ml: uninitialised memory",
    ),
    Construct(
        name="MatMul of two activations, many products",
        body=two_activations,
        shape=(1, 24, 8),
    ),
    Construct(name="Einsum with constants", body=einsum("bij,kj->bki", (5, 4)), shape=(1, 3, 4)),
    Construct(
        name="Einsum, constants for each head",
        body=einsum("bthd,hdk->bthk", (2, 3, 4)),
        shape=(1, 2, 2, 3),
    ),
    Construct(name="Einsum of two activations", body=einsum("bqhd,bkhd->bhqk"), shape=(1, 3, 2, 4)),
    Construct(
        name="Einsum, an axis twice in an operand",
        body=lambda b, x: b.node("Einsum", [x], equation="bii->bi"),
        outcome="HW210",
        shape=(1, 3, 3),
    ),
    Construct(
        name="MatMul with a constant on the left",
        body=left,
        shape=(1, 3, 4),
        note="hls4ml: AssertionError",
    ),
    Construct(
        name="Attention (two products of activations)",
        body=multi_head,
        shape=(1, 3, 4),
        outcome=APPROXIMATE,
    ),
    Construct(name="Dense, weights not quantised", body=float_weights, outcome="HW211"),
    Construct(
        name="Dense, weights without quantiser but on a coarse grid", body=coarse_float_weights
    ),
    Construct(
        name="Dense, bias not quantised, quantiser behind",
        body=float_bias,
        note="narrowed to the bits that matter",
    ),
    Construct(name="Dense, bias not quantised, no quantiser behind", body=float_bias_alone),
    Construct(name="BatchNormalization, powers of two", body=POW2),
    Construct(name="BatchNormalization on NCHW", body=POW2, shape=(1, 4, 3, 3)),
    Construct(name="BatchNormalization on NCW", body=POW2, shape=(1, 4, 5)),
    Construct(name="BatchNormalization, real factors, quantiser behind", body=then_quant(REAL)),
    Construct(name="Dense, BatchNormalization, quantiser", body=dense_then_norm),
    Construct(
        name="Dense, quantised bias, BatchNormalization",
        body=quantised_bias_then_norm,
        note="hls4ml: loses the bias's quantiser",
    ),
    Construct(name="Div by 3, quantiser behind", body=div_float),
    Construct(
        name="Sub and Div of the input, quantiser behind", body=sub_div, note="hls4ml: RuntimeError"
    ),
)
