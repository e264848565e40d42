"""What a user may set on matrix products and convolutions: every legal value against C++."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hwflow.core.errors import Diagnostic
from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.depthwise_conv2d import DepthwiseConv2D
from hwflow.ops.shared.conv import _Convolution
from hwflow.testing.operators.cases import Case
from tests.ops.cases import mismatches

PARALLEL, STREAM = Target(), Target(io_type="io_stream")
SIGNED, UNSIGNED = FixedType(5, 2), FixedType(4, 1, signed=False)


def constant(shape: tuple[int, ...], dtype: FixedType) -> FixedArray:
    rng = np.random.default_rng(7)
    return FixedArray(rng.integers(dtype.raw_min, dtype.raw_max + 1, shape), dtype)


def operators() -> dict[str, Case]:
    """Return one small operator of each kind with its input."""
    w, b = FixedType(4, 1), FixedType(5, 2)
    line, image = TensorType.full((6, 2), SIGNED), TensorType.full((4, 4, 2), UNSIGNED)
    none, one = (0, 0), (1, 1)
    conv1d = Conv1D(
        weight=constant((3, 2, 2), w), bias=constant((2,), b), strides=(1,), pads=(one,)
    )
    flat = Conv1D(weight=constant((1, 2, 2), w), bias=constant((2,), b), strides=(1,), pads=(none,))
    conv2d = Conv2D(
        weight=constant((2, 2, 2, 3), w), bias=constant((3,), b), strides=(1, 2), pads=(one, none)
    )
    depth1d = DepthwiseConv1D(
        weight=constant((3, 2), w), bias=constant((2,), b), strides=(1,), pads=(one,)
    )
    depth2d = DepthwiseConv2D(
        weight=constant((2, 3, 2), w), bias=constant((2,), b), strides=(1, 1), pads=(one, none)
    )
    dense = Dense(weight=constant((6, 4), w), bias=constant((4,), b))
    vector = TensorType.full((6,), SIGNED)
    pairs: dict[str, tuple[Op, TensorType]] = {
        "conv1d": (conv1d, line), "flat": (flat, line), "conv2d": (conv2d, image),
        "depth1d": (depth1d, line), "depth2d": (depth2d, image), "dense": (dense, vector),
    }  # fmt: skip
    return {name: Case(name, op, (x,)) for name, (op, x) in pairs.items()}


def legal_variants(target: Target, **settings: object) -> Iterator[Case]:
    """Yield every operator with the settings, where it says that they are legal."""
    label = "_".join(str(v) for v in settings.values()).lower()
    for name, case in operators().items():
        known = {k: v for k, v in settings.items() if k in case.op.settings}
        changed = Case(f"{name}_{label}", replace(case.op, **known), case.inputs)
        if known == settings and changed.legal(target):
            yield changed


@pytest.mark.cpp
@pytest.mark.parametrize(
    "target", [PARALLEL, pytest.param(STREAM, marks=pytest.mark.slow)], ids=lambda t: t.io_type
)
def test_every_legal_reuse_factor(target: Target) -> None:
    cases = [
        case
        for factor in range(2, 49)
        for case in legal_variants(target, strategy="resource", reuse_factor=factor)
    ]
    cases += legal_variants(target, strategy="latency", reuse_factor=5)
    assert len(cases) > 15
    assert mismatches(cases, target) == []


@pytest.mark.cpp
def test_every_legal_parallelization_factor() -> None:
    cases = [
        case
        for strategy in ("latency", "resource")
        for factor in (2, 3, 6, 10, 15)
        for case in legal_variants(PARALLEL, strategy=strategy, parallelization_factor=factor)
    ]
    assert {c.name.split("_")[0] for c in cases} == {
        "conv1d",
        "flat",
        "conv2d",
        "depth1d",
        "depth2d",
    }
    assert mismatches(cases, PARALLEL) == []


@pytest.mark.cpp
@pytest.mark.parametrize(
    "target", [pytest.param(PARALLEL, marks=pytest.mark.slow), STREAM], ids=lambda t: t.io_type
)
def test_narrow_accumulators(target: Target) -> None:
    """Products that lose bits, sums that wrap: the same numbers, product by product."""
    accumulators = [
        FixedType(6, 3), FixedType(12, 9, rounding=Rounding.RND_CONV), FixedType(7, 2),
        FixedType(9, 4, rounding=Rounding.TRN_ZERO), FixedType(20, 8),
    ]  # fmt: skip
    cases = []
    for i, accum_t in enumerate(accumulators):
        for strategy in ("latency", "resource"):
            for case in legal_variants(target, strategy=strategy, accum_t=accum_t):
                to = FixedType(5, 3, rounding=Rounding.RND, overflow=Overflow.SAT)
                name = f"{case.name.split('_')[0]}_{strategy}_{i}"
                cases.append(Case(name, replace(case.op, result_t=to), case.inputs))
    assert len(cases) >= 40
    assert mismatches(cases, target) == []


def findings(op: Op, x: TensorType, target: Target) -> list[Diagnostic]:
    return list(op.check(target, x))


@pytest.mark.parametrize(
    ("name", "settings", "target", "code"),
    [
        ("conv2d", {"strategy": "resource", "reuse_factor": 3}, PARALLEL, "HW104"),
        ("conv2d", {"strategy": "resource", "reuse_factor": 12}, PARALLEL, "HW104"),
        ("conv2d", {"parallelization_factor": 4}, PARALLEL, "HW107"),
        ("conv2d", {"parallelization_factor": 2}, STREAM, "HW107"),
        ("conv2d", {"strategy": "fast"}, PARALLEL, "HW103"),
        ("conv2d", {"accum_t": FixedType(8, 4, overflow=Overflow.SAT)}, PARALLEL, "HW105"),
        ("conv2d", {"accum_t": FixedType(9, 18, rounding=Rounding.RND)}, PARALLEL, "HW109"),
        ("conv2d", {"strategy": "distributed_arithmetic", "reuse_factor": 2}, PARALLEL, "HW104"),
        ("depth2d", {"strategy": "resource"}, PARALLEL, "HW108"),
        ("depth2d", {"strategy": "distributed_arithmetic"}, STREAM, "HW108"),
        ("depth2d", {"strategy": "resource", "reuse_factor": 5}, STREAM, "HW104"),
    ],
)
def test_illegal_settings_are_refused(
    name: str, settings: dict[str, object], target: Target, code: str
) -> None:
    case = operators()[name]
    found = findings(replace(case.op, **settings), case.inputs[0], target)
    assert [d.code for d in found] == [code]
    assert found[0].help


def test_a_vertical_stride_of_a_flat_kernel_needs_arrays() -> None:
    op = Conv2D(
        weight=constant((1, 3, 2, 2), FixedType(4, 1)), bias=constant((2,), FixedType(4, 1)),
        strides=(2, 1), pads=((0, 0), (0, 0)),
    )  # fmt: skip
    x = TensorType.full((4, 4, 2), SIGNED)
    assert isinstance(op, _Convolution)
    assert findings(op, x, PARALLEL) == []
    assert [d.code for d in findings(op, x, STREAM)] == ["HW115"]
    one = DepthwiseConv2D(
        weight=constant((1, 1, 2), FixedType(4, 1)), bias=constant((2,), FixedType(4, 1)),
        strides=(2, 1), pads=((0, 0), (0, 0)),
    )  # fmt: skip
    assert findings(one, x, PARALLEL) == []
    assert [d.code for d in findings(one, x, STREAM)] == ["HW115"]


def test_sums_of_more_than_62_bits_are_refused() -> None:
    op = replace(operators()["conv2d"].op, weight=constant((2, 2, 2, 3), FixedType(40, 40)))
    with pytest.raises(OverflowError, match="62 bits"):
        op.infer(TensorType.full((4, 4, 2), FixedType(30, 30)))


def helped(op: Op, found: list[Diagnostic]) -> Op:
    """Return an operator with the settings that findings say to set."""
    settings: dict[str, object] = {}
    for finding in found:
        said = re.search(r'set (\w+) = (?:"(\w+)"|(\d+))', finding.help)
        assert said is not None, finding
        settings[said[1]] = said[2] or int(said[3])
    return replace(op, **settings)


@pytest.mark.parametrize("target", [PARALLEL, STREAM], ids=["parallel", "stream"])
@pytest.mark.parametrize("name", operators())
def test_the_help_of_all_findings_is_taken_at_once(name: str, target: Target) -> None:
    case, refused = operators()[name], 0
    names = ("latency", "resource", "distributed_arithmetic", "fast")
    factors = (1, 2, 3, 5, 7, 16, 1000)
    for strategy, factor, parallel in product(names, factors, (1, 3, 50)):
        settings: dict[str, object] = {"strategy": strategy, "reuse_factor": factor}
        if "parallelization_factor" in case.op.settings:
            settings["parallelization_factor"] = parallel
        op = replace(case.op, **settings)
        found = findings(op, case.inputs[0], target)
        refused += bool(found)
        assert findings(helped(op, found), case.inputs[0], target) == []
    assert refused
