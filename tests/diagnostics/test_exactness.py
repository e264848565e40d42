"""HW2xx, what integers cannot hold: raised, located, and the help applied."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hwflow
from hwflow.core.errors import CompileError
from hwflow.passes.lowering import weighted_sum
from tests.diagnostics.refusal import Body, Refusal, check, finding, network, node, quant, then
from tests.networks import Builder

FAR_APART = [[0.3e-9, 0.1234567, 0.2345678e7, 0.7654321]]


def gemm(bias: Callable[[Builder], str]) -> Body:
    def body(b: Builder, x: str) -> str:
        out = b.node("Gemm", [x, b.weight((4, 3), 4, 0.25), bias(b)])
        b.nodes[-1].name = "obstacle"
        return out

    return body


def scaled(bits: int) -> Body:
    """Return a product of a value of 24 bits, quantised to some bits."""

    def body(b: Builder, x: str) -> str:
        narrow = b.quant(x, min(bits, 24), 0.00013 * 2 ** max(24 - bits, 0), signed=True)
        out = b.node("Mul", [narrow, b.constant(1.1)])
        return b.quant(out, min(bits, 20), 0.00301 * 2 ** max(20 - bits, 0), signed=True)

    return body


REFUSALS = {
    "a bias that spans too many bits": Refusal(
        code="HW212", where="obstacle: Gemm", says=("62 bits", "quantise the bias"),
        refused=network(gemm(lambda b: b.constant([1e12, 1e-12, 3.0])), scale=0.25),
        helped=network(gemm(lambda b: b.bias(3)), scale=0.25),
    ),
    "labels of scales too far apart": Refusal(
        code="HW227", where="obstacle: ArgMax", says=("different channels", "quantise the value"),
        refused=network(then(quant(FAR_APART, 20), node("ArgMax", axis=1, keepdims=0))),
        helped=network(
            then(quant(FAR_APART, 20), quant(0.11), node("ArgMax", axis=1, keepdims=0))
        ),
    ),
    "too many steps": Refusal(
        code="HW233", where="quant", says=("steps", "fewer bits"),
        refused=network(scaled(24), scale=None), helped=network(scaled(10), scale=None),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_advised_is_built(name: str) -> None:
    check(REFUSALS[name])


@pytest.mark.parametrize("constants", [(-0.1, 0.7), (-0.1, 5.0)])
def test_the_number_in_the_help_is_taken(constants: tuple[float, ...]) -> None:
    """HW225: bounds that a fixed-point type cannot hold, where no quantiser is behind."""

    def bounded(*bounds: float) -> Any:
        return network(node("Clip", *(np.float32(v) for v in bounds)), scale=0.25)

    bounds = list(constants)
    for _ in bounds:
        try:
            hwflow.compile(bounded(*bounds)())
            break
        except CompileError as error:
            (said,) = error.diagnostics
        assert said.code == "HW225"
        assert said.where.startswith("obstacle: Clip")
        match = re.match(r"use (-?[\d.]+),", said.help)
        assert match is not None, said.help
        bounds[0 if " min " in said.title else 1] = float(match[1])
    assert bounds != list(constants)
    hwflow.compile(bounded(*bounds)())


def total(scales: tuple[float, ...]) -> Body:
    """Return a requantised sum of one value quantised with several scales."""

    def body(b: Builder, x: str) -> str:
        parts = [b.quant(x, 24, scale, signed=True) for scale in scales]
        return b.quant(b.node("Sum", parts), 8, 10.123, signed=True)

    return body


def test_a_sum_of_scales_without_a_common_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """HW228: with sums of so few bits weights are rounded; no proof for three is known."""
    monkeypatch.setattr(weighted_sum, "SUM_BITS", 24)
    scales = (0.0700123, 0.1100457, 0.0912345)
    check(
        Refusal(
            code="HW228", where="quant", says=("no common unit", "quantiser before this sum"),
            refused=network(total(scales), scale=None),
            helped=network(total(scales[:1] * 3), scale=None),
            data={"x": np.linspace(-16, 15, 32).reshape(8, 4) / 4},
        )
    )  # fmt: skip


def test_an_input_of_one_number_a_sample_is_one_finding() -> None:
    body = quant(0.25)
    said = finding(
        Refusal(code="HW220", where="input 'x'", says=(), refused=network(body, (1,), None),
                helped=network(body, (1, 1), None))
    )  # fmt: skip
    assert (said.code, said.help) == ("HW220", "give the model an input of shape (batch, 1)")
    hwflow.compile(network(body, (1, 1), None)())


@pytest.mark.parametrize("size", [(1 << 20, 1 << 20), (4, 1 << 28)])
def test_a_window_beyond_all_memory(size: tuple[int, int]) -> None:
    """HW004: a stranger's pooling whose window, and so its padding, takes terabytes."""

    def pooled(kernel: tuple[int, int]) -> Any:
        pads = [k - 1 for k in kernel] * 2
        return network(
            node("MaxPool", kernel_shape=kernel, strides=kernel, pads=pads), (1, 3, 4, 4), 0.25
        )

    said = finding(
        Refusal(code="HW004", where="", says=(), refused=pooled(size), helped=pooled((2, 2)))
    )
    assert (said.code, said.help) == ("HW004", "check kernel_shape and pads")
    assert said.where.startswith("obstacle: MaxPool")
    hwflow.compile(pooled((2, 2))())
