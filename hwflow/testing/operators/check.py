"""Checks an operator against itself: Python, its ONNX function and compiled C++ must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import onnx

from hwflow.codegen.golden.definitions import golden_function, run_golden
from hwflow.codegen.hls.kernels import check_kernels
from hwflow.core.config import make_config
from hwflow.core.errors import CompileError, Diagnostic, did_you_mean
from hwflow.custom.plugins import Plugins, operator_file
from hwflow.fixed import FixedArray, FixedType, RawArray
from hwflow.ir.body.values import NoGoldenError
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops import operators
from hwflow.ops.shared.port_data import FloatArray
from hwflow.testing.operators.cases import (
    Case,
    Compiled,
    cases_of,
    compile_cases,
    graph_of,
    mantissas,
)
from hwflow.testing.operators.contract import calling, check_contract
from hwflow.testing.operators.outcome import OpCheck, Outcome, Part, compare, computed, total

IO_TYPES = ("io_parallel", "io_stream")
BACKENDS = ("Vitis", "Vivado")
PER_BUILD = 40
"""Examples in one C++ program."""


def check_operator(
    name: str,
    plugins: Plugins | None = None,
    *,
    io_type: str | None = None,
    backend: str | None = None,
    samples: int = 256,
    seed: int = 0,
    progress: Callable[[str, float], None] = lambda stage, done: None,
) -> OpCheck:
    """Compare an operator's Python with its ONNX function and with compiled C++.

    Args:
        name: name of an operator, one of hwflow's or of the plugins.
        plugins: operators beside hwflow's.
        io_type: ``io_parallel`` or ``io_stream``; both where None.
        backend: ``Vitis`` or ``Vivado``; both where None.
        samples: inputs for each example, at least 3: all lowest, all highest, a mixture of both,
            then random ones.
        seed: seed of the random inputs.
        progress: called as stages go on.

    Raises:
        CompileError: HW102, not a target; HW249, there is no such operator; HW254, HW255, its
            template cannot be used; HW257, nor its ONNX function; HW258, one of its methods fails.
        ToolError: g++ or hls4ml is missing, or the C++ does not compile or crashes.
    """
    with (plugins or Plugins()).active():
        known = operators()
    if name not in known:
        raise CompileError([_unknown(name, sorted(known))])
    cls = known[name]
    targets = _targets(io_type, backend)
    with calling(cls, "examples"):
        cases = list(cases_of(cls))
    progress("Python", 0.0)
    outcomes = [check_contract(cls, cases, targets, samples, seed)]
    outcomes.append(_check_golden(cls, cases, samples, seed))
    progress("Python", 1.0)
    for target in targets:
        stage = f"C++ {target.backend} {target.io_type}"
        progress(stage, 0.0)
        outcomes.append(_check_cpp(stage, cases, target, samples, seed))
        progress(stage, 1.0)
    return OpCheck(name, operator_file(cls), samples, seed, tuple(outcomes))


def _targets(io_type: str | None, backend: str | None) -> list[Target]:
    """Return the targets asked for; other words than theirs are refused as in the settings."""
    given = {"io_type": io_type, "backend": backend}
    make_config({"target": {key: word for key, word in given.items() if word is not None}})
    io_types, backends = (io_type,) if io_type else IO_TYPES, (backend,) if backend else BACKENDS
    return [Target(backend=b, io_type=io) for b in backends for io in io_types]


def _unknown(name: str, known: list[str]) -> Diagnostic:
    return Diagnostic(
        code="HW249",
        title="not the name of an operator",
        found=repr(name),
        help=did_you_mean(name, known) or "`hwflow ops` lists them; say --plugin where it is yours",
    )


def _check_golden(cls: type[Op], cases: Sequence[Case], samples: int, seed: int) -> Outcome:
    """Compare an operator's Python with its ONNX function, on mantissas before the cast."""
    rng = np.random.default_rng(seed)
    parts: list[Part] = []
    skipped: dict[str, str] = {}
    for case in map(_with_full_types, cases):
        with calling(cls, f"golden of example {case.name!r}"):
            try:  # ONNX Runtime may take a function of a standard operator's name for that
                function = golden_function(case.op, case.inputs, f"Golden{cls.__name__}")
            except NoGoldenError as problem:
                skipped[case.name] = str(problem)
                continue
            operands = [mantissas(rng, x, samples) for x in case.inputs]
            exact = case.op.exact(*case.inputs)
            found = partial(_run_golden, case, function, exact.dtype.step)
            part = compare(
                case,
                operands,
                expected=partial(_exact_values, case),
                found=found,
                step=exact.dtype.step,
            )
        parts.append((samples * exact.size, *part))
    return total("ONNX function == Python", parts, skipped=skipped)


def _with_full_types(case: Case) -> Case:
    full = tuple(TensorType.full(x.shape, x.dtype) for x in case.inputs)
    return Case(case.name, case.op, full)


def _exact_values(case: Case, operands: Sequence[RawArray]) -> FloatArray:
    return computed(case, operands).values


def _run_golden(
    case: Case, function: onnx.FunctionProto, step: float, operands: Sequence[RawArray]
) -> FloatArray:
    pairs = zip(operands, case.inputs, strict=True)
    arrays = [FixedArray(raw, x.dtype) for raw, x in pairs]
    return run_golden(case.op, function, arrays) * step


def _check_cpp(
    stage: str, cases: Sequence[Case], target: Target, samples: int, seed: int
) -> Outcome:
    """Compare an operator's Python with compiled C++."""
    refusals = {case.name: case.refusals(target) for case in cases}
    skipped = {name: f"{r[0].code}: {r[0].title}" for name, r in refusals.items() if r}
    legal = [_with_full_types(case) for case in cases if not refusals[case.name]]
    parts: list[Part] = []
    for start in range(0, len(legal), PER_BUILD):
        chunk = legal[start : start + PER_BUILD]
        check_kernels(graph_of(chunk), target)
        parts += _compare_cpp(chunk, compile_cases(chunk, target), samples, seed)
    return total(f"{stage} == Python", parts, skipped=skipped)


def _compare_cpp(
    cases: Sequence[Case], compiled: Compiled, samples: int, seed: int
) -> Iterator[Part]:
    """Yield for each case how its C++ compares with its Python."""
    graph = compiled.graph
    rng = np.random.default_rng(seed)
    feeds = {p.value: mantissas(rng, graph.types[p.value], samples) for p in graph.inputs}
    layers = compiled.run(feeds)
    for case in cases:
        operands = [feeds[name] for name in graph.by_name[case.name].inputs]
        known = graph.types[case.name]
        expected = partial(_cast_values, case, known.dtype)
        found = partial(compiled.run_case, case.name)
        part = compare(
            case,
            operands,
            expected=expected,
            found=found,
            step=known.dtype.step,
            other=layers[case.name],
        )
        yield samples * known.size, *part


def _cast_values(case: Case, to: FixedType, operands: Sequence[RawArray]) -> FloatArray:
    return computed(case, operands).cast(to).values
