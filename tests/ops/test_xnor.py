"""Products as XNORs: where they are legal, what they cost; and what binary weights cost at all."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwflow.estimate import products as products
from hwflow.estimate.xnor import popcount_luts
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense

SIGN = FixedType(2, 2)
TARGET = Target()


def signs(shape: tuple[int, ...], *, seed: int = 0, zeros: bool = False) -> FixedArray:
    rng = np.random.default_rng(seed)
    return FixedArray(rng.choice([-1, 0, 1] if zeros else [-1, 1], shape), SIGN)


def dense(**changes: Any) -> Dense:
    layer = Dense(weight=signs((24, 4)), bias=FixedArray.exactly(np.zeros(4)), input_exponent=0)
    return replace(layer, **changes)


def bipolar(shape: tuple[int, ...] = (24,)) -> TensorType:
    return TensorType.exactly(shape, np.array(-1), np.array(1), 0)


def refusals(op: Op, x: TensorType) -> list[str]:
    return [f"{d.code}: {d.found}" for d in op.check(TARGET, x)]


def test_binary_and_ternary_weights_may_be_xnors() -> None:
    per_output = FixedArray(signs((24, 4)).raw * np.array([1, 2, 4, 8]), FixedType(5, 2))
    for weight in (signs((24, 4)), signs((24, 4), zeros=True), per_output):
        assert refusals(dense(weight=weight, product="xnor"), bipolar()) == []
    lowered = dense(product="xnor", input_exponent=-2).lower(bipolar())
    assert lowered.attributes["input_exponent"] == -2
    assert "input_exponent" not in dense(product="multiply").lower(bipolar()).attributes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"input_exponent": None}, "its inputs are not known"),
        ({"weight": FixedArray(np.array([[1], [-2]] * 12), FixedType(3, 3)),
          "bias": FixedArray.exactly(np.zeros(1))}, "an output's weights are not all"),
        ({"weight": FixedArray(3 * signs((24, 4)).raw, FixedType(3, 3))}, "an output's weights"),
        ({"strategy": "resource"}, "strategy = 'resource' and reuse_factor = 1"),
        ({"reuse_factor": 2}, "strategy = 'latency' and reuse_factor = 2"),
        ({"accum_t": FixedType(4, 4)}, "accum_t is narrower than the sum"),
    ],
)  # fmt: skip
def test_what_is_no_xnor_is_refused_with_the_reason(changes: dict[str, Any], reason: str) -> None:
    (said,) = refusals(dense(product="xnor", **changes), bipolar())
    assert said.startswith(f"HW110: product = 'xnor', but {reason}")
    assert refusals(dense(**changes), bipolar()) == []


def test_padding_puts_in_what_is_no_sign() -> None:
    layer = Conv2D(
        weight=signs((3, 3, 2, 4)), bias=FixedArray.exactly(np.zeros(4)), strides=(1, 1),
        pads=((0, 0), (0, 0)), product="xnor", input_exponent=0,
    )  # fmt: skip
    assert refusals(layer, bipolar((5, 5, 2))) == []
    (said,) = refusals(replace(layer, pads=((0, 1), (0, 0))), bipolar((5, 5, 2)))
    assert "padding" in said


def test_an_unknown_product_is_refused() -> None:
    assert refusals(dense(product="xor"), bipolar()) == ["HW102: product = 'xor'"]


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 4), st.floats(0.1, 1.0), st.integers(0, 2**32 - 1))
def test_tables_of_a_count_follow_the_kernel(n: int, outputs: int, share: float, seed: int) -> None:
    live = np.random.default_rng(seed).random((n, outputs)) < share

    def tables(column: list[bool]) -> int:  # the recursion of templates/nnet/xnor.h
        if len(column) <= 6:
            return sum(column).bit_length() if sum(column) > 1 else 0
        half = (len(column) // 6 + (len(column) % 6 > 0)) // 2 * 6
        a, b = column[:half], column[half:]
        adder = max(sum(a).bit_length(), sum(b).bit_length()) if any(a) and any(b) else 0
        return tables(a) + tables(b) + adder

    assert popcount_luts(live) == sum(tables(column.tolist()) for column in live.T)


@pytest.mark.parametrize("n", [6, 27, 64, 144, 256])
def test_counting_is_cheaper_than_adding(n: int) -> None:
    layer = dense(weight=signs((n, 8)), bias=FixedArray.exactly(np.zeros(8)))
    x = bipolar((n,))
    adds, counts = (
        replace(layer, product=p).cost(TARGET, x).lut_synth.value for p in ("multiply", "xnor")
    )
    assert counts < adds / 1.8
    assert replace(layer, product="xnor").cost(TARGET, x).dsp.value == 0


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("bits", [2, 8, 16, 30])
def test_weights_of_one_or_no_are_additions_only(zeros: bool, bits: int) -> None:
    weight = signs((30, 5), zeros=zeros).raw
    found = products.count_products(weight, np.full(30, bits), None, "Vitis")
    assert found.multiplications == found.dsp_products == found.shift_add_bits == 0
    assert found.sum_adders == int((weight != 0).sum() - 5)


@pytest.mark.parametrize("strategy", ["latency", "distributed_arithmetic"])
@pytest.mark.parametrize("bits", [2, 8, 16, 30])
def test_layers_of_binary_weights_take_no_multipliers(strategy: str, bits: int) -> None:
    x = TensorType.full((24,), FixedType(bits, 2))
    assert dense(strategy=strategy).cost(TARGET, x).dsp.value == 0
    shared = dense(strategy="resource", reuse_factor=24)
    assert shared.cost(TARGET, x).dsp.value == 0
