"""Proofs that a wrong constant changes no bit, whatever the input.

Each is about one layer on its proven ranges: what goes in may be anything that the ranges allow.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, replace
from math import prod

import numpy as np

from hwflow.fixed import FixedArray, Overflow, RawArray, cast_raw
from hwflow.ir.graph import Node
from hwflow.ops.dense import Dense
from hwflow.ops.fixed_quant import FixedQuant
from hwflow.ops.requantize import Requantize
from hwflow.project.design import Design
from tests.mutants.plant import ARRAY, Mutant, parsed_type, types_of
from tests.mutants.program import never_positive
from tests.mutants.unread import assembly, never_read, type_never_used

MOST_VALUES = 1 << 20
"""Values that are tried one by one."""

MOST_BITS = 1 << 24
"""Sums times products that are worked out."""


def why_equivalent(design: Design, mutant: Mutant) -> str:
    """Return why a mutant computes the same for every input; empty where that is not known."""
    if mutant.kind == "value":
        return _value(design, mutant)
    if mutant.kind == "type":
        return _type(design, mutant)
    if "ap_" in mutant.line and int(mutant.after) > int(mutant.before):
        return "an integer type that holds every value has a bit more"
    if "ap_" not in mutant.line and never_read(design.project, mutant):
        return "nothing that is compiled reads it"
    planted = mutant.planted(design.project)
    same = assembly(design.project) == (assembly(planted) or "no")
    return "the compiler makes the same machine code of it" if same else ""


# Values


def _value(design: Design, mutant: Mutant) -> str:
    found = ARRAY.search(design.project.text(mutant.file.removesuffix(".txt") + ".h"))
    assert found is not None
    name = found[1].removesuffix("_t")
    node = max(
        (n for n in design.graph.nodes if name.startswith(n.name + "_")),
        key=lambda n: len(n.name), default=None,
    )  # fmt: skip
    if node is None:
        return ""
    constant = name.removeprefix(node.name + "_")
    raw = round(float(mutant.after) / types_of(design.project)[found[1]].step)
    if isinstance(node.op, Requantize):
        return _requantizer(design, node, constant, mutant.place, raw)
    if isinstance(node.op, FixedQuant):
        return _format(design, node, mutant.place, raw)
    return _product(design, node, constant, mutant.place, raw)


def _format(design: Design, node: Node, place: int, number: int) -> str:
    """Compare both formats of an element on every operand that can occur."""
    op, (x,) = node.op, design.graph.input_types(node)
    assert isinstance(op, FixedQuant)
    if number >= len(op.types) or len(op.rows) not in (x.channels, x.size):
        return ""
    channel = place % x.channels
    values = np.arange(x.lo[channel], x.hi[channel] + 1)
    reached = _reachable(design, node.inputs[0], channel)
    values = values if reached is None else values[np.isin(values, reached)]
    column = FixedArray(values[:, None], x.dtype)
    results = [
        replace(op, rows=np.array([row])).compute(column).values for row in (op.rows[place], number)
    ]
    same = np.array_equal(results[0], results[1])
    return "both formats give the same for every operand that can occur" if same else ""


def _requantizer(design: Design, node: Node, constant: str, place: int, raw: int) -> str:
    """Compare the implementation's own arithmetic on every sum that can occur."""
    assert isinstance(node.op, Requantize)
    plan = node.op.plan
    if plan is None or constant not in plan.constants():
        return ""
    array = plan.constants()[constant]
    field = next((f.name for f in fields(plan) if getattr(plan, f.name) is array), None)
    if field is None:
        return ""
    wrong = array.copy()
    wrong.reshape(-1)[place] = raw
    other = replace(plan, **{field: wrong})
    for row in range(plan.rows):
        n = _sums(design, node, row)
        if n is None:
            return ""
        at = np.full_like(n, row)
        if not np.array_equal(plan.levels(n, at), other.levels(n, at)):
            return ""
    return f"no sum that can occur tells {constant} apart"


def _sums(design: Design, node: Node, row: int) -> RawArray | None:
    """Return every argument of a requantiser's row that can occur, or more."""
    assert isinstance(node.op, Requantize)
    plan, types = node.op.plan, design.graph.input_types(node)
    assert plan is not None
    spans = [(int(lo[row]), int(hi[row])) for lo, hi in plan.ends]
    if prod(hi - lo + 1 for lo, hi in spans) > MOST_VALUES:
        return None
    ranges = [np.arange(lo, hi + 1) for lo, hi in spans]
    if plan.weights is None:
        (n,) = ranges
        reached = _reachable(design, node.inputs[0], row) if plan.rows > 1 else None
        return n if reached is None or plan.rows != types[0].channels else n[np.isin(n, reached)]
    weighted = [w[row] * x for w, x in zip(plan.weights, ranges, strict=True)]
    grid = np.meshgrid(*weighted, indexing="ij")
    return np.unique(sum(grid[1:], grid[0]))


def _reachable(design: Design, name: str, channel: int) -> RawArray | None:
    """Return every sum of a layer of products, each input taken for free within its range."""
    node, graph = design.graph.by_name[name], design.graph
    weight = getattr(node.op, "weight", None)
    if weight is None or node.op.result_t is not None or "Depthwise" in node.op.kind:
        return None
    (x,) = graph.input_types(node)
    factors = weight.raw.reshape(-1, weight.raw.shape[-1])[:, channel]
    lo, hi = (np.resize(end, factors.shape) for end in (x.lo, x.hi))
    if "Conv" in node.op.kind:  # the padding puts zeros beside the range
        lo, hi = np.minimum(lo, 0), np.maximum(hi, 0)
    if int((np.abs(factors) * (hi - lo)).sum()) * int((hi - lo + 1).sum()) > MOST_BITS << 6:
        return None
    sums, least = 1, 0
    for factor, low, high in zip(factors.tolist(), lo.tolist(), hi.tolist(), strict=True):
        if factor:
            terms = [factor * value for value in range(low, high + 1)]
            least += min(terms)
            sums = _or(sums << (term - min(terms)) for term in terms)
    zero = FixedArray(np.zeros((1, *x.shape), np.int64), x.dtype)
    bias = node.op.compute(zero)
    bits = np.array([c == "1" for c in reversed(f"{sums:b}")])
    power = bias.dtype.fractional - x.dtype.fractional - weight.dtype.fractional
    to = graph.types[name].dtype.fractional
    found = (np.flatnonzero(bits) + least << max(power, 0)) + bias.raw[..., channel].ravel()[0]
    return np.asarray(found << max(to - bias.dtype.fractional, 0))


def _or(numbers: Iterator[int]) -> int:
    total = 0
    for number in numbers:
        total |= number
    return total


def _product(design: Design, node: Node, constant: str, place: int, raw: int) -> str:
    """Show that the channel has one result, before and after; or that its input is always 0."""
    array = getattr(node.op, constant, None)
    if not isinstance(array, FixedArray) or array.raw.size <= place:
        return ""
    wrong = array.raw.copy()
    step = wrong.shape[-1]
    wrong.reshape(-1)[place] = raw
    op = replace(node.op, **{constant: FixedArray(wrong, array.dtype)})
    channel = place % step
    (x,) = design.graph.input_types(node)
    source = place // step % x.channels
    if constant == "weight" and x.lo[source] == 0 == x.hi[source]:
        return "the input of this weight is 0 for every sample"
    if constant == "weight" and isinstance(node.op, Dense) and _silent(design, node, place // step):
        return "the input of this weight is 0 for every sample"
    ends = [o.infer(*design.graph.input_types(node)) for o in (node.op, op)]
    if len({e.lo[channel] for e in ends} | {e.hi[channel] for e in ends}) == 1:
        return "the channel has the same single result with both"
    if all(never_positive(design.graph, node, o, channel) for o in (node.op, op)):
        return "the channel is 0 for every sample, with both"
    return ""


def _silent(design: Design, node: Node, place: int) -> bool:
    """Return whether an operand element of a layer is proven to be 0 for every sample."""
    graph = design.graph
    source = graph.by_name[node.inputs[0]]
    while source.op.kind in ("Reshape", "MaxPool"):
        source = graph.by_name[source.inputs[0]]
    channel = place % graph.types[source.name].channels
    return never_positive(graph, source, source.op, channel)


# Types


def _type(design: Design, mutant: Mutant) -> str:
    old, new = parsed_type(mutant.before), parsed_type(mutant.after)
    if replace(old, overflow=Overflow.SAT) == replace(new, overflow=Overflow.SAT) and not (
        old.signed or {old.overflow, new.overflow} - {Overflow.SAT, Overflow.SAT_SYM}
    ):
        return (
            "without a sign, symmetric saturation is saturation"  # ap_fixed_base's overflow_adjust
        )
    values = _held(design, mutant.name)
    if values is None:
        unused = type_never_used(design.project, mutant.name)
        return "nothing that is compiled has a value of the type" if unused else ""
    raw, fractional = values
    lo, hi = int(raw.min()), int(raw.max())
    if all(t.holds(lo, hi, fractional) for t in (old, new)):
        return "both types hold every value that can occur"
    if hi - lo + 1 > len(raw) and len(raw) == 2:
        return ""
    fine = max(old.fractional, new.fractional)
    a, b = (cast_raw(raw, fractional, t) << (fine - t.fractional) for t in (old, new))
    return "every value that the type ever has is the same in both" if np.array_equal(a, b) else ""


def _held(design: Design, name: str) -> tuple[RawArray, int] | None:
    """Return all values that are ever assigned to a type; of very many both ends."""
    project, graph = design.project, design.graph
    for path in project.files:
        if re.fullmatch(r"firmware/weights/\w+\.h", path):
            found = ARRAY.search(project.text(path))
            if found is not None and found[1] == name:
                texts = project.text(path.removesuffix(".h") + ".txt").split(",")
                array = FixedArray.exactly(np.array(texts, np.float64))
                return np.atleast_1d(array.raw), array.dtype.fractional
    top = project.text(f"firmware/{project.name}.cpp")
    if given := re.search(rf", {name}, [\w, ]+>\(\w+, ([\d.e-]+),", top):
        slope = FixedArray.exactly(np.array([given[1]], np.float64))
        return slope.raw, slope.dtype.fractional
    layers = dict(re.findall(r"<[^>;]*?(\w+_result_t)(?:, \w+)?>\(.*// (\w+)", top))
    owner = layers.get(name, name.removesuffix("_accum_t"))
    node = graph.by_name.get(owner)
    if node is None or not node.inputs:
        return None
    exact = node.op.exact(*graph.input_types(node))
    lo, hi = exact.bounds
    if hi - lo > MOST_VALUES:
        return np.array([lo, hi]), exact.dtype.fractional
    return np.arange(lo, hi + 1), exact.dtype.fractional
