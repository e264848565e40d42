"""Random small operators: shapes, types and options, from a seeded generator."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from hwflow.fixed import FixedArray, FixedType, Overflow, Rounding
from hwflow.ir.op import Op, Target
from hwflow.ir.tensor import TensorType
from hwflow.ops.arg_max import ArgMax
from hwflow.ops.average_pool import AveragePool
from hwflow.ops.conv1d import Conv1D
from hwflow.ops.conv2d import Conv2D
from hwflow.ops.dense import Dense
from hwflow.ops.depthwise_conv1d import DepthwiseConv1D
from hwflow.ops.depthwise_conv2d import DepthwiseConv2D
from hwflow.ops.input import Input
from hwflow.ops.lookup_dense import LookupDense, example_of
from hwflow.ops.max_pool import MaxPool
from hwflow.ops.pad import Pad
from hwflow.ops.reshape import Reshape
from hwflow.ops.slice import Slice
from hwflow.ops.top_k import TopK
from hwflow.ops.transpose import Transpose
from hwflow.testing.operators.cases import Case

Rng = np.random.Generator
Drawn = tuple[Op, TensorType]


def random_type(rng: Rng, max_width: int = 7, *, modes: bool = False) -> FixedType:
    """Return a type, with any rounding and overflow if asked for."""
    signed = bool(rng.integers(2))
    width = int(rng.integers(1 + signed, max_width + 1))
    integer = int(rng.integers(-1, width + 2))
    if not modes:
        return FixedType(width, integer, signed)
    rounding = list(Rounding)[rng.integers(len(Rounding))]
    overflow = list(Overflow)[rng.integers(len(Overflow))]
    return FixedType(width, integer, signed, rounding, overflow)


def random_result(rng: Rng) -> FixedType | None:
    return random_type(rng, 8, modes=True) if rng.random() < 0.6 else None


def constant(rng: Rng, shape: tuple[int, ...], max_width: int = 5) -> FixedArray:
    dtype = random_type(rng, max_width)
    return FixedArray(rng.integers(dtype.raw_min, dtype.raw_max + 1, shape), dtype)


def geometry(rng: Rng, rank: int, *, max_pad: int = 2) -> dict[str, Any]:
    """Return sizes, kernel, strides and pads of a window that fits at least once."""
    kernel = tuple(int(k) for k in rng.integers(1, 4, rank))
    strides = tuple(int(s) for s in rng.integers(1, 4, rank))
    pads = tuple(
        (int(rng.integers(min(k, max_pad + 1))), int(rng.integers(min(k, max_pad + 1))))
        for k in kernel
    )
    size = tuple(int(k + n) for k, n in zip(kernel, rng.integers(0, 4, rank), strict=True))
    return {"size": size, "kernel": kernel, "strides": strides, "pads": pads}


def convolution(rng: Rng, rank: int, *, depthwise: bool) -> Drawn:
    g = geometry(rng, rank)
    channels, filters = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    filters = channels if depthwise else filters
    shape = (*g["kernel"], channels) if depthwise else (*g["kernel"], channels, filters)
    cls = {(1, False): Conv1D, (2, False): Conv2D, (1, True): DepthwiseConv1D}.get(
        (rank, depthwise), DepthwiseConv2D
    )
    op = cls(
        weight=constant(rng, shape), bias=constant(rng, (filters,)), strides=g["strides"],
        pads=g["pads"], result_t=random_result(rng),
    )  # fmt: skip
    if rng.random() < 0.3:
        accum = random_type(rng, 9)
        op = replace(op, accum_t=replace(accum, rounding=list(Rounding)[rng.integers(7)]))
    elif not depthwise:
        op = replace(
            op, strategy=str(rng.choice(["latency", "resource", "distributed_arithmetic"]))
        )
    return op, TensorType.full((*g["size"], channels), random_type(rng))


def pooling(rng: Rng, cls: type[MaxPool] | type[AveragePool]) -> Drawn:
    rank = int(rng.integers(1, 3))
    g = geometry(rng, rank)
    options: dict[str, Any] = {}
    if cls is AveragePool and rng.integers(2):
        options["counted"] = g["pads"]
    x = TensorType.full((*g["size"], int(rng.integers(1, 4))), random_type(rng))
    if rng.random() < 0.2:
        return replace(cls.over_all(g["size"], squeeze=True), result_t=random_result(rng)), x
    op = cls(
        kernel=g["kernel"], strides=g["strides"], pads=g["pads"], result_t=random_result(rng),
        **options,
    )  # fmt: skip
    return op, x


def value(rng: Rng, rank: int | None = None) -> TensorType:
    rank = int(rng.integers(1, 4)) if rank is None else rank
    return TensorType.full(tuple(int(n) for n in rng.integers(1, 5, rank)), random_type(rng))


def padding(rng: Rng) -> Drawn:
    x = value(rng, int(rng.integers(2, 4)))
    pads = [(int(a), int(b)) for a, b in rng.integers(0, 3, (len(x.shape), 2))]
    if rng.integers(2):
        pads[-1] = (0, 0)
    filler = float(rng.choice([0.0, 0.0, 1.0, -0.75, 0.125]))
    return Pad(pads=tuple(pads), value=filler, result_t=random_result(rng)), x


def slicing(rng: Rng) -> Drawn:
    x = value(rng)
    picks = []
    for n in x.shape:
        chosen = range(n)[:: int(rng.choice([1, 1, 2, -1]))]
        start = int(rng.integers(len(chosen)))
        count = int(rng.integers(1, len(chosen) - start + 1))
        picks.append((chosen[start], count, chosen.step))
    return Slice(picks=tuple(picks), result_t=random_result(rng)), x


def reshaping(rng: Rng) -> Drawn:
    x = value(rng)
    divisors = [d for d in range(1, x.size + 1) if x.size % d == 0]
    rows = int(rng.choice(divisors))
    shape = (rows, x.size // rows) if rng.integers(2) else (x.size,)
    return Reshape(shape=shape, result_t=random_result(rng)), x


def transposing(rng: Rng) -> Drawn:
    x = value(rng)
    perm = tuple(int(p) for p in rng.permutation(len(x.shape)))
    return Transpose(perm=perm, result_t=random_result(rng)), x


def dense(rng: Rng) -> Drawn:
    x = value(rng, int(rng.integers(1, 4)))
    n_out = int(rng.integers(1, 5))
    strategy = str(rng.choice(["latency", "resource", "distributed_arithmetic"]))
    op = Dense(
        weight=constant(rng, (x.channels, n_out)), bias=constant(rng, (n_out,)),
        strategy=strategy, result_t=random_result(rng),
    )  # fmt: skip
    return op, x


def ranking(rng: Rng, cls: type[ArgMax] | type[TopK]) -> Drawn:
    x = value(rng)
    options: dict[str, Any] = {"largest": bool(rng.integers(2)), "result_t": random_result(rng)}
    if cls is ArgMax:
        options |= {"last_wins": bool(rng.integers(2)), "squeeze": bool(rng.integers(2))}
    else:
        options["count"] = int(rng.integers(1, x.channels + 1))
        options["indices"] = bool(rng.integers(2))
    return cls(**options), x


def lookups(rng: Rng) -> Drawn:
    channels, members = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    bits = [int(n) for n in rng.integers(0, 5 if members < 3 else 4, channels)]
    terms = int(rng.integers(1, 5)) if members > 1 or rng.integers(2) else 0
    outputs = int(rng.integers(2, 5))
    drawn = example_of(rng, min(members, channels), bits, terms=terms, outputs=outputs)
    shape = (*(int(n) for n in rng.integers(1, 4, rng.integers(0, 3))), channels)
    op: LookupDense = replace(drawn, result_t=random_result(rng))
    return op, TensorType.full(shape, random_type(rng))


DRAWS: dict[str, Callable[[Rng], Drawn]] = {
    "Conv1D": lambda rng: convolution(rng, 1, depthwise=False),
    "Conv2D": lambda rng: convolution(rng, 2, depthwise=False),
    "DepthwiseConv1D": lambda rng: convolution(rng, 1, depthwise=True),
    "DepthwiseConv2D": lambda rng: convolution(rng, 2, depthwise=True),
    "MaxPool": lambda rng: pooling(rng, MaxPool),
    "AveragePool": lambda rng: pooling(rng, AveragePool),
    "Pad": padding,
    "Slice": slicing,
    "Reshape": reshaping,
    "Transpose": transposing,
    "Dense": dense,
    "LookupDense": lookups,
    "ArgMax": lambda rng: ranking(rng, ArgMax),
    "TopK": lambda rng: ranking(rng, TopK),
}


def draw(rng: Rng, kind: str) -> tuple[Op, tuple[TensorType, ...]]:
    """Return a random instance of an operator.

    Operators without a draw of their own get their examples with other types.
    """
    if kind in DRAWS:
        op, x = DRAWS[kind](rng)
        return op, (x,)
    examples = list(Op.registry[kind].examples())
    example = examples[rng.integers(len(examples))]
    if kind == "Requantize":  # its function is defined on the range of its inputs
        return example.op, example.inputs
    inputs = tuple(TensorType.full(x.shape, random_type(rng)) for x in example.inputs)
    op = example.op
    if "result_t" in op.settings:
        op = replace(op, result_t=random_result(rng))
    return op, inputs


def castable(op: Op, inputs: tuple[TensorType, ...]) -> bool:
    """Return whether the final cast keeps to what doubles and the ap_fixed headers can do.

    The headers stop with an assertion when a rounding cast drops more bits than there are.
    """
    full, result = op.exact(*inputs).dtype, op.infer(*inputs).dtype
    return result.width <= 53 and full.fractional - result.fractional <= full.width


def random_cases(seed: int, per_kind: int, target: Target) -> list[Case]:
    """Return legal random instances of every operator, at most 53 bits wide."""
    rng = np.random.default_rng(seed)
    cases = []
    for kind, cls in sorted(Op.registry.items()):
        if cls is Input or (kind not in DRAWS and not list(cls.examples())):
            continue
        wanted, tries = per_kind, 0
        while wanted and tries < 50 * per_kind:
            tries += 1
            op, inputs = draw(rng, kind)
            case = Case(f"{kind}_{len(cases)}".lower(), op, inputs)
            try:
                usable = case.legal(target) and castable(op, inputs)
            except OverflowError:
                usable = False
            if usable and prod(op.infer(*inputs).shape) > 0:
                cases.append(case)
                wanted -= 1
        assert not wanted, f"{kind}: only {per_kind - wanted} legal instances found"
    return cases
