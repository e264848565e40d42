"""Which layers get XNORs, and that they get the same numbers by them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from hwflow.core.errors import CompileError
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.graph import Graph
from hwflow.ir.op import Op, Target
from hwflow.ops.add import Add
from hwflow.ops.bipolar import Bipolar
from hwflow.ops.cast import Cast
from hwflow.ops.concat import Concat
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.maximum import Maximum
from hwflow.ops.pad import Pad
from hwflow.ops.relu import Relu
from hwflow.ops.reshape import Reshape
from hwflow.ops.slice import Slice
from hwflow.ops.transpose import Transpose
from hwflow.passes.graph.choose_xnor import choose_xnor, magnitudes
from hwflow.passes.graph.legalize import legalize
from tests.passes.graphs import CONTEXT, Entry, assert_same, graph, source

TARGET = Target()
IMAGE = (4, 6, 2)


def sign(level: float | list[float] = 1.0, *, name: str = "b", of: str = "x") -> Entry:
    return name, Bipolar(level=FixedArray.exactly(np.array(level))), (of,)


def layer(n_in: int, n_out: int = 8, **changes: Any) -> Dense:
    weight = np.random.default_rng(n_in).choice([-0.5, 0.5], (n_in, n_out))
    bias = FixedArray.exactly(np.zeros(n_out))
    op = Dense(weight=FixedArray.exactly(weight), bias=bias)
    return replace(op, **changes)


def products(found: Graph) -> dict[str, tuple[str | None, int | None]]:
    return {
        n.name: (n.op.product, n.op.input_exponent)
        for n in found.nodes
        if isinstance(n.op, Dense | Conv2D)
    }


@pytest.mark.parametrize(("level", "exponent"), [(1.0, 0), (0.25, -2), (8.0, 3)])
def test_a_dense_layer_of_signs_counts(level: float, exponent: int) -> None:
    before = graph(source((24,)), sign(level), ("fc", layer(24), ("b",)))
    after = choose_xnor(before, TARGET)
    assert products(after) == {"fc": ("xnor", exponent)}
    assert after.types["fc"].dtype == before.types["fc"].dtype
    assert_same(before, after, 50)
    assert products(choose_xnor(after, TARGET)) == products(after)
    legalize(after, TARGET, CONTEXT.config)


MOVES: dict[str, tuple[Op, tuple[int, ...]]] = {
    "reshape": (Reshape(shape=(8, 6)), (8, 6)),
    "transpose": (Transpose(perm=(2, 0, 1)), (2, 4, 6)),
    "slice": (Slice(picks=((0, 4, 1), (5, 3, -2), (0, 2, 1))), (4, 3, 2)),
    "pool": (MaxPool(kernel=(2, 2), strides=(2, 2), pads=((1, 1), (0, 0))), (3, 3, 2)),
    "wide": (Cast(result_t=FixedType(6, 4)), IMAGE),
}


@pytest.mark.parametrize("name", MOVES)
def test_moved_signs_stay_signs(name: str) -> None:
    op, shape = MOVES[name]
    before = graph(
        source(IMAGE), sign(0.5), ("move", op, ("b",)), ("fc", layer(shape[-1], 40), ("move",))
    )
    assert before.types["move"].shape == shape
    assert magnitudes(before)["move"] == 0.5
    assert_same(before, choose_xnor(before, TARGET), 50)


@pytest.mark.parametrize(("second", "size"), [(1.0, 1.0), (0.5, None)])
def test_joined_signs_must_have_one_size(second: float, size: float | None) -> None:
    for join in (Concat(axis=0), Maximum()):
        found = graph(
            source((12,)), sign(1.0), sign(second, name="c"), ("join", join, ("b", "c")),
            ("fc", layer(24 if isinstance(join, Concat) else 12), ("join",)),
        )  # fmt: skip
        assert magnitudes(found)["join"] == size
        assert products(choose_xnor(found, TARGET))["fc"][0] == ("xnor" if size else None)


NO_SIGNS: dict[str, list[Entry]] = {
    "ternary": [
        ("b", Cast(result_t=FixedType(2, 2, True, Rounding.RND, Overflow.SAT_SYM)), ("x",))
    ],
    "levels": [sign([1.0] * 12 + [2.0] * 12)],
    "odd level": [sign(3.0)],
    "zeros": [sign(name="s"), ("b", Relu(), ("s",))],
    "sum": [sign(name="s"), ("b", Add(), ("s", "s"))],
    "narrow": [sign(name="s"), ("b", Cast(result_t=FixedType(1, 1)), ("s",))],
    "coarse": [sign(0.5, name="s"), ("b", Cast(result_t=FixedType(4, 4)), ("s",))],
    "port": [("b", Cast(result_t=FixedType(6, 3)), ("x",))],
}


@pytest.mark.parametrize("name", sorted(NO_SIGNS))
def test_what_may_be_zero_or_other_is_multiplied(name: str) -> None:
    found = graph(source((24,)), *NO_SIGNS[name], ("fc", layer(24), ("b",)))
    assert choose_xnor(found, TARGET) is found
    pinned = found.replace_ops({"fc": layer(24, product="xnor")})
    with pytest.raises(CompileError) as refused:
        legalize(choose_xnor(pinned, TARGET), TARGET, CONTEXT.config)
    assert [d.code for d in refused.value.diagnostics] == ["HW110"]


def test_padding_is_not_a_move() -> None:
    found = graph(source(IMAGE), sign(), ("pad", Pad(pads=((1, 1), (0, 0), (0, 0))), ("b",)))
    assert magnitudes(found)["pad"] is None


@pytest.mark.parametrize("pads", [0, 1])
def test_zeros_around_an_image_are_no_signs(pads: int) -> None:
    weight = FixedArray(np.random.default_rng(1).choice([-1, 1], (3, 3, 2, 8)), FixedType(2, 2))
    conv = Conv2D(
        weight=weight, bias=FixedArray.exactly(np.zeros(8)), strides=(1, 1),
        pads=((pads, pads), (0, 0)),
    )  # fmt: skip
    before = graph(source(IMAGE), sign(), ("conv", conv, ("b",)))
    after = choose_xnor(before, TARGET)
    assert products(after)["conv"][0] == (None if pads else "xnor")
    assert_same(before, after, 50)


def test_the_users_choice_stands() -> None:
    found = graph(source((24,)), sign(), ("fc", layer(24, product="multiply"), ("b",)))
    assert choose_xnor(found, TARGET) is found
    small = graph(source((1,)), sign(), ("fc", layer(1, 1, product="xnor"), ("b",)))
    after = choose_xnor(small, TARGET)
    assert products(after)["fc"] == ("xnor", 0)
    legalize(after, TARGET, CONTEXT.config)
    automatic = graph(source((1,)), sign(), ("fc", layer(1, 1), ("b",)))
    assert choose_xnor(automatic, TARGET) is automatic  # one product needs no count


@pytest.mark.parametrize("changes", [{"strategy": "resource"}, {"reuse_factor": 4}])
def test_layers_that_share_multipliers_are_left_alone(changes: dict[str, Any]) -> None:
    found = graph(source((24,)), sign(), ("fc", layer(24, **changes), ("b",)))
    assert choose_xnor(found, TARGET) is found
