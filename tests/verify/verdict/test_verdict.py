"""Lossless, approximate because of a layer, or not lossless: each where it is true."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwflow
from hwflow.core.limits import VerifySettings
from hwflow.fixed import FixedArray
from hwflow.ops.dense import Dense
from hwflow.ops.scale_bias import ScaleBias
from hwflow.project.design import Design
from hwflow.testing.assertions import assert_exact, assert_lossless
from hwflow.verify.agreement import Agreement
from hwflow.verify.checks import agreement_check, exact_check
from hwflow.verify.gate import Gate
from hwflow.verify.verdict import State, Verdict
from tests.networks import Builder
from tests.verify.exact.models import model, signed_quant
from tests.verify.verdict import networks as net


def compared(design: Design, samples: int = 200) -> Agreement:
    found = design.verify(net.data(samples), cpp=False).lossless
    assert found is not None
    return found


def verdict(design: Design) -> Verdict:
    found = compared(design).verdict
    assert found is not None
    return found


def kinds(design: Design, found: Verdict) -> list[str]:
    return [design.graph.by_name[each.layer].op.kind for each in found.because]


@pytest.mark.parametrize(
    ("end", "named", "proven"),
    [
        (net.batch_norm, ["ScaleBias"], True),
        (lambda b, x: b.node("Div", [x, net.constants(b, 4)]), ["ScaleBias"], True),
        (lambda b, x: b.node("Sigmoid", [x]), ["Sigmoid"], True),
        (lambda b, x: b.node("Tanh", [net.quantised(b, x)]), ["Tanh"], True),
        (lambda b, x: b.node("Exp", [net.quantised(b, x)]), ["Lookup"], True),
        (lambda b, x: net.mean(b, x), ["AveragePool"], True),
        (lambda b, x: b.node("Softmax", [net.quantised(b, x)], axis=-1), ["Softmax"], False),
        (net.two_sigmoids, ["Sigmoid", "Sigmoid"], False),
    ],
    ids=["batch norm", "division", "sigmoid", "tanh", "exp", "mean of five", "softmax", "two"],
)
def test_approximate_layers_are_named_with_what_they_cost(
    end: net.End, named: list[str], proven: bool
) -> None:
    design = hwflow.compile(net.network(end))
    found = verdict(design)
    assert (found.state, kinds(design, found)) == (State.APPROXIMATE, named)
    assert found.at_most > 0
    assert (found.bound is not None) is proven
    assert found.bound is None or found.at_most <= found.bound < 64 * found.at_most
    for each in found.because:
        assert each.largest > 0
        assert each.bound is None or each.largest <= each.bound


def test_lossless_has_no_causes() -> None:
    found = verdict(hwflow.compile(net.network(net.quantised)))
    assert (found.state, found.because, found.at_most) == (State.LOSSLESS, (), 0)
    assert str(found) == "lossless"


def test_every_difference_behind_a_softmax_is_the_softmaxs() -> None:
    """The dense layer behind it differs, too, and is right for what the softmax gives it."""
    design = hwflow.compile(net.network(net.softmax_then_dense))
    found = compared(design)
    differing = [layer.name for layer in found.layers if layer.mismatches]
    assert [design.graph.by_name[name].op.kind for name in differing] == ["Softmax", "Dense"]
    assert found.verdict is not None
    assert kinds(design, found.verdict) == ["Softmax"]
    assert found.first is not None
    assert (
        found.first.cause == f"approximate because of {differing[0]} (tables of exp(-x) and of 1/x)"
    )


def changed(design: Design, kind: type, change: Callable[[Any], Any]) -> Design:
    """Return the design with the last operator of a kind changed behind the model's back."""
    node = [n for n in design.graph.nodes if isinstance(n.op, kind)][-1]
    return replace(design, graph=design.graph.replace_ops({node.name: change(node.op)}))


def one_step(values: FixedArray) -> FixedArray:
    raw = values.raw.copy()
    raw.flat[0] += 1 if raw.flat[0] < 0 else -1
    return FixedArray(raw, values.dtype)


def test_an_error_behind_a_softmax_is_not_the_softmaxs() -> None:
    design = hwflow.compile(net.network(net.softmax_then_dense))
    wrong = changed(design, Dense, lambda op: replace(op, weight=one_step(op.weight)))
    found = compared(wrong)
    assert found.verdict is not None
    assert (found.verdict.state, str(found.verdict)) == (State.NOT_LOSSLESS, "not lossless")
    assert found.first is not None
    assert found.first.layer == [n.name for n in wrong.graph.nodes if isinstance(n.op, Dense)][-1]
    assert (
        found.first.cause == "no setting and no approximate layer explains it: an error in hwflow"
    )


def test_an_error_beside_a_softmax_is_not_the_softmaxs() -> None:
    def two(b: Builder, x: str) -> str:
        shares = net.quantised(b, b.node("Softmax", [net.quantised(b, x)], axis=-1), scale=0.0625)
        other = net.quantised(b, b.node("MatMul", [net.quantised(b, x), net.weights(b, 5, 5)]))
        return b.node("Concat", [shares, other], axis=1)

    design = hwflow.compile(net.network(two))
    assert verdict(design).state is State.APPROXIMATE
    wrong = changed(design, Dense, lambda op: replace(op, weight=one_step(op.weight)))
    found = compared(wrong)
    assert found.verdict is not None
    assert found.first is not None
    assert found.verdict.state is State.NOT_LOSSLESS
    assert wrong.graph.by_name[found.first.layer].op.kind == "Dense"


def test_more_than_the_proven_rounding_is_an_error() -> None:
    design = hwflow.compile(net.network(net.batch_norm))
    wrong = changed(design, ScaleBias, lambda op: replace(op, scale=one_step(op.scale)))
    assert verdict(wrong).state is State.APPROXIMATE  # one step more is within the proof's slack

    def far(op: ScaleBias) -> ScaleBias:
        raw = op.scale.raw.copy()
        raw.flat[0] += 1000
        return replace(op, scale=FixedArray(raw, op.scale.dtype))

    found = compared(changed(design, ScaleBias, far))
    assert found.verdict is not None
    assert found.verdict.state is State.NOT_LOSSLESS
    assert found.first is not None
    assert "is proven" in found.first.cause


def test_what_the_settings_change_is_said() -> None:
    proto = net.network(net.quantised)
    layer = next(n.name for n in hwflow.compile(proto).graph.nodes if isinstance(n.op, Dense))
    narrow = {"layer": {layer: {"result_t": "fixed<4,4,RND_CONV,SAT>", "reuse_factor": 5}}}
    found = compared(hwflow.compile(proto, config=narrow))
    assert found.verdict is not None
    assert found.verdict.state is State.NOT_LOSSLESS
    assert found.first is not None
    assert found.first.cause == (
        f"set in the settings: result_t = fixed<4,4,RND_CONV,SAT> of {layer}"
    )


def test_classes_that_never_differ_are_approximate_all_the_same() -> None:
    def label(b: Builder, x: str) -> str:
        shares = b.node("Softmax", [net.quantised(b, x)], axis=-1)
        return b.node("ArgMax", [shares], axis=1, keepdims=0)

    design = hwflow.compile(net.network(label))
    found = design.verify(net.data(20), cpp=False)
    assert found.lossless is not None
    assert found.lossless.verdict is not None
    assert (found.lossless.holds, found.lossless.verdict.state) == (True, State.APPROXIMATE)
    assert "no output differs on these samples" in str(found.lossless.verdict)
    assert_lossless(found)
    with pytest.raises(AssertionError, match="not exact: approximate"):
        assert_exact(found)


def test_the_checks_of_the_gate() -> None:
    agreements = {
        end: compared(hwflow.compile(net.network(end)))
        for end in (net.quantised, net.softmax_then_dense)
    }
    exact, approximate = agreements.values()
    assert (agreement_check("lossless", exact).passed, exact_check(exact).passed) == (True, True)
    check = exact_check(approximate)
    assert not agreement_check("lossless", approximate).passed
    assert (check.passed, check.limit) == (False, "lossless")
    assert check.value == str(approximate.verdict)
    assert "tables of exp(-x)" in check.detail


def test_the_exact_limit_adds_its_check() -> None:
    design = hwflow.compile(net.network(net.softmax_then_dense))
    found = replace(design.verify(net.data(), cpp=False))
    checks = Gate(VerifySettings(exact=True), found, design.estimate()).checks()
    assert [check.name for check in checks][-1] == "exact"


@given(seed=st.integers(0, 10**6), size=st.floats(1e-3, 1e3), count=st.integers(1, 4))
@settings(max_examples=25, deadline=None)
def test_rounded_constants_keep_to_the_proven_bound(seed: int, size: float, count: int) -> None:
    b = Builder(np.random.default_rng(seed))
    rng = np.random.default_rng(seed + 1)
    parts = [size * rng.normal(0, 1, count), rng.normal(0, 9, count), rng.normal(0, 1, count)]
    spread = rng.uniform(1e-3, 30, count)
    x = signed_quant(b, "x", scale=0.125, bits=7.0)
    y = b.node(
        "BatchNormalization", [x, *(b.constant(p.astype(np.float32)) for p in (*parts, spread))]
    )
    design = hwflow.compile(model(b, [y], (count,)))
    samples = np.tile(np.arange(-8, 8, 0.125)[:, None], (1, count)).astype(np.float32)
    found = design.verify(samples, cpp=False).lossless
    assert found is not None
    assert found.verdict is not None
    assert found.verdict.state is State.APPROXIMATE
    assert found.verdict.bound is not None
    (values,) = design.simulate(samples).outputs.values()
    float64 = np.spacing(np.abs(values).max())  # in which both sides of a difference are rounded
    assert 0 < found.verdict.at_most <= found.verdict.bound + float64


def test_the_warning_about_rounded_constants_and_its_help() -> None:
    design = hwflow.compile(net.network(net.batch_norm))
    (warning,) = [w for w in design.warnings if w.code == "HW240"]
    bound = verdict(design).bound
    assert bound is not None
    assert f"at most {bound:.3g} off" in warning.found

    def helped(b: Builder, x: str) -> str:
        return net.quantised(b, net.batch_norm(b, x))

    mended = hwflow.compile(net.network(helped))
    assert not [w for w in mended.warnings if w.code == "HW240"]
    assert verdict(mended).state is State.LOSSLESS
