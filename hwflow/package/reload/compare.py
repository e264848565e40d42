"""Whether a build is a model for a block: the same layers, with weights that its arrays hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hwflow.core.errors import CompileError, Diagnostic
from hwflow.fixed import FixedArray, FixedType
from hwflow.ir.graph import Graph, Node
from hwflow.ir.tensor import TensorType
from hwflow.package.reload.form import Reload, StructureLayer
from hwflow.package.reload.layers import structure_of
from hwflow.report.manifest.fields import cut

OWN_BLOCK = "package a block of this build with `hwflow package`"


def refuse_structure(graph: Graph, reload: Reload) -> None:
    """Make sure that a graph has a block's layers; types are not looked at.

    Raises:
        CompileError: HW583, with every difference.
    """
    own = {layer.name: layer for layer in structure_of(graph, reload.layers)}
    wanted = {layer.name: layer for layer in reload.structure}
    findings = [
        *(_differs(name, "no such layer in the block", "") for name in own.keys() - wanted),
        *(_differs(name, "no such layer in the build", "") for name in wanted.keys() - own),
    ]
    for name in wanted:
        if name in own:
            findings += _layer_differs(own[name], wanted[name], reload.layers)
    if findings:
        raise CompileError(sorted(findings, key=lambda f: (f.where, f.found)))


def refuse_types(graph: Graph, reload: Reload) -> None:
    """Make sure that the values of a graph with a block's weights have the block's types.

    Raises:
        CompileError: HW583.
    """
    own = {layer.name: layer.type for layer in structure_of(graph, reload.layers)}
    findings = [
        _differs(layer.name, f"type of its result: {own[layer.name]}", layer.type)
        for layer in reload.structure
        if own[layer.name] != layer.type
    ]
    if findings:
        raise CompileError(findings)


def _layer_differs(
    own: StructureLayer, wanted: StructureLayer, writable: Sequence[str]
) -> Iterator[Diagnostic]:
    """Yield what of a layer is not as in the block."""
    for field in ("kind", "inputs", "shape"):
        found, should = getattr(own, field), getattr(wanted, field)
        if found != should:
            yield _differs(own.name, f"{field}: {_text(found)}", _text(should))
            return
    for setting in sorted({*own.settings, *wanted.settings}):
        found, should = own.settings.get(setting), wanted.settings.get(setting)
        if found == should:
            continue
        constant = setting in ("weight", "bias") and own.name not in writable
        yield _differs(
            own.name,
            f"{setting}: {found or 'none'}" + ("; they are constants in the block" * constant),
            should or "none",
            f"package the block with --reloadable {','.join([*writable, own.name])}"
            if constant
            else f"build the model with the settings of the block's own, or {OWN_BLOCK}",
        )


def _text(value: Any) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _differs(layer: str, found: str, wanted: str, help_text: str = OWN_BLOCK) -> Diagnostic:
    return Diagnostic(
        code="HW583",
        title="the build has another structure than the block",
        where=layer,
        found=found,
        supported=wanted,
        help=help_text,
    )


def with_block_types(graph: Graph, reload: Reload) -> Graph:
    """Return a graph whose layers have weights, biases and accumulators of a block's types.

    Args:
        graph: one of the block's structure.
        reload: what the block says of its arrays.

    Raises:
        CompileError: HW584, a weight or bias does not fit its type; HW588, sums do not fit an
            accumulator. Carries every finding.
    """
    findings: list[Diagnostic] = []
    ops = {}
    for name in reload.layers:
        node = graph.by_name[name]
        op: Any = node.op
        types = {a.role: FixedType.parse(a.type) for a in reload.arrays if a.layer == name}
        wrong = [
            *_misfits(name, "weight", op.weight, types["weight"]),
            *_sum_misfits(graph, node, types["bias"]),
        ]
        findings += wrong or _misfits(name, "bias", op.bias, types["bias"])
        if not findings:
            ops[name] = replace(
                op,
                weight=_held(op.weight, types["weight"]),
                bias=_held(op.bias, types["bias"]),
                accum_t=types["bias"],
            )
    if findings:
        raise CompileError(findings)
    try:
        return graph.replace_ops(ops)
    except ValueError as error:  # a function that was tabulated for sums on another grid
        raise CompileError([contract(graph.name, cut(error), "sums as in the block")]) from error


def _held(numbers: FixedArray, dtype: FixedType) -> FixedArray:
    """Return numbers in a type that holds them."""
    shift = dtype.fractional - numbers.dtype.fractional
    return FixedArray(numbers.raw << shift if shift >= 0 else numbers.raw >> -shift, dtype)


def _misfits(layer: str, role: str, numbers: FixedArray, dtype: FixedType) -> Iterator[Diagnostic]:
    """Yield a finding that names the first number which a type does not hold."""
    step = np.exp2(numbers.dtype.fractional - dtype.fractional)  # of the type, in mantissas
    least, greatest = dtype.raw_min * step, dtype.raw_max * step
    wrong = (numbers.raw % max(step, 1) != 0) | (numbers.raw < least) | (numbers.raw > greatest)
    places = np.argwhere(wrong)
    if not len(places):
        return
    place = tuple(int(i) for i in places[0])
    low, high = np.ldexp([dtype.raw_min, dtype.raw_max], -dtype.fractional)
    yield Diagnostic(
        code="HW584",
        title="a number does not fit the array in the block",
        where=layer,
        found=f"{role}[{', '.join(map(str, place))}] = {numbers.values[place]:g}"
        + (f", and {len(places) - 1} more" if len(places) > 1 else ""),
        supported=f"{dtype}: {low:g} to {high:g} in steps of {np.exp2(-dtype.fractional):g}",
        help=f"train with weights in these bounds, or {OWN_BLOCK}",
    )


def _sum_misfits(graph: Graph, node: Node, accum_t: FixedType) -> Iterator[Diagnostic]:
    """Yield a finding where sums of a build leave the accumulator of a block."""
    op: Any = node.op
    total = op.exact_sum(*graph.input_types(node))
    if op.accum_t == accum_t or _reaches(accum_t, total):
        return
    channel = int(np.argmax(np.maximum(-1 - total.lo, total.hi)))
    low, high = np.ldexp([total.lo[channel], total.hi[channel]], -total.dtype.fractional)
    integer = max(total.dtype.integer + (not total.dtype.signed), accum_t.integer) + 1
    fractional = max(total.dtype.fractional, accum_t.fractional)
    wider = FixedType(integer + fractional, integer)
    yield Diagnostic(
        code="HW588",
        title="sums of products do not fit the accumulator in the block",
        where=node.name,
        found=f"sums from {low:g} to {high:g} in channel {channel}",
        supported=str(accum_t),
        help=f'build the model of the block with accum_t = "{wider}" in [layer.{node.name}] and '
        f"package it again, or {OWN_BLOCK}",
    )


def _reaches(accum_t: FixedType, total: TensorType) -> bool:
    """Return whether the range of a type has that of sums in it, whatever the grids are."""
    least, greatest = (np.ldexp(float(n), -total.dtype.fractional) for n in total.bounds)
    ends = (accum_t.raw_min, accum_t.raw_max)
    low, high = (np.ldexp(float(n), -accum_t.fractional) for n in ends)
    return bool(low <= least and greatest <= high)


def differing_ports(own: Sequence[Any], wanted: Sequence[Any]) -> Iterator[Diagnostic]:
    """Yield ports whose numbers mean something else than the block's.

    Args:
        own: ports of the build, as a block of it would have them.
        wanted: the block's.
    """
    for mine, other in zip(own, wanted, strict=True):
        given, block = (port.model_dump() for port in (mine, other))
        for field in given:
            if field not in ("address", "argument") and given[field] != block[field]:
                yield contract(other.name, f"{field}: {given[field]}", str(block[field]))
                break


def contract(where: str, found: str, wanted: str) -> Diagnostic:
    """Return the refusal of a build whose numbers mean something else than the block's."""
    return Diagnostic(
        code="HW589",
        title="the build has other scales or constants than the block",
        where=where,
        found=found[:200],
        supported=wanted[:200],
        help=f"train with the scales of the block's model kept as they are, or {OWN_BLOCK}",
    )


def differing_line(own: bytes, wanted: bytes) -> tuple[str, str, str]:
    """Return the layer of the first line that differs in two texts of C++, and both lines.

    hls4ml writes the name of a layer as a comment before its configuration and behind its call.
    """
    mine, others = own.decode().splitlines(), wanted.decode("utf-8", "replace").splitlines()
    layer = ""
    for found, should in zip([*mine, ""], [*others, ""], strict=False):
        comment = found.rpartition("// ")[2].strip() if "// " in found else ""
        layer = comment if comment and " " not in comment else layer
        if found != should:
            return layer, found.strip(), should.strip()
    return layer, "", ""


def constants_owner(files: Mapping[str, bytes], network: str, variable: str) -> str:
    """Return the layer that an array of the generated C++ belongs to; empty for none."""
    source = files[f"firmware/{network}.cpp"].decode()
    for line in source.splitlines():
        call, _, layer = line.rpartition(" // ")
        if variable in call.replace("(", " ").replace(")", " ").replace(",", " ").split():
            return layer
    return ""
