"""What the user set for layers in ``hwflow.toml`` goes into the operators; nothing is changed.

Layers are named as in the printed graph, or by their framework name. The defaults of ``[target]``
go to every layer that knows the setting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from hwflow.config import Config
from hwflow.errors import CompileError, Diagnostic, did_you_mean
from hwflow.ir.graph import Graph, Node
from hwflow.ir.op import Op

DEFAULTS = ("strategy", "reuse_factor")


def apply_settings(graph: Graph, config: Config) -> Graph:
    """Return the graph with the user's settings in its operators.

    Raises:
        CompileError: a layer or a setting does not exist, or a value has the wrong kind; carries
            every finding.
    """
    findings: list[Diagnostic] = []
    chosen = dict(_by_node(graph, config, findings))
    ops: dict[str, Op] = {}
    for node in graph.nodes:
        settings = {
            key: getattr(config.target, key)
            for key in DEFAULTS
            if key in node.op.settings and getattr(node.op, key) != getattr(config.target, key)
        }
        for key, value in chosen.get(node.name, {}).items():
            findings.extend(_problems(node, key, value, config))
            settings[key] = value
        if settings and not findings:
            ops[node.name] = replace(node.op, **settings)
    if findings:
        raise CompileError(findings)
    return graph.replace_ops(ops) if ops else graph


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
    if key not in node.op.settings:
        yield Diagnostic(
            code="HW101",
            title="unknown layer setting",
            where=where,
            found=f"{key} = {value!r}",
            supported=f"{', '.join(node.op.settings)} for {node.op.kind}",
            help=did_you_mean(key, node.op.settings) or "remove it",
        )
        return
    wanted = {f.name: str(f.type) for f in fields(node.op)}[key]
    kind = type(value).__name__
    if kind not in wanted or (isinstance(value, int) and value < 1):
        yield Diagnostic(
            code="HW102",
            title="illegal setting",
            where=where,
            found=f"{key} = {value!r}",
            supported="a positive integer" if "int" in wanted else wanted.removesuffix(" | None"),
            help="see docs/settings.md for every setting and its legal values",
        )
