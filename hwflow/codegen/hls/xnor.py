"""Layers whose products are XNORs: hls4ml's layers with hwflow's kernel in the place of its own.

hls4ml's configurations name the kernel that computes a window, and its calls name the function
that goes through the windows. Both are exchanged after hls4ml's templates have been filled in.
"""

from __future__ import annotations

import re
from typing import Any

from hwflow.core.resources import templates_dir
from hwflow.ops.shared.xnor import INPUT_EXPONENT

HEADER = "nnet_utils/nnet_xnor.h"
"""Path of the kernel's header below ``firmware``."""

KERNEL = "using kernel = nnet::DenseLatency<data_T, res_T, CONFIG_T>;\n"
"""The line of hls4ml 1.3.0's configurations that names a kernel (``core_templates.py`` and
``convolution_templates.py`` of its Vivado backend)."""


def use_xnor_kernels(model_graph: Any) -> dict[str, bytes]:
    """Exchange the kernels of all layers that ask for it; return the header, by its path.

    Args:
        model_graph: hls4ml's ``ModelGraph`` after all its passes, changed in place.
    """
    asking = [
        layer for layer in model_graph.get_layers() if layer.get_attr(INPUT_EXPONENT) is not None
    ]
    for layer in asking:
        _exchange(layer, streams=model_graph.config.get_config_value("IOType") == "io_stream")
    if not asking:
        return {}
    header = templates_dir() / "nnet" / "xnor.h"
    return {f"firmware/{HEADER}": header.read_bytes()}


def _exchange(layer: Any, *, streams: bool) -> None:
    exponent = int(layer.get_attr(INPUT_EXPONENT))
    ours = (
        KERNEL.replace("DenseLatency", "DenseXnor")
        + f"    typedef ap_ufixed<1, {exponent + 1}> level_t;\n"
        + f"    static const unsigned n_data = {layer.get_input_variable().size()};\n"
    )
    config = str(layer.get_attr("config_cpp"))
    assert config.count(KERNEL) == 1, f"{layer.name}: not a latency kernel of hls4ml 1.3.0"
    layer.set_attr("config_cpp", config.replace(KERNEL, ours))
    layer.set_attr("include_header", [*layer.get_attr("include_header"), HEADER])
    if layer.class_name == "Dense":
        _call(layer, "nnet::dense_xnor<")
    elif not streams:
        _call(layer, "nnet::conv_xnor<")


def _call(layer: Any, function: str) -> None:
    call = str(layer.get_attr("function_cpp"))
    layer.set_attr("function_cpp", re.sub(r"nnet::\w+<", function, call, count=1))
