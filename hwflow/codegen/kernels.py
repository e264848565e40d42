"""Kernels that hls4ml lacks: C++ headers from ``templates/ops``, called through its extension API.

One generic hls4ml layer serves them all. Its configuration struct and its call are rendered from
two blocks of the kernel's Jinja template; the third block is the header itself, which is written
once per kernel into ``firmware/nnet_utils``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from hwflow.ir.op import HlsLayer
from hwflow.resources import templates_dir


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(templates_dir() / "ops"),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _template(kernel: str) -> Template:
    return _environment().get_template(f"{kernel}.h.j2")


def _block(kernel: str, block: str, context: Mapping[str, Any]) -> str:
    template = _template(kernel)
    scope = template.new_context(dict(context))
    return "".join(template.blocks[block](scope))


def header_name(kernel: str) -> str:
    """Return the file name of a kernel's header inside ``firmware/nnet_utils``."""
    return f"hwflow_{kernel}.h"


def headers(layers: Iterable[HlsLayer]) -> dict[str, bytes]:
    """Return the headers of all kernels that the layers use, by path in the project."""
    used = sorted({layer.kernel for layer in layers if layer.kernel})
    return {
        f"firmware/nnet_utils/{header_name(kernel)}": _block(kernel, "header", {}).encode()
        for kernel in used
    }


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
                self.add_weights_variable(name=name, var_name=name[0] + "{index}")

    class KernelConfig(LayerConfigTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(HwflowKernel)

        def format(self, node: Any) -> str:
            return _block(node.get_attr("kernel"), "config", _context(node))

    class KernelCall(FunctionCallTemplate):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(HwflowKernel, include_header=[])

        def format(self, node: Any) -> str:
            node.set_attr("include_header", [f"nnet_utils/{header_name(node.get_attr('kernel'))}"])
            return _block(node.get_attr("kernel"), "call", _context(node)).strip()

    register_layer("HwflowKernel", HwflowKernel)
    backend = get_backend("vivado")
    backend.register_template(KernelConfig)
    backend.register_template(KernelCall)
