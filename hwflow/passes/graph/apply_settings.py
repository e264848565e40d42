"""What the user set for layers in ``hwflow.toml`` goes into the operators; nothing is changed.

Layers are named as in the printed graph, or by their framework name. The defaults of ``[target]``
go to every layer that knows the setting. A bound becomes the nearest number within it that the
layer can have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import NoneType, SimpleNamespace
from typing import Any, get_args, get_type_hints

from hwflow.core.config import Config
from hwflow.core.errors import Diagnostic, did_you_mean
from hwflow.core.limits import Bound, parse_reuse_factor
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op, Target
from hwflow.ops.shared.matvec import shown_values
from hwflow.ops.shared.turns import _InTurns

DEFAULTS = ("strategy", "reuse_factor")

EVERY = ("fifo_depth",)
"""Settings of every layer that has any."""

ANY = 10**9
"""Largest reuse factor of an operator that does not say which ones it can have."""


def apply_settings(
    graph: Graph, config: Config, target: Target
) -> tuple[Graph, tuple[Diagnostic, ...]]:
    """Return the graph with the user's settings in its operators, and what could not be taken.

    Findings are about layers, inputs and settings that do not exist, values of the wrong kind, and
    bounds that a layer cannot keep to.
    """
    findings = list(_unknown_inputs(graph, config))
    chosen = dict(_by_node(graph, config, findings))
    ops: dict[str, Op] = {}
    for node in graph.nodes:
        own = {}
        for key, value in chosen.get(node.name, {}).items():
            problems = list(_problems(node, key, value, config))
            findings += problems
            if not problems:
                own[key] = value
        settings = {k: getattr(config.target, k) for k in of_target(node.op)} | own
        asked = parse_reuse_factor(settings.get("reuse_factor", 1))
        if isinstance(asked, Bound):
            legal = _legal(graph, node, settings, target)
            taken = asked.taken(legal)
            if taken is None and "reuse_factor" in own:
                findings.append(_out_of_reach(node, own["reuse_factor"], legal, config))
            settings["reuse_factor"] = legal[-1] if taken is None else taken
        changed = {k: v for k, v in settings.items() if getattr(node.op, k) != v}
        if changed:
            op = replace(node.op, **changed)
            problems = list(_without_type(graph, node, op, target, config))
            findings += problems
            if not problems:
                ops[node.name] = op
    return (graph.replace_ops(ops) if ops else graph), tuple(findings)


def of_target(op: Op) -> list[str]:
    """Return the settings that an operator takes from ``[target]`` where it has none of its own."""
    shared = {"reuse_factor"} if isinstance(op, _InTurns) else set()
    return [key for key in DEFAULTS if key in op.settings and key not in shared]


def _without_type(
    graph: Graph, node: Node, op: Op, target: Target, config: Config
) -> Iterator[Diagnostic]:
    """Yield what is illegal about settings with which not even a type of the result exists."""
    inputs = graph.input_types(node)
    try:
        op.infer(*inputs)
    except OverflowError:
        where = f"{node.origin or node.name}: {op.kind}, [layer.{node.name}] in {config.source}"
        problems = list(op.check(target, *inputs))
        if not problems:
            raise
        yield from (replace(problem, where=where) for problem in problems)


def _legal(graph: Graph, node: Node, settings: Mapping[str, Any], target: Target) -> Sequence[int]:
    """Return the reuse factors that a layer can have, ascending; any where it does not say."""
    others = {key: value for key, value in settings.items() if key != "reuse_factor"}
    op = replace(node.op, **others)
    return op.reuse_factors(target, *graph.input_types(node)) or range(1, ANY + 1)


def _out_of_reach(node: Node, bound: str, legal: Sequence[int], config: Config) -> Diagnostic:
    return Diagnostic(
        code="HW104",
        title="illegal reuse factor",
        where=f"{node.origin or node.name}: {node.op.kind}, layer {node.name!r}",
        found=f'reuse_factor = "{bound}", set in {config.source}, [layer.{node.name}]',
        supported=shown_values(legal),
        help=f"set reuse_factor = {legal[-1]}, the largest legal value",
    )


def _unknown_inputs(graph: Graph, config: Config) -> Iterator[Diagnostic]:
    names = [port.name for port in graph.inputs]
    for unknown in sorted(set(config.inputs) - set(names)):
        yield Diagnostic(
            code="HW101",
            title="settings for an input that the model does not have",
            where=f"[input.{unknown}] in {config.source}",
            supported=", ".join(names),
            help=did_you_mean(unknown, names) or "remove them",
        )


def _by_node(
    graph: Graph, config: Config, findings: list[Diagnostic]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, settings in config.layers.items():
        matches = [n for n in graph.nodes if n.name == name] or [
            n for n in graph.nodes if n.origin == name and n.op.settings
        ]
        if len(matches) == 1:
            yield matches[0].name, settings
            continue
        names = [n.name for n in graph.nodes if n.op.settings]
        several = ", ".join(n.name for n in matches)
        findings.append(
            Diagnostic(
                code="HW101",
                title="settings for several layers" if matches else "settings for an unknown layer",
                where=f"[layer.{name}] in {config.source}",
                found=f"{name!r} stands for {several}" if matches else "",
                supported=", ".join(names),
                help=did_you_mean(name, names) or "`hwflow inspect` lists the layers",
            )
        )


def _problems(node: Node, key: str, value: Any, config: Config) -> Iterator[Diagnostic]:
    where = f"[layer.{node.name}] in {config.source}"
    known = (*node.op.settings, *EVERY)
    if key not in known:
        yield Diagnostic(
            code="HW101",
            title="unknown layer setting",
            where=where,
            found=f"{key} = {value!r}",
            supported=f"{', '.join(known)} for {node.op.kind}",
            help=did_you_mean(key, known) or "remove it",
        )
        return
    if not _suits(node, key, value):
        kinds = _kinds(node, key)
        bound = ', or a bound on it such as "<=8"' if key == "reuse_factor" else ""
        number = f"a positive integer{bound}"
        yield Diagnostic(
            code="HW102",
            title="illegal setting",
            where=where,
            found=f"{key} = {value!r}",
            supported=number if int in kinds else " | ".join(kind.__name__ for kind in kinds),
            help="see docs/settings.md for every setting and its legal values",
        )


def _kinds(node: Node, key: str) -> tuple[type, ...]:
    """Return the types of values that a setting takes.

    Only its own annotation is read: others may name what the operator's file imports for type
    checkers alone.
    """
    owner = next(c for c in type(node.op).__mro__ if key in vars(c).get("__annotations__", {}))
    names = vars(sys.modules[owner.__module__]) if owner.__module__ in sys.modules else {}
    alone = SimpleNamespace(__annotations__={key: owner.__annotations__[key]})
    hint = get_type_hints(alone, names)[key]
    return tuple(kind for kind in get_args(hint) or (hint,) if kind is not NoneType)


def _suits(node: Node, key: str, value: Any) -> bool:
    """Return whether a value has the kind that a setting takes."""
    if key == "reuse_factor":
        try:
            parse_reuse_factor(value)
        except ValueError:
            return False
        return True
    return type(value) in _kinds(node, key) and not (isinstance(value, int) and value < 1)
