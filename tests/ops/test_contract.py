"""What holds for every operator, its examples and random instances of it.

An operator needs no test of its own here: it is found through the registry.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

from hwflow.fixed import FixedArray
from hwflow.ir.cost import Cost
from hwflow.ir.op import HlsLayer, Op, Target
from hwflow.ops.input import Input
from hwflow.testing.operators.cases import Case, mantissas
from tests.ops.cases import SAMPLES, chunks, example_cases, mismatches, shared_cases
from tests.ops.random_ops import random_cases

TARGETS = [
    Target(backend=backend, io_type=io_type)
    for backend in ("Vitis", "Vivado")
    for io_type in ("io_parallel", "io_stream")
]
CHUNK = 40
"""Cases in one C++ build: more would save little, and one failure should not hide too many."""

CASES = list(example_cases())
KINDS = [kind for kind, cls in sorted(Op.registry.items()) if cls is not Input]


def _differs_by_backend(case: Case) -> bool:
    """Return whether a case's C++ is another for Vivado than for Vitis.

    Only headers of convolutions and dense layers are (hls4ml/templates/vitis/nnet_utils overlays
    those of vivado); the code of distributed arithmetic and hwflow's own kernels are the same.
    """
    layer = case.op.lower(*case.inputs)
    by_header = "Conv" in layer.class_name or layer.class_name == "Dense"
    return by_header and layer.strategy != "distributed_arithmetic"


def _legal(target: Target) -> list[Case]:
    legal = [c for c in CASES if c.legal(target)]
    return legal if target.backend == "Vitis" else [c for c in legal if _differs_by_backend(c)]


def _some(target: Target) -> list[Case]:
    """Return the legal cases of which other ones are compiled for the other io_type.

    Those of an operator and strategy alternate; what the other io_type does not take is compiled
    for this one.
    """
    other = replace(target, io_type="io_parallel" if target.streams else "io_stream")
    found, seen = [], Counter[tuple[str, object]]()
    for case in _legal(target):
        group = case.op.kind, getattr(case.op, "strategy", None)
        turn = seen[group] % 2 == target.streams
        if turn or not case.legal(other):
            found.append(case)
        seen[group] += case.legal(other)
    return found


def _builds(cases_of: Callable[[Target], list[Case]]) -> list[object]:
    return [
        pytest.param(target, chunk, id=f"{target.backend}-{target.io_type}-{number}")
        for target in TARGETS
        for number, chunk in enumerate(chunks(cases_of(target), CHUNK))
    ]


def test_every_example_is_compiled_in_some_io_type() -> None:
    for backend in ("Vitis", "Vivado"):
        both = [Target(backend=backend, io_type=io) for io in ("io_parallel", "io_stream")]
        compiled = {c.name for target in both for c in _some(target)}
        assert compiled == {c.name for target in both for c in _legal(target)}


@pytest.mark.cpp
@pytest.mark.parametrize(("target", "cases"), _builds(_some))
def test_examples_compute_the_same_in_cpp(target: Target, cases: list[Case]) -> None:
    assert mismatches(cases, target) == []


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize(("target", "cases"), _builds(_legal))
def test_all_examples_compute_the_same_in_cpp(target: Target, cases: list[Case]) -> None:
    assert mismatches(cases, target) == []


def _shared(target: Target) -> list[Case]:
    """Return one example with shared hardware of every kernel and operator."""
    found: dict[tuple[str, str, str], Case] = {}
    for case in shared_cases(target):
        layer = case.op.lower(*case.inputs)
        found.setdefault((case.op.kind, layer.kernel, str(len(case.inputs))), case)
    return list(found.values())


@pytest.mark.cpp
@pytest.mark.parametrize("target", TARGETS[:2], ids=lambda t: t.io_type)
def test_shared_hardware_computes_the_same_in_cpp(target: Target) -> None:
    cases = _shared(target)
    assert len({case.op.kind for case in cases}) >= 15
    assert mismatches(cases[target.streams :: 2], target) == []


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS[:2], ids=lambda t: t.io_type)
def test_all_shared_hardware_computes_the_same_in_cpp(target: Target) -> None:
    for chunk in chunks(shared_cases(target), CHUNK):
        assert mismatches(chunk, target) == []


@pytest.mark.cpp
@pytest.mark.parametrize("target", TARGETS[:2], ids=lambda t: t.io_type)
def test_random_instances_compute_the_same_in_cpp(target: Target) -> None:
    """A quarter of the operators in each io_type."""
    assert mismatches(random_cases(1, 1, target)[target.streams :: 4], target) == []


@pytest.mark.cpp
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.backend}-{t.io_type}")
def test_many_random_instances_compute_the_same_in_cpp(target: Target, seed: int) -> None:
    for chunk in chunks(random_cases(seed, 3, target), CHUNK):
        assert mismatches(chunk, target, seed) == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_has_examples(kind: str) -> None:
    names = [e.name for e in Op.registry[kind].examples()]
    assert names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_says_what_it_is(kind: str) -> None:
    cls = Op.registry[kind]
    assert cls.__doc__
    known = {f.name for f in fields(cls)}
    assert set(cls.settings) <= known


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_infer_is_true_of_every_value(case: Case) -> None:
    _check_infer(case)


@pytest.mark.parametrize("seed", range(40))
def test_infer_is_true_of_random_instances(seed: int) -> None:
    for case in random_cases(seed, 1, Target()):
        _check_infer(case)


def _check_infer(case: Case) -> None:
    """Compare shape, type and range with what is computed from random data and from extremes."""
    rng = np.random.default_rng(0)
    known = case.op.infer(*case.inputs)
    data = [FixedArray(mantissas(rng, x, SAMPLES), x.dtype) for x in case.inputs]
    result = case.op.compute(*data).cast(known.dtype)
    assert result.shape == (len(data[0].raw), *known.shape), case.name
    assert (result.raw >= known.lo).all(), case.name
    assert (result.raw <= known.hi).all(), case.name
    assert known.lo.shape == known.hi.shape == (known.channels,)
    assert known.dtype.raw_min <= known.bounds[0] <= known.bounds[1] <= known.dtype.raw_max


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_samples_of_a_batch_do_not_mix(case: Case) -> None:
    rng = np.random.default_rng(1)
    data = [FixedArray(mantissas(rng, x, 5), x.dtype) for x in case.inputs]
    to = case.op.infer(*case.inputs).dtype
    together = case.op.compute(*data).cast(to)
    alone = [case.op.compute(*(d[i : i + 1] for d in data)).cast(to).raw for i in range(5)]
    assert np.array_equal(together.raw, np.concatenate(alone))


@pytest.mark.parametrize("target", TARGETS, ids=lambda t: f"{t.backend}-{t.io_type}")
def test_costs_are_finite_and_not_negative(target: Target) -> None:
    for case in CASES:
        cost = case.op.cost(target, *case.inputs)
        for f in fields(Cost):
            if f.name == "notes":
                continue
            figure = getattr(cost, f.name)
            assert 0 <= figure.low <= figure.value <= figure.high, (case.name, f.name)
            assert math.isfinite(figure.high), (case.name, f.name)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_lowering_is_deterministic(case: Case) -> None:
    first, second = (case.op.lower(*case.inputs) for _ in range(2))
    assert isinstance(first, HlsLayer)
    assert first.attributes == second.attributes
    assert first.types == second.types
    assert (first.class_name == "HwflowKernel") == bool(first.kernel)
