"""Kernels that hls4ml lacks: C++ headers from ``templates/ops``, called through its extension API.

One generic hls4ml layer serves them all. Its configuration struct and its call are rendered from
two blocks of the kernel's Jinja template; the third block is the header itself, which is written
once per kernel into ``firmware/nnet_utils``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, TemplateError, TemplateNotFound
from jinja2.meta import find_referenced_templates

from hwflow.codegen.hls.layers import NamedLayer, layers_of
from hwflow.core.errors import CompileError, Diagnostic
from hwflow.core.resources import templates_dir
from hwflow.core.templates import template_environment
from hwflow.ir.graph import Graph
from hwflow.ir.op import Target
from hwflow.ops import is_built_in

_NAME = re.compile(r"[A-Za-z]\w*", re.ASCII)
"""Names of kernels: part of a file's name and of a C++ macro."""

TURNS = "_turns"
"""Template of the header that kernels include whose layers share hardware."""


@cache
def _environment(templates: str) -> Environment:
    """Return the templates of a folder and hwflow's own, which others may use macros of."""
    own = templates_dir() / "ops"
    return template_environment(*([Path(templates)] if templates else []), own)


def _block(kernel: str, templates: str, block: str, context: Mapping[str, Any]) -> str:
    """Return a block of a kernel's template, rendered.

    Raises:
        CompileError: HW254, the template is not there, or Jinja cannot render it.
    """
    try:
        template = _environment(templates).get_template(f"{kernel}.h.j2")
        scope = template.new_context(dict(context))
        return "".join(template.blocks[block](scope))
    except (TemplateError, KeyError) as error:
        raise CompileError([_unusable(kernel, templates, block, error)]) from error


def _unusable(kernel: str, templates: str, block: str, error: Exception) -> Diagnostic:
    found = f"{type(error).__name__} in block {block!r}: {error}"
    if isinstance(error, TemplateNotFound):
        found = f"no file {error.name}"
    elif isinstance(error, KeyError):
        found = f"no block {error.args[0]!r}"
    line = getattr(error, "lineno", None)
    return Diagnostic(
        code="HW254",
        title="the template of a kernel cannot be used",
        where=f"{kernel}.h.j2 in {templates or 'hwflow'}" + (f", line {line}" if line else ""),
        found=found,
        supported="a Jinja template with the blocks header, config and call",
        help="see docs/custom-layers.md for what a template can use",
    )


def check_kernels(graph: Graph, target: Target) -> None:
    """Make sure that each kernel's name means one template, and that it has its three blocks.

    Raises:
        CompileError: HW254, a template cannot be used; HW255, two have one name. Carries every
            finding.
    """
    findings: list[Diagnostic] = []
    folders: dict[str, str] = {}
    for node in graph.nodes:
        if is_built_in(type(node.op)):
            continue
        for named in layers_of(graph, node, target):
            kernel = named.layer.kernel
            if not kernel:
                continue
            findings += _check_kernel(kernel, named.templates)
            if folders.setdefault(kernel, named.templates) != named.templates:
                findings.append(_ambiguous(kernel, folders[kernel], named.templates))
    if findings:
        raise CompileError(dict.fromkeys(findings))


def _check_kernel(kernel: str, templates: str) -> Iterator[Diagnostic]:
    """Yield what is wrong with the template of a kernel outside of hwflow."""
    file = f"{kernel}.h.j2"
    if (Path(templates) / file).exists() and (templates_dir() / "ops" / file).exists():
        yield _ambiguous(kernel, "hwflow", templates)
    try:
        blocks = _environment(templates).get_template(file).blocks
        missing = [name for name in ("header", "config", "call") if name not in blocks]
        yield from (_unusable(kernel, templates, name, KeyError(name)) for name in missing)
    except TemplateError as error:
        yield _unusable(kernel, templates, "", error)
    if not _NAME.fullmatch(kernel):
        reason = ValueError(f"{kernel!r} is no name for a C++ header")
        yield _unusable(kernel, templates, "", reason)


def _ambiguous(kernel: str, first: str, second: str) -> Diagnostic:
    return Diagnostic(
        code="HW255",
        title="two kernels have one name",
        where=f"{kernel}.h.j2 in {second}",
        found=f"another in {first}; both would be written to {header_name(kernel)}",
        help="rename the template, and HlsLayer.kernel with it",
    )


def header_name(kernel: str) -> str:
    """Return the file name of a kernel's header inside ``firmware/nnet_utils``."""
    return f"hwflow_{kernel}.h"


def headers(layers: Iterable[NamedLayer]) -> dict[str, bytes]:
    """Return the headers of all kernels that the layers use, by path in the project."""
    files = {}
    for (kernel, folder), shared in sorted(_used(layers).items()):
        path = f"firmware/nnet_utils/{header_name(kernel.strip('_'))}"
        files[path] = _block(kernel, folder, "header", {"shared": shared}).encode()
    return files


def _used(layers: Iterable[NamedLayer]) -> dict[tuple[str, str], bool]:
    """Return kernels with their folders, and whether some layer of each shares hardware."""
    used: dict[tuple[str, str], bool] = {}
    for named in layers:
        if named.layer.kernel:
            key = named.layer.kernel, named.templates
            used[key] = used.get(key, False) or named.layer.reuse_factor > 1
    return used | {(TURNS, ""): True} if any(used.values()) else used


def kernel_templates(layers: Iterable[NamedLayer]) -> set[tuple[str, str]]:
    """Return name and text of the templates of all kernels used, with those that they import."""
    found: set[tuple[str, str]] = set()
    for kernel, folder in _used(layers):
        environment = _environment(folder)
        waiting = {f"{kernel}.h.j2"}
        while waiting:
            name = waiting.pop()
            template = environment.get_template(name)
            text = Path(template.filename or "").read_text("utf-8")
            if (name, text) in found:
                continue
            found.add((name, text))
            waiting.update(filter(None, find_referenced_templates(environment.parse(text))))
    return found


def _rendered(node: Any, block: str) -> str:
    """Return a block of the template of an hls4ml layer's kernel."""
    return _block(node.get_attr("kernel"), node.get_attr("templates"), block, _context(node))


def _context(node: Any) -> dict[str, Any]:
    """Return what a kernel's template may name: the hls4ml layer's variables and attributes."""
    inputs = [node.get_input_variable(name) for name in node.inputs]
    return {
        "node": node,
        "index": node.index,
        "name": f"config{node.index}",
        "inputs": inputs,
        "input": inputs[0],
        "output": node.get_output_variable(),
        "weights": dict(node.weights.items()),
        "attr": dict(node.attributes.attributes),
        "streams": node.model.config.get_config_value("IOType") == "io_stream",
    }


@cache
def register() -> None:
    """Register the generic layer and its templates with hls4ml's Vivado and Vitis backends."""
    from hls4ml.backends import get_backend
    from hls4ml.backends.template import FunctionCallTemplate, LayerConfigTemplate
    from hls4ml.model.layers import Layer, register_layer

    class HwflowKernel(Layer):  # type: ignore[misc]
        """A layer whose C++ comes from a hwflow template."""

        def initialize(self) -> None:
            self.add_output_variable(list(self.get_attr("output_shape")))
            for name in self.get_attr("weight_names", ()):
                self.add_weights_variable(name=name, var_name=name + "_{index}")

    class KernelConfig(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(HwflowKernel)

        def format(self, node: Any) -> str:
            return _rendered(node, "config")

    class KernelCall(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(HwflowKernel, include_header=[])

        def format(self, node: Any) -> str:
            node.set_attr("include_header", [f"nnet_utils/{header_name(node.get_attr('kernel'))}"])
            return _rendered(node, "call").strip()

    register_layer("HwflowKernel", HwflowKernel)
    backend = get_backend("vivado")
    backend.register_template(KernelConfig)
    backend.register_template(KernelCall)
