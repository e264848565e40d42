"""Chosen requantisers against a multiplier of 32 bits and against plain thresholds.

Without arguments for random scalings of 64 channels; with models, for each requantisation in them:

    python -m tests.benchmarks.bench_requantize [MODEL ...]

Figures are estimates in LUTs; a DSP block and a block RAM count as the LUTs that do the same work
(``hwflow.ops.requantization.cost``). "Thresholds" stands for one comparator per step, all at once,
and the sum of what they say.
"""

import argparse
import time
from collections.abc import Iterator, Sequence

import numpy as np

import hwflow
from hwflow.estimate import fabric as fabric
from hwflow.fixed import FixedType, RawArray
from hwflow.ir.op import Target
from hwflow.ir.step_function import StepFunction
from hwflow.ir.tensor import TensorType
from hwflow.ops.requantization import cost, total
from hwflow.ops.requantization.multiply_add_shift import MultiplyAddShift
from hwflow.ops.requantization.plan import Plan
from hwflow.ops.requantization.problem import Problem
from hwflow.ops.requantization.thresholds import find as find_thresholds
from hwflow.ops.requantize import Requantize

NAIVE_BITS = 32


def naive(problem: Problem, target: Target, inputs: Sequence[TensorType]) -> float:
    """Return the cost of a multiplier of 32 bits with every digit that a real scale has."""
    rng = np.random.default_rng(0)
    multiplier = rng.integers(2 ** (NAIVE_BITS - 2), 2 ** (NAIVE_BITS - 1), problem.rows) | 1
    products = multiplier.astype(object) * np.maximum(abs(problem.lo), abs(problem.hi))
    bits = max(int(p).bit_length() for p in products) + 1
    lanes = cost.product_lanes(multiplier, problem.lo, problem.hi, target)
    adder = np.full(problem.rows, fabric.LUT_PER_ADDER_BIT * bits)
    clamp = np.full(problem.rows, cost.LUT_PER_CLAMP_BIT * max(bits - NAIVE_BITS, 1))
    lanes += cost.Lanes.of(adder + clamp)
    plan = MultiplyAddShift(
        **problem.parts, multiplier=multiplier, offset=multiplier, drop=0,
        lowest=np.zeros(1, np.int64), highest=np.zeros(1, np.int64),
    )  # fmt: skip
    return priced(lanes, plan, target, inputs)


def priced(lanes: cost.Lanes, plan: Plan, target: Target, inputs: Sequence[TensorType]) -> float:
    """Return the figure of lanes in the place of a plan's."""
    whole = total.sum_lanes(plan, target, inputs) + lanes
    copies = total.copies_of(plan.rows, inputs[0])
    return cost.figure(total.priced(whole, copies, target, inputs[0]))


def comparators(problem: Problem, target: Target, inputs: Sequence[TensorType]) -> float:
    """Return the cost of one comparator per step and of adding up what they say."""
    plan = find_thresholds(problem)
    if plan is None:
        return float("nan")
    steps = np.diff(np.append(problem.begin, len(problem.row))) - 1.0
    bits = cost.width(problem.lo, problem.hi)
    lut = cost.LUT_PER_COMPARISON_BIT * steps * bits + fabric.LUT_PER_ADDER_BIT * steps
    return priced(cost.Lanes.of(lut), plan, target, inputs)


def line(name: str, plan: Plan, problem: Problem, target: Target, x: Sequence[TensorType]) -> str:
    chosen = cost.figure(plan.cost(target, *x))
    others = [f(problem, target, x) for f in (naive, comparators)]
    points = plan.proof.points if plan.proof else 0
    figures = " | ".join(f"{figure:,.0f}" for figure in (chosen, *others))
    return f"| {name} | {plan} | {points:,} | {figures} |"


def random_problems() -> Iterator[tuple[str, Requantize, TensorType]]:
    """Yield batch norms of 64 channels with random scales, rounded and clamped."""
    rng = np.random.default_rng(0)
    for bits, out in (
        (8, 1),
        (8, 2),
        (8, 4),
        (12, 4),
        (12, 8),
        (16, 4),
        (16, 8),
        (17, 8),
        (16, 12),
    ):
        raw = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
        most = 2**out - 1
        scales, biases = rng.uniform(0.5, 2.0, 64) * most / 2**bits, rng.normal(size=64) * most / 4
        rows = [scaled(raw, s, b, most) for s, b in zip(scales, biases, strict=True)]
        op = Requantize(function=StepFunction.of(np.full(64, raw[0]), rows))
        yield f"{bits} to {out} bits", op, TensorType.full((64,), FixedType(bits, bits))


def scaled(raw: RawArray, scale: float, bias: float, most: int) -> RawArray:
    return np.asarray(np.clip(np.rint(raw * scale + bias), 0, most), np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*")
    target = Target()
    arguments = parser.parse_args()
    print("| requantisation | chosen | points | LUTs chosen | 32-bit multiplier | comparators |")
    print("|---|---|--:|--:|--:|--:|")
    for name, op, x in [] if arguments.models else random_problems():
        started = time.perf_counter()
        plan = op.chosen(target, x)
        assert plan is not None
        seconds = time.perf_counter() - started
        problem = Problem.of(op.function, None, (x,))
        print(line(f"{name}, {seconds:.2f} s", plan, problem, target, (x,)))
    for model in arguments.models:
        graph = hwflow.compile(model).graph
        for node in graph.nodes:
            if isinstance(node.op, Requantize) and node.op.plan is not None:
                inputs = graph.input_types(node)
                problem = Problem.of(node.op.function, node.op.weights, inputs)
                print(line(node.name, node.op.plan, problem, target, inputs))


if __name__ == "__main__":
    main()
